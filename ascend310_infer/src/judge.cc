#include "judge.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "errors.h"

namespace infer310 {
namespace {

constexpr std::size_t kThresholds = 400;

// np.arange(-1.0, 1.0, 0.005), to the last bit.
double threshold_at(std::size_t i) {
    const double step = (-1.0 + 0.005) - -1.0;
    return -1.0 + static_cast<double>(i) * step;
}

// Sorted scores of the pairs of the same person, and of two.
struct Sorted {
    std::vector<double> alike, different;

    template <typename Chosen>
    Sorted(const std::vector<Pair>& pairs, const std::vector<double>& scores, Chosen chosen) {
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            if (chosen(pairs[i])) {
                (pairs[i].same ? alike : different).push_back(scores[i]);
            }
        }
        std::sort(alike.begin(), alike.end());
        std::sort(different.begin(), different.end());
    }

    // Same above the threshold, different at or below it.
    [[nodiscard]] std::size_t correct_at(double threshold) const {
        return above(alike, threshold) + rejected(threshold);
    }
    [[nodiscard]] double tar(double threshold) const { return share(above(alike, threshold), alike); }
    [[nodiscard]] double far(double threshold) const { return share(above(different, threshold), different); }

  private:
    static std::size_t above(const std::vector<double>& sorted, double threshold) {
        return static_cast<std::size_t>(sorted.end() - std::upper_bound(sorted.begin(), sorted.end(), threshold));
    }
    static double share(std::size_t count, const std::vector<double>& all) {
        return static_cast<double>(count) / static_cast<double>(all.size());
    }
    [[nodiscard]] std::size_t rejected(double threshold) const {
        return different.size() - above(different, threshold);
    }
};

// The last of the equally good ones.
double best_threshold(const Sorted& sorted) {
    std::size_t best = 0, most = 0;
    for (std::size_t i = 0; i < kThresholds; ++i) {
        if (const std::size_t correct = sorted.correct_at(threshold_at(i)); correct >= most) {
            most = correct;
            best = i;
        }
    }
    return threshold_at(best);
}

void add_interval(Judgement& judgement, std::size_t total) {
    constexpr double z = 1.959963984540054;
    const auto n = static_cast<double>(total);
    const double share = static_cast<double>(judgement.correct) / n;
    const double centre = (share + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z / (1 + z * z / n) * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
    judgement.low = std::max(0.0, centre - half);
    judgement.high = std::min(1.0, centre + half);
}

// Area under the curve by trapezia, and where false accepts equal false rejects, linear between two points.
void add_curve(Judgement& judgement, const Sorted& sorted) {
    std::vector<double> thresholds = sorted.alike;
    thresholds.insert(thresholds.end(), sorted.different.begin(), sorted.different.end());
    std::sort(thresholds.begin(), thresholds.end(), std::greater<>());
    thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
    thresholds.push_back(-std::numeric_limits<double>::infinity());
    double far = 0, tar = 0;
    bool crossed = false;
    for (const double threshold : thresholds) {
        const double next_far = sorted.far(threshold), next_tar = sorted.tar(threshold);
        judgement.auc += (next_far - far) * (next_tar + tar) / 2;
        const double before = far - (1 - tar), after = next_far - (1 - next_tar);
        if (!crossed && after >= 0) {
            crossed = true;
            judgement.eer = far + -before / (after - before) * (next_far - far);
        }
        far = next_far;
        tar = next_tar;
    }
}

}  // namespace

double cosine(const float* a, const float* b, std::size_t size) {
    double dot = 0, left = 0, right = 0;
    for (std::size_t i = 0; i < size; ++i) {
        dot += double{a[i]} * double{b[i]};
        left += double{a[i]} * double{a[i]};
        right += double{b[i]} * double{b[i]};
    }
    return left > 0 && right > 0 ? dot / (std::sqrt(left) * std::sqrt(right)) : 0;
}

Judgement judge(const std::vector<Pair>& pairs, const std::vector<double>& scores) {
    std::size_t folds = 0;
    for (const Pair& pair : pairs) {
        folds = std::max(folds, pair.fold + 1);
    }
    const Sorted all(pairs, scores, [](const Pair&) { return true; });
    if (folds < 2) {
        throw InputError("the pairs are one fold; a threshold needs others to be found on: give at least 2 folds");
    }
    if (all.alike.empty() || all.different.empty()) {
        throw InputError(std::string("all pairs are of ") + (all.alike.empty() ? "different" : "same") +
                         " persons; judging needs both kinds");
    }
    Judgement judgement;
    for (std::size_t fold = 0; fold < folds; ++fold) {
        const Sorted test(pairs, scores, [&](const Pair& pair) { return pair.fold == fold; });
        const double best = best_threshold(Sorted(pairs, scores, [&](const Pair& pair) { return pair.fold != fold; }));
        const std::size_t size = test.alike.size() + test.different.size(), correct = test.correct_at(best);
        judgement.folds.push_back({size, static_cast<double>(correct) / static_cast<double>(size), best});
        judgement.correct += correct;
    }
    const auto count = static_cast<double>(folds);
    for (const Fold& fold : judgement.folds) {
        judgement.accuracy += fold.accuracy;
        judgement.threshold += fold.threshold;
    }
    judgement.accuracy /= count;
    judgement.threshold /= count;
    for (const Fold& fold : judgement.folds) {
        judgement.std += (fold.accuracy - judgement.accuracy) * (fold.accuracy - judgement.accuracy) / count;
    }
    judgement.std = std::sqrt(judgement.std);
    add_interval(judgement, pairs.size());
    add_curve(judgement, all);
    for (const double far : kFars) {
        // The lowest threshold whose rate of false accepts is at most `far`.
        const auto different = static_cast<double>(all.different.size());
        const auto allowed = static_cast<std::size_t>(std::floor(far * different + 1e-9));
        const double threshold = all.different[all.different.size() - 1 - allowed];
        judgement.points.push_back({far, threshold, all.tar(threshold)});
    }
    return judgement;
}

}  // namespace infer310
