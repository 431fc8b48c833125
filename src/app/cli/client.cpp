#include "app/cli/client.h"

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/access.h"
#include "app/config.h"
#include "net/http_client.h"
#include "runtime/clock.h"

namespace lineshaft::cli {
namespace {

constexpr const char* token_file = "/command-line.token";

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::optional<std::string> read_text(const std::string& path) {
    std::ifstream file(path);
    if (!file) return std::nullopt;
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
    return text;
}

/// Where the server of a data directory listens. Errors: Unreachable.
Result<std::string> url_of_directory(const std::string& data) {
    const auto text = read_text(data + "/run.json");
    const Json run = text ? Json::parse(*text, nullptr, false) : Json();
    if (!run.is_object())
        return fail(ErrorCode::Unreachable,
                    fmt::format("no server runs on {}: start one with `lineshaft run --data {}`", data, data));
    const std::string http = run.value("http", "off"), https = run.value("https", "off");
    return http != "off" ? "http://" + http : "https://" + https;
}

/// Whoever may read the directory is an administrator: a token is made once and kept beside the data.
Result<std::string> token_of_directory(const std::string& data) {
    const std::string path = data + token_file;
    if (const auto kept = read_text(path); kept && !kept->empty()) return trimmed(*kept);
    access::NewToken token;
    token.name = "command line";
    token.role = access::Role::Administrator;
    const std::string secret =
        TRY(access::create_token_offline(registry::database_path(data), std::move(token), system_clock().utc_now()))
            .secret;
    ::umask(0077);
    std::ofstream(path) << secret << "\n";
    return secret;
}

Error error_of(const std::string& body, unsigned status, const std::string& url) {
    const Json problem = Json::parse(body, nullptr, false);
    if (problem.is_object() && problem.contains("code")) {
        const std::string code = problem.value("code", "");
        unsigned number = 0;
        if (code.starts_with("LS-")) std::from_chars(code.data() + 3, code.data() + code.size(), number);
        return Error(static_cast<ErrorCode>(number), problem.value("detail", ""));
    }
    return Error(status == 404 ? ErrorCode::NotFound : ErrorCode::Internal,
                 fmt::format("{} answered with status {}", url, status));
}

}  // namespace

void add_server_options(CLI::App& command, ServerOptions& options) {
    command.add_option("--data", options.data, "Data directory of a house on this machine [$LINESHAFT_DATA]");
    command.add_option("--server", options.server, "Another house, like https://plant:8443 [$LINESHAFT_SERVER]");
    command.add_option("--ca", options.ca, "PEM file of the authority that signed its certificate [$LINESHAFT_CA]");
    add_output_options(command, options.output);
}

Result<Client> Client::create(const ServerOptions& options) {
    Client client;
    std::string data = options.data.empty() ? variable("LINESHAFT_DATA") : options.data;
    client.url_ = options.server.empty() ? variable("LINESHAFT_SERVER") : options.server;
    client.token_ = variable("LINESHAFT_TOKEN");
    if (const std::string file = variable("LINESHAFT_TOKEN_FILE"); client.token_.empty() && !file.empty()) {
        const auto text = read_text(file);
        if (!text) return fail(ErrorCode::NotFound, fmt::format("the token file {} cannot be read", file));
        client.token_ = trimmed(*text);
    }
    // The house of this user is found without a word.
    const std::string usual = app::default_data_directory();
    if (data.empty() && client.url_.empty() && ::access((usual + "/run.json").c_str(), R_OK) == 0) data = usual;
    if (client.url_.empty()) client.url_ = data.empty() ? "http://127.0.0.1:8080" : TRY(url_of_directory(data));
    if (client.token_.empty() && !data.empty()) client.token_ = TRY(token_of_directory(data));
    while (client.url_.ends_with('/')) client.url_.pop_back();

    std::string ca = options.ca.empty() ? variable("LINESHAFT_CA") : options.ca;
    if (ca.empty() && !data.empty()) ca = data + "/pki/authority.crt";
    if (!ca.empty() && client.url_.starts_with("https:")) client.ca_ = read_text(ca).value_or("");
    return client;
}

Result<std::string> Client::text(const std::string& method, const std::string& path, std::string body,
                                 const std::string& type, const std::string& accept, Duration timeout) const {
    net::HttpClientRequest request;
    request.method = method;
    request.url = url_ + path;
    request.body = std::move(body);
    request.trusted_ca = ca_;
    request.timeout = timeout;
    request.headers = {{"Accept", accept}};
    if (!type.empty()) request.headers.emplace_back("Content-Type", type);
    if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
    auto response = TRY(net::request(request));
    if (response.status >= 400) return std::unexpected(error_of(response.body, response.status, request.url));
    return std::move(response.body);
}

Result<std::string> Client::part(const std::string& path, std::uint64_t from, std::uint64_t to) const {
    net::HttpClientRequest request;
    request.url = url_ + path;
    request.trusted_ca = ca_;
    request.timeout = 120s;
    request.headers = {{"Accept", "*/*"}, {"Range", fmt::format("bytes={}-{}", from, to - 1)}};
    if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
    auto response = TRY(net::request(request));
    if (response.status >= 400) return std::unexpected(error_of(response.body, response.status, request.url));
    if (response.status != 206)
        return fail(ErrorCode::Malformed, fmt::format("{} does not give parts of a file", request.url));
    return std::move(response.body);
}

Result<Json> Client::ask(const std::string& method, const std::string& path, std::string body) const {
    const std::string type = body.empty() ? "" : "application/json";
    const std::string text = TRY(this->text(method, path, std::move(body), type, "application/json"));
    if (text.empty()) return Json();
    Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded())
        return fail(ErrorCode::Malformed,
                    fmt::format("{}{} did not answer with JSON: is it a Lineshaft?", url_, path));
    return json;
}

Result<Json> Client::list(const std::string& path) const {
    Json items = Json::array();
    std::string cursor;
    do {
        const char* joint = path.find('?') == std::string::npos ? "?" : "&";
        Json page = TRY(get(cursor.empty() ? path : path + joint + "cursor=" + percent_encoded(cursor)));
        for (Json& item : page["items"]) items.push_back(std::move(item));
        cursor = page.contains("next") && page["next"].is_string() ? page["next"].get<std::string>() : "";
    } while (!cursor.empty());
    return items;
}

void when_chosen(CLI::App& command, std::shared_ptr<ServerOptions> server, Action& action,
                 std::function<Result<Exit>(const Client&)> work) {
    command.callback([server = std::move(server), &action, work = std::move(work)] {
        action = [server, work] {
            const auto client = Client::create(*server);
            if (!client) return report(client.error());
            const Result<Exit> done = work(*client);
            return done ? *done : report(done.error());
        };
    });
}

std::string percent_encoded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain =
            std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' || c == '~' || c == '/';
        if (plain)
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

}  // namespace lineshaft::cli
