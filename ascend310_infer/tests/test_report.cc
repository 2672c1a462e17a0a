#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "errors.h"
#include "report.h"
#include "scratch.h"

namespace infer310 {
namespace {

const std::vector<std::string> kNames = {"a", "b", "c"};
const std::vector<Pair> kPairs = {{0, 1, true, 0}, {0, 2, false, 0}, {1, 0, true, 1}, {1, 2, false, 1}};
const std::vector<float> kEmbeddings = {1, 0, 1, 0.5, -1, 0};

}  // namespace

TEST(ReportTest, LeavesEveryFileWhole) {
    const Scratch scratch;
    Report report(scratch / "out", kNames, kPairs, 2);
    report.add(0, 2, kEmbeddings.data());
    report.add(2, 1, kEmbeddings.data() + 4);
    EXPECT_FALSE(std::filesystem::exists(scratch / "out/lfw.json"));
    EXPECT_EQ(report.finish({"0-1_1.ckpt", "ff", "sphereface4a"}, 0.006).substr(0, 24), "LFWACC=1.0000 std=0.0000");
    const std::string npy = read_file(scratch / "out/embeddings.npy", "file");
    EXPECT_EQ(npy.substr(npy.size() - 24), std::string(reinterpret_cast<const char*>(kEmbeddings.data()), 24));
    EXPECT_EQ((npy.size() - 24) % 64, 0U);
    EXPECT_EQ(read_file(scratch / "out/result_Files/2_1_1_0.bin", "file"), npy.substr(npy.size() - 16, 8));
    EXPECT_EQ(read_file(scratch / "out/time_Result/test_perform_static.txt", "file"),
              "NN inference cost average time: 2 ms of infer_count 3\n");
    EXPECT_EQ(read_file(scratch / "out/images.txt", "file"), "a\nb\nc\n");
    EXPECT_NE(read_file(scratch / "out/scores.csv", "file").find("\n2,0,b,c,-0.8944271909999"), std::string::npos);
    const auto lfw = nlohmann::json::parse(read_file(scratch / "out/lfw.json", "file"));
    EXPECT_EQ(lfw["pairs"], 4);
    EXPECT_EQ(lfw["checkpoint_sha256"], "ff");
    EXPECT_EQ(lfw["tar_at_far"]["0.0001"], 1.0);
}

TEST(ReportTest, ThatFailsLeavesNothing) {
    const Scratch scratch;
    {
        Report report(scratch.path(), kNames, kPairs, 2);
        const std::vector<float> bad = {1, 1, 1, std::numeric_limits<float>::quiet_NaN()};
        EXPECT_NE(message_of<InputError>([&] { report.add(0, 2, bad.data()); }).find("b: its embedding holds NaN"),
                  std::string::npos);
    }
    EXPECT_EQ(scratch.entries(), 0U);
}

TEST(OriginTest, IsThatOfTheExportedFile) {
    const std::string json =
        R"({"files": {"m.mindir": "LITE"}, "checkpoint": "c", "checkpoint_sha256": "ff", "net": "n"})";
    EXPECT_EQ(parse_origin(json, "export.json", "m.mindir").checkpoint, "c");
    EXPECT_EQ(parse_origin(json, "export.json", "other.mindir").checkpoint, "other.mindir");
    for (const char* wrong : {"", "[]", "{}", "{\"files\": {\"m.mindir\": 1}}", "{\"files\""}) {
        EXPECT_NE(
            message_of<InputError>([&] { parse_origin(wrong, "export.json", "m.mindir"); }).find("export.json: is not"),
            std::string::npos);
    }
    EXPECT_EQ(origin_of("/none/m.mindir").checkpoint, "m.mindir");
}

}  // namespace infer310
