#include <gtest/gtest.h>

#include "errors.h"
#include "mindir.h"
#include "scratch.h"

namespace infer310 {
namespace {

// ir_version, producer "MindSpore", version "2.10.0", a graph of three bytes, mind_ir_version 3.
const std::string kModel(
    "\x0a\x03"
    "1.1\x12\x09MindSpore\x2a\x06"
    "2.10.0\x3a\x03"
    "abc\x68\x03",
    31);

}  // namespace

TEST(MindirTest, SaysItsVersionAndItsProducer) {
    const auto head = parse_mindir(kModel);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->version, 3);
    EXPECT_EQ(head->producer, "MindSpore 2.10.0");
}

TEST(MindirTest, OneCutShortIsNone) {
    for (std::size_t size = 0; size < kModel.size() - 2; ++size) {
        EXPECT_FALSE(parse_mindir(kModel.substr(0, size))) << size;
    }
    EXPECT_FALSE(parse_mindir("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
    EXPECT_FALSE(parse_mindir("ONNX or any other text"));
}

TEST(MindirTest, FilesThatAreNoneAreNamed) {
    const Scratch scratch;
    EXPECT_EQ(read_mindir(scratch.write("a.mindir", kModel)).version, 3);
    EXPECT_EQ(message_of<InputError>([&] { read_mindir(scratch / "no"); }),
              (scratch / "no").string() + ": no such model");
    for (const auto& path : {scratch.write("empty", ""), scratch.write("text", "text"), scratch.path()}) {
        EXPECT_NE(message_of<InputError>([&] { read_mindir(path); }).find(path.string() + ": is no "),
                  std::string::npos);
    }
}

}  // namespace infer310
