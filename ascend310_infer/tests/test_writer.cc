#include <gtest/gtest.h>

#include <stdexcept>

#include "writer.h"

namespace infer310 {

TEST(WriterTest, WritesEverythingInOrder) {
    std::vector<float> written;
    Writer writer([&](std::size_t first, std::size_t count, const float* embeddings) {
        EXPECT_EQ(first, written.size());
        written.insert(written.end(), embeddings, embeddings + count);
    });
    for (std::size_t i = 0; i < 100; ++i) {
        writer.add(i, 1, {static_cast<float>(i), 0});
    }
    writer.finish();
    ASSERT_EQ(written.size(), 100U);
    EXPECT_EQ(written.back(), 99.0F);
}

TEST(WriterTest, AnErrorReachesTheOneWhoAdds) {
    Writer writer([](std::size_t, std::size_t, const float*) { throw std::runtime_error("disk full"); });
    EXPECT_THROW(
        {
            for (std::size_t i = 0; i < 100; ++i) {
                writer.add(i, 1, {0});
            }
            writer.finish();
        },
        std::runtime_error);
}

}  // namespace infer310
