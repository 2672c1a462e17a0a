#include "report.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "errors.h"
#include "mapped.h"

namespace infer310 {
namespace fs = std::filesystem;
namespace {

fs::path made(fs::path folder) {
    make_folder(folder);
    return folder;
}

// A writable folder before anything is staged in it.
fs::path cleared(fs::path folder) {
    make_folder(folder);
    for (const char* name : {"embeddings.npy", "result_Files", "images.txt", "scores.csv", "lfw.json"}) {
        remove_leftovers(folder / name);
    }
    return folder;
}

std::string far_name(double far) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%g", far);
    return text.data();
}

std::string scores_csv(const std::vector<Pair>& pairs, const std::vector<double>& scores,
                       const std::vector<std::string>& names) {
    std::string text = "fold,same,left,right,score\n";
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        std::array<char, 32> score{};
        std::snprintf(score.data(), score.size(), "%.17g", scores[i]);
        text += std::to_string(pairs[i].fold + 1) + (pairs[i].same ? ",1," : ",0,") + names[pairs[i].left] + "," +
                names[pairs[i].right] + "," + score.data() + "\n";
    }
    return text;
}

}  // namespace

ModelOrigin origin_of(const fs::path& model) {
    const fs::path file = model.parent_path() / "export.json";
    std::error_code ignored;
    const std::string name = model.filename().string();
    if (!fs::exists(file, ignored)) {
        return {name, "", ""};
    }
    return parse_origin(read_file(file, "description of the model"), file.string(), name);
}

ModelOrigin parse_origin(const std::string& json, const std::string& file, const std::string& model_name) {
    try {
        const auto value = nlohmann::json::parse(json);
        if (!value.at("files").contains(model_name)) {
            return {model_name, "", ""};
        }
        return {value.at("checkpoint").get<std::string>(), value.at("checkpoint_sha256").get<std::string>(),
                value.at("net").get<std::string>()};
    } catch (const nlohmann::json::exception&) {
        throw InputError(file + ": is not the export.json of `sphereface export`; mend or remove it");
    }
}

std::string npy_header(std::size_t rows, std::size_t columns) {
    constexpr std::size_t kAlignment = 64, kMagicSize = 10;
    std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                       std::to_string(columns) + "), }";
    text.append(kAlignment - (kMagicSize + text.size() + 1) % kAlignment, ' ');
    text += '\n';
    std::string header("\x93NUMPY\x01\x00", 8);
    header += static_cast<char>(text.size() & 0xffU);
    header += static_cast<char>(text.size() >> 8U);
    return header + text;
}

Report::Report(fs::path output, const std::vector<std::string>& names, const std::vector<Pair>& pairs,
               std::size_t embedding_size)
    : output_(cleared(std::move(output))),
      names_(names),
      pairs_(pairs),
      embedding_size_(embedding_size),
      header_size_(npy_header(names.size(), embedding_size).size()),
      uses_(names.size()),
      embeddings_(output_ / "embeddings.npy"),
      results_(output_ / "result_Files") {
    embeddings_.write(npy_header(names.size(), embedding_size));
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        uses_[pairs[i].left].push_back({i, 1, pairs[i].same});
        uses_[pairs[i].right].push_back({i, 2, pairs[i].same});
    }
}

void Report::add(std::size_t first, std::size_t count, const float* embeddings) {
    for (std::size_t i = 0; i < count * embedding_size_; ++i) {
        if (!std::isfinite(embeddings[i])) {
            throw InputError(names_[first + i / embedding_size_] +
                             ": its embedding holds NaN or Inf; the checkpoint has diverged, or the face is damaged");
        }
    }
    embeddings_.write(embeddings, count * embedding_size_ * sizeof(float));
    for (std::size_t i = 0; i < count; ++i) {
        for (const BinName& use : uses_[first + i]) {
            const std::string name = bin_name(use);
            results_.write(name.substr(0, name.rfind('.')) + "_0.bin", embeddings + i * embedding_size_,
                           embedding_size_ * sizeof(float));
        }
    }
}

std::vector<double> Report::scores() const {
    const Mapped file(embeddings_.descriptor(), "embeddings.npy");
    const auto* rows = reinterpret_cast<const float*>(file.bytes().data() + header_size_);
    std::vector<double> scores;
    scores.reserve(pairs_.size());
    for (const Pair& pair : pairs_) {
        scores.push_back(
            cosine(rows + pair.left * embedding_size_, rows + pair.right * embedding_size_, embedding_size_));
    }
    return scores;
}

std::string Report::finish(const ModelOrigin& origin, double seconds) {
    const std::vector<double> cosines = scores();
    const Judgement judgement = judge(pairs_, cosines);
    std::string images;
    for (const std::string& name : names_) {
        images += name + "\n";
    }
    std::array<char, 128> performance{};
    std::snprintf(performance.data(), performance.size(), "NN inference cost average time: %g ms of infer_count %zu\n",
                  seconds * 1000 / static_cast<double>(names_.size()), names_.size());
    // lfw.json says that all the others are there and belong together.
    std::error_code ignored;
    fs::remove(output_ / "lfw.json", ignored);
    results_.commit();
    embeddings_.commit();
    write_file(output_ / "images.txt", images);
    write_file(output_ / "scores.csv", scores_csv(pairs_, cosines, names_));
    write_file(made(output_ / "time_Result") / "test_perform_static.txt", performance.data());
    write_file(output_ / "lfw.json", lfw_json(judgement, pairs_, origin, embedding_size_, names_.size()));
    return result_line(judgement);
}

std::string result_line(const Judgement& judgement) {
    std::array<char, 96> line{};
    std::snprintf(line.data(), line.size(), "LFWACC=%.4f std=%.4f thd=%.4f", judgement.accuracy, judgement.std,
                  judgement.threshold);
    return line.data();
}

std::string lfw_json(const Judgement& judgement, const std::vector<Pair>& pairs, const ModelOrigin& origin,
                     std::size_t embedding_size, std::size_t images) {
    using Json = nlohmann::ordered_json;
    std::size_t same = 0;
    for (const Pair& pair : pairs) {
        same += pair.same ? 1 : 0;
    }
    Json tar = Json::object(), threshold = Json::object(), folds = Json::array();
    for (const OperatingPoint& point : judgement.points) {
        tar[far_name(point.far)] = point.tar;
        threshold[far_name(point.far)] = point.threshold;
    }
    for (const Fold& fold : judgement.folds) {
        folds.push_back({{"fold", folds.size() + 1},
                         {"pairs", fold.pairs},
                         {"accuracy", fold.accuracy},
                         {"threshold", fold.threshold}});
    }
    const Json value = {
        {"schema", 1},
        {"protocol", "zoo"},
        {"score", "cosine"},
        {"same_if", "above threshold"},
        {"accuracy", judgement.accuracy},
        {"std", judgement.std},
        {"threshold", judgement.threshold},
        {"confidence_interval",
         {{"level", 0.95}, {"method", "Wilson, over all pairs"}, {"low", judgement.low}, {"high", judgement.high}}},
        {"auc", judgement.auc},
        {"eer", judgement.eer},
        {"tar_at_far", tar},
        {"threshold_at_far", threshold},
        {"smallest_measurable_far", 1 / static_cast<double>(pairs.size() - same)},
        {"folds", folds},
        {"pairs", pairs.size()},
        {"same_pairs", same},
        {"checkpoint", origin.checkpoint},
        {"checkpoint_sha256", origin.checkpoint_sha256},
        {"net", origin.net},
        {"embedding_size", embedding_size},
        {"images", images},
    };
    return value.dump(2) + "\n";
}

}  // namespace infer310
