#include "wire/telemetry/telemetry.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "wire/number.h"

namespace lineshaft::wire::telemetry {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view thingsboard_own = "v1/devices/me/telemetry";
constexpr std::string_view thingsboard_gateway = "v1/gateway/telemetry";
constexpr std::size_t parser_bytes_kept_max = 1024 * 1024;  // A rare big body does not hold its buffers for ever.
// 1973-03-03 in nanoseconds: below it a "t": 12.5 is a cycle time, not a moment.
constexpr std::int64_t plausible_time_ns = 100'000'000'000'000'000;

template <class... Names>
bool is_any(std::string_view key, Names... names) {
    return ((key == names) || ...);
}
bool is_value_key(std::string_view key) { return is_any(key, "value", "val", "v"); }
bool is_long_time_key(std::string_view key) { return is_any(key, "timestamp", "ts", "time"); }
bool is_time_key(std::string_view key) { return is_long_time_key(key) || key == "t"; }

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size as base/time.h does.
std::optional<UtcTime> time_from_number(double number) {
    const double size = std::abs(number);
    const double unit = size < 1e11 ? 1e9 : size < 1e14 ? 1e6 : size < 1e17 ? 1e3 : 1;
    if (!(size * unit < 9.2e18)) return std::nullopt;
    const double whole = std::floor(number);
    const auto rest_ns = static_cast<std::int64_t>(std::llround((number - whole) * unit));
    return UtcTime(static_cast<std::int64_t>(whole) * static_cast<std::int64_t>(unit) + rest_ns);
}

std::optional<UtcTime> time_from(dom::element e) {
    if (e.is<std::int64_t>()) {
        const std::int64_t number = e.get_int64().value_unsafe();
        // Nanoseconds have more digits than a double holds.
        if (std::abs(static_cast<double>(number)) >= 1e17) return UtcTime(number);
        return time_from_number(static_cast<double>(number));
    }
    if (e.is<double>()) return time_from_number(e.get_double().value_unsafe());
    if (!e.is<std::string_view>()) return std::nullopt;
    const std::string_view text = e.get_string().value_unsafe();
    if (text.starts_with("now") || text.starts_with("-")) return std::nullopt;
    const auto time = parse_time(text, UtcTime());
    return time ? std::optional(*time) : std::nullopt;
}

std::optional<UtcTime> plausible_time_from(dom::element e) {
    const auto time = time_from(e);
    return time && time->ns() >= plausible_time_ns ? time : std::nullopt;
}

bool is_scalar(dom::element e) { return !e.is<dom::object>() && !e.is<dom::array>(); }

Quality quality_from(dom::element e) {
    if (e.is<std::string_view>()) return quality_from_text(e.get_string().value_unsafe());
    if (e.is<std::int64_t>()) return quality_from_number(e.get_int64().value_unsafe());
    if (e.is<bool>()) return e.get_bool().value_unsafe() ? Quality::good : Quality::bad;
    return Quality::bad;
}

/// A scalar with its circumstances: {"value":1,"ts":…,"quality":…,"unit":…}.
struct Wrapped {
    dom::element value;
    std::optional<UtcTime> time;
    std::optional<Quality> quality;
    std::string_view unit;
};

/// `object` as a wrapped scalar; nothing when it has any other key ("device" aside): then it is a map.
std::optional<Wrapped> wrapped(dom::object object) {
    Wrapped w;
    bool has_value = false;
    for (const auto [key, e] : object) {
        if (!is_scalar(e)) return std::nullopt;
        if (is_value_key(key) && !has_value) {
            w.value = e;
            has_value = true;
        } else if (is_time_key(key) && !w.time) {
            w.time = plausible_time_from(e);
            if (!w.time) return std::nullopt;
        } else if (is_any(key, "quality", "q") && !w.quality) {
            w.quality = quality_from(e);
        } else if (is_any(key, "unit", "u") && e.is<std::string_view>()) {
            w.unit = e.get_string().value_unsafe();
        } else if (key != "device") {
            return std::nullopt;
        }
    }
    return has_value ? std::optional(w) : std::nullopt;
}

/// Where a message's values belong.
struct Place {
    std::string_view map_device;
    std::string_view scalar_device;
    std::string_view scalar_address;
};

std::string_view trim_slashes(std::string_view topic) {
    while (topic.starts_with('/')) topic.remove_prefix(1);
    while (topic.ends_with('/')) topic.remove_suffix(1);
    return topic;
}

/// Without white space around, and without the NUL that C programs send along.
std::string_view trim(std::string_view text) {
    constexpr std::string_view blank(" \t\r\n\0", 5);
    const std::size_t first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

bool same_word(std::string_view text, std::string_view lower) {
    return std::ranges::equal(text, lower, [](unsigned char a, unsigned char b) { return std::tolower(a) == b; });
}

bool is_not_a_number(std::string_view text) {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    return same_word(text, "nan") || same_word(text, "inf") || same_word(text, "infinity") || text == "null";
}

/// UTF-8 without control characters other than those of text: not the bytes of something binary.
bool is_text(std::string_view text) {
    const auto is_binary = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
    };
    return std::ranges::none_of(text, is_binary) && is_utf8(text);
}

/// Whether "device" in an object names its device, or is a value like any other.
enum class DeviceKey { IsValue, IsName };

/// Puts one message into a batch.
class Walk {
public:
    Walk(ReadingBatch& out, DeviceKey device_key) : out_(out), device_key_(device_key) {}

