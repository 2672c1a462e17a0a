// Batches of faces, made on threads ahead of the network and handed out in order. Memory is bounded by the number of
// threads, whatever the number of faces.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "bounded_queue.h"

namespace infer310 {

struct Batch {
    std::size_t first = 0, count = 0;  // faces first .. first + count - 1
    std::vector<float> faces;          // of the full batch size; what is past `count` is 0
};

class Batches {
  public:
    // Writes face `index`, kFaceValues numbers, to `out`; called on any of the threads.
    using Load = std::function<void(std::size_t index, float* out)>;

    Batches(std::size_t faces, std::size_t batch, std::size_t workers, Load load);
    ~Batches();
    Batches(const Batches&) = delete;
    Batches& operator=(const Batches&) = delete;
    Batches(Batches&&) = delete;
    Batches& operator=(Batches&&) = delete;

    // The next batch, or none after the last; throws what `load` threw for a face of it.
    std::optional<Batch> next();

  private:
    struct Made {
        Batch batch;
        std::exception_ptr error;
    };
    void work(std::size_t worker);

    std::size_t faces_, batch_, workers_;
    Load load_;
    std::size_t next_ = 0;                                     // batch
    std::vector<std::unique_ptr<BoundedQueue<Made>>> queues_;  // worker w makes the batches w, w + workers, …
    std::vector<std::thread> threads_;
};

}  // namespace infer310
