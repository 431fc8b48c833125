#include "wire/mqtt/topic.h"

#include <algorithm>

#include "base/limits.h"
#include "base/utf8.h"

namespace lineshaft::wire::mqtt {
namespace {

bool levels_within_limit(std::string_view topic) {
    return static_cast<std::size_t>(std::ranges::count(topic, '/')) < limits::mqtt_topic_levels_max;
}

}  // namespace

bool is_valid_utf8(std::string_view text) { return text.find('\0') == std::string_view::npos && is_utf8(text); }

bool is_valid_topic(std::string_view topic) {
    if (topic.empty() || topic.size() > limits::mqtt_topic_bytes_max) return false;
    return topic.find_first_of("+#") == std::string_view::npos && levels_within_limit(topic);
}

bool is_valid_filter(std::string_view filter) {
    if (filter.empty() || filter.size() > limits::mqtt_topic_bytes_max || !levels_within_limit(filter)) return false;
    for (LevelCut cut = cut_level(filter);; cut = cut_level(cut.rest)) {
        const bool wild = cut.level.find_first_of("+#") != std::string_view::npos;
        if (wild && cut.level.size() != 1) return false;
        if (cut.level == "#" && cut.more) return false;
        if (!cut.more) return true;
    }
}

std::optional<SharedFilter> parse_shared(std::string_view filter) {
    constexpr std::string_view prefix = "$share/";
    if (!filter.starts_with(prefix)) return SharedFilter{{}, filter};
    const LevelCut cut = cut_level(filter.substr(prefix.size()));
    if (!cut.more || cut.level.empty() || cut.rest.empty()) return std::nullopt;
    if (cut.level.find_first_of("+#") != std::string_view::npos) return std::nullopt;
    return SharedFilter{cut.level, cut.rest};
}

bool matches(std::string_view filter, std::string_view topic) {
    if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
    for (;;) {
        const LevelCut want = cut_level(filter);
        if (want.level == "#") return true;
        const LevelCut have = cut_level(topic);
        if (want.level != "+" && want.level != have.level) return false;
        if (!want.more && !have.more) return true;
        if (!have.more) return want.rest == "#";  // "a/#" selects "a".
        if (!want.more) return false;
        filter = want.rest;
        topic = have.rest;
    }
}

}  // namespace lineshaft::wire::mqtt
