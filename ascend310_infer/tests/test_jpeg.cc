#include <gtest/gtest.h>

#include <string>

#include "jpeg.h"

namespace infer310 {
namespace {

// Start, a segment with a thumbnail's end marker in it, a scan, end.
const std::string kWhole("\xff\xd8\xff\xe1\x00\x06\xff\xd9zz\xff\xff\xda\x00\x02pixels\xff\x00\xff\xd9", 25);

}  // namespace

TEST(JpegTest, IsWholeWithItsEndMarkerOnly) {
    EXPECT_TRUE(is_whole_jpeg(kWhole));
    EXPECT_TRUE(is_whole_jpeg(kWhole + "behind it"));
    for (std::size_t size = 2; size < kWhole.size(); ++size) {
        EXPECT_FALSE(is_whole_jpeg(kWhole.substr(0, size))) << size;
    }
}

TEST(JpegTest, OtherFormatsAreNotJudged) {
    EXPECT_TRUE(is_whole_jpeg(""));
    EXPECT_TRUE(is_whole_jpeg("\x89PNG"));
}

}  // namespace infer310