    const Decoded& decoded() const { return decoded_; }

    Result<void> message(dom::element e, const Place& place) {
        if (e.is<dom::array>()) return messages(e.get_array().value_unsafe(), place);
        if (e.is<dom::object>()) return object(e.get_object().value_unsafe(), place);
        path_ = place.scalar_address;
        return scalar(place.scalar_device, e, UtcTime(), Quality::good, {});
    }

    /// A bare payload that is not JSON.
    Result<void> bare(std::string_view text, const Place& place) {
        path_ = place.scalar_address;
        if (const auto number = number_from_text(text)) return add_number(place.scalar_device, *number, {}, {}, {});
        if (same_word(text, "true") || same_word(text, "false"))
            return add(place.scalar_device, ValueType::Bool, same_word(text, "true") ? 1 : 0, {}, {}, {}, {});
        if (is_not_a_number(text)) return add_nothing(place.scalar_device, {}, Quality::bad, {});
        if (!is_text(text)) return fail(ErrorCode::Malformed, "the payload is neither JSON, a number nor UTF-8 text");
        if (text.size() > limits::string_value_bytes_max)
            return fail(ErrorCode::TooLarge, fmt::format("the payload is text of {} bytes, at most {} are kept",
                                                         text.size(), limits::string_value_bytes_max));
        return add(place.scalar_device, ValueType::String, 0, text, {}, {}, {});
    }

private:
    Result<void> messages(dom::array array, const Place& place) {
        const bool all_objects =
            std::all_of(array.begin(), array.end(), [](dom::element e) { return e.is<dom::object>(); });
        if (!all_objects) {
            path_.clear();
            return indexed(place.map_device, array, UtcTime());
        }
        for (dom::element e : array) TRY_VOID(object(e.get_object().value_unsafe(), place));
        return {};
    }

    Result<void> object(dom::object o, const Place& given) {
        Place place = given;
        dom::element named;
        const bool is_named = device_key_ == DeviceKey::IsName &&
                              o.at_key("device").get(named) == simdjson::SUCCESS && named.is<std::string_view>();
        if (is_named) {
            const std::string_view device = named.get_string().value_unsafe();
            place = {device, device, "value"};
        }
        if (place.map_device.empty())
            return fail(ErrorCode::InvalidArgument, "no device: name it with \"device\" or use a token of a device");

        if (const auto w = wrapped(o)) {
            path_ = place.scalar_address;
            return scalar(place.scalar_device, w->value, w->time.value_or(UtcTime()),
                          w->quality.value_or(Quality::good), w->unit);
        }
        path_.clear();
        dom::element values;
        if (o.at_key("values").get(values) == simdjson::SUCCESS && values.is<dom::object>() && is_envelope(o))
            return envelope(o, values.get_object().value_unsafe(), place.map_device);

        UtcTime time;
        std::string_view time_key;
        for (const auto [key, e] : o) {
            if (!is_long_time_key(key) || !time_key.empty()) continue;
            if (const auto found = plausible_time_from(e)) {
                time = *found;
                time_key = key;
            }
        }
        for (const auto [key, e] : o) {
            if (key == time_key || (is_named && key == "device")) continue;
            TRY_VOID(member(place.map_device, key, e, time));
        }
        return {};
    }

