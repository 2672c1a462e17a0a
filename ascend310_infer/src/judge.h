// Judging pairs as the model zoo's eval.py does (protocol `zoo` of sphereface/verification.py): the cosine of two
// embeddings against a threshold; each fold is judged with the threshold that is best on all other folds.
#pragma once

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "pairs.h"

namespace infer310 {

// Rates of false accepts at which the rate of true accepts and the threshold are reported.
constexpr std::array<double, 4> kFars = {1e-1, 1e-2, 1e-3, 1e-4};

struct Fold {
    std::size_t pairs = 0;
    double accuracy = 0, threshold = 0;
};

struct OperatingPoint {
    double far = 0, threshold = 0, tar = 0;
};

struct Judgement {
    double accuracy = 0, std = 0, threshold = 0;  // means over folds, population deviation
    std::vector<Fold> folds;
    std::size_t correct = 0;
    double low = 0, high = 0;  // Wilson's interval of the accuracy over all pairs, 95 %
    double auc = 0, eer = 0;
    std::vector<OperatingPoint> points;  // at kFars
};

// In float64; 0 where either is zero.
double cosine(const float* a, const float* b, std::size_t size);

// `scores` are the cosines of `pairs`. InputError: fewer than two folds, or pairs of one kind only.
Judgement judge(const std::vector<Pair>& pairs, const std::vector<double>& scores);

}  // namespace infer310
