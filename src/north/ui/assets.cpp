#include "north/ui/assets.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string>
#include <utility>

#include "north/ui/internal/embedded.h"

namespace lineshaft::ui {

namespace {

// No exception for anything inline: the web build keeps scripts and styles in files.
constexpr std::string_view content_security_policy =
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> security_headers{{
    {"Content-Security-Policy", content_security_policy},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"},
}};

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool same_word(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b,
                              [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

/// The piece before `separator`; `rest` keeps what follows.
std::string_view cut(std::string_view& rest, char separator) {
    const auto at = rest.find(separator);
    const auto piece = rest.substr(0, at);
    rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
    return trimmed(piece);
}

/// "q=0", "q=0.000": the browser asks not to be given this. Any other weight will do: we prefer by size, as it would.
bool refuses(std::string_view parameters) {
    while (!parameters.empty()) {
        auto value = cut(parameters, ';');
        const auto name = cut(value, '=');
        if (!same_word(name, "q") || value.empty()) continue;
        return value.find_first_not_of("0.") == std::string_view::npos;
    }
    return false;
}

bool accepts(std::string_view accept_encoding, std::string_view coding) {
    bool by_star = false;
    while (!accept_encoding.empty()) {
        auto item = cut(accept_encoding, ',');
        const auto name = cut(item, ';');
        if (same_word(name, coding)) return !refuses(item);
        if (name == "*") by_star = !refuses(item);
    }
    return by_star;
}

/// Whether If-None-Match names the entity tag, weakly compared.
bool names_tag(std::string_view if_none_match, std::string_view tag) {
    while (!if_none_match.empty()) {
        auto item = cut(if_none_match, ',');
        if (item == "*") return true;
        if (item.starts_with("W/")) item.remove_prefix(2);
        if (item == tag) return true;
    }
    return false;
}

/// A route of the app has no dot in its last part; what has one is a file, and a missing file is 404.
bool is_route(std::string_view path) {
    const auto last = path.substr(path.rfind('/') + 1);
    return last.find('.') == std::string_view::npos;
}

net::HttpResponse text_response(unsigned status, std::string body) {
    net::HttpResponse response;
    response.status = status;
    response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    response.body = std::move(body);
    add_security_headers(response);
    return response;
}

struct Encoded {
    std::string_view bytes;
    std::string_view coding;  // "br", "gzip" or empty.
};

Encoded encoding_for(const Asset& asset, std::string_view accept_encoding) {
    if (!asset.brotli.empty() && accepts(accept_encoding, "br")) return {asset.brotli, "br"};
    if (!asset.gzip.empty() && accepts(accept_encoding, "gzip")) return {asset.gzip, "gzip"};
    return {asset.raw, {}};
}

net::HttpResponse asset_response(const Asset& asset, const net::HttpRequest& request) {
    const auto encoded = encoding_for(asset, request.header("accept-encoding"));
    std::string tag = "\"";
    tag.append(asset.hash);
    if (!encoded.coding.empty()) tag.append("-").append(encoded.coding);
    tag.append("\"");

    net::HttpResponse response;
    response.headers.emplace_back("ETag", tag);
    response.headers.emplace_back("Vary", "Accept-Encoding");
    // Anything without a hash in its name is asked for again each time, and mostly answered with 304.
    response.headers.emplace_back("Cache-Control",
                                  asset.immutable ? "public, max-age=31536000, immutable" : "no-cache");
    add_security_headers(response);
    if (names_tag(request.header("if-none-match"), tag)) {
        response.status = 304;
        return response;
    }
    response.headers.emplace_back("Content-Type", asset.content_type);
    if (!encoded.coding.empty()) response.headers.emplace_back("Content-Encoding", encoded.coding);
    response.static_body = encoded.bytes;
    return response;
}

}  // namespace

std::optional<Asset> find_asset(std::string_view path) {
    if (path.starts_with('/')) path.remove_prefix(1);
    const auto files = embedded_files();
    const auto found = std::ranges::lower_bound(files, path, {}, &Asset::path);
    if (found == files.end() || found->path != path) return std::nullopt;
    return *found;
}

net::HttpResponse answer(const net::HttpRequest& request) {
    if (request.method != "GET" && request.method != "HEAD") {
        auto refused = text_response(405, "Only GET and HEAD are served here.\n");
        refused.headers.emplace_back("Allow", "GET, HEAD");
        return refused;
    }
    if (const auto asset = find_asset(request.path)) return asset_response(*asset, request);
    if (is_route(request.path)) {
        if (const auto index = find_asset("index.html")) return asset_response(*index, request);
    }
    return text_response(404, "There is no such file.\n");
}

void add_security_headers(net::HttpResponse& response) {
    for (const auto& [name, value] : security_headers) {
        const auto is_there = [&](const auto& header) { return same_word(header.first, name); };
        if (std::ranges::none_of(response.headers, is_there)) response.headers.emplace_back(name, value);
    }
}

}  // namespace lineshaft::ui
