// What others write to file descriptor 2, taken instead of shown: the runtime tells of its failures nowhere else.
#pragma once

#include <string>

namespace infer310 {

class CapturedStderr {
  public:
    CapturedStderr();
    ~CapturedStderr();
    CapturedStderr(const CapturedStderr&) = delete;
    CapturedStderr& operator=(const CapturedStderr&) = delete;
    CapturedStderr(CapturedStderr&&) = delete;
    CapturedStderr& operator=(CapturedStderr&&) = delete;

    // Everything so far.
    [[nodiscard]] std::string text() const;

  private:
    int shown_ = -1;  // where descriptor 2 went
    int taken_ = -1;
};

// The message of MindSpore's first line of level ERROR in `log`, without its head; empty if there is none.
std::string first_error(const std::string& log);

}  // namespace infer310
