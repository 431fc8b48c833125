#include "south/http/internal/answer.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace lineshaft::south {
namespace {

constexpr std::string_view retry_after_s = "1";

/// As a JSON string, with its quotes.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    if (!is_utf8(text)) text = "?";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out += {'\\', c};
        else if (static_cast<unsigned char>(c) < 0x20)
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
            out += c;
    }
    return out + '"';
}

/// `more` is appended as it is: further members, each with its comma before.
net::HttpResponse problem_of(unsigned status, const Error& error, std::string_view message, std::string_view more) {
    const ErrorText& text = error.text();
    const std::string code = fmt::format("LS-{}", static_cast<unsigned>(error.code()));
    net::HttpResponse response;
    response.status = status;
    response.headers.emplace_back("Content-Type", "application/problem+json");
    response.headers.emplace_back("Cache-Control", "no-store");
    if (text.retry || status == 503) response.headers.emplace_back("Retry-After", retry_after_s);
    if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"lineshaft\"");
    // "error" is what InfluxDB 1 clients read, "message" what those of InfluxDB 2 read.
    response.body = fmt::format(
        R"({{"type":"/docs/errors#{0}","title":{1},"status":{2},"code":"{0}","detail":{3},"remedy":{4},"error":{5},"message":{5}{6}}})",
        code, quoted(text.says), status, quoted(error.detail()), quoted(text.remedy), quoted(message), more);
    return response;
}

}  // namespace

net::HttpResponse no_content() {
    net::HttpResponse response;
    response.status = 204;
    return response;
}

net::HttpResponse problem(unsigned status, const Error& error) {
    return problem_of(status, error, error.message(), "");
}

net::HttpResponse problem(const Error& error) {
    return problem(static_cast<unsigned>(error.text().http_status), error);
}

net::HttpResponse partial_write(std::uint64_t lines, std::uint64_t refused_count,
                                const std::vector<wire::line_protocol::LineError>& errors) {
    std::string list;
    for (const auto& error : errors)
        list += fmt::format(R"({}{{"line":{},"message":{}}})", list.empty() ? "" : ",", error.number,
                            quoted(error.message));
    const std::string detail = fmt::format("{} of {} lines were not kept, the others were", refused_count, lines);
    std::string message = "partial write: " + detail;
    if (!errors.empty()) message += fmt::format(": line {}: {}", errors[0].number, errors[0].message);
    return problem_of(400, Error(ErrorCode::Malformed, detail), message, fmt::format(R"(,"lines":[{}])", list));
}

net::HttpResponse partial_telemetry(std::size_t kept, std::size_t skipped) {
    net::HttpResponse response;
    response.headers.emplace_back("Content-Type", "application/json");
    response.body = fmt::format(
        R"({{"kept":{},"skipped":{},"detail":"long arrays, texts over the limit and values without a name are not kept"}})",
        kept, skipped);
    return response;
}

}  // namespace lineshaft::south
