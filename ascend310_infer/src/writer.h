// Writes embeddings on a thread of its own, so that a slow disk does not hold up the network.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "bounded_queue.h"

namespace infer310 {

class Writer {
  public:
    // Takes the embeddings of the images from `first` on; called on the thread, in order.
    using Write = std::function<void(std::size_t first, std::size_t count, const float* embeddings)>;

    explicit Writer(Write write);
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Writer(Writer&&) = delete;
    Writer& operator=(Writer&&) = delete;

    // Waits where the disk is behind; throws what `write` threw.
    void add(std::size_t first, std::size_t count, std::vector<float> embeddings);
    // Waits until all is written; throws what `write` threw.
    void finish();

  private:
    struct Part {
        std::size_t first = 0, count = 0;
        std::vector<float> embeddings;
    };
    void work();

    Write write_;
    BoundedQueue<Part> queue_;
    std::exception_ptr error_;  // read after the thread has ended
    std::thread thread_;
};

}  // namespace infer310
