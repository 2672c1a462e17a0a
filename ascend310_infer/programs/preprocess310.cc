// sphereface_preprocess310: photographs with landmarks to the model zoo's preprocessed faces.

#include <algorithm>
#include <cstdio>
#include <opencv2/core/utility.hpp>
#include <thread>
#include <vector>

#include "align.h"
#include "batches.h"
#include "bins.h"
#include "errors.h"
#include "face.h"
#include "files.h"
#include "flags.h"

namespace {

using infer310::Flag;
using infer310::Flags;

const std::vector<Flag> kFlags = {
    {"image_path", "DIR", "folder of the photographs"},
    {"landmarks", "FILE", "their landmark list"},
    {"pairs", "FILE", "pairs.txt"},
    {"workers", "N", "threads that read, decode and align [as many as cores, at most 4]"},
    {"output", "DIR", "folder that 00_data is written under [preprocess_result]"},
};

int preprocess(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (std::find(words.begin(), words.end(), "--help") != words.end()) {
        std::fputs(infer310::help_of("sphereface_preprocess310",
                                     "Aligned faces of pairs as {pair}_{1|2}_{same}.bin, float32 3x112x96.", kFlags)
                       .c_str(),
                   stdout);
        return 0;
    }
    const Flags flags(words, kFlags);
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    const std::size_t workers = flags.number("workers", std::min<std::size_t>(4, cores), 1, 256);
    const std::filesystem::path output = flags.text("output", "preprocess_result");
    cv::setNumThreads(0);  // its own threads would fight with the workers

    const infer310::PhotographPairs found =
        infer310::read_photograph_pairs(flags.needed("pairs"), flags.needed("landmarks"), flags.needed("image_path"));
    std::vector<std::vector<infer310::BinName>> uses(found.images.size());
    for (std::size_t i = 0; i < found.pairs.size(); ++i) {
        uses[found.pairs[i].left].push_back({i, 1, found.pairs[i].same});
        uses[found.pairs[i].right].push_back({i, 2, found.pairs[i].same});
    }
    infer310::make_folder(output);
    infer310::remove_leftovers(output / "00_data");
    infer310::AtomicFolder folder(output / "00_data");
    infer310::Batches batches(found.images.size(), 16, workers, [&](std::size_t i, float* out) {
        infer310::face_of(found.images[i].path, found.images[i].landmarks, out);
    });
    while (const auto batch = batches.next()) {
        for (std::size_t i = 0; i < batch->count; ++i) {
            for (const infer310::BinName& use : uses[batch->first + i]) {
                folder.write(infer310::bin_name(use), batch->faces.data() + i * infer310::kFaceValues,
                             infer310::kFaceBytes);
            }
        }
    }
    folder.commit();
    std::puts((output / "00_data").c_str());
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return infer310::exit_code_of("sphereface_preprocess310", preprocess, argc, argv); }
