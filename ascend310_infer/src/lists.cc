#include "lists.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <system_error>

#include "errors.h"

namespace infer310 {
namespace {

constexpr std::string_view kSpace = " \t\r\v\f";

std::string_view stripped(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(kSpace);
    return begin == std::string_view::npos ? "" : text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::vector<std::string_view> fields_of(std::string_view text) {
    std::vector<std::string_view> fields;
    if (text.find('\t') != std::string_view::npos) {
        for (std::size_t begin = 0; begin <= text.size();) {
            const std::size_t end = std::min(text.find('\t', begin), text.size());
            fields.push_back(stripped(text.substr(begin, end - begin)));
            begin = end + 1;
        }
        return fields;
    }
    for (std::size_t begin = text.find_first_not_of(kSpace); begin != std::string_view::npos;) {
        const std::size_t end = std::min(text.find_first_of(kSpace, begin), text.size());
        fields.push_back(text.substr(begin, end - begin));
        begin = text.find_first_not_of(kSpace, end);
    }
    return fields;
}

// Calls `line(number, text)` for every line that is not empty.
template <typename Line>
void for_each_line(std::string_view text, Line line) {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
        text.remove_prefix(kByteOrderMark.size());
    }
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (const std::string_view content = stripped(text.substr(0, end)); !content.empty()) {
            line(number, content);
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

std::optional<double> number_in(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
        return std::nullopt;
    }
    return value;
}

std::optional<std::uint32_t> whole_in(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > 1'000'000'000) {
        return std::nullopt;
    }
    return value;
}

bool stays_below(std::string_view path) {
    if (path.empty() || path.front() == '/') {
        return false;
    }
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        if (path.substr(begin, end - begin) == "..") {
            return false;
        }
        begin = end + 1;
    }
    return true;
}

std::string stem(std::string_view name, std::uint32_t number) {
    std::array<char, 16> digits{};
    std::snprintf(digits.data(), digits.size(), "_%04u", number);
    return std::string(name) + "/" + std::string(name) + digits.data();
}

NamedPair pair_in(std::string_view text, bool same, const std::string& where) {
    const std::vector<std::string_view> fields = fields_of(text);
    const std::size_t second = same ? 2 : 3;
    std::optional<std::uint32_t> left, right;
    if (fields.size() == second + 1) {
        left = whole_in(fields[1]);
        right = whole_in(fields[second]);
    }
    if (!left || !right) {
        throw InputError(where + ": expected '" + (same ? "name i j" : "name i name j") + "' (a pair of " +
                         (same ? "the same person" : "two persons") + "), not '" + std::string(text) + "'");
    }
    NamedPair pair;
    pair.left = stem(fields[0], *left);
    pair.right = stem(fields[same ? 0 : 2], *right);
    pair.same = same;
    return pair;
}

}  // namespace

std::vector<ListedImage> parse_landmark_list(std::string_view text, const std::string& file) {
    constexpr std::size_t kColumns = 1 + std::tuple_size<Landmarks>::value;
    std::vector<ListedImage> images;
    for_each_line(text, [&](std::size_t number, std::string_view content) {
        const std::string where = file + ":" + std::to_string(number);
        const std::vector<std::string_view> fields = fields_of(content);
        if (fields.size() != kColumns) {
            throw InputError(where + ": expected 11 columns (relpath x1 y1 … x5 y5), but the line has " +
                             std::to_string(fields.size()) + " columns");
        }
        if (!stays_below(fields[0])) {
            throw InputError(where + ": the image path must be relative to the image folder, without '..', not '" +
                             std::string(fields[0]) + "'");
        }
        ListedImage image;
        image.path = fields[0].substr(0, 2) == "./" ? fields[0].substr(2) : fields[0];
        for (std::size_t i = 0; i < image.landmarks.size(); ++i) {
            const std::optional<double> value = number_in(fields[i + 1]);
            if (!value) {
                throw InputError(where + ": the landmarks must be ten numbers x1 y1 … x5 y5, not '" +
                                 std::string(fields[i + 1]) + "'");
            }
            image.landmarks[i] = *value;
        }
        images.push_back(std::move(image));
    });
    if (images.empty()) {
        throw InputError(file + ": names no image; each line is expected to be: relpath x1 y1 … x5 y5");
    }
    return images;
}

std::vector<NamedPair> parse_named_pairs(std::string_view text, const std::string& file) {
    std::vector<NamedPair> pairs;
    std::size_t folds = 0, each = 0;
    for_each_line(text, [&](std::size_t number, std::string_view content) {
        const std::string where = file + ":" + std::to_string(number);
        if (folds == 0) {
            const std::vector<std::string_view> fields = fields_of(content);
            folds = fields.size() == 2 ? whole_in(fields[0]).value_or(0) : 0;
            each = fields.size() == 2 ? whole_in(fields[1]).value_or(0) : 0;
            if (folds == 0 || each == 0) {
                throw InputError(where + ": the first line must be 'folds pairs', as in '10 300', not '" +
                                 std::string(content) + "'");
            }
            return;
        }
        if (pairs.size() == folds * each * 2) {
            throw InputError(where + ": more lines than the header's " + std::to_string(folds) + " folds of " +
                             std::to_string(each) + " + " + std::to_string(each) + " pairs");
        }
        NamedPair pair = pair_in(content, pairs.size() % (each * 2) < each, where);
        pair.fold = pairs.size() / (each * 2);
        pair.line = number;
        pairs.push_back(std::move(pair));
    });
    if (folds == 0 || pairs.size() != folds * each * 2) {
        throw InputError(file + ": ends after " + std::to_string(pairs.size()) + " of " +
                         std::to_string(folds * each * 2) + " pairs");
    }
    return pairs;
}

}  // namespace infer310
