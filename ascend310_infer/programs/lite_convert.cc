// sphereface_lite_convert MODEL.onnx MODEL.mindir: an ONNX file as a MINDIR that MindSpore Lite reads, by the
// converter that comes with it. `sphereface export --format lite` calls it; there is no need to.

#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "captured_stderr.h"
#include "errors.h"
#include "include/api/status.h"
#include "include/api/types.h"

// The converter's header is not in the wheel; these are the symbols of its library (MindSpore Lite 2.0).
namespace mindspore {
namespace converter {
enum FmkType : int { kFmkTypeOnnx = 2 };
}
struct ConverterPara;
class Converter {  // NOLINT(cppcoreguidelines-special-member-functions)
  public:
    Converter(converter::FmkType framework, const std::vector<char>& model, const std::vector<char>& output,
              const std::vector<char>& weights);
    ~Converter() = default;
    void SetSaveType(ModelType type);
    void SetNoFusion(bool no_fusion);
    Status Convert();

  private:
    std::shared_ptr<ConverterPara> data_;
};
}  // namespace mindspore

namespace {

const std::string kUsage = "usage: sphereface_lite_convert MODEL.onnx MODEL.mindir";

int convert(int argc, char** argv) {
    if (argc == 2 && std::string(argv[1]) == "--help") {
        return std::puts(kUsage.c_str()) < 0 ? 1 : 0;
    }
    constexpr std::string_view kSuffix = ".mindir";
    const std::string source = argc > 1 ? argv[1] : "", target = argc > 2 ? argv[2] : "";
    if (argc != 3 || target.size() <= kSuffix.size() || target.substr(target.size() - kSuffix.size()) != kSuffix) {
        throw infer310::InputError(kUsage);
    }
    if (!std::filesystem::is_regular_file(source)) {
        throw infer310::InputError(source + ": no such model");
    }
    const std::string stem = target.substr(0, target.size() - kSuffix.size());  // the converter appends the suffix
    mindspore::Status status;
    std::string log;
    {
        const infer310::CapturedStderr captured;
        mindspore::Converter converter(mindspore::converter::kFmkTypeOnnx, {source.begin(), source.end()},
                                       {stem.begin(), stem.end()}, {});
        converter.SetSaveType(mindspore::kMindIR);
        converter.SetNoFusion(true);  // a fused model runs on the cpu only; this one on every device
        status = converter.Convert();
        log = captured.text();
    }
    if (!status.IsOk()) {
        throw infer310::RunError(source + ": cannot be converted: " + infer310::first_error(log));
    }
    return ::chmod(target.c_str(), S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);  // the converter leaves it at 0400
}

}  // namespace

int main(int argc, char** argv) { return infer310::exit_code_of("sphereface_lite_convert", convert, argc, argv); }
