// The model zoo's preprocessed faces: a folder of files {pair}_{1|2}_{same}.bin, float32 3x112x96 each.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "pairs.h"

namespace infer310 {

struct BinPairs {
    std::vector<std::string> names;  // {i}_{1|2}_{same}.bin; images 2 i and 2 i + 1 are those of pair i
    std::vector<Pair> pairs;
};

// A name as the model zoo's preprocess.py gives: {pair}_{1|2}_{same}.bin.
struct BinName {
    std::size_t pair = 0;
    int side = 1;  // 1 or 2
    bool same = false;
};

// The .bin files of a folder as pairs in `folds` folds of neighbours, as KFold without shuffling makes them.
// InputError: a name that does not parse, a file of another size, a pair that lacks a side.
BinPairs list_bin_pairs(const std::filesystem::path& folder, std::size_t folds);

// InputError: the name does not parse.
BinName parse_bin_name(const std::string& name);
std::string bin_name(const BinName& name);

// The fold of pair `pair` of `pairs`: folds of equal size, the first ones by one larger where it does not divide.
std::size_t fold_of(std::size_t pair, std::size_t pairs, std::size_t folds);

// The kFaceValues numbers of a file, to `out`. InputError names the file.
void read_bin(const std::filesystem::path& path, float* out);

}  // namespace infer310