    /// {"ts":…,"values":{…}}, with "device" or without.
    static bool is_envelope(dom::object o) {
        return std::all_of(o.begin(), o.end(), [](const auto& field) {
            return field.key == "values" || field.key == "device" || is_time_key(field.key);
        });
    }

    Result<void> envelope(dom::object o, dom::object values, std::string_view device) {
        UtcTime time;
        for (const auto [key, e] : o) {
            if (!is_time_key(key)) continue;
            const auto found = time_from(e);
            if (!found)
                return fail(ErrorCode::Malformed,
                            fmt::format("\"{}\" is not a time: use epoch milliseconds or RFC 3339", key));
            time = *found;
        }
        for (const auto [key, e] : values) TRY_VOID(member(device, key, e, time));
        return {};
    }

    /// A named value below the path so far.
    Result<void> member(std::string_view device, std::string_view key, dom::element e, UtcTime time) {
        if (key.empty()) return skip();
        const std::size_t before = path_.size();
        if (before > 0) path_ += '/';
        path_ += key;
        const auto done = below(device, e, time);
        path_.resize(before);
        return done;
    }

    /// What stands at the path: a scalar, a wrapped scalar, a map or a short array.
    Result<void> below(std::string_view device, dom::element e, UtcTime time) {
        if (e.is<dom::array>()) return indexed(device, e.get_array().value_unsafe(), time);
        if (!e.is<dom::object>()) return scalar(device, e, time, Quality::good, {});
        const dom::object o = e.get_object().value_unsafe();
        if (const auto w = wrapped(o))
            return scalar(device, w->value, w->time.value_or(time), w->quality.value_or(Quality::good), w->unit);
        for (const auto [key, inner] : o) TRY_VOID(member(device, key, inner, time));
        return {};
    }

    Result<void> indexed(std::string_view device, dom::array array, UtcTime time) {
        if (array.size() > array_values_max) return skip();
        std::size_t index = 0;
        for (dom::element e : array) TRY_VOID(member(device, fmt::format_int(index++).str(), e, time));
        return {};
    }

    Result<void> scalar(std::string_view device, dom::element e, UtcTime time, Quality quality,
                        std::string_view unit) {
        switch (e.type()) {
            case dom::element_type::BOOL:
                return add(device, ValueType::Bool, e.get_bool().value_unsafe() ? 1 : 0, {}, time, quality, unit);
            case dom::element_type::STRING: {
                const std::string_view text = e.get_string().value_unsafe();
                if (text.size() > limits::string_value_bytes_max) return skip();
                return add(device, ValueType::String, 0, text, time, quality, unit);
            }
            case dom::element_type::INT64:
            case dom::element_type::UINT64:
            case dom::element_type::DOUBLE:
                return add_number(device, e.get_double().value_unsafe(), time, quality, unit);
            default: return add_nothing(device, time, quality.is_bad() ? quality : Quality::bad, unit);
        }
    }

    Result<void> add_number(std::string_view device, double number, UtcTime time, Quality quality,
                            std::string_view unit) {
        return add(device, ValueType::Double, std::bit_cast<std::uint64_t>(number), {}, time, quality, unit);
    }

    /// null, nan: the device says that it has no value.
    Result<void> add_nothing(std::string_view device, UtcTime time, Quality quality, std::string_view unit) {
        return add_number(device, std::numeric_limits<double>::quiet_NaN(), time, quality, unit);
    }

    Result<void> add(std::string_view device, ValueType type, std::uint64_t bits, std::string_view text, UtcTime time,
                     Quality quality, std::string_view unit) {
        if (decoded_.readings + decoded_.skipped >= limits::json_values_max)
            return fail(ErrorCode::TooLarge,
                        fmt::format("more than {} values in one message", limits::json_values_max));
        if (device.empty()) return fail(ErrorCode::InvalidArgument, "a device without a name");
        if (device.size() > limits::device_name_bytes_max ||
            device.size() + 1 + path_.size() > limits::tag_path_bytes_max)
            return fail(ErrorCode::TooLarge, fmt::format("the name '{}…' is longer than {} bytes",
                                                         path_.substr(0, 40), limits::tag_path_bytes_max));
        if (device != device_) device_ = out_.keep(device);
        Reading& r = out_.readings.emplace_back();
        r.device = device_;
        r.address = out_.keep(path_);
        r.unit = out_.keep(unit);
        r.type = type;
        r.bits = bits;
        r.text = out_.keep(text);
        r.source_time = time;
        r.quality = quality;
        ++decoded_.readings;
        return {};
    }

