#include "pairs.h"

#include <system_error>
#include <unordered_map>

#include "errors.h"
#include "files.h"

namespace infer310 {
namespace fs = std::filesystem;

PhotographPairs read_photograph_pairs(const fs::path& pairs_file, const fs::path& landmark_file,
                                      const fs::path& folder) {
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored)) {
        throw InputError(folder.string() + ": no such folder of images; set --image_path");
    }
    const auto named = parse_named_pairs(read_file(pairs_file, "pairs file"), pairs_file.string());
    const auto listed = parse_landmark_list(read_file(landmark_file, "landmark list"), landmark_file.string());
    std::unordered_map<std::string, std::size_t> row_of;
    for (std::size_t row = 0; row < listed.size(); ++row) {
        row_of[fs::path(listed[row].path).lexically_normal().replace_extension().string()] = row;
    }
    PhotographPairs result;
    std::unordered_map<std::string, std::size_t> place_of;
    const auto place = [&](const std::string& name, std::size_t line) {
        if (const auto known = place_of.find(name); known != place_of.end()) {
            return known->second;
        }
        const std::string where = pairs_file.string() + ":" + std::to_string(line);
        const auto row = row_of.find(name);
        if (row == row_of.end()) {
            throw InputError(where + ": '" + name + "' is not in " + landmark_file.string());
        }
        const ListedImage& image = listed[row->second];
        if (!fs::is_regular_file(folder / image.path, ignored)) {
            throw InputError(where + ": there is no image " + (folder / image.path).string());
        }
        result.images.push_back({folder / image.path, image.landmarks});
        result.names.push_back(image.path);
        return place_of[name] = result.images.size() - 1;
    };
    for (const NamedPair& pair : named) {
        const std::size_t left = place(pair.left, pair.line);
        result.pairs.push_back({left, place(pair.right, pair.line), pair.same, pair.fold});
    }
    return result;
}

}  // namespace infer310
