// The network's input: an aligned face, BGR, channel by channel, (pixel - 127.5) / 128 as float32.
#pragma once

#include <cstddef>

namespace infer310 {

constexpr int kHeight = 112, kWidth = 96, kChannels = 3;
constexpr std::size_t kFaceValues = std::size_t{kChannels} * kHeight * kWidth;
constexpr std::size_t kFaceBytes = kFaceValues * sizeof(float);

}  // namespace infer310
