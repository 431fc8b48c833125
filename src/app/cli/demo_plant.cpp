#include "app/cli/demo_plant.h"

#include <algorithm>
#include <csignal>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/cli/client.h"
#include "app/sim/plant_registers.h"
#include "base/log.h"

namespace lineshaft::cli {
namespace {

constexpr const char* root = "Acme/Lyon/Packing/Line1";
constexpr std::size_t devices_expected = 6;  // Two PLCs and four senders of sensor values.
constexpr int tries_max = 120;
constexpr auto try_again = std::chrono::milliseconds(500);

/// The word after "name=" in a line.
std::string word_after(const std::string& line, const std::string& name) {
    const auto at = line.find(name + "=");
    if (at == std::string::npos) return {};
    const auto begin = at + name.size() + 1;
    return line.substr(begin, line.find(' ', begin) - begin);
}

/// Enterprise, site, area and line of the root's path; the ids of what is there already are used.
Result<std::string> ensure_assets(const Client& client) {
    constexpr const char* levels[] = {"enterprise", "site", "area", "line"};
    std::string parent, path;
    std::string_view rest = root;
    for (const char* level : levels) {
        const std::string name(rest.substr(0, rest.find('/')));
        rest = rest.find('/') == std::string_view::npos ? std::string_view() : rest.substr(rest.find('/') + 1);
        path += (path.empty() ? "" : "/") + name;
        std::string id;
        for (const Json& asset : TRY(client.list("/api/v1/assets"))) {
            if (asset.value("path", "") == path) id = asset.value("id", "");
        }
        if (id.empty()) {
            Json body = {{"name", name}, {"level", level}};
            if (!parent.empty()) body["parent"] = parent;
            id = TRY(client.post("/api/v1/assets", body)).value("id", "");
        }
        parent = id;
    }
    return parent;
}

/// The PLC as a Modbus device; one from an earlier run gets the new address.
Result<void> ensure_plc(const Client& client, sim::Plc plc, const std::string& address, const std::string& line) {
    const std::string name = sim::plc_device_name(plc, root);
    const Json settings = Json::parse(modbus::to_json(sim::plc_settings(plc, TRY(parse_endpoint(address)))));
    for (const Json& device : TRY(client.list("/api/v1/devices?q=" + percent_encoded(name)))) {
        if (device.value("name", "") != name) continue;
        TRY(client.patch("/api/v1/devices/" + device.value("id", ""), {{"settings", settings}}));
        return {};
    }
    TRY(client.post("/api/v1/devices",
                    {{"name", name}, {"protocol", "modbus"}, {"asset", line}, {"settings", settings}}));
    return {};
}

/// Accepts the plant's own sensors. One stays in the inbox: there a newcomer shall see how it is done.
/// Gives how many of the line's devices are accepted.
Result<std::size_t> accept_sensors(const Client& client, const std::string& line) {
    Json ids = Json::array();
    std::size_t accepted = 0;
    for (const Json& device : TRY(client.list("/api/v1/devices?q=" + percent_encoded(root)))) {
        const std::string name = device.value("name", "");
        if (!name.starts_with(root) || name.ends_with("/Environment")) continue;
        ++accepted;
        if (device.value("state", "") == "discovered") ids.push_back(device["id"]);
    }
    if (!ids.empty()) {
        const auto answer = client.post("/api/v1/devices:accept", {{"ids", ids}, {"asset", line}});
        if (!answer) return std::unexpected(answer.error());
    }
    return accepted;
}

/// Limits of one tag under one name are one rule.
std::vector<Json> suggested_rules() {
    std::vector<Json> rules;
    for (const sim::SuggestedAlarm& alarm : sim::suggested_alarms(root)) {
        const Json limit = {{"kind", to_text(alarm.kind)},
                            {"threshold", alarm.threshold},
                            {"deadband", alarm.deadband},
                            {"on_delay_s", static_cast<double>(alarm.on_delay.count()) / 1e9},
                            {"priority", static_cast<int>(alarm.priority)}};
        const auto same = std::ranges::find_if(
            rules, [&](const Json& rule) { return rule["tag_path"] == alarm.tag && rule["name"] == alarm.name; });
        if (same != rules.end()) {
            (*same)["limits"].push_back(limit);
            continue;
        }
        rules.push_back({{"tag_path", alarm.tag},
                         {"name", alarm.name},
                         {"limits", Json::array({limit})},
                         {"consequence", alarm.consequence},
                         {"action", alarm.action}});
    }
    return rules;
}

/// Makes the rules whose tags exist and that are not there yet; gives how many tags are still missing.
Result<std::size_t> ensure_rules(const Client& client) {
    std::set<std::string> ruled, paths;
    for (const Json& rule : TRY(client.list("/api/v1/alarm-rules"))) ruled.insert(rule.value("name", ""));
    for (const Json& tag : TRY(client.list("/api/v1/tags?prefix=" + percent_encoded(root)))) {
        paths.insert(tag.value("path", ""));
    }
    std::size_t missing = 0;
    for (const Json& rule : suggested_rules()) {
        if (ruled.contains(rule.value("name", ""))) continue;
        if (!paths.contains(rule.value("tag_path", ""))) {
            ++missing;
            continue;
        }
        TRY(client.post("/api/v1/alarm-rules", rule));
    }
    return missing;
}

/// One round; true when nothing is left to do.
Result<bool> furnish_once(const Client& client, const std::string& filler, const std::string& capper) {
    const std::string line = TRY(ensure_assets(client));
    TRY_VOID(ensure_plc(client, sim::Plc::Filler, filler, line));
    TRY_VOID(ensure_plc(client, sim::Plc::Capper, capper, line));
    const std::size_t accepted = TRY(accept_sensors(client, line));
    return TRY(ensure_rules(client)) == 0 && accepted >= devices_expected;
}

}  // namespace

DemoPlant::DemoPlant(const app::Config& config) : config_(config) {
    start_process();
    thread_ = std::thread([this] { furnish(); });
}

DemoPlant::~DemoPlant() {
    closing_ = true;
    if (process_ > 0) ::kill(process_, SIGTERM);
    thread_.join();
    if (process_ > 0) ::waitpid(process_, nullptr, 0);
    if (output_ >= 0) ::close(output_);
}

void DemoPlant::start_process() {
    int pipe_ends[2];
    if (::pipe2(pipe_ends, O_CLOEXEC) != 0) return log_error("the simulated plant cannot be started");
    process_ = ::fork();
    if (process_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        ::dup2(pipe_ends[1], STDOUT_FILENO);
        sigset_t none;
        sigemptyset(&none);
        ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
        const std::string broker = to_text(config_.mqtt.value_or(Endpoint{"127.0.0.1", 1883}));
        ::execl("/proc/self/exe", "lineshaft", "sim", "plant", "--broker", broker.c_str(), "--root", root,
                "--filler-port", "0", "--capper-port", "0", nullptr);
        ::_exit(127);
    }
    ::close(pipe_ends[1]);
    output_ = pipe_ends[0];
}

std::string DemoPlant::ready_line() {
    std::string line;
    char c = 0;
    while (::read(output_, &c, 1) == 1) {
        if (c != '\n') {
            line += c;
            continue;
        }
        if (line.starts_with("sim ready")) return line;
        line.clear();
    }
    return {};
}

void DemoPlant::furnish() {
    const std::string line = output_ >= 0 ? ready_line() : "";
    const std::string filler = word_after(line, "filler"), capper = word_after(line, "capper");
    if (filler.empty()) return log_error("the simulated plant did not start; the house goes on without it");
    ServerOptions options;
    options.data = config_.data_directory;
    const auto client = Client::create(options);
    if (!client) return log_error("the demo plant is not set up: {}", client.error().message());
    for (int tries = 0; tries < tries_max && !closing_; ++tries) {
        const auto done = furnish_once(*client, filler, capper);
        if (done && *done) return;
        if (!done && tries == tries_max - 1) log_error("the demo plant is not set up: {}", done.error().message());
        std::this_thread::sleep_for(try_again);
    }
}

}  // namespace lineshaft::cli
