#include "mapped.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "errors.h"

namespace infer310 {

Mapped::Mapped(int descriptor, const char* name) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        throw RunError(std::string(name) + ": " + std::strerror(errno));
    }
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ == 0) {
        return;  // nothing to map
    }
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data_ == MAP_FAILED) {
        data_ = nullptr;
        throw RunError(std::string(name) + ": cannot be mapped: " + std::strerror(errno));
    }
}

Mapped::~Mapped() {
    if (data_ != nullptr) {
        ::munmap(data_, size_);
    }
}

}  // namespace infer310
