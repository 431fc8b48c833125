#include "wire/line_protocol/line_protocol.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include <emmintrin.h>
#include <fmt/format.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "wire/number.h"

namespace lineshaft::wire::line_protocol {
namespace {

constexpr std::size_t shown_bytes_max = 60;  // Of what a sender wrote, in an error.

std::int64_t unit_of(Precision precision) {
    switch (precision) {
        case Precision::Nanoseconds: return 1;
        case Precision::Microseconds: return 1'000;
        case Precision::Milliseconds: return 1'000'000;
        case Precision::Seconds: return 1'000'000'000;
        case Precision::Minutes: return 60'000'000'000;
        case Precision::Hours: return 3'600'000'000'000;
    }
    return 1;
}

/// First of the characters `Set` in [at, end), or end. `readable` ≥ end: how far memory may be read, so that a short
/// line in a long body still takes the fast way.
template <char... Set>
const char* find_one_of(const char* at, const char* end, const char* readable) {
    for (; at < end; at += 16) {
        if (readable - at < 16) {
            while (at < end && ((*at != Set) && ...)) ++at;
            return at;
        }
        const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
        const int mask = (_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8(Set))) | ...);
        if (mask != 0) return std::min(at + std::countr_zero(static_cast<unsigned>(mask)), end);
    }
    return end;
}

/// As find_one_of, but a character after a backslash does not count. Sets `escaped` when there was one.
template <char... Set>
const char* find_bare(const char* at, const char* end, const char* readable, bool& escaped) {
    const char* const start = at;
    for (;; ++at) {
        at = find_one_of<'\\', Set...>(at, end, readable);
        if (at >= end) return end;
        if (*at == '\\') {
            escaped = true;
        } else if (at == start || at[-1] != '\\') {
            return at;
        }
    }
}

std::string_view between(const char* at, const char* end) { return {at, static_cast<std::size_t>(end - at)}; }

std::string shown(std::string_view text) {
    const std::string_view cut = text.substr(0, shown_bytes_max);
    return is_printable_utf8(cut) ? std::string(cut) : "…";
}

bool is_truth(std::string_view word, bool& value) {
    value = word == "t" || word == "T" || word == "true" || word == "True" || word == "TRUE";
    return value || word == "f" || word == "F" || word == "false" || word == "False" || word == "FALSE";
}

/// "12i" and "12u"; false when it does not fit in 64 bits or is no integer.
bool read_integer(std::string_view word, std::uint64_t& bits) {
    const bool is_signed = word.back() == 'i';
    word.remove_suffix(1);
    if (word.starts_with('+') && !word.starts_with("+-")) word.remove_prefix(1);
    std::int64_t value = 0;
    const char* const begin = word.data();
    const char* const end = begin + word.size();
    const auto [stop, code] = std::from_chars(begin, end, value);
    bits = std::bit_cast<std::uint64_t>(value);
    return code == std::errc{} && stop == end && (is_signed || value >= 0);
}

}  // namespace

Result<Precision> precision_from_text(std::string_view text) {
    if (text.empty() || text == "ns" || text == "n") return Precision::Nanoseconds;
    if (text == "us" || text == "u" || text == "µ" || text == "µs") return Precision::Microseconds;
    if (text == "ms") return Precision::Milliseconds;
    if (text == "s") return Precision::Seconds;
    if (text == "m") return Precision::Minutes;
    if (text == "h") return Precision::Hours;
    return fail(ErrorCode::InvalidArgument,
                fmt::format("precision '{}' is none of ns, us, ms, s, m, h", shown(text)));
}

Parser::Parser(std::string_view body, Precision precision, std::uint64_t first_number)
    : begin_(body.data()),
      end_(body.data() + body.size()),
      at_(body.data()),
      unit_ns_(unit_of(precision)),
      number_(first_number) {}

const Line* Parser::next() {
    while (at_ < end_) {
        const char* at = at_;
        const auto* newline = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end_ - at)));
        const char* end = newline ? newline : end_;
        at_ = newline ? newline + 1 : end_;
        line_.number = number_++;
        if (end > at && end[-1] == '\r') --end;
        while (at < end && (*at == ' ' || *at == '\t')) ++at;
        if (at == end || *at == '#') continue;
        if (read_line(at, end)) return &line_;
    }
    return nullptr;
}

void Parser::refuse(std::uint64_t number, std::string message) {
    ++refused_count_;
    if (errors_.size() < errors_kept_max) errors_.push_back({number, std::move(message)});
}

bool Parser::complain(std::string message) {
    refuse(line_.number, std::move(message));
    return false;
}

bool Parser::read_line(const char* at, const char* end) {
    bool escaped = false;
    const char* const key_end = find_bare<' '>(at, end, end_, escaped);
    if (key_end == end) return complain("no fields: expected 'measurement,tags name=value'");
    line_.key = between(at, key_end);
    at = key_end;
    while (at < end && *at == ' ') ++at;

    fields_.clear();
    while (true) {
        at = read_field(at, end);
        if (!at) return false;
        if (at == end || *at == ' ') break;
        if (*at != ',')
            return complain(
                fmt::format("field '{}' is followed by '{}'", shown(fields_.back().name), shown(between(at, end))));
        ++at;
        if (fields_.size() == fields_per_line_max)
            return complain(fmt::format("more than {} fields", fields_per_line_max));
    }
    line_.fields = fields_;
    while (at < end && *at == ' ') ++at;
    return read_time(at, end);
}

