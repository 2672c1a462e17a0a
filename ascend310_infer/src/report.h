// What is left behind: embeddings.npy, images.txt, scores.csv, result_Files/, time_Result/ and, last, lfw.json.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bins.h"
#include "files.h"
#include "judge.h"

namespace infer310 {

// What export.json beside a model says of it; the model's own name, and nothing more, where there is none.
struct ModelOrigin {
    std::string checkpoint, checkpoint_sha256, net;
};

// InputError: export.json is none.
ModelOrigin origin_of(const std::filesystem::path& model);
ModelOrigin parse_origin(const std::string& json, const std::string& file, const std::string& model_name);

// Everything is staged while embeddings come, and gets its name at `finish`: a run that fails leaves what was before.
class Report {
  public:
    // `names` of the images, each a row of embeddings.npy. RunError: `output` cannot be written.
    Report(std::filesystem::path output, const std::vector<std::string>& names, const std::vector<Pair>& pairs,
           std::size_t embedding_size);

    // Embeddings of the images `first` .. `first + count - 1`, which follow the last. InputError: NaN or Inf in them.
    void add(std::size_t first, std::size_t count, const float* embeddings);

    // The line `LFWACC=… std=… thd=…`. `seconds` is the time in the network alone.
    std::string finish(const ModelOrigin& origin, double seconds);

  private:
    [[nodiscard]] std::vector<double> scores() const;

    std::filesystem::path output_;
    const std::vector<std::string>& names_;
    const std::vector<Pair>& pairs_;
    std::size_t embedding_size_, header_size_;
    std::vector<std::vector<BinName>> uses_;  // of each image
    AtomicFile embeddings_;
    AtomicFolder results_;
};

std::string result_line(const Judgement& judgement);
std::string lfw_json(const Judgement& judgement, const std::vector<Pair>& pairs, const ModelOrigin& origin,
                     std::size_t embedding_size, std::size_t images);

// The header of an .npy file of float32 (rows, columns).
std::string npy_header(std::size_t rows, std::size_t columns);

}  // namespace infer310
