#include <gtest/gtest.h>

#include <array>

#include "errors.h"
#include "judge.h"
#include "scratch.h"

namespace infer310 {
namespace {

// Two folds, the same persons above .5 but for one of each kind.
const std::vector<Pair> kJudged = {{0, 0, true, 0}, {0, 0, true, 0}, {0, 0, false, 0}, {0, 0, false, 0},
                                   {0, 0, true, 1}, {0, 0, true, 1}, {0, 0, false, 1}, {0, 0, false, 1}};
const std::vector<double> kScores = {0.9, 0.6, 0.1, 0.7, 0.8, 0.3, 0.2, -0.4};

}  // namespace

TEST(CosineTest, IsOfDirectionsAndZeroOfNothing) {
    const std::array<float, 2> x = {3, 0}, y = {1, 1}, zero = {0, 0};
    EXPECT_DOUBLE_EQ(cosine(x.data(), y.data(), 2), 0.70710678118654757);
    EXPECT_EQ(cosine(x.data(), zero.data(), 2), 0);
}

// The numbers are those of sphereface.verification for the same pairs.
TEST(JudgeTest, SaysWhatThePythonOneSays) {
    const Judgement judgement = judge(kJudged, kScores);
    EXPECT_DOUBLE_EQ(judgement.accuracy, 0.625);
    EXPECT_DOUBLE_EQ(judgement.std, 0.125);
    EXPECT_NEAR(judgement.threshold, 0.595, 1e-12);
    EXPECT_EQ(judgement.correct, 5U);
    EXPECT_DOUBLE_EQ(judgement.auc, 0.875);
    EXPECT_DOUBLE_EQ(judgement.eer, 0.25);
    EXPECT_NEAR(judgement.low, 0.3057423946026273, 1e-12);
    EXPECT_NEAR(judgement.high, 0.8631557141764027, 1e-12);
    ASSERT_EQ(judgement.points.size(), kFars.size());
    EXPECT_DOUBLE_EQ(judgement.points[0].threshold, 0.7);
    EXPECT_DOUBLE_EQ(judgement.points[0].tar, 0.5);
}

TEST(JudgeTest, NeedsTwoFoldsAndBothKinds) {
    EXPECT_NE(message_of<InputError>([] {
                  judge({{0, 0, true, 0}, {0, 0, false, 0}}, {1, 0});
              }).find("one fold"),
              std::string::npos);
    EXPECT_NE(message_of<InputError>([] {
                  judge({{0, 0, true, 0}, {0, 0, true, 1}}, {1, 0});
              }).find("same persons"),
              std::string::npos);
}

}  // namespace infer310
