#include "errors.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>

namespace infer310 {
namespace {

int fail(const char* program, std::string message, int code) {
    std::replace_if(
        message.begin(), message.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    std::fprintf(stderr, "%s: error: %s\n", program, message.c_str());
    return code;
}

}  // namespace

int exit_code_of(const char* program, int (*work)(int, char**), int argc, char** argv) {
    std::cerr.setstate(std::ios::badbit);  // OpenCV writes there what this program says in a line of its own
    try {
        return work(argc, argv);
    } catch (const InputError& error) {
        return fail(program, error.what(), 2);
    } catch (const RunError& error) {
        return fail(program, error.what(), 1);
    } catch (const std::bad_alloc&) {
        return fail(program, "out of memory; take a smaller --batch_size or fewer --workers", 1);
    } catch (const std::exception& error) {
        return fail(program, std::string("unexpected: ") + error.what(), 1);
    }
}

}  // namespace infer310
