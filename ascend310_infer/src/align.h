// From a photograph and five landmarks to the network's input. The twin of sphereface/align.py.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <opencv2/core/mat.hpp>

#include "lists.h"

namespace infer310 {

// Rows of the 2x3 matrix that takes landmarks to where they lie in the 96x112 crop: least squares from the reference
// to the photograph, inverted then, as Matlab's cp2tform does it. InputError: the landmarks coincide.
std::array<double, 6> similarity(const Landmarks& landmarks);

// The aligned face, 8-bit BGR 112x96: bilinear, black where the photograph ends. InputError: no face can lie there.
cv::Mat crop(const cv::Mat& image, const Landmarks& landmarks);

// (pixel - 127.5) / 128 of an 8-bit 112x96 face, channel by channel, to kFaceValues numbers at `out`.
void normalise(const cv::Mat& face, float* out);

// An image file as 8-bit BGR. InputError "path: why", for files cut short too.
cv::Mat read_image(const std::filesystem::path& path);

// Everything above in one: the input that a photograph makes.
void face_of(const std::filesystem::path& path, const Landmarks& landmarks, float* out);

}  // namespace infer310
