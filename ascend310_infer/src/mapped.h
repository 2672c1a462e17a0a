// A file's bytes as memory, so that its size is no matter.
#pragma once

#include <cstddef>
#include <string_view>

namespace infer310 {

// Read-only view of an open file; the descriptor may be closed afterwards. RunError names `name`.
class Mapped {
  public:
    Mapped(int descriptor, const char* name);
    ~Mapped();
    Mapped(const Mapped&) = delete;
    Mapped& operator=(const Mapped&) = delete;
    Mapped(Mapped&&) = delete;
    Mapped& operator=(Mapped&&) = delete;

    [[nodiscard]] std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

  private:
    void* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace infer310
