/// A running house as a command sees it: found by directory, address or habit; asked over its REST API.
///
/// Threads: one; blocks.
/// Errors:  Unreachable, Timeout, and what the API answers (its code, detail and remedy are kept).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/output.h"
#include "base/result.h"
#include "base/time.h"

namespace lineshaft::cli {

using Json = nlohmann::json;

/// Options that every command which talks to a house has.
struct ServerOptions {
    std::string data, server, ca;
    Output output;
};
void add_server_options(CLI::App& command, ServerOptions& options);

class Client {
public:
    /// Finds the house and a token for it. Errors: InvalidArgument, NotFound (no token), Io.
    static Result<Client> create(const ServerOptions& options);

    Result<Json> get(const std::string& path) const { return ask("GET", path, {}); }
    Result<Json> post(const std::string& path, const Json& body) const { return ask("POST", path, body.dump()); }
    Result<Json> patch(const std::string& path, const Json& body) const { return ask("PATCH", path, body.dump()); }
    Result<Json> remove(const std::string& path) const { return ask("DELETE", path, {}); }
    /// Any body and answer, as they are.
    Result<std::string> text(const std::string& method, const std::string& path, std::string body,
                             const std::string& type, const std::string& accept, Duration timeout = 30s) const;

    /// Bytes [from, to) of what `path` gives; fewer at its end.
    Result<std::string> part(const std::string& path, std::uint64_t from, std::uint64_t to) const;

    /// All pages of a list.
    Result<Json> list(const std::string& path) const;
    const std::string& url() const { return url_; }

private:
    Result<Json> ask(const std::string& method, const std::string& path, std::string body) const;

    std::string url_, token_, ca_;
};

/// Makes `work` what `command` does, with a client for the house that the options name.
void when_chosen(CLI::App& command, std::shared_ptr<ServerOptions> server, Action& action,
                 std::function<Result<Exit>(const Client&)> work);

/// For paths and queries.
std::string percent_encoded(std::string_view text);

}  // namespace lineshaft::cli
