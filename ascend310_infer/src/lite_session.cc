#include "lite_session.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "captured_stderr.h"
#include "errors.h"
#include "face.h"
#include "include/api/context.h"
#include "include/api/model.h"
#include "include/api/types.h"
#include "mindir.h"

namespace infer310 {

// Everything in which devices differ.
struct Device {
    std::string_view name;
    std::shared_ptr<mindspore::DeviceInfoContext> (*context)(const SessionOptions&);
};

namespace {

std::shared_ptr<mindspore::DeviceInfoContext> cpu(const SessionOptions&) {
    return std::make_shared<mindspore::CPUDeviceInfo>();
}

// Not run on hardware. An Ascend model is compiled for fixed shapes while it is loaded, so the batch is told here.
std::shared_ptr<mindspore::DeviceInfoContext> ascend(const SessionOptions& options) {
    auto device = std::make_shared<mindspore::AscendDeviceInfo>();
    device->SetDeviceID(options.device_id);
    device->SetInputShapeMap({{0, {static_cast<int>(options.batch), kChannels, kHeight, kWidth}}});
    return device;
}

constexpr std::array<Device, 3> kDevices = {{{"cpu", cpu}, {"ascend310", ascend}, {"ascend310p", ascend}}};

std::string text_of(const std::vector<std::int64_t>& shape) {
    std::string text = "[";
    for (const std::int64_t size : shape) {
        text += (text.size() > 1 ? ", " : "") + (size < 0 ? "batch" : std::to_string(size));
    }
    return text + "]";
}

bool is_float(const mindspore::MSTensor& tensor) {
    return tensor.DataType() == mindspore::DataType::kNumberTypeFloat32;
}

bool takes_faces(const std::vector<mindspore::MSTensor>& inputs) {
    if (inputs.size() != 1 || !is_float(inputs[0])) {
        return false;
    }
    const auto shape = inputs[0].Shape();
    return shape.size() == 4 && (shape[0] == -1 || shape[0] > 0) && shape[1] == kChannels && shape[2] == kHeight &&
           shape[3] == kWidth;
}

// Why the runtime did not take a model, from what it wrote.
[[noreturn]] void refuse(const SessionOptions& options, const MindirHead& head, const std::string& log) {
    constexpr std::string_view kNewest = "maximum mind ir version: ";
    const std::string path = options.model.string();
    if (const std::size_t found = log.find(kNewest); found != std::string::npos) {
        const std::size_t begin = found + kNewest.size();
        const std::string newest = log.substr(begin, log.find_first_not_of("0123456789", begin) - begin);
        throw InputError(path + ": is MINDIR version " + std::to_string(head.version) + " (of " + head.producer +
                         "), and this MindSpore Lite reads up to version " + newest +
                         "; export it with --format lite, or take a newer MindSpore Lite");
    }
    const std::string reason = first_error(log);
    const std::string said = reason.empty() ? "it did not say why" : reason;
    if (options.device->name != "cpu") {
        throw RunError("device " + std::string(options.device->name) + " " + std::to_string(options.device_id) +
                       ": cannot be used here (" + said +
                       "); it needs the Ascend driver, CANN and a MindSpore Lite built for it, or take --device cpu");
    }
    throw InputError(path + ": MindSpore Lite cannot load it (" + said + "); export it with --format lite");
}

}  // namespace

struct LiteSession::Runtime {
    mindspore::Model model;
    std::vector<mindspore::MSTensor> inputs;
    std::vector<mindspore::MSTensor> outputs;
};

const Device& device_named(std::string_view name) {
    const auto* found =
        std::find_if(kDevices.begin(), kDevices.end(), [&](const Device& device) { return device.name == name; });
    if (found == kDevices.end()) {
        throw InputError("--device must be cpu, ascend310 or ascend310p, not '" + std::string(name) + "'");
    }
    return *found;
}

LiteSession::LiteSession(const SessionOptions& options) : runtime_(std::make_unique<Runtime>()), batch_(options.batch) {
    const MindirHead head = read_mindir(options.model);
    auto context = std::make_shared<mindspore::Context>();
    context->SetThreadNum(options.threads);
    context->MutableDeviceInfo().push_back(options.device->context(options));
    const CapturedStderr captured;
    mindspore::Model& model = runtime_->model;
    if (!model.Build(options.model.string(), mindspore::kMindIR, context).IsOk()) {
        refuse(options, head, captured.text());
    }
    runtime_->inputs = model.GetInputs();
    if (!takes_faces(runtime_->inputs)) {
        const auto& inputs = runtime_->inputs;
        throw InputError(options.model.string() + ": takes " + std::to_string(inputs.size()) + " input(s)" +
                         (inputs.empty() ? "" : ", the first " + text_of(inputs[0].Shape())) +
                         ", but faces are one float32 [batch, 3, 112, 96]");
    }
    if (const std::int64_t fixed = runtime_->inputs[0].Shape()[0]; fixed > 0) {
        batch_ = static_cast<std::size_t>(fixed);
    } else if (!model.Resize(runtime_->inputs, {{static_cast<std::int64_t>(batch_), kChannels, kHeight, kWidth}})
                    .IsOk()) {
        throw InputError(options.model.string() + ": cannot be run with a batch of " + std::to_string(batch_) + " (" +
                         first_error(captured.text()) + "); take another --batch_size");
    }
    runtime_->inputs = model.GetInputs();
    const std::vector<float> blank(batch_ * kFaceValues);
    embed(blank.data(), nullptr);
    const auto shape = runtime_->outputs.empty() ? std::vector<std::int64_t>{} : runtime_->outputs[0].Shape();
    if (shape.size() != 2 || shape[0] != static_cast<std::int64_t>(batch_) || shape[1] < 1 ||
        !is_float(runtime_->outputs[0])) {
        throw InputError(options.model.string() + ": gives " + text_of(shape) + ", but embeddings are float32 [" +
                         std::to_string(batch_) + ", size]");
    }
    embedding_size_ = static_cast<std::size_t>(shape[1]);
}

LiteSession::~LiteSession() = default;

void LiteSession::embed(const float* faces, float* embeddings) {
    mindspore::MSTensor& input = runtime_->inputs[0];
    if (input.DataSize() != batch_ * kFaceBytes) {
        throw RunError("the model's input has " + std::to_string(input.DataSize()) + " bytes, but " +
                       std::to_string(batch_) + " faces have " + std::to_string(batch_ * kFaceBytes));
    }
    std::memcpy(input.MutableData(), faces, batch_ * kFaceBytes);
    const mindspore::Status status = runtime_->model.Predict(runtime_->inputs, &runtime_->outputs);
    if (!status.IsOk() || runtime_->outputs.empty()) {
        throw RunError("inference failed: " + status.ToString());
    }
    if (embeddings != nullptr) {
        std::memcpy(embeddings, runtime_->outputs[0].Data().get(), batch_ * embedding_size_ * sizeof(float));
    }
}

}  // namespace infer310
