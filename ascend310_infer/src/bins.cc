#include "bins.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>

#include "errors.h"
#include "face.h"
#include "files.h"

namespace infer310 {
namespace fs = std::filesystem;

BinName parse_bin_name(const std::string& name) {
    const auto wrong = [&] {
        return InputError("'" + name + "' does not parse: expected {pair}_{1|2}_{same: 0|1}.bin, as in 17_2_1.bin");
    };
    constexpr std::string_view kTail = "_s_t.bin";
    if (name.size() <= kTail.size()) {
        throw wrong();
    }
    const std::string_view tail = std::string_view(name).substr(name.size() - kTail.size());
    const bool formed = tail[0] == '_' && (tail[1] == '1' || tail[1] == '2') && tail[2] == '_' &&
                        (tail[3] == '0' || tail[3] == '1') && tail.substr(4) == ".bin";
    BinName parsed;
    const char* const digits_end = name.data() + name.size() - kTail.size();
    const auto [end, error] = std::from_chars(name.data(), digits_end, parsed.pair);
    const bool padded = name[0] == '0' && digits_end - name.data() > 1;  // would be another file's name
    if (!formed || error != std::errc() || end != digits_end || padded) {
        throw wrong();
    }
    parsed.side = tail[1] - '0';
    parsed.same = tail[3] == '1';
    return parsed;
}

std::string bin_name(const BinName& name) {
    return std::to_string(name.pair) + "_" + std::to_string(name.side) + "_" + (name.same ? "1" : "0") + ".bin";
}

std::size_t fold_of(std::size_t pair, std::size_t pairs, std::size_t folds) {
    const std::size_t size = pairs / folds, larger = pairs % folds;
    const std::size_t in_larger = larger * (size + 1);
    return pair < in_larger ? pair / (size + 1) : larger + (pair - in_larger) / size;
}

BinPairs list_bin_pairs(const fs::path& folder, std::size_t folds) {
    struct Sides {
        std::array<bool, 2> there{};
        std::optional<bool> same;
    };
    std::error_code error;
    std::map<std::size_t, Sides> found;
    fs::directory_iterator files(folder, error);
    if (error) {
        throw InputError(folder.string() + ": cannot list the .bin files: " + error.message());
    }
    for (const fs::directory_entry& file : files) {
        const std::string name = file.path().filename().string();
        BinName parsed;
        try {
            parsed = parse_bin_name(name);
        } catch (const InputError& wrong) {
            throw InputError(folder.string() + ": " + wrong.what());
        }
        const std::uintmax_t size = file.file_size(error);
        if (error || size != kFaceBytes) {
            throw InputError(file.path().string() + ": " +
                             (error ? error.message() : "has " + std::to_string(size) + " bytes") + ", but a face is " +
                             std::to_string(kFaceBytes) + " bytes (float32 3x112x96); write it anew");
        }
        Sides& sides = found[parsed.pair];
        if (sides.same.value_or(parsed.same) != parsed.same) {
            throw InputError(file.path().string() + ": the other face of pair " + std::to_string(parsed.pair) +
                             " says the opposite about being the same person");
        }
        sides.same = parsed.same;
        sides.there.at(static_cast<std::size_t>(parsed.side - 1)) = true;
    }
    if (found.size() < 2 || folds < 2 || folds > found.size()) {
        throw InputError(folder.string() + ": holds " + std::to_string(found.size()) + " pairs; " +
                         std::to_string(folds) + " folds (at least 2) need as many");
    }
    BinPairs result;
    for (const auto& [pair, sides] : found) {
        const std::size_t expected = result.pairs.size();
        if (pair != expected || !sides.there[0] || !sides.there[1]) {
            const std::size_t lacking = std::min(pair, expected);
            throw InputError(folder.string() + ": pair " + std::to_string(lacking) + " is not whole: expected " +
                             std::to_string(lacking) + "_1_{same}.bin and " + std::to_string(lacking) +
                             "_2_{same}.bin, pairs counted from 0");
        }
        for (const int side : {1, 2}) {
            result.names.push_back(bin_name({pair, side, *sides.same}));
        }
        result.pairs.push_back({2 * pair, 2 * pair + 1, *sides.same, fold_of(pair, found.size(), folds)});
    }
    return result;
}

void read_bin(const fs::path& path, float* out) {
    const std::string bytes = read_file(path, "file");
    if (bytes.size() != kFaceBytes) {
        throw InputError(path.string() + ": has " + std::to_string(bytes.size()) + " bytes, but a face is " +
                         std::to_string(kFaceBytes) + " bytes (float32 3x112x96); write it anew");
    }
    std::memcpy(out, bytes.data(), kFaceBytes);
}

}  // namespace infer310
