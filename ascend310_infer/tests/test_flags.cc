#include <gtest/gtest.h>

#include "errors.h"
#include "flags.h"
#include "scratch.h"

namespace infer310 {
namespace {

const std::vector<Flag> kKnown = {{"device", "NAME", "which"}, {"batch_size", "N", "faces"}};

std::string fault(const std::vector<std::string>& words) {
    return message_of<InputError>([&] {
        const Flags flags(words, kKnown);
        static_cast<void>(flags.number("batch_size", 1, 1, 64));
    });
}

}  // namespace

TEST(FlagsTest, AreReadInBothForms) {
    const Flags flags({"--device", "cpu", "--batch-size=8"}, kKnown);
    EXPECT_EQ(flags.text("device", "ascend310"), "cpu");
    EXPECT_EQ(flags.number("batch_size", 1, 1, 64), 8U);
    EXPECT_TRUE(flags.has("device"));
    EXPECT_EQ(Flags({}, kKnown).number("batch_size", 3, 1, 64), 3U);
}

TEST(FlagsTest, EveryFaultIsNamed) {
    EXPECT_EQ(fault({"--size=1"}), "unknown argument '--size=1'; --help tells those that there are");
    EXPECT_EQ(fault({"device"}), "unknown argument 'device'; --help tells those that there are");
    EXPECT_EQ(fault({"--device"}), "--device needs a value");
    for (const char* value : {"0", "65", "1.5", "-1", "", "8x", "99999999999999999999999"}) {
        EXPECT_NE(fault({std::string("--batch_size=") + value}).find("must be a whole number from 1 to 64"),
                  std::string::npos);
    }
    EXPECT_EQ(message_of<InputError>([] { static_cast<void>(Flags({}, kKnown).needed("device")); }),
              "--device is needed; --help tells what it is");
}

TEST(FlagsTest, HelpNamesThemAll) {
    const std::string help = help_of("program", "What it does.", kKnown);
    EXPECT_NE(help.find("--device NAME"), std::string::npos);
    EXPECT_NE(help.find("faces"), std::string::npos);
}

}  // namespace infer310
