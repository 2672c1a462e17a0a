#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "batches.h"
#include "face.h"

namespace infer310 {

TEST(BatchesTest, ComeInOrderAndTheLastIsFilledWithZeros) {
    for (const std::size_t workers : {1U, 3U, 7U}) {
        Batches batches(10, 4, workers,
                        [](std::size_t i, float* out) { out[kFaceValues - 1] = static_cast<float>(i); });
        std::size_t next = 0;
        while (const auto batch = batches.next()) {
            EXPECT_EQ(batch->first, next);
            ASSERT_EQ(batch->faces.size(), 4 * kFaceValues);
            for (std::size_t i = 0; i < 4; ++i) {
                const float expected = i < batch->count ? static_cast<float>(next + i) : 0.0F;
                EXPECT_EQ(batch->faces[(i + 1) * kFaceValues - 1], expected);
            }
            next += batch->count;
        }
        EXPECT_EQ(next, 10U);
    }
}

TEST(BatchesTest, ThreadsWaitForTheReader) {
    std::atomic<std::size_t> loaded = 0;
    {
        Batches batches(1000, 1, 2, [&](std::size_t, float*) { ++loaded; });
        EXPECT_TRUE(batches.next());
    }
    EXPECT_LE(loaded, 1U + 2 * (2 + 1));  // one taken; of each worker two in the queue and one in hand
}

TEST(BatchesTest, AnErrorComesOutInItsTurn) {
    Batches batches(6, 2, 2, [](std::size_t i, float*) {
        if (i == 3) {
            throw std::runtime_error("face 3");
        }
    });
    EXPECT_TRUE(batches.next());
    EXPECT_THROW(batches.next(), std::runtime_error);
}

TEST(BoundedQueueTest, GivesBackWhatWasPutInUntilItIsClosed) {
    BoundedQueue<int> queue(2);
    EXPECT_TRUE(queue.push(1));
    EXPECT_TRUE(queue.push(2));
    EXPECT_EQ(queue.pop(), 1);
    queue.close();
    EXPECT_FALSE(queue.push(3));
    EXPECT_EQ(queue.pop(), 2);
    EXPECT_FALSE(queue.pop());
}

}  // namespace infer310
