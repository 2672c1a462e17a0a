#include <gtest/gtest.h>

#include <cstdio>

#include "captured_stderr.h"

namespace infer310 {

TEST(CapturedStderrTest, TakesWhatIsWrittenAndLetsGo) {
    std::string taken;
    testing::internal::CaptureStderr();
    {
        const CapturedStderr captured;
        std::fputs("taken\n", stderr);
        taken = captured.text();
    }
    std::fputs("shown\n", stderr);
    EXPECT_EQ(taken, "taken\n");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "shown\n");
}

TEST(FirstErrorTest, IsTheMessageWithoutItsHead) {
    EXPECT_EQ(
        first_error("[WARNING] ME(1,2,p):t [a.cc:1] F] less\n[ERROR] ME(1,2,p):t [b.cc:2] G] DLSoOpen failed\nmore"),
        "DLSoOpen failed");
    EXPECT_EQ(first_error("all is well"), "");
    EXPECT_EQ(first_error("[ERROR] in another form"), "[ERROR] in another form");
}

}  // namespace infer310
