#include <gtest/gtest.h>

#include <vector>

#include "bins.h"
#include "errors.h"
#include "face.h"
#include "scratch.h"

namespace infer310 {
namespace {

const std::string kFace(kFaceBytes, '\0');

void write_pairs(const Scratch& scratch, std::size_t pairs) {
    for (std::size_t i = 0; i < pairs; ++i) {
        scratch.write(bin_name({i, 1, i % 2 == 0}), kFace);
        scratch.write(bin_name({i, 2, i % 2 == 0}), kFace);
    }
}

}  // namespace

TEST(BinNameTest, IsReadAsItIsWritten) {
    const BinName name = parse_bin_name("5999_2_0.bin");
    EXPECT_EQ(name.pair, 5999U);
    EXPECT_EQ(name.side, 2);
    EXPECT_FALSE(name.same);
    EXPECT_EQ(bin_name(name), "5999_2_0.bin");
}

TEST(BinNameTest, OthersDoNotParse) {
    for (const char* name :
         {"", "_1_1.bin", "1_3_1.bin", "1_1_2.bin", "1_1_1.bin.tmp", "a_1_1.bin", "01_1_1.bin", "-1_1_1.bin",
          "1_1_1.npy", "99999999999999999999999_1_1.bin", "1 _1_1.bin", "1_1_1_1.bin"}) {
        EXPECT_NE(message_of<InputError>([&] { parse_bin_name(name); }).find("does not parse"), std::string::npos)
            << name;
    }
}

TEST(BinPairsTest, AreListedInTheirOrder) {
    const Scratch scratch;
    write_pairs(scratch, 12);
    const BinPairs found = list_bin_pairs(scratch.path(), 2);
    ASSERT_EQ(found.pairs.size(), 12U);
    EXPECT_EQ(found.names[20], "10_1_1.bin");
    EXPECT_EQ(found.pairs[10].left, 20U);
    EXPECT_EQ(found.pairs[10].right, 21U);
    EXPECT_TRUE(found.pairs[10].same);
    EXPECT_EQ(found.pairs[5].fold, 0U);
    EXPECT_EQ(found.pairs[6].fold, 1U);
}

TEST(BinPairsTest, FoldsAreThoseOfKFold) {
    std::vector<std::size_t> sizes(4);
    for (std::size_t pair = 0; pair < 10; ++pair) {
        ++sizes.at(fold_of(pair, 10, 4));
    }
    EXPECT_EQ(sizes, (std::vector<std::size_t>{3, 3, 2, 2}));
}

TEST(BinPairsTest, EveryFaultIsNamed) {
    const struct {
        std::string name, bytes, message;
    } kFaults[] = {
        {"face.bin", kFace, "'face.bin' does not parse"},
        {"12_1_1.bin", kFace.substr(1), "has 129023 bytes, but a face is 129024 bytes"},
        {"0_1_0.bin", kFace, "says the opposite"},
        {"12_1_1.bin", kFace, "pair 12 is not whole"},
        {"13_1_1.bin", kFace, "pair 12 is not whole"},
    };
    for (const auto& fault : kFaults) {
        const Scratch scratch;
        write_pairs(scratch, 12);
        scratch.write(fault.name, fault.bytes);
        const std::string message = message_of<InputError>([&] { list_bin_pairs(scratch.path(), 2); });
        EXPECT_NE(message.find(fault.message), std::string::npos) << message;
    }
    const Scratch empty;
    EXPECT_NE(message_of<InputError>([&] { list_bin_pairs(empty.path(), 2); }).find("holds 0 pairs"),
              std::string::npos);
    EXPECT_NE(message_of<InputError>([&] { list_bin_pairs(empty / "none", 2); }).find("cannot list"),
              std::string::npos);
}

TEST(BinTest, AFileCutShortAfterItWasListedIsRefused) {
    const Scratch scratch;
    std::vector<float> face(kFaceValues, 1.0F);
    read_bin(scratch.write("0_1_1.bin", kFace), face.data());
    EXPECT_EQ(face, std::vector<float>(kFaceValues));
    const auto path = scratch.write("0_2_1.bin", "short");
    EXPECT_NE(message_of<InputError>([&] { read_bin(path, face.data()); }).find("has 5 bytes"), std::string::npos);
}

}  // namespace infer310