/// Reads "name=value" at `at`; where it ends, or null after a complaint.
const char* Parser::read_field(const char* at, const char* end) {
    Field& field = fields_.emplace_back();
    const char* const name_end = find_bare<'=', ',', ' '>(at, end, end_, field.name_escaped);
    field.name = between(at, name_end);
    if (name_end == end || *name_end != '=' || field.name.empty()) {
        complain(fmt::format("'{}' is not a field: expected name=value", shown(field.name)));
        return nullptr;
    }
    at = name_end + 1;
    if (at < end && *at == '"') return read_text(at + 1, end, field);

    double number = 0;
    const char* const number_end = read_number(at, end, number);
    if (number_end && (number_end == end || *number_end == ',' || *number_end == ' ')) {
        field.bits = std::bit_cast<std::uint64_t>(number);
        return number_end;
    }
    return read_word(at, end, field);
}

/// A value that is neither text nor a plain number: integer, boolean, or nothing we know.
const char* Parser::read_word(const char* at, const char* end, Field& field) {
    const char* const word_end = find_one_of<',', ' '>(at, end, end_);
    const std::string_view word = between(at, word_end);
    bool truth = false;
    if (word.empty()) {
        complain(fmt::format("field '{}' has no value", shown(field.name)));
        return nullptr;
    }
    if (word.back() == 'i' || word.back() == 'u') {
        field.type = ValueType::Int;
        if (read_integer(word, field.bits)) return word_end;
    } else if (is_truth(word, truth)) {
        field.type = ValueType::Bool;
        field.bits = truth ? 1 : 0;
        return word_end;
    }
    complain(fmt::format("field '{}': '{}' is not a number, a 64-bit integer, true, false or a quoted text",
                         shown(field.name), shown(word)));
    return nullptr;
}

/// Reads text behind its opening quote; where the closing quote ends, or null after a complaint.
const char* Parser::read_text(const char* at, const char* end, Field& field) {
    const char* const start = at;
    for (;; ++at) {
        at = find_one_of<'"', '\\'>(at, end, end_);
        if (at >= end) {
            complain(fmt::format("field '{}': the closing quote is missing", shown(field.name)));
            return nullptr;
        }
        if (*at == '"') break;
        field.text_escaped = true;
        if (at + 1 < end && (at[1] == '"' || at[1] == '\\')) ++at;
    }
    field.type = ValueType::String;
    field.text = between(start, at);
    if (field.text.size() > limits::string_value_bytes_max) {
        complain(fmt::format("field '{}': the text is longer than {} bytes", shown(field.name),
                             limits::string_value_bytes_max));
        return nullptr;
    }
    if (!is_utf8(field.text)) {
        complain(fmt::format("field '{}': the text is not UTF-8", shown(field.name)));
        return nullptr;
    }
    return at + 1;
}

bool Parser::read_time(const char* at, const char* end) {
    line_.time = UtcTime();
    while (end > at && end[-1] == ' ') --end;
    if (at == end) return true;
    std::int64_t count = 0;
    std::int64_t ns = 0;
    const auto [stop, code] = std::from_chars(at, end, count);
    if (code == std::errc::result_out_of_range || __builtin_mul_overflow(count, unit_ns_, &ns))
        return complain(
            fmt::format("the timestamp '{}' is out of range: is the precision right?", shown(between(at, end))));
    if (code != std::errc{} || stop != end)
        return complain(fmt::format("'{}' is not a timestamp", shown(between(at, end))));
    line_.time = UtcTime(ns == 0 ? 1 : ns);  // 0 would mean that there is none.
    return true;
}

Result<std::string> device_name(std::string_view key) {
    struct KeyTag {
        std::string_view name;
        std::string_view value;
    };
    std::vector<KeyTag> tags;
    bool escaped = false;
    const char* const begin = key.data();
    const char* const end = begin + key.size();
    const char* at = find_bare<','>(begin, end, end, escaped);
    const std::string_view measurement = between(begin, at);
    if (measurement.empty()) return fail(ErrorCode::Malformed, "no measurement");
    if (!is_printable_utf8(key)) return fail(ErrorCode::Malformed, "measurement and tags are not printable UTF-8");
    while (at < end) {
        const char* const name = at + 1;
        at = find_bare<',', '='>(name, end, end, escaped);
        if (at == end || *at != '=' || at == name)
            return fail(ErrorCode::Malformed,
                        fmt::format("'{}' is not a tag: expected tag=value", shown(between(name, at))));
        const char* const value = at + 1;
        at = find_bare<',', '='>(value, end, end, escaped);
        if (at == value || (at < end && *at == '='))
            return fail(ErrorCode::Malformed, fmt::format("tag '{}' has no value", shown(between(name, value - 1))));
        tags.push_back({between(name, value - 1), between(value, at)});
    }
    std::ranges::sort(tags, {}, &KeyTag::name);
    const auto twice = std::ranges::adjacent_find(tags, {}, &KeyTag::name);
    if (twice != tags.end())
        return fail(ErrorCode::Malformed, fmt::format("tag '{}' stands twice", shown(twice->name)));
    std::string device = unescape_name(measurement);
    for (const KeyTag& tag : tags) device += "/" + unescape_name(tag.value);
    if (device.size() > limits::device_name_bytes_max)
        return fail(ErrorCode::TooLarge,
                    fmt::format("measurement and tags make a name of {} bytes, at most {} are kept", device.size(),
                                limits::device_name_bytes_max));
    return device;
}

std::string unescape_name(std::string_view name) {
    std::string out;
    out.reserve(name.size());
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char follows = i + 1 < name.size() ? name[i + 1] : 'x';
        if (name[i] == '\\' && (follows == ',' || follows == '=' || follows == ' ')) continue;
        out += name[i];
    }
    return out;
}

std::string unescape_text(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')) ++i;
        out += text[i];
    }
    return out;
}

}  // namespace lineshaft::wire::line_protocol
