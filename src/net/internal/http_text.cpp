#include "net/internal/http_text.h"

#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

namespace lineshaft::net {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// A value may come from outside; a line end in it would begin a field, or an answer, of the attacker's making.
void append_field(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    for (const char c : value) out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
    out += "\r\n";
}

bool is_framing_field(std::string_view name) {
    for (const std::string_view ours : {"content-length", "transfer-encoding", "connection", "date", "server"}) {
        if (equal_ignoring_case(name, ours)) return true;
    }
    return false;
}

void append_json_text(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            out += c;
        }
    }
    out += '"';
}

}  // namespace

std::string http_date(UtcTime time) {
    static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto seconds =
        std::chrono::floor<std::chrono::seconds>(std::chrono::sys_time<Duration>(Duration(time.ns())));
    const auto day = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(seconds - day);
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[std::chrono::weekday(day).c_encoding()],
                       static_cast<unsigned>(date.day()), months[static_cast<unsigned>(date.month()) - 1],
                       static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                       clock.seconds().count());
}

std::string_view reason_phrase(unsigned status) {
    switch (status) {
        case 101: return "Switching Protocols";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 206: return "Partial Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 415: return "Unsupported Media Type";
        case 416: return "Range Not Satisfiable";
        case 417: return "Expectation Failed";
        case 421: return "Misdirected Request";
        case 422: return "Unprocessable Content";
        case 426: return "Upgrade Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        case 507: return "Insufficient Storage";
        default: return status < 400 ? "OK" : "Error";
    }
}

HttpResponse problem(unsigned status, const Error& error) {
    const auto number = static_cast<unsigned>(error.code());
    HttpResponse response;
    response.status = status;
    response.headers.emplace_back("Content-Type", "application/problem+json");
    std::string& body = response.body;
    body = fmt::format("{{\"type\":\"/docs/errors#LS-{}\",\"title\":", number);
    append_json_text(body, error.text().says);
    body += fmt::format(",\"status\":{},\"code\":\"LS-{}\",\"detail\":", status, number);
    append_json_text(body, error.detail());
    body += ",\"remedy\":";
    append_json_text(body, error.text().remedy);
    body += "}\n";
    return response;
}

std::string response_head(const HttpResponse& response, const HeadOptions& options) {
    std::string out;
    out.reserve(256);
    out += fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
    append_field(out, "Date", options.date);
    append_field(out, "Server", "Lineshaft");
    for (const auto& [name, value] : response.headers) {
        if (!is_framing_field(name)) append_field(out, name, value);
    }
    if (options.framing == BodyFraming::Length) out += fmt::format("Content-Length: {}\r\n", options.length);
    if (options.framing == BodyFraming::Chunked) out += "Transfer-Encoding: chunked\r\n";
    if (!options.keeps_alive) {
        out += "Connection: close\r\n";
    } else if (options.is_http_1_0) {
        out += "Connection: keep-alive\r\n";
    }
    out += "\r\n";
    return out;
}

std::string upgrade_head(std::string_view key, std::string_view protocol) {
    const std::string salted = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 §1.3.
    std::array<unsigned char, SHA_DIGEST_LENGTH> hash{};
    SHA1(reinterpret_cast<const unsigned char*>(salted.data()), salted.size(), hash.data());
    std::array<unsigned char, 32> accept{};  // 28 characters and a zero.
    EVP_EncodeBlock(accept.data(), hash.data(), static_cast<int>(hash.size()));
    std::string out = fmt::format(
        "HTTP/1.1 101 Switching Protocols\r\nServer: Lineshaft\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: {}\r\n",
        reinterpret_cast<const char*>(accept.data()));
    if (!protocol.empty()) append_field(out, "Sec-WebSocket-Protocol", protocol);
    return out + "\r\n";
}

bool is_websocket_key(std::string_view key) {
    if (key.size() != 24) return false;
    std::array<unsigned char, 18> bytes{};
    // EVP counts the padding as bytes: 24 characters always make 18, of which 16 are the key's.
    return EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(key.data()), 24) == 18 &&
           key.ends_with("==") && key[21] != '=';
}

bool has_token(std::string_view list, std::string_view token) {
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        if (equal_ignoring_case(trim(list.substr(0, comma)), token)) return true;
        if (comma == std::string_view::npos) return false;
        list.remove_prefix(comma + 1);
    }
    return false;
}

}  // namespace lineshaft::net
