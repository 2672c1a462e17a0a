#include "flags.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "errors.h"

namespace infer310 {

Flags::Flags(const std::vector<std::string>& words, const std::vector<Flag>& known) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        const std::size_t equals = std::min(word.find('='), word.size());
        std::string name = word.substr(0, equals);
        std::replace(name.begin(), name.end(), '-', '_');
        name = name.substr(0, 2) == "__" ? name.substr(2) : "";
        const auto is_named = [&](const Flag& flag) { return flag.name == name; };
        if (std::none_of(known.begin(), known.end(), is_named)) {
            throw InputError("unknown argument '" + word + "'; --help tells those that there are");
        }
        if (equals < word.size()) {
            values_[name] = word.substr(equals + 1);
        } else if (i + 1 < words.size()) {
            values_[name] = words[++i];
        } else {
            throw InputError("--" + name + " needs a value");
        }
    }
}

std::string Flags::text(const std::string& name, const std::string& otherwise) const {
    const auto found = values_.find(name);
    return found == values_.end() ? otherwise : found->second;
}

std::string Flags::needed(const std::string& name) const {
    std::string value = text(name, "");
    if (value.empty()) {
        throw InputError("--" + name + " is needed; --help tells what it is");
    }
    return value;
}

std::size_t Flags::number(const std::string& name, std::size_t otherwise, std::size_t low, std::size_t high) const {
    const auto found = values_.find(name);
    if (found == values_.end()) {
        return otherwise;
    }
    const std::string& text = found->second;
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
        throw InputError("--" + name + " must be a whole number from " + std::to_string(low) + " to " +
                         std::to_string(high) + ", not '" + text + "'");
    }
    return value;
}

std::string help_of(const std::string& program, const std::string& purpose, const std::vector<Flag>& known) {
    std::string help = "usage: " + program + " --FLAG VALUE …\n\n" + purpose + "\n\n";
    for (const Flag& flag : known) {
        const std::string left = "  --" + flag.name + " " + flag.value;
        help += left + std::string(left.size() < 28 ? 28 - left.size() : 1, ' ') + flag.help + "\n";
    }
    return help;
}

}  // namespace infer310
