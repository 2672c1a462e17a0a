// Whether a JPEG is whole.
#pragma once

#include <string_view>

namespace infer310 {

// Whether a JPEG goes on to its end marker. OpenCV 4.6 decodes a JPEG that is cut short to a face that is partly grey,
// without a word. True for other formats, which OpenCV does refuse.
bool is_whole_jpeg(std::string_view bytes);

}  // namespace infer310
