#include <gtest/gtest.h>

#include "errors.h"
#include "lists.h"
#include "scratch.h"

namespace infer310 {

TEST(LandmarkListTest, ColumnsAreApartByTabsOrSpaces) {
    const auto images = parse_landmark_list(
        "\xef\xbb\xbf./A B/A B_0001.jpg\t1\t2\t3\t4\t5\t6\t7\t8\t9\t1e1\r\n\nb/b_0002.png 1 2 3 4 5 6 7 8 9 -0.5\n",
        "list");
    ASSERT_EQ(images.size(), 2U);
    EXPECT_EQ(images[0].path, "A B/A B_0001.jpg");
    EXPECT_EQ(images[0].landmarks[9], 10.0);
    EXPECT_EQ(images[1].landmarks[9], -0.5);
}

TEST(LandmarkListTest, EveryFaultIsNamedByItsLine) {
    const struct {
        std::string text, message;
    } kFaults[] = {
        {"", "list: names no image"},
        {"\na 1 2 3\n", "list:2: expected 11 columns"},
        {"/a 1 2 3 4 5 6 7 8 9 0", "list:1: the image path must be relative"},
        {"a/../../b 1 2 3 4 5 6 7 8 9 0", "without '..'"},
        {"a 1 2 3 4 5 6 7 8 9 x", "ten numbers x1 y1 … x5 y5, not 'x'"},
        {"a 1 2 3 4 5 6 7 8 9 nan", "not 'nan'"},
        {"a 1 2 3 4 5 6 7 8 9 1e999", "not '1e999'"},
    };
    for (const auto& fault : kFaults) {
        const std::string message = message_of<InputError>([&] { parse_landmark_list(fault.text, "list"); });
        EXPECT_NE(message.find(fault.message), std::string::npos) << message;
    }
}

TEST(NamedPairsTest, FollowTheHeader) {
    const auto pairs = parse_named_pairs("2 1\na\t1\t12\na\t1\tb c\t3\nd 1 2\nd 1 e 2\n", "pairs.txt");
    ASSERT_EQ(pairs.size(), 4U);
    EXPECT_EQ(pairs[0].right, "a/a_0012");
    EXPECT_TRUE(pairs[0].same);
    EXPECT_EQ(pairs[1].right, "b c/b c_0003");
    EXPECT_FALSE(pairs[1].same);
    EXPECT_EQ(pairs[2].fold, 1U);
    EXPECT_EQ(pairs[3].line, 5U);
}

TEST(NamedPairsTest, EveryFaultIsNamedByItsLine) {
    const struct {
        std::string text, message;
    } kFaults[] = {
        {"", "ends after 0 of 0 pairs"},
        {"ten 300\n", "pairs.txt:1: the first line must be 'folds pairs'"},
        {"0 300\n", "the first line must be"},
        {"1 1\na 1 2\n", "ends after 1 of 2 pairs"},
        {"1 1\na 1 b 2\n", "pairs.txt:2: expected 'name i j'"},
        {"1 1\na 1 2\na 1 2\n", "pairs.txt:3: expected 'name i name j'"},
        {"1 1\na 1 -2\n", "expected 'name i j'"},
        {"1 1\na 1 2\na 1 b 2\nc 1 2\n", "pairs.txt:4: more lines than the header's"},
    };
    for (const auto& fault : kFaults) {
        const std::string message = message_of<InputError>([&] { parse_named_pairs(fault.text, "pairs.txt"); });
        EXPECT_NE(message.find(fault.message), std::string::npos) << message;
    }
}

}  // namespace infer310
