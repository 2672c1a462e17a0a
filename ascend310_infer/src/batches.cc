#include "batches.h"

#include <algorithm>
#include <utility>

#include "face.h"

namespace infer310 {

namespace {
constexpr std::size_t kAhead = 2;  // batches of each worker
}

Batches::Batches(std::size_t faces, std::size_t batch, std::size_t workers, Load load)
    : faces_(faces), batch_(batch), workers_(workers), load_(std::move(load)) {
    for (std::size_t worker = 0; worker < workers_; ++worker) {
        queues_.push_back(std::make_unique<BoundedQueue<Made>>(kAhead));
    }
    for (std::size_t worker = 0; worker < workers_; ++worker) {
        threads_.emplace_back([this, worker] { work(worker); });
    }
}

Batches::~Batches() {
    for (const auto& queue : queues_) {
        queue->close();
    }
    for (std::thread& thread : threads_) {
        thread.join();
    }
}

std::optional<Batch> Batches::next() {
    if (next_ * batch_ >= faces_) {
        return std::nullopt;
    }
    std::optional<Made> made = queues_[next_++ % workers_]->pop();
    if (!made) {
        return std::nullopt;
    }
    if (made->error) {
        std::rethrow_exception(made->error);
    }
    return std::move(made->batch);
}

void Batches::work(std::size_t worker) {
    for (std::size_t number = worker; number * batch_ < faces_; number += workers_) {
        Made made;
        try {
            made.batch.first = number * batch_;
            made.batch.count = std::min(batch_, faces_ - made.batch.first);
            made.batch.faces.resize(batch_ * kFaceValues);
            for (std::size_t i = 0; i < made.batch.count; ++i) {
                load_(made.batch.first + i, made.batch.faces.data() + i * kFaceValues);
            }
        } catch (...) {
            made.error = std::current_exception();
        }
        const bool failed = made.error != nullptr;
        if (!queues_[worker]->push(std::move(made)) || failed) {
            return;
        }
    }
}

}  // namespace infer310
