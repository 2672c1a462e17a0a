// Every parser of foreign text and bytes, under the sanitizers: the first byte chooses one, the others are its input.
// Whatever they are, a parser gives a value or an InputError.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "bins.h"
#include "captured_stderr.h"
#include "errors.h"
#include "flags.h"
#include "jpeg.h"
#include "lists.h"
#include "mindir.h"
#include "report.h"

namespace {

using Parser = void (*)(std::string_view);

void flags(std::string_view input) {
    std::vector<std::string> words;
    std::istringstream stream{std::string(input)};
    for (std::string word; std::getline(stream, word);) {
        words.push_back(word);
    }
    const infer310::Flags parsed(words, {{"device", "NAME", ""}, {"batch_size", "N", ""}});
    static_cast<void>(parsed.number("batch_size", 1, 1, 4096));
}

// A name that parses is the one that would be written.
void bin_names(std::string_view input) {
    const std::string name(input);
    if (infer310::bin_name(infer310::parse_bin_name(name)) != name) {
        std::abort();
    }
}

constexpr std::array<Parser, 8> kParsers = {
    [](std::string_view input) { infer310::parse_landmark_list(input, "list"); },
    [](std::string_view input) { infer310::parse_named_pairs(input, "pairs.txt"); },
    bin_names,
    [](std::string_view input) { static_cast<void>(infer310::parse_mindir(input)); },
    [](std::string_view input) { static_cast<void>(infer310::is_whole_jpeg(input)); },
    [](std::string_view input) { infer310::parse_origin(std::string(input), "export.json", "m.mindir"); },
    [](std::string_view input) { static_cast<void>(infer310::first_error(std::string(input))); },
    flags,
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    try {
        kParsers.at(data[0] % kParsers.size())({reinterpret_cast<const char*>(data) + 1, size - 1});
    } catch (const infer310::InputError&) {
        return 0;
    }
    return 0;
}
