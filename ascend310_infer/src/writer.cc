#include "writer.h"

#include <utility>

namespace infer310 {

namespace {
constexpr std::size_t kBehind = 4;  // batches
}

Writer::Writer(Write write) : write_(std::move(write)), queue_(kBehind), thread_([this] { work(); }) {}

Writer::~Writer() {
    queue_.close();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Writer::add(std::size_t first, std::size_t count, std::vector<float> embeddings) {
    if (!queue_.push({first, count, std::move(embeddings)})) {
        finish();
    }
}

void Writer::finish() {
    queue_.close();
    if (thread_.joinable()) {
        thread_.join();
    }
    if (error_) {
        std::rethrow_exception(error_);
    }
}

void Writer::work() {
    try {
        while (const auto part = queue_.pop()) {
            write_(part->first, part->count, part->embeddings.data());
        }
    } catch (...) {
        error_ = std::current_exception();
        queue_.close();
    }
}

}  // namespace infer310
