// `--name value` and `--name=value`, as the model zoo's program takes them.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace infer310 {

struct Flag {
    std::string name, value, help;  // `value` names what it takes
};

class Flags {
  public:
    // InputError: a flag that is not among `known`, or one without its value.
    Flags(const std::vector<std::string>& words, const std::vector<Flag>& known);

    [[nodiscard]] bool has(const std::string& name) const { return values_.count(name) > 0; }
    [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise) const;
    // InputError: it is not given, or empty.
    [[nodiscard]] std::string needed(const std::string& name) const;
    // InputError: no whole number from `low` to `high`.
    [[nodiscard]] std::size_t number(const std::string& name, std::size_t otherwise, std::size_t low,
                                     std::size_t high) const;

  private:
    std::map<std::string, std::string> values_;
};

std::string help_of(const std::string& program, const std::string& purpose, const std::vector<Flag>& known);

}  // namespace infer310
