// Every error that a program here raises on purpose: one line that says what, where and what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace infer310 {

// Exit 1: the work failed.
class RunError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Exit 2: the user can mend it.
class InputError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Runs `work` as a program's main: its exit code, or an error's with `program: error: …` in one line on stderr.
int exit_code_of(const char* program, int (*work)(int, char**), int argc, char** argv);

}  // namespace infer310