    Result<void> skip() {
        ++decoded_.skipped;
        return {};
    }

    ReadingBatch& out_;
    const DeviceKey device_key_;
    Decoded decoded_;
    std::string path_;
    std::string_view device_;  // The last one, as the batch keeps it.
};

std::unexpected<Error> not_json(simdjson::error_code code) {
    if (code == simdjson::DEPTH_ERROR)
        return fail(ErrorCode::TooLarge, fmt::format("JSON deeper than {} levels", limits::json_depth_max));
    return fail(ErrorCode::Malformed, fmt::format("not JSON: {}", simdjson::error_message(code)));
}

}  // namespace

class Decoder::Impl {
public:
    Impl() { reset(); }

    simdjson::simdjson_result<dom::element> parse(std::string_view text) {
        if (parser_.capacity() > parser_bytes_kept_max && text.size() <= parser_bytes_kept_max) reset();
        return parser_.parse(text.data(), text.size());
    }

    Result<void> gateway(Walk& walk, std::string_view text) {
        dom::object devices;
        if (const auto code = parse(text).get(devices)) return not_json(code);
        for (const auto [device, e] : devices) TRY_VOID(walk.message(e, {device, device, "value"}));
        return {};
    }

    Result<void> payload(Walk& walk, std::string_view text, const Place& place) {
        const char first = text.front();
        if (first == '{' || first == '[' || first == '"') {
            dom::element e;
            const auto code = parse(text).get(e);
            if (code == simdjson::SUCCESS) return walk.message(e, place);
            if (first == '{') return not_json(code);  // '[' and '"' may begin a text: "[INFO] started".
        }
        return walk.bare(text, place);
    }

private:
    void reset() {
        parser_ = dom::parser();
        // An allocation failure shows at the next parse.
        [[maybe_unused]] const auto code = parser_.allocate(0, limits::json_depth_max);
    }

    dom::parser parser_;
};

Decoder::Decoder() : impl_(std::make_unique<Impl>()) {}
Decoder::~Decoder() = default;

Result<Decoded> Decoder::decode_mqtt(std::string_view topic, ByteView payload, std::string_view self,
                                     ReadingBatch& out) {
    const std::string_view text = trim(as_text(payload));
    if (text.empty()) return Decoded{};
    const std::string_view name = trim_slashes(topic);
    if (name.empty()) return fail(ErrorCode::Malformed, "the topic names no device");

    const std::size_t before = out.readings.size();
    Walk walk(out, DeviceKey::IsValue);
    Result<void> done;
    if (name == thingsboard_own) {
        if (self.empty())
            return fail(ErrorCode::InvalidArgument, "no device: use a token of a device or a client id");
        done = impl_->payload(walk, text, {self, self, "value"});
    } else if (name == thingsboard_gateway) {
        done = impl_->gateway(walk, text);
    } else {
        const std::size_t slash = name.rfind('/');
        const bool is_single = slash == std::string_view::npos;
        const std::string_view parent = is_single ? name : trim_slashes(name.substr(0, slash));
        done = impl_->payload(walk, text, {name, parent, is_single ? "value" : name.substr(slash + 1)});
    }
    if (!done) {
        out.readings.resize(before);
        return std::unexpected(std::move(done).error());
    }
    return walk.decoded();
}

Result<Decoded> Decoder::decode_http(std::string_view body, std::string_view self, ReadingBatch& out) {
    dom::element e;
    if (const auto code = impl_->parse(body).get(e)) return not_json(code);
    if (!e.is<dom::object>() && !e.is<dom::array>())
        return fail(ErrorCode::Malformed,
                    "expected an object {\"device\":\"name\",\"values\":{…}} or an array of them");
    if (e.is<dom::array>()) {
        const dom::array array = e.get_array().value_unsafe();  // By name: the result it comes from is a temporary.
        for (dom::element inner : array) {
            if (!inner.is<dom::object>()) return fail(ErrorCode::Malformed, "expected an array of objects");
        }
    }
    const std::size_t before = out.readings.size();
    Walk walk(out, DeviceKey::IsName);
    if (auto done = walk.message(e, {self, self, "value"}); !done) {
        out.readings.resize(before);
        return std::unexpected(std::move(done).error());
    }
    return walk.decoded();
}

}  // namespace lineshaft::wire::telemetry
