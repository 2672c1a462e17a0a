#include "jpeg.h"

#include <cstddef>
#include <cstdint>

namespace infer310 {

bool is_whole_jpeg(std::string_view bytes) {
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    if (bytes.size() < 2 || at(0) != 0xff || at(1) != 0xd8) {
        return true;
    }
    // Segments, each with its length, up to the first scan; a thumbnail in one of them has an end marker of its own.
    std::size_t place = 2;
    while (place + 4 <= bytes.size() && at(place) == 0xff && at(place + 1) != 0xda) {
        if (at(place + 1) == 0xff) {  // fill
            ++place;
            continue;
        }
        place += 2 + (std::size_t{at(place + 2)} << 8U) + at(place + 3);
    }
    return place < bytes.size() && bytes.find("\xff\xd9", place) != std::string_view::npos;
}

}  // namespace infer310
