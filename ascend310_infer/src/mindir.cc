#include "mindir.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <system_error>

#include "errors.h"
#include "mapped.h"

namespace infer310 {
namespace {

constexpr unsigned kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;
constexpr std::uint64_t kProducerName = 2, kModelVersion = 5, kGraph = 7, kMindirVersion = 13;

// Takes a varint off the front; none where it is cut short or too long.
std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size() && i < 10; ++i) {
        const auto byte = static_cast<std::uint8_t>(bytes[i]);
        value |= static_cast<std::uint64_t>(byte & 0x7fU) << (7 * i);
        if (byte < 0x80) {
            bytes.remove_prefix(i + 1);
            return value;
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<MindirHead> parse_mindir(std::string_view bytes) {
    MindirHead head;
    std::string name, version;
    bool graph = false;
    while (!bytes.empty()) {
        const auto key = take_varint(bytes);
        if (!key || *key >> 3U == 0) {
            return std::nullopt;
        }
        const unsigned wire = *key & 7U;
        std::uint64_t value = 0;
        if (wire == kVarint || wire == kBytes) {
            const auto taken = take_varint(bytes);
            if (!taken) {
                return std::nullopt;
            }
            value = *taken;
        }
        const std::uint64_t length = wire == kBytes ? value : wire == kFixed64 ? 8 : wire == kFixed32 ? 4 : 0;
        if ((wire != kVarint && wire != kBytes && wire != kFixed64 && wire != kFixed32) || length > bytes.size()) {
            return std::nullopt;
        }
        const std::string_view content = bytes.substr(0, length);
        bytes.remove_prefix(length);
        const std::uint64_t field = *key >> 3U;
        if (field == kProducerName && wire == kBytes) {
            name = content;
        } else if (field == kModelVersion && wire == kBytes) {
            version = content;
        } else if (field == kMindirVersion && wire == kVarint) {
            head.version = static_cast<std::int64_t>(value);
        }
        graph = graph || (field == kGraph && wire == kBytes && !content.empty());
    }
    if (!graph) {
        return std::nullopt;
    }
    head.producer = name.empty() || version.empty() ? name : name + " " + version;
    return head;
}

MindirHead read_mindir(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        const int error = errno;
        throw InputError(path.string() + (error == ENOENT ? ": no such model"
                                                          : std::string(": cannot be read: ") + std::strerror(error)));
    }
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) {
        ::close(descriptor);
        throw InputError(path.string() + ": is no file; name a .mindir");
    }
    std::optional<MindirHead> head;
    try {
        const Mapped file(descriptor, path.c_str());
        head = parse_mindir(file.bytes());
    } catch (...) {
        ::close(descriptor);
        throw;
    }
    ::close(descriptor);
    if (!head) {
        throw InputError(path.string() +
                         ": is no whole MINDIR (cut short, or another format); write it anew: sphereface export "
                         "--format lite");
    }
    return *head;
}

}  // namespace infer310
