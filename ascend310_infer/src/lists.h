// Landmark lists and pairs.txt: text in, records out, every fault named by file:line.
//
//   landmark list   relpath x1 y1 … x5 y5, columns apart by tabs or by spaces
//   pairs.txt       "folds pairs", then in each fold `pairs` lines "name i j" (the same person) and
//                   `pairs` lines "name i name j" (two persons)
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace infer310 {

// x1, y1, … x5, y5 in pixels: left eye, right eye, nose, left and right corner of the mouth.
using Landmarks = std::array<double, 10>;

struct ListedImage {
    std::string path;  // below the folder of images
    Landmarks landmarks{};
};

struct NamedPair {
    std::string left, right;  // paths without suffix, as in Name/Name_0001
    bool same = false;
    std::size_t fold = 0;  // from 0
    std::size_t line = 0;
};

// `file` is only for messages. Both raise InputError.
std::vector<ListedImage> parse_landmark_list(std::string_view text, const std::string& file);
std::vector<NamedPair> parse_named_pairs(std::string_view text, const std::string& file);

}  // namespace infer310
