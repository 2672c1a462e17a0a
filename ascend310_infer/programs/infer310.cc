// sphereface_infer310: embeddings and LFW accuracy of a model on MindSpore Lite, from photographs or from the model
// zoo's preprocessed faces.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <opencv2/core/utility.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "align.h"
#include "batches.h"
#include "errors.h"
#include "face.h"
#include "flags.h"
#include "lite_session.h"
#include "report.h"
#include "writer.h"

namespace {

using infer310::Flag;
using infer310::Flags;
using Clock = std::chrono::steady_clock;

const std::vector<Flag> kFlags = {
    {"mindir_path", "FILE", "model, as `sphereface export --format lite` writes it"},
    {"dataset_name", "NAME", "name of the data set, for the log [lfw]"},
    {"input0_path", "DIR", "preprocessed faces, {pair}_{1|2}_{same}.bin; or the three of photographs:"},
    {"image_path", "DIR", "folder of the photographs"},
    {"landmarks", "FILE", "their landmark list"},
    {"pairs", "FILE", "pairs.txt"},
    {"device", "NAME", "cpu, ascend310 or ascend310p [ascend310]"},
    {"device_id", "N", "which of the Ascend devices [0]"},
    {"batch_size", "N", "faces a call of the network [16]"},
    {"threads", "N", "of the cpu device [all cores]"},
    {"workers", "N", "threads that read, decode and align [as many as cores, at most 4]"},
    {"folds", "N", "folds that the pairs of --input0_path make [10]"},
    {"output", "DIR", "folder that results are written under [.]"},
};

// What there is to do, whichever input it comes from.
struct Task {
    std::vector<std::string> names;
    std::vector<infer310::Pair> pairs;
    infer310::Batches::Load load;
};

Task task_of(const Flags& flags) {
    if (flags.has("input0_path") == flags.has("image_path")) {
        throw infer310::InputError("give either --input0_path, or --image_path with --landmarks and --pairs");
    }
    if (flags.has("input0_path")) {
        const std::filesystem::path folder = flags.needed("input0_path");
        infer310::BinPairs found = infer310::list_bin_pairs(folder, flags.number("folds", 10, 2, 1'000'000));
        auto load = [folder, names = found.names](std::size_t i, float* out) {
            infer310::read_bin(folder / names[i], out);
        };
        return {std::move(found.names), std::move(found.pairs), std::move(load)};
    }
    infer310::PhotographPairs found =
        infer310::read_photograph_pairs(flags.needed("pairs"), flags.needed("landmarks"), flags.needed("image_path"));
    auto load = [images = std::move(found.images)](std::size_t i, float* out) {
        infer310::face_of(images[i].path, images[i].landmarks, out);
    };
    return {std::move(found.names), std::move(found.pairs), std::move(load)};
}

// A line on stderr with the first batch and every five seconds, as `sphereface evaluate` has them.
class Progress {
  public:
    explicit Progress(std::size_t images) : images_(images) {}

    void add(std::size_t count) {
        done_ += count;
        const Clock::time_point now = Clock::now();
        if (done_ == images_ || (count < done_ && now - said_ < std::chrono::seconds(5))) {
            return;
        }
        said_ = now;
        const double seconds = std::chrono::duration<double>(now - began_).count();
        std::fprintf(stderr, "%zu of %zu images, %.1f images/s\n", done_, images_,
                     static_cast<double>(done_) / seconds);
    }

  private:
    std::size_t images_, done_ = 0;
    Clock::time_point began_ = Clock::now(), said_ = began_;
};

int infer(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (std::find(words.begin(), words.end(), "--help") != words.end()) {
        std::fputs(
            infer310::help_of("sphereface_infer310", "LFW accuracy of a model on MindSpore Lite.", kFlags).c_str(),
            stdout);
        return 0;
    }
    const Flags flags(words, kFlags);
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    infer310::SessionOptions options;
    options.model = flags.needed("mindir_path");
    options.device = &infer310::device_named(flags.text("device", "ascend310"));
    options.device_id = static_cast<std::uint32_t>(flags.number("device_id", 0, 0, 1023));
    options.batch = flags.number("batch_size", 16, 1, 4096);
    options.threads = static_cast<int>(flags.number("threads", cores, 1, 1024));
    const std::size_t workers = flags.number("workers", std::min<std::size_t>(4, cores), 1, 256);
    const std::filesystem::path output = flags.text("output", ".");
    cv::setNumThreads(0);  // its own threads would fight with the workers

    const Task task = task_of(flags);
    const infer310::ModelOrigin origin = infer310::origin_of(options.model);
    infer310::make_folder(output);
    infer310::LiteSession session(options);
    infer310::Report report(output, task.names, task.pairs, session.embedding_size());
    infer310::Batches batches(task.names.size(), session.batch(), workers, task.load);
    infer310::Writer writer(
        [&](std::size_t first, std::size_t count, const float* embeddings) { report.add(first, count, embeddings); });
    const Clock::time_point began = Clock::now();
    Progress progress(task.names.size());
    Clock::duration in_network{};
    while (const auto batch = batches.next()) {
        std::vector<float> embeddings(session.batch() * session.embedding_size());
        const Clock::time_point before = Clock::now();
        session.embed(batch->faces.data(), embeddings.data());
        in_network += Clock::now() - before;
        writer.add(batch->first, batch->count, std::move(embeddings));
        progress.add(batch->count);
    }
    writer.finish();
    const double whole = std::chrono::duration<double>(Clock::now() - began).count();
    const double seconds = std::chrono::duration<double>(in_network).count();
    const std::string line = report.finish(origin, seconds);
    std::fprintf(stderr, "%s: %zu images, %.1f images/s (the network alone %.1f)\n",
                 flags.text("dataset_name", "lfw").c_str(), task.names.size(),
                 static_cast<double>(task.names.size()) / whole, static_cast<double>(task.names.size()) / seconds);
    std::puts(line.c_str());
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return infer310::exit_code_of("sphereface_infer310", infer, argc, argv); }
