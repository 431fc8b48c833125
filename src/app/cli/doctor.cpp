#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <unistd.h>

#include "app/cli/client.h"
#include "app/cli/command.h"
#include "app/config.h"
#include "net/network.h"
#include "runtime/clock.h"
#include "runtime/disk.h"

namespace lineshaft::cli {
namespace {

/// Prints one finding and remembers whether any is bad.
class Findings {
public:
    void good(const std::string& what, const std::string& detail) { print("ok  ", what, detail, ""); }
    void note(const std::string& what, const std::string& detail, const std::string& remedy) {
        print("note", what, detail, remedy);
    }
    void bad(const std::string& what, const std::string& detail, const std::string& remedy) {
        print("BAD ", what, detail, remedy);
        any_bad_ = true;
    }
    Exit exit() const { return any_bad_ ? Exit::Failed : Exit::Ok; }

private:
    static void print(const char* mark, const std::string& what, const std::string& detail,
                      const std::string& remedy) {
        std::printf("%s  %-14s %s\n", mark, what.c_str(), detail.c_str());
        if (!remedy.empty()) std::printf("      try          %s\n", remedy.c_str());
    }
    bool any_bad_ = false;
};

void check_disk(const std::string& data, Findings& findings) {
    const auto disk = make_system_disk();
    if (!disk->exists(data)) {
        findings.note("data", data + " does not exist yet", fmt::format("lineshaft run --data {}", data));
        return;
    }
    const auto free = disk->free_bytes(data);
    if (!free) return findings.bad("disk", free.error().detail(), std::string(free.error().text().remedy));
    const std::string text = fmt::format("{:.1f} GB free below {}", static_cast<double>(*free) / 1e9, data);
    if (*free < 1'000'000'000)
        findings.bad("disk", text, "free space, or set store.retention_age");
    else
        findings.good("disk", text);

    const std::string probe = data + "/doctor.probe";
    const Instant begun = system_clock().now();
    const std::string word = "probe";
    if (const auto written = disk->replace(probe, as_bytes(word)); !written) {
        findings.bad("writing", written.error().detail(), "check owner and mode of the directory");
        return;
    }
    const double ms = static_cast<double>((system_clock().now() - begun).count()) / 1e6;
    [[maybe_unused]] const auto removed = disk->remove(probe);
    findings.good("writing", fmt::format("a synced file takes {:.1f} ms", ms));
}

void check_machine(Findings& findings) {
    timex clock{};
    if (::ntp_adjtime(&clock) == TIME_ERROR) {
        findings.note("clock", "this machine's clock is not synchronised",
                      "run chrony or systemd-timesyncd: times of receipt come from it");
    } else {
        findings.good("clock", "synchronised, " + to_rfc3339(system_clock().utc_now()));
    }
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    const std::string text = fmt::format("{} open files allowed", files.rlim_cur);
    if (files.rlim_cur < 4096)
        findings.note("files", text, "ulimit -n 65536, or LimitNOFILE= in the unit: each connection is one");
    else
        findings.good("files", text);
}

void check_server(const std::string& data, Findings& findings) {
    ServerOptions options;
    options.data = data;
    const auto client = Client::create(options);
    if (!client)
        return findings.note("server", "none runs on this directory", fmt::format("lineshaft run --data {}", data));
    const auto status = client->get("/api/v1/status");
    if (!status) return findings.bad("server", status.error().message(), std::string(status.error().text().remedy));
    findings.good("server", fmt::format("{} answers, version {}", client->url(), status->value("version", "?")));
    const Json& store = (*status)["store"];
    if (store.value("state", "") == "ok")
        findings.good(
            "store", fmt::format("{} samples of {} tags", store.value("samples", 0ULL), store.value("series", 0ULL)));
    else
        findings.bad("store", store.value("detail", store.value("state", "?")), "see the server's log");
    for (const Json& warning : status->value("warnings", Json::array())) {
        findings.note(warning.value("code", "?"), warning.value("text", ""), warning.value("remedy", ""));
    }
}

void check_ports(const std::string& data, Findings& findings) {
    if (std::filesystem::exists(data + "/run.json")) return;
    const auto settings = app::gather_settings({{}, "", app::environment_variables()});
    const auto config =
        settings ? app::make_config(*settings) : Result<app::Config>(std::unexpected(settings.error()));
    if (!config)
        return findings.bad("configuration", config.error().detail(), std::string(config.error().text().remedy));
    for (const auto& port : {config->http, config->https, config->mqtt, config->mqtts}) {
        if (!port) continue;
        const auto free = net::check_port_free(*port);
        if (free)
            findings.good("port", to_text(*port) + " is free");
        else
            findings.bad("port", to_text(*port) + " is taken", "stop the other program or choose another port");
    }
}

/// Connects within two seconds; the errno of the failure, 0 when it worked, -1 for an unknown host.
int try_connect(const Endpoint& to, double& ms) {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    if (::getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &hints, &found) != 0) return -1;
    const Instant begun = system_clock().now();
    const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = ::connect(fd, found->ai_addr, found->ai_addrlen) == 0 ? 0 : errno;
    ::freeaddrinfo(found);
    if (error == EINPROGRESS) {
        pollfd wait{fd, POLLOUT, 0};
        error = ETIMEDOUT;
        if (::poll(&wait, 1, 2000) == 1) {
            socklen_t size = sizeof error;
            ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        }
    }
    ::close(fd);
    ms = static_cast<double>((system_clock().now() - begun).count()) / 1e6;
    return error;
}

Exit check_net(const std::string& text) {
    const auto endpoint = parse_endpoint(text);
    if (!endpoint) return report(endpoint.error());
    double ms = 0;
    const int error = try_connect(*endpoint, ms);
    Findings findings;
    if (error == 0)
        findings.good("connect", fmt::format("{} answers in {:.1f} ms", text, ms));
    else if (error == -1)
        findings.bad("name", endpoint->host + " is not known", "check the name, or use the address");
    else if (error == ECONNREFUSED)
        findings.bad("connect", text + ": connection refused: the machine is there, nothing listens on the port",
                     "check the port, and that the server on the device is switched on");
    else if (error == ETIMEDOUT)
        findings.bad("connect", text + ": no answer within 2 s", "check cable, address, firewall and route");
    else
        findings.bad("connect", fmt::format("{}: {}", text, std::strerror(error)), "check network and route");
    return error == 0 ? Exit::Ok : Exit::Unreachable;
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
    CLI::App* doctor = app.add_subcommand("doctor", "Checks of this machine and its house, with remedies");
    auto data = std::make_shared<std::string>();
    doctor->add_option("--data", *data, "Data directory")->envname("LINESHAFT_DATA");
    auto target = std::make_shared<std::string>();
    CLI::App* net = doctor->add_subcommand("net", "Can this machine reach that one?");
    net->add_option("address", *target, "HOST:PORT")->required();
    net->callback([=, &action] { action = [=] { return check_net(*target); }; });
    doctor->callback([=, &action] {
        if (!net->parsed()) {
            action = [=] {
                const std::string directory = data->empty() ? app::default_data_directory() : *data;
                Findings findings;
                check_machine(findings);
                check_disk(directory, findings);
                check_ports(directory, findings);
                check_server(directory, findings);
                return findings.exit();
            };
        }
    });
}

}  // namespace lineshaft::cli
