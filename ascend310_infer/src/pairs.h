// Pairs of faces to be judged, and where the image of each face comes from.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "lists.h"

namespace infer310 {

// Two faces, by their place in the list of images.
struct Pair {
    std::size_t left = 0, right = 0;
    bool same = false;
    std::size_t fold = 0;  // from 0
};

// An image file and where the face lies in it.
struct Photograph {
    std::filesystem::path path;
    Landmarks landmarks{};
};

struct PhotographPairs {
    std::vector<Photograph> images;  // those that pairs name, in the order in which they first do
    std::vector<std::string> names;  // of `images`, relative to the folder
    std::vector<Pair> pairs;
};

// The pairs of `pairs_file` with the landmarks of `landmark_file`, of images below `folder`. InputError names
// file:line.
PhotographPairs read_photograph_pairs(const std::filesystem::path& pairs_file,
                                      const std::filesystem::path& landmark_file, const std::filesystem::path& folder);

}  // namespace infer310
