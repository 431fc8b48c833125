#include "registry/internal/check.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "base/utf8.h"

namespace lineshaft::registry {

Result<void> check_level(std::string_view what, std::string_view name) {
    TRY_VOID(check_path(what, name, name_bytes_max));
    if (name.find('/') != std::string_view::npos) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{} '{}' must not contain '/': it is one level", what, name));
    }
    return {};
}

Result<void> check_path(std::string_view what, std::string_view path, std::size_t bytes_max) {
    if (path.empty()) return fail(ErrorCode::InvalidArgument, fmt::format("{} must not be empty", what));
    if (path.size() > bytes_max) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{} has {} bytes, {} are allowed", what, path.size(), bytes_max));
    }
    if (!is_printable_utf8(path)) {
        return fail(ErrorCode::InvalidArgument, fmt::format("{} must be printable text in UTF-8", what));
    }
    if (path.front() == ' ' || path.back() == ' ') {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{} '{}' must not begin or end with a space", what, path));
    }
    if (path.front() == '/' || path.back() == '/' || path.find("//") != std::string_view::npos) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{} '{}' has an empty level: remove the extra '/'", what, path));
    }
    return {};
}

Result<void> check_text(std::string_view what, std::string_view text) {
    if (text.size() > text_bytes_max) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{} has {} bytes, {} are allowed", what, text.size(), text_bytes_max));
    }
    if (!is_utf8(text) || text.find('\0') != std::string_view::npos) {
        return fail(ErrorCode::InvalidArgument, fmt::format("{} must be text in UTF-8", what));
    }
    return {};
}

Result<void> check_settings(std::string_view json) {
    if (json.empty()) return {};
    if (json.size() > settings_bytes_max) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("settings have {} bytes, {} are allowed", json.size(), settings_bytes_max));
    }
    // Bounded depth: the parser recurses over what it builds when it lets go of it.
    std::size_t depth = 0;
    const auto shallow = [&](int at, nlohmann::json::parse_event_t, nlohmann::json&) {
        depth = std::max(depth, static_cast<std::size_t>(at));
        return depth <= limits::json_depth_max;
    };
    const auto parsed = nlohmann::json::parse(json, shallow, false);
    if (depth > limits::json_depth_max || !parsed.is_object()) {
        return fail(ErrorCode::InvalidArgument, "settings must be a JSON object");
    }
    return {};
}

Result<void> check_finite(std::string_view what, double number) {
    if (std::isfinite(number)) return {};
    return fail(ErrorCode::InvalidArgument, fmt::format("{} must be a number", what));
}

}  // namespace lineshaft::registry
