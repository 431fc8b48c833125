#include <algorithm>

#include <fmt/format.h>

#include "fleet/query.h"

namespace lineshaft::fleet {
namespace {

constexpr std::size_t levels_max = 64;
constexpr std::size_t steps_max = 10'000;  // ** in ** in …: a path that takes longer does not fit.

std::unexpected<Error> wrong(std::string_view text, std::string_view why) {
    return fail(ErrorCode::InvalidArgument, fmt::format("in the pattern '{}' {}", text, why));
}

bool is_name(std::string_view text) {
    if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
    return std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
}

/// Text with any number of *.
bool fits(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

std::vector<std::string> split(std::string_view text, char at) {
    std::vector<std::string> parts;
    for (;;) {
        const auto end = text.find(at);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

}  // namespace

Result<PathPattern> PathPattern::parse(std::string_view text) {
    PathPattern pattern;
    pattern.text_ = text;
    bool is_prefix = true;
    for (const std::string& part : split(text, '/')) {
        if (part.empty()) return wrong(text, "a level is empty");
        if (pattern.levels_.size() == levels_max)
            return wrong(text, fmt::format("are more than {} levels", levels_max));
        Level level;
        if (part == "*" || part == "**") {
            level.kind = part == "*" ? Level::Kind::Any : Level::Kind::Deep;
        } else if (part.front() == '{') {
            if (part.back() != '}') return wrong(text, fmt::format("'{}' lacks its '}}'", part));
            const std::string_view inner = std::string_view(part).substr(1, part.size() - 2);
            const auto colon = inner.find(':');
            const std::string_view name = inner.substr(0, colon);
            if (!is_name(name))
                return wrong(text, fmt::format("'{}' is no name: letters, digits and _ make one", name));
            if (std::ranges::find(pattern.captures_, name) != pattern.captures_.end())
                return wrong(text, fmt::format("'{}' stands twice", name));
            level.capture = static_cast<int>(pattern.captures_.size());
            pattern.captures_.emplace_back(name);
            if (colon != std::string_view::npos) {
                level.kind = Level::Kind::OneOf;
                level.choices = split(inner.substr(colon + 1), '|');
            }
        } else {
            level.kind = Level::Kind::OneOf;
            level.choices = {part};
        }
        const bool is_text = level.kind == Level::Kind::OneOf && level.capture < 0 && part.find('*') == part.npos;
        is_prefix = is_prefix && is_text;
        if (is_prefix) pattern.prefix_ += (pattern.prefix_.empty() ? "" : "/") + part;
        pattern.levels_.push_back(std::move(level));
    }
    return pattern;
}

bool PathPattern::match(std::string_view path, std::vector<std::string_view>& caught) const {
    caught.assign(captures_.size(), {});
    std::size_t steps = 0;
    return match_from(0, path, false, steps, caught);
}

/// `at_end`: the path has no level left (an empty `rest` may still be one empty level).
bool PathPattern::match_from(std::size_t level, std::string_view rest, bool at_end, std::size_t& steps,
                             std::vector<std::string_view>& caught) const {
    for (; level < levels_.size(); ++level) {
        if (++steps > steps_max) return false;
        const Level& one = levels_[level];
        if (one.kind == Level::Kind::Deep) {
            for (;;) {
                if (match_from(level + 1, rest, at_end, steps, caught)) return true;
                if (at_end || steps > steps_max) return false;
                const auto slash = rest.find('/');
                at_end = slash == std::string_view::npos;
                rest = at_end ? std::string_view() : rest.substr(slash + 1);
            }
        }
        if (at_end) return false;
        const auto slash = rest.find('/');
        const std::string_view word = rest.substr(0, slash);
        if (one.kind == Level::Kind::OneOf &&
            std::ranges::none_of(one.choices, [word](const std::string& choice) { return fits(choice, word); }))
            return false;
        if (one.capture >= 0) caught[static_cast<std::size_t>(one.capture)] = word;
        at_end = slash == std::string_view::npos;
        rest = at_end ? std::string_view() : rest.substr(slash + 1);
    }
    return at_end;
}

}  // namespace lineshaft::fleet
