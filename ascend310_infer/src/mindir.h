// What a MINDIR file says of itself, read before a runtime is given it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace infer310 {

// Fields of mind_ir.proto's ModelProto: producer_name 2, model_version 5, graph 7, mind_ir_version 13.
struct MindirHead {
    std::string producer;  // as in "MindSpore 2.0.0"; empty if it does not say
    std::int64_t version = 0;
};

// None: no whole MINDIR.
std::optional<MindirHead> parse_mindir(std::string_view bytes);

// InputError: no such file, or no whole MINDIR.
MindirHead read_mindir(const std::filesystem::path& path);

}  // namespace infer310
