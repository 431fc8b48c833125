#include <fmt/format.h>

#include "base/utf8.h"
#include "net/internal/http_parser.h"

namespace lineshaft::net {
namespace {

std::unexpected<HttpFailure> refuse(const char* why) {
    return std::unexpected(HttpFailure{400, Error(ErrorCode::Malformed, why)});
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

enum class Plus : std::uint8_t { IsPlus, IsSpace };

/// False for a broken escape, a control character or bytes that are not UTF-8: two readers could see different things.
bool decode_percent(std::string_view text, Plus plus, std::string& out) {
    out.clear();
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (i + 2 >= text.size()) return false;
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return false;
            c = static_cast<char>(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus == Plus::IsSpace) {
            c = ' ';
        }
        if (c == '\0') return false;
        out.push_back(c);
    }
    return is_utf8(out);
}

/// True when a segment of the decoded path is "..": an escaped one counts, and so does one made with "%2F".
bool climbs(std::string_view path) {
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        if (path.substr(0, slash) == "..") return true;
        if (slash == std::string_view::npos) return false;
        path.remove_prefix(slash + 1);
    }
    return false;
}

bool has_control_character(std::string_view text) {
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return true;
    }
    return false;
}

/// "http://host/path" → "/path", as a proxy would send it.
std::string_view origin_form(std::string_view target) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!target.starts_with(scheme)) continue;
        const std::size_t start = target.find_first_of("/?", scheme.size());
        if (start == std::string_view::npos) return "/";
        return target.substr(start);
    }
    return target;
}

}  // namespace

std::expected<void, HttpFailure> parse_target(std::string_view target, HttpRequest& into) {
    if (target == "*") {
        into.path = "*";
        return {};
    }
    target = origin_form(target);
    const std::size_t question = target.find('?');
    const std::string_view path = target.substr(0, question);
    if (!path.starts_with('/') || target.find('#') != std::string_view::npos) {
        return refuse("the request target does not begin with '/', or has a fragment");
    }
    if (!decode_percent(path, Plus::IsPlus, into.path))
        return refuse("the path has a bad percent escape or is not UTF-8");
    if (climbs(into.path) || has_control_character(into.path))
        return refuse("the path has '..' or a control character");
    if (question == std::string_view::npos) return {};

    std::string_view query = target.substr(question + 1);
    while (!query.empty()) {
        const std::size_t end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        auto& [name, value] = into.query.emplace_back();
        const std::string_view raw = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
        if (!decode_percent(pair.substr(0, equals), Plus::IsSpace, name) ||
            !decode_percent(raw, Plus::IsSpace, value)) {
            return refuse("the query has a bad percent escape or is not UTF-8");
        }
    }
    return {};
}

}  // namespace lineshaft::net
