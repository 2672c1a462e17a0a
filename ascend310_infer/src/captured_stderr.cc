#include "captured_stderr.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>

namespace infer310 {

CapturedStderr::CapturedStderr() : taken_(::memfd_create("stderr", MFD_CLOEXEC)) {
    std::fflush(stderr);
    shown_ = taken_ < 0 ? -1 : ::dup(STDERR_FILENO);
    if (shown_ >= 0) {
        ::dup2(taken_, STDERR_FILENO);
    }
}

CapturedStderr::~CapturedStderr() {
    std::fflush(stderr);
    if (shown_ >= 0) {
        ::dup2(shown_, STDERR_FILENO);
        ::close(shown_);
    }
    if (taken_ >= 0) {
        ::close(taken_);
    }
}

std::string CapturedStderr::text() const {
    std::fflush(stderr);
    std::string text;
    std::array<char, 4096> part{};
    ssize_t size = 0;
    while ((size = ::pread(taken_, part.data(), part.size(), static_cast<off_t>(text.size()))) > 0) {
        text.append(part.data(), static_cast<std::size_t>(size));
    }
    return text;
}

std::string first_error(const std::string& log) {
    const std::size_t begin = log.find("[ERROR]");
    if (begin == std::string::npos) {
        return "";
    }
    const std::string line = log.substr(begin, log.find('\n', begin) - begin);
    // [ERROR] PART(pid,thread,program):time [file:line] Function] message
    const std::size_t file = line.find(" [");
    const std::size_t head = file == std::string::npos ? file : line.find("] ", line.find("] ", file) + 2);
    return head == std::string::npos ? line : line.substr(head + 2);
}

}  // namespace infer310
