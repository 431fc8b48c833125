#include <set>

#include "north/rest/internal/test_house.h"

namespace lineshaft::rest {
namespace {

class RightsTest : public TestHouse {
protected:
    /// The status of the answer to somebody with `role`; none: without credentials.
    unsigned status_for(std::string_view method, const std::string& path, std::string_view token) {
        return ask(std::string(method), path, token, "{}").status;
    }
    struct Browser {
        std::string cookie, csrf;
    };
    Browser claim() {
        net::HttpRequest made =
            request("POST", "/api/v1/claim",
                    Json{{"token", access->claim_secret()}, {"name", "anna"}, {"password", "three small brown foxes"}}
                        .dump());
        const Answer answer = ask(std::move(made));
        EXPECT_EQ(answer.status, 201u) << answer.body;
        const std::string header = answer.headers.at("Set-Cookie");
        return {header.substr(0, header.find(';')), answer.json().value("csrf", "")};
    }
    Answer as(const Browser& browser, std::string method, std::string_view target, std::string body = {},
              bool with_csrf = true) {
        net::HttpRequest made = request(std::move(method), target, std::move(body));
        made.headers.emplace_back("cookie", browser.cookie);
        if (with_csrf) made.headers.emplace_back("x-csrf-token", browser.csrf);
        return ask(std::move(made));
    }
};

struct Row {
    std::string_view method, path;
    access::Role least;
};
using enum access::Role;
constexpr Row rows[] = {
    {"GET", "/api/v1/users", Administrator},
    {"POST", "/api/v1/users", Administrator},
    {"PATCH", "/api/v1/users/{}", Administrator},
    {"DELETE", "/api/v1/users/{}", Administrator},
    {"GET", "/api/v1/tokens", Administrator},
    {"POST", "/api/v1/tokens", Administrator},
    {"DELETE", "/api/v1/tokens/{}", Administrator},
    {"GET", "/api/v1/backups", Administrator},
    {"POST", "/api/v1/backups", Administrator},
    {"GET", "/api/v1/export", Viewer},
    {"GET", "/api/v1/exports", Viewer},
    {"POST", "/api/v1/exports", Viewer},
    {"GET", "/api/v1/exports/{}", Viewer},
    {"DELETE", "/api/v1/exports/{}", Viewer},
    {"GET", "/api/v1/exports/{}/file", Viewer},
    {"GET", "/api/v1/imports", Engineer},
    {"POST", "/api/v1/imports", Engineer},
    {"GET", "/api/v1/imports/{}", Engineer},
    {"DELETE", "/api/v1/imports/{}", Engineer},
    {"PUT", "/api/v1/imports/{}/file", Engineer},
    {"POST", "/api/v1/imports/{}:start", Engineer},
    {"GET", "/api/v1/imports/{}/refused", Engineer},
    {"GET", "/api/v1/audit", Administrator},
    {"GET", "/api/v1/audit:verify", Administrator},
    {"GET", "/api/v1/status", Viewer},
    {"GET", "/api/v1/assets", Viewer},
    {"POST", "/api/v1/assets", Engineer},
    {"PATCH", "/api/v1/assets/{}", Engineer},
    {"DELETE", "/api/v1/assets/{}", Engineer},
    {"GET", "/api/v1/devices", Viewer},
    {"POST", "/api/v1/devices", Engineer},
    {"POST", "/api/v1/devices:accept", Engineer},
    {"POST", "/api/v1/devices:ignore", Engineer},
    {"GET", "/api/v1/devices/{}", Viewer},
    {"PATCH", "/api/v1/devices/{}", Engineer},
    {"DELETE", "/api/v1/devices/{}", Engineer},
    {"POST", "/api/v1/devices/{}:accept", Engineer},
    {"POST", "/api/v1/devices/{}:ignore", Engineer},
    {"GET", "/api/v1/devices/{}/registers.csv", Viewer},
    {"PUT", "/api/v1/devices/{}/registers.csv", Engineer},
    {"GET", "/api/v1/tags", Viewer},
    {"GET", "/api/v1/tags/{}", Viewer},
    {"PATCH", "/api/v1/tags/{}", Engineer},
    {"POST", "/api/v1/tags/{}:write", Operator},
    {"GET", "/api/v1/values", Viewer},
    {"GET", "/api/v1/history", Viewer},
    {"GET", "/api/v1/alarms", Viewer},
    {"POST", "/api/v1/alarms:ack", Operator},
    {"POST", "/api/v1/alarms/{}:ack", Operator},
    {"GET", "/api/v1/alarm-journal", Viewer},
    {"GET", "/api/v1/alarm-rules", Viewer},
    {"POST", "/api/v1/alarm-rules", Engineer},
    {"POST", "/api/v1/alarm-rules:preview", Viewer},
    {"PATCH", "/api/v1/alarm-rules/{}", Engineer},
    {"DELETE", "/api/v1/alarm-rules/{}", Engineer},
    {"POST", "/api/v1/modbus:test", Engineer},
    {"POST", "/api/v1/modbus:read", Engineer},
};
/// Open to everybody; what they answer to whom is their own business and tested below.
constexpr std::string_view open_routes[] = {
    "GET /api/v1/session", "POST /api/v1/claim", "POST /api/v1/session",     "DELETE /api/v1/session",
    "GET /health",         "GET /metrics",       "GET /api/v1/openapi.json", "GET /api/v1/openapi.yaml"};

std::string path_of(const Row& row) {
    std::string path(row.path);
    if (const auto at = path.find("{}"); at != std::string::npos) path.replace(at, 2, "987654321");
    return path;
}

TEST_F(RightsTest, EveryRouteStandsInTheTableOfThisTest) {
    std::set<std::string> found, expected(std::begin(open_routes), std::end(open_routes));
    for (const Row& row : rows) expected.insert(fmt::format("{} {}", row.method, row.path));
    for (const auto& routes : {session_routes(), account_routes(), asset_routes(), device_routes(), tag_routes(),
                               value_routes(), history_routes(), alarm_routes(), rule_routes(), modbus_routes(),
                               system_routes(), backup_routes(), export_routes(), import_routes()}) {
        for (const Route& route : routes) {
            const std::string name = fmt::format("{} {}", route.method, route.path);
            EXPECT_TRUE(found.insert(name).second) << name << " stands twice";
            const bool open = std::ranges::find(open_routes, name) != std::end(open_routes);
            EXPECT_EQ(open, !route.action.has_value()) << name;
        }
    }
    EXPECT_EQ(found, expected);
}

TEST_F(RightsTest, NobodyGetsInWithoutCredentials) {
    for (const Row& row : rows) {
        const Answer answer = ask(std::string(row.method), path_of(row), {}, "{}");
        EXPECT_EQ(answer.status, 401u) << row.method << ' ' << row.path;
        EXPECT_EQ(answer.code(), "LS-1101");
        EXPECT_TRUE(answer.headers.contains("WWW-Authenticate"));
    }
}

TEST_F(RightsTest, EachRouteRefusesTheRoleBelowAndLetsItsOwnIn) {
    const std::string* tokens[] = {nullptr, &viewer, &oper, &engineer, &admin};
    for (const Row& row : rows) {
        for (int role = 1; role <= 4; ++role) {
            const unsigned status = status_for(row.method, path_of(row), *tokens[role]);
            const bool let_in = role >= static_cast<int>(row.least);
            if (let_in)
                EXPECT_TRUE(status != 401 && status != 403 && status < 500)
                    << row.method << ' ' << row.path << status;
            else
                EXPECT_EQ(status, 403u) << row.method << ' ' << row.path << " as role " << role;
        }
    }
}

TEST_F(RightsTest, ADevicesTokenReadsAndChangesNothing) {
    access::Scopes scopes;
    scopes.add(access::Scope::TelemetryWrite);
    const std::string device = token(access::Role::Viewer, scopes, "Line3/Filler");
    for (const Row& row : rows) EXPECT_EQ(status_for(row.method, path_of(row), device), 403u) << row.path;
}

TEST_F(RightsTest, ScopesNarrowARole) {
    access::Scopes read;
    read.add(access::Scope::DataRead);
    const std::string narrow = token(Administrator, read);
    EXPECT_EQ(status_for("GET", "/api/v1/values", narrow), 200u);
    EXPECT_EQ(status_for("POST", "/api/v1/assets", narrow), 403u);
    EXPECT_EQ(status_for("GET", "/api/v1/tokens", narrow), 403u);
}

TEST_F(RightsTest, TokensAreTakenInEveryFormClientsUse) {
    const auto with = [&](std::string value) {
        net::HttpRequest made = request("GET", "/api/v1/values");
        made.headers.emplace_back("authorization", std::move(value));
        return ask(std::move(made)).status;
    };
    EXPECT_EQ(with("Bearer " + viewer), 200u);
    EXPECT_EQ(with("Token " + viewer), 200u);
    EXPECT_EQ(with("Bearer ls_wrong"), 401u);
    EXPECT_EQ(with("Basic dTpsc193cm9uZw=="), 401u);
    EXPECT_EQ(ask("GET", "/api/v1/values?token=" + viewer).status, 200u);
    EXPECT_EQ(ask("GET", "/api/v1/values?u=x&p=" + viewer).status, 200u);
}

TEST_F(RightsTest, ARevokedTokenIsRefusedAtOnce) {
    const Answer list = ask("GET", "/api/v1/tokens", admin);
    const std::string id = list.json()["items"][0]["id"];
    EXPECT_EQ(ask("DELETE", "/api/v1/tokens/" + id, admin).status, 204u);
    EXPECT_EQ(status_for("GET", "/api/v1/values", viewer), 401u);
    EXPECT_EQ(ask("DELETE", "/api/v1/tokens/" + id, admin).status, 404u);
}

TEST_F(RightsTest, ASessionReadsWithItsCookieAndChangesWithItsCsrfTokenToo) {
    const Browser browser = claim();
    EXPECT_EQ(as(browser, "GET", "/api/v1/users", "", false).status, 200u);
    EXPECT_EQ(as(browser, "POST", "/api/v1/assets", R"({"name":"Lyon"})", false).status, 403u);
    Browser wrong = browser;
    wrong.csrf += "x";
    EXPECT_EQ(as(wrong, "POST", "/api/v1/assets", R"({"name":"Lyon"})").status, 403u);
    EXPECT_EQ(as(browser, "POST", "/api/v1/assets", R"({"name":"Lyon"})").status, 201u);
    EXPECT_EQ(as(browser, "DELETE", "/api/v1/session", "", false).status, 403u);
    const Answer out = as(browser, "DELETE", "/api/v1/session");
    EXPECT_EQ(out.status, 204u);
    EXPECT_NE(out.headers.at("Set-Cookie").find("Max-Age=0"), std::string::npos);
    EXPECT_EQ(as(browser, "GET", "/api/v1/users").status, 401u);
}

TEST_F(RightsTest, TheSessionCookieIsForTheBrowserAlone) {
    net::HttpRequest made = request(
        "POST", "/api/v1/claim",
        Json{{"token", access->claim_secret()}, {"name", "anna"}, {"password", "three small brown foxes"}}.dump());
    made.peer.encrypted = true;
    const std::string cookie = ask(std::move(made)).headers.at("Set-Cookie");
    for (const char* part : {"HttpOnly", "SameSite=Strict", "Secure", "Path=/"}) {
        EXPECT_NE(cookie.find(part), std::string::npos) << part;
    }
}

TEST_F(RightsTest, TheSessionTellsAStrangerOnlyWhetherThereIsAnAdministrator) {
    Json session = ask("GET", "/api/v1/session").json();
    EXPECT_EQ(session["claimed"], false);
    EXPECT_TRUE(session["user"].is_null());
    const Browser browser = claim();
    EXPECT_EQ(ask("GET", "/api/v1/session").json()["claimed"], true);
    session = as(browser, "GET", "/api/v1/session").json();
    EXPECT_EQ(session["user"]["name"], "anna");
    EXPECT_EQ(session["user"]["role"], "administrator");
    EXPECT_EQ(session["csrf"], browser.csrf);
    EXPECT_EQ(session["tenant"]["name"], "default");
    EXPECT_EQ(ask("GET", "/api/v1/session", viewer).json()["user"]["role"], "viewer");
    EXPECT_EQ(ask("GET", "/api/v1/session", "ls_wrong").status, 401u);
}

TEST_F(RightsTest, SigningInTakesNameAndPassword) {
    claim();
    const auto sign_in = [&](const char* password) {
        return ask("POST", "/api/v1/session", {}, Json{{"name", "anna"}, {"password", password}}.dump()).status;
    };
    EXPECT_EQ(sign_in("wrong password"), 401u);
    EXPECT_EQ(sign_in("three small brown foxes"), 201u);
    EXPECT_EQ(ask("POST", "/api/v1/session", {}, R"({"name":"anna"})").status, 422u);
    EXPECT_EQ(ask("POST", "/api/v1/session", {}, "nonsense").status, 400u);
}

TEST_F(RightsTest, HealthAndMetricsAreOpenOnLoopbackOnly) {
    for (const char* path : {"/health", "/metrics"}) {
        EXPECT_EQ(ask("GET", path).status, 401u);
        EXPECT_EQ(ask("GET", path, viewer).status, 200u);
        net::HttpRequest local = request("GET", path);
        local.peer.loopback = true;
        EXPECT_EQ(ask(std::move(local)).status, 200u);
    }
    EXPECT_EQ(ask("GET", "/api/v1/openapi.json").body, R"({"openapi":"3.1.0"})");
    EXPECT_EQ(ask("GET", "/api/v1/openapi.yaml").body, "openapi: 3.1.0");
}

TEST_F(RightsTest, ATokenNeverHasMoreRightsThanItsMaker) {
    const auto make = [&](const std::string& maker, const Json& wanted) {
        return ask("POST", "/api/v1/tokens", maker, wanted.dump());
    };
    const Answer made = make(admin, {{"name", "reader"}, {"role", "engineer"}, {"scopes", {"data:read"}}});
    ASSERT_EQ(made.status, 201u);
    EXPECT_EQ(status_for("GET", "/api/v1/values", made.json()["token"].get<std::string>()), 200u);
    EXPECT_EQ(make(engineer, {{"name", "x"}, {"role", "viewer"}}).status, 403u);
    EXPECT_EQ(make(admin, {{"name", "x"}, {"role", "king"}}).status, 422u);
    EXPECT_EQ(make(admin, {{"name", "x"}, {"scopes", {"everything"}}}).status, 422u);
    EXPECT_EQ(make(admin, {{"name", "x"}, {"scopes", "data:read"}}).status, 422u);
    // A device's token writes its telemetry and nothing else.
    const Answer device = make(admin, {{"name", "filler"}, {"device", "Line3/Filler"}});
    ASSERT_EQ(device.status, 201u);
    EXPECT_EQ(status_for("GET", "/api/v1/values", device.json()["token"].get<std::string>()), 403u);
    const Json list = ask("GET", "/api/v1/tokens", admin).json();
    const Json& last = list["items"].back();
    EXPECT_EQ(last["device"], "Line3/Filler");
    EXPECT_EQ(last["scopes"], Json::array({"telemetry:write"}));
    EXPECT_FALSE(last.contains("token"));
}

TEST_F(RightsTest, UsersAreMadeChangedAndRemoved) {
    const Json boris = {{"name", "boris"}, {"password", "four tall green trees"}, {"role", "operator"}};
    const Answer made = ask("POST", "/api/v1/users", admin, boris.dump());
    ASSERT_EQ(made.status, 201u) << made.body;
    EXPECT_EQ(made.body.find("four tall"), std::string::npos);
    const std::string path = "/api/v1/users/" + made.json()["id"].get<std::string>();
    EXPECT_EQ(ask("POST", "/api/v1/users", admin, boris.dump()).status, 409u);
    EXPECT_EQ(ask("PATCH", path, admin, R"({"role":"engineer"})").json()["role"], "engineer");
    EXPECT_EQ(ask("PATCH", path, admin, R"({"role":7})").status, 422u);
    EXPECT_EQ(column(ask("GET", "/api/v1/users", admin).json(), "name"), std::vector<std::string>{"boris"});
    EXPECT_EQ(ask("DELETE", path, admin).status, 204u);
    EXPECT_EQ(ask("DELETE", path, admin).status, 404u);
}

}  // namespace
}  // namespace lineshaft::rest
