/// The web UI: the files of web/dist, compiled into the program, and the answer to a browser that asks for them.
///
/// Flow:    a request comes from the HTTP server after every other path has been tried; the answer borrows bytes
///          that live as long as the program.
/// Threads: any; everything here is constant.
/// Errors:  none; a path that does not exist is answered with 404.
/// Limits:  what the build embeds; its budget is checked there.
/// Formats: tools/embed.py writes the table.
#pragma once

#include <optional>
#include <string_view>

#include "net/http_server.h"

namespace lineshaft::ui {

/// One embedded file. Views stay valid for ever.
struct Asset {
    std::string_view path;          // "assets/index-B2xk91Qa.js", without a leading slash.
    std::string_view content_type;  // "text/javascript; charset=utf-8".
    std::string_view hash;          // Of the raw bytes, 16 hex digits.
    bool immutable = false;         // The name holds a hash of the content: it never changes.
    std::string_view raw;
    std::string_view gzip;    // Empty where compression does not make it smaller.
    std::string_view brotli;  // The same.
};

/// The file at `path` ("index.html"); a leading slash is accepted.
std::optional<Asset> find_asset(std::string_view path);

/// Answers GET and HEAD: the file in the best encoding the browser accepts, 304 for one it has, index.html for a
/// route of the app ("/trends/42"), 404 for a file that does not exist, 405 for any other method.
net::HttpResponse answer(const net::HttpRequest& request);

/// What every page of ours carries: no foreign host, no inline script, no frame around it, no guessing of types. What the
/// response says already stays.
void add_security_headers(net::HttpResponse& response);

}  // namespace lineshaft::ui
