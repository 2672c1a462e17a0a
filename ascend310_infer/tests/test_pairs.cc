#include <gtest/gtest.h>

#include "errors.h"
#include "pairs.h"
#include "scratch.h"

namespace infer310 {
namespace {

constexpr const char* kNumbers = " 1 2 3 4 5 6 7 8 9 10\n";

}  // namespace

TEST(PhotographPairsTest, NameEachImageOnce) {
    const Scratch scratch;
    for (const char* name : {"i/a/a_0001.jpg", "i/a/a_0002.png", "i/b/b_0001.jpg"}) {
        scratch.write(name, "");
    }
    const auto list = scratch.write(
        "list", std::string("b/b_0001.jpg") + kNumbers + "a/a_0001.jpg" + kNumbers + "./a/a_0002.png" + kNumbers);
    const auto pairs = scratch.write("pairs", "1 1\na 1 2\na 2 b 1\n");
    const PhotographPairs found = read_photograph_pairs(pairs, list, scratch / "i");
    EXPECT_EQ(found.names, (std::vector<std::string>{"a/a_0001.jpg", "a/a_0002.png", "b/b_0001.jpg"}));
    ASSERT_EQ(found.pairs.size(), 2U);
    EXPECT_EQ(found.pairs[1].left, 1U);
    EXPECT_EQ(found.pairs[1].right, 2U);
    EXPECT_EQ(found.images[1].landmarks[9], 10.0);
}

TEST(PhotographPairsTest, WhatIsMissingIsNamed) {
    const Scratch scratch;
    scratch.write("i/a/a_0001.jpg", "");
    const auto list = scratch.write("list", std::string("a/a_0001.jpg") + kNumbers + "a/a_0002.jpg" + kNumbers);
    const auto fault = [&](const std::string& pairs, const std::string& folder) {
        return message_of<InputError>(
            [&] { read_photograph_pairs(scratch.write("pairs", pairs), list, scratch / folder); });
    };
    EXPECT_NE(fault("1 1\na 1 2\na 1 b 2\n", "i").find("pairs:2: there is no image"), std::string::npos);
    EXPECT_NE(fault("1 1\na 1 1\na 1 b 2\n", "i").find("pairs:3: 'b/b_0002' is not in"), std::string::npos);
    EXPECT_NE(fault("1 1\na 1 1\na 1 a 1\n", "none").find("no such folder of images"), std::string::npos);
}

}  // namespace infer310
