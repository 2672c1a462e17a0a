// A model on MindSpore Lite: faces in, embeddings out. The one place that knows the runtime's API.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace infer310 {

struct Device;

// One of cpu, ascend310, ascend310p. InputError names those that there are.
const Device& device_named(std::string_view name);

struct SessionOptions {
    std::filesystem::path model;
    const Device* device = nullptr;
    std::uint32_t device_id = 0;
    std::size_t batch = 1;  // what a model with a free batch size is fixed at
    int threads = 1;        // of the cpu device
};

class LiteSession {
  public:
    // Loads the model and runs it once. InputError: no model, one that this runtime is too old for, or one of other
    // shapes. RunError: the device cannot be used.
    explicit LiteSession(const SessionOptions& options);
    ~LiteSession();
    LiteSession(const LiteSession&) = delete;
    LiteSession& operator=(const LiteSession&) = delete;
    LiteSession(LiteSession&&) = delete;
    LiteSession& operator=(LiteSession&&) = delete;

    // Faces a call.
    [[nodiscard]] std::size_t batch() const { return batch_; }
    [[nodiscard]] std::size_t embedding_size() const { return embedding_size_; }

    // `faces` holds batch() * kFaceValues numbers, `embeddings` takes batch() * embedding_size(). RunError.
    void embed(const float* faces, float* embeddings);

  private:
    struct Runtime;
    std::unique_ptr<Runtime> runtime_;
    std::size_t batch_ = 0;
    std::size_t embedding_size_ = 0;
};

}  // namespace infer310
