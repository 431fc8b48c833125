/// UTF-8 and topic rules of MQTT (3.1.1 and 5.0 §1.5, §4.7).
///
/// Threads: any; pure.
#pragma once

#include <optional>
#include <string_view>

namespace lineshaft::wire::mqtt {

/// Well-formed UTF-8 without U+0000, surrogates and overlong forms.
bool is_valid_utf8(std::string_view text);

/// A topic to publish to: not empty, no wildcards, within limits::mqtt_topic_bytes_max and _levels_max. Takes the
/// text as valid UTF-8 already.
bool is_valid_topic(std::string_view topic);

/// A filter to subscribe with: '+' and '#' as whole levels, '#' last. `$share/…` is taken apart by parse_shared.
bool is_valid_filter(std::string_view filter);

/// "$share/<group>/<filter>"; `group` is empty for a filter that is not shared.
struct SharedFilter {
    std::string_view group;
    std::string_view filter;
};
/// Nothing when it begins with "$share/" and is not a valid shared subscription.
std::optional<SharedFilter> parse_shared(std::string_view filter);

/// Does the filter select the topic? Wildcards at the begin do not select topics that begin with '$'.
bool matches(std::string_view filter, std::string_view topic);

/// Cuts the first level off `rest`; the last level leaves `more` false.
struct LevelCut {
    std::string_view level;
    std::string_view rest;
    bool more = false;
};
inline LevelCut cut_level(std::string_view topic) {
    const std::size_t slash = topic.find('/');
    if (slash == std::string_view::npos) return {topic, {}, false};
    return {topic.substr(0, slash), topic.substr(slash + 1), true};
}

}  // namespace lineshaft::wire::mqtt
