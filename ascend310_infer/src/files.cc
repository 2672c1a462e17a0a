#include "files.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include "errors.h"

namespace infer310 {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void cannot_write(const fs::path& path, int error) {
    throw RunError(path.string() + ": cannot be written: " + std::strerror(error) +
                   "; make room, mend the permissions, or name another --output");
}

fs::path parent_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

void write_all(int descriptor, const void* data, std::size_t size, const fs::path& path) {
    const char* rest = static_cast<const char*>(data);
    while (size > 0) {
        const ssize_t written = ::write(descriptor, rest, size);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            cannot_write(path, errno);
        }
        rest += written;
        size -= static_cast<std::size_t>(written);
    }
}

void sync_folder(const fs::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        ::fsync(descriptor);
        ::close(descriptor);
    }
}

mode_t umask_now() {
    const mode_t mask = ::umask(022);
    ::umask(mask);
    return mask;
}

}  // namespace

AtomicFile::AtomicFile(fs::path target) : target_(std::move(target)) {
    temporary_ = (parent_of(target_) / ("." + target_.stem().string() + ".XXXXXX" + target_.extension().string()));
    descriptor_ = ::mkstemps(temporary_.data(), static_cast<int>(target_.extension().string().size()));
    if (descriptor_ < 0) {
        cannot_write(target_, errno);
    }
}

AtomicFile::~AtomicFile() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
        ::unlink(temporary_.c_str());
    }
}

void AtomicFile::write(const void* data, std::size_t size) { write_all(descriptor_, data, size, target_); }

void AtomicFile::commit() {
    if (::fchmod(descriptor_, 0666 & ~umask_now()) != 0 || ::fsync(descriptor_) != 0 ||
        ::rename(temporary_.c_str(), target_.c_str()) != 0) {
        cannot_write(target_, errno);
    }
    ::close(std::exchange(descriptor_, -1));
    sync_folder(parent_of(target_));
}

AtomicFolder::AtomicFolder(fs::path target) : target_(std::move(target)) {
    std::string name = (parent_of(target_) / ("." + target_.filename().string() + ".XXXXXX")).string();
    if (::mkdtemp(name.data()) == nullptr) {
        cannot_write(target_, errno);
    }
    temporary_ = name;
}

AtomicFolder::~AtomicFolder() {
    std::error_code ignored;
    if (!temporary_.empty()) {
        fs::remove_all(temporary_, ignored);
    }
}

void AtomicFolder::write(const std::string& name, const void* data, std::size_t size) const {
    const fs::path path = temporary_ / name;
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        cannot_write(target_ / name, errno);
    }
    try {
        write_all(descriptor, data, size, target_ / name);
    } catch (...) {
        ::close(descriptor);
        throw;
    }
    if (::close(descriptor) != 0) {
        cannot_write(target_ / name, errno);
    }
}

void AtomicFolder::commit() {
    if (::chmod(temporary_.c_str(), 0777 & ~umask_now()) != 0) {
        cannot_write(target_, errno);
    }
    // Exchanged where both are there, so that at no moment neither is; the older one is removed then.
    if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
        std::error_code ignored;
        fs::remove_all(target_, ignored);
        if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
            cannot_write(target_, errno);
        }
        temporary_.clear();
    }
    sync_folder(parent_of(target_));
}

void remove_leftovers(const fs::path& target) {
    constexpr std::size_t kRandom = 6;
    std::error_code ignored;
    const std::string suffix = target.extension().string(), prefix = "." + target.stem().string() + ".";
    std::vector<fs::path> left;
    for (const auto& entry : fs::directory_iterator(parent_of(target), ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.size() == prefix.size() + kRandom + suffix.size() && name.compare(0, prefix.size(), prefix) == 0 &&
            name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0) {
            left.push_back(entry.path());
        }
    }
    for (const fs::path& path : left) {
        fs::remove_all(path, ignored);
    }
}

void make_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error || !fs::is_directory(folder)) {
        cannot_write(folder, error ? error.value() : ENOTDIR);
    }
    if (::access(folder.c_str(), W_OK | X_OK) != 0) {
        cannot_write(folder, errno);
    }
}

std::string read_file(const fs::path& path, std::string_view kind) {
    errno = 0;
    std::ifstream stream(path, std::ios::binary);
    std::error_code ignored;
    if (!stream && errno == ENOENT) {
        throw InputError(path.string() + ": no such " + std::string(kind));
    }
    if (!stream || fs::is_directory(path, ignored)) {
        throw InputError(path.string() + ": cannot be read: " + std::strerror(stream ? EISDIR : errno));
    }
    std::string bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    if (stream.bad()) {
        throw InputError(path.string() + ": cannot be read to its end");
    }
    return bytes;
}

void write_file(const fs::path& path, std::string_view text) {
    AtomicFile file(path);
    file.write(text);
    file.commit();
}

}  // namespace infer310
