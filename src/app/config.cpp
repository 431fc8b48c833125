#include "app/config.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

extern "C" char** environ;

namespace lineshaft::app {
namespace {

constexpr std::string_view prefix = "LINESHAFT_";
constexpr const char* default_file = "/etc/lineshaft/lineshaft.yaml";

// Variables of ours that are not settings.
constexpr std::string_view not_settings[] = {"LINESHAFT_SERVER", "LINESHAFT_TOKEN", "LINESHAFT_TOKEN_FILE",
                                             "LINESHAFT_CA", "LINESHAFT_CONFIG"};

std::string variable_of(std::string_view key) {
    std::string name(prefix);
    for (const char c : key) {
        if (c == '.')
            name += "__";
        else
            name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    return name;
}

std::vector<std::string> keys() {
    std::vector<std::string> names;
    for (const Setting& setting : settings()) names.emplace_back(setting.key);
    return names;
}

std::unexpected<Error> unknown_key(const std::string& key, const std::string& where) {
    auto near = nearest(key, keys());
    // "htpp" is near to the last word of listen.http.
    for (const Setting& setting : settings()) {
        const std::string last(setting.key.substr(setting.key.rfind('.') + 1));
        if (!near && nearest(key.substr(key.rfind('.') + 1), {last})) near = setting.key;
    }
    return fail(ErrorCode::ConfigUnknownKey,
                fmt::format("{}: '{}'{}", where, key, near ? fmt::format(": did you mean '{}'?", *near) : ""));
}

bool is_section(const std::string& key) {
    return std::ranges::any_of(settings(), [&](const Setting& s) { return s.key.starts_with(key + "."); });
}

/// Walks the file's maps; leaves become settings with the line they stand on.
Result<void> read_node(const YAML::Node& node, const std::string& path, const std::string& file,
                       std::map<std::string, Origin>& out) {
    const auto at_line = [&](const YAML::Node& n) { return fmt::format("{}:{}", file, n.Mark().line + 1); };
    if (!node.IsMap()) return fail(ErrorCode::ConfigInvalid, at_line(node) + ": a map of settings is expected here");
    for (const auto& entry : node) {
        const std::string key = path.empty() ? entry.first.Scalar() : path + "." + entry.first.Scalar();
        if (is_section(key)) {
            if (entry.second.IsNull()) continue;
            TRY_VOID(read_node(entry.second, key, file, out));
            continue;
        }
        const auto known = std::ranges::find(settings(), key, &Setting::key);
        if (known == settings().end()) return unknown_key(key, at_line(entry.first));
        std::string value;
        if (entry.second.IsSequence()) {
            for (const auto& item : entry.second) value += (value.empty() ? "" : ",") + item.Scalar();
        } else if (entry.second.IsScalar()) {
            value = entry.second.Scalar();
        } else if (!entry.second.IsNull()) {
            return fail(ErrorCode::ConfigInvalid, fmt::format("{}: {} takes one value", at_line(entry.second), key));
        }
        out[key] = {value, "file " + at_line(entry.first)};
    }
    return {};
}

Result<void> read_file(const std::string& file, std::map<std::string, Origin>& out) {
    try {
        const YAML::Node root = YAML::LoadFile(file);
        if (root.IsNull()) return {};  // An empty file is a valid configuration.
        return read_node(root, "", file, out);
    } catch (const YAML::BadFile&) {
        return fail(ErrorCode::NotFound, fmt::format("the configuration file {} cannot be read", file));
    } catch (const YAML::Exception& e) {
        return fail(ErrorCode::Malformed, fmt::format("{}:{}: {}", file, e.mark.line + 1, e.msg));
    }
}

Result<void> read_environment(const std::map<std::string, std::string>& variables,
                              std::map<std::string, Origin>& out) {
    for (const auto& [name, value] : variables) {
        if (std::ranges::find(not_settings, name) != std::end(not_settings)) continue;
        const auto known =
            std::ranges::find_if(settings(), [&](const Setting& s) { return variable_of(s.key) == name; });
        if (known == settings().end()) {
            std::vector<std::string> names;
            for (const Setting& s : settings()) names.push_back(variable_of(s.key));
            const auto near = nearest(name, names);
            return fail(
                ErrorCode::ConfigUnknownKey,
                fmt::format("environment variable {}{}", name, near ? fmt::format(": did you mean {}?", *near) : ""));
        }
        out[std::string(known->key)] = {value, "environment " + name};
    }
    return {};
}

/// Turns texts into values; every error names the setting and where it came from.
class Reader {
public:
    explicit Reader(const std::map<std::string, Origin>& settings) : settings_(settings) {}

    const std::string& text(std::string_view key) const { return settings_.at(std::string(key)).value; }

    std::unexpected<Error> bad(std::string_view key, std::string_view why) const {
        const Origin& origin = settings_.at(std::string(key));
        return fail(ErrorCode::ConfigInvalid, fmt::format("{} = '{}' ({}): {}", key, origin.value, origin.from, why));
    }

    Result<std::optional<Endpoint>> endpoint(std::string_view key) const {
        if (text(key) == "off") return std::nullopt;
        auto parsed = parse_endpoint(text(key));
        if (!parsed) return bad(key, "HOST:PORT or off is expected");
        return *std::move(parsed);
    }

    Result<std::uint64_t> number(std::string_view key) const {
        const std::string& value = text(key);
        std::uint64_t result = 0;
        const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), result);
        if (code != std::errc{} || end != value.data() + value.size()) return bad(key, "a whole number is expected");
        return result;
    }

    /// "64MB", "10 GiB", a bare number of bytes.
    Result<std::uint64_t> bytes(std::string_view key) const {
        const std::string& value = text(key);
        double amount = 0;
        const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), amount);
        std::string_view unit(end, static_cast<std::size_t>(value.data() + value.size() - end));
        while (unit.starts_with(' ')) unit.remove_prefix(1);
        double scale = 0;
        if (unit.empty() || unit == "B")
            scale = 1;
        else if (unit[0] == 'k' || unit[0] == 'K')
            scale = 1024;
        else if (unit[0] == 'M')
            scale = 1024.0 * 1024;
        else if (unit[0] == 'G')
            scale = 1024.0 * 1024 * 1024;
        else if (unit[0] == 'T')
            scale = 1024.0 * 1024 * 1024 * 1024;
        if (code != std::errc{} || scale == 0 || !(amount >= 0))
            return bad(key, "a size like 64MB or 10GB is expected");
        return static_cast<std::uint64_t>(amount * scale);
    }

    Result<bool> boolean(std::string_view key) const {
        if (text(key) == "true") return true;
        if (text(key) == "false") return false;
        return bad(key, "true or false is expected");
    }

    Result<std::size_t> choice(std::string_view key, std::initializer_list<std::string_view> names) const {
        const auto at = std::ranges::find(names, std::string_view(text(key)));
        if (at != names.end()) return static_cast<std::size_t>(at - names.begin());
        std::string list;
        for (const std::string_view name : names) (list += list.empty() ? "" : ", ") += name;
        return bad(key, "one of " + list + " is expected");
    }

private:
    const std::map<std::string, Origin>& settings_;
};

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const auto comma = text.find(',');
        std::string_view part = text.substr(0, comma);
        while (part.starts_with(' ')) part.remove_prefix(1);
        if (!part.empty()) parts.emplace_back(part);
        text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
    return parts;
}

Result<void> read_time(const Reader& read, Config& config) {
    const auto future = parse_duration(read.text("time.future_max"));
    if (!future || *future < 0s) return read.bad("time.future_max", "a duration is expected, like 10m");
    config.hall.time.future_max = *future;
    if (!read.text("time.past_max").empty()) {
        const auto past = parse_duration(read.text("time.past_max"));
        if (!past || *past < 1s) return read.bad("time.past_max", "a duration of at least 1s is expected, like 30d");
        config.hall.time.past_max = *past;
    }
    config.hall.time.outside =
        static_cast<normalise::OutsideTime>(TRY(read.choice("time.outside", {"accept", "quarantine", "refuse"})));
    return {};
}

Result<void> read_backup(const Reader& read, Config& config) {
    config.backup_path = read.text("backup.path");
    if (!config.backup_path.empty() && config.backup_path.front() != '/')
        return read.bad("backup.path", "a path from the root on is expected");
    config.backup_passphrase_file = read.text("backup.passphrase_file");
    config.backup_unencrypted = TRY(read.boolean("backup.unencrypted"));
    if (!config.backup_path.empty() && config.backup_passphrase_file.empty() && !config.backup_unencrypted)
        return read.bad("backup.path",
                        "backups hold keys: set backup.passphrase_file, or backup.unencrypted: true to do without");
    config.backup_bytes_per_second = TRY(read.bytes("backup.bytes_per_second"));
    const auto keep = backup::parse_keep(read.text("backup.keep"));
    if (!keep) return read.bad("backup.keep", keep.error().detail());
    config.backup_keep = *keep;
    if (read.text("backup.schedule").empty()) return {};
    const auto daily = backup::parse_daily(read.text("backup.schedule"));
    if (!daily) return read.bad("backup.schedule", daily.error().detail());
    if (config.backup_path.empty()) return read.bad("backup.schedule", "backup.path says where to");
    config.backup_schedule = *daily;
    return {};
}

/// A file that gives the same settings again.
std::string as_yaml(const std::map<std::string, Origin>& gathered) {
    std::string text = "# Settings of this house when the backup was taken; for reading, not in use.\n", section;
    for (const Setting& setting : settings()) {
        const auto dot = setting.key.find('.');
        const std::string_view above =
            dot == std::string_view::npos ? std::string_view() : setting.key.substr(0, dot);
        if (above != section && !above.empty()) text += std::string(above) + ":\n";
        section = above;
        const std::string name(setting.key.substr(dot == std::string_view::npos ? 0 : dot + 1));
        text += fmt::format("{}{}: {}\n", above.empty() ? "" : "  ", name,
                            nlohmann::json(gathered.at(std::string(setting.key)).value).dump());
    }
    return text;
}

}  // namespace

const std::vector<Setting>& settings() {
    static const std::vector<Setting> table = {
        {"data", "--data", "", "string", "Directory of everything that is kept"},
        {"listen.http", "--http", "127.0.0.1:8080", "endpoint", "Plain HTTP: UI, API, WebSocket, line protocol"},
        {"listen.https", "--https", ":8443", "endpoint",
         "The same with TLS; loopback only until an administrator exists"},
        {"listen.mqtt", "--mqtt", "127.0.0.1:1883", "endpoint", "Plain MQTT"},
        {"listen.mqtts", "--mqtts", ":8883", "endpoint",
         "MQTT with TLS; loopback only until an administrator exists"},
        {"shards", "--shards", "0", "integer", "Event loops; 0 is one a core"},
        {"log.level", "--log-level", "info", "debug|info|warning|error", "Least important lines that are logged"},
        {"log.format", "--log-format", "text", "text|json", "For people or for collectors"},
        {"store.memory", "", "", "bytes",
         "Samples held in memory per shard before they are written as a segment; empty: by the machine"},
        {"store.retention_age", "", "", "duration", "Samples older than this go; empty keeps them for ever"},
        {"store.retention_bytes", "", "", "bytes", "Oldest samples go beyond this; empty: no bound"},
        {"storage.cold_path", "", "", "directory", "Another place for old segments; empty: none"},
        {"storage.cold_after", "", "30d", "duration", "Segments whose newest sample is older go to the cold path"},
        {"storage.close_flush_max", "", "10s", "duration",
         "At a stop memory is written to segments if it may take this long; else the next start reads the log"},
        {"export.bytes_max", "", "10GB", "bytes", "Files of exports in all; the oldest go beyond this"},
        {"export.expiry", "", "7d", "duration", "Exports, and files uploaded for import, go after this"},
        {"import.bytes_max", "", "10GB", "bytes", "Files uploaded for import in all"},
        {"discovery.devices", "--discovery", "inbox", "inbox|accept",
         "What happens to devices heard for the first time"},
        {"discovery.tags_per_device_max", "", "5000", "integer",
         "New tags that one device may bring; what it sends beyond is refused and counted"},
        {"time.future_max", "", "10m", "duration", "Times further ahead of the time of receipt are not believed"},
        {"time.past_max", "", "", "duration", "Times further back are not believed; empty: late data is welcome"},
        {"time.outside", "", "quarantine", "accept|quarantine|refuse",
         "What becomes of values whose time is not believed: quarantine keeps them as Uncertain"},
        {"access.anonymous_mqtt", "", "loopback", "loopback|never", "Who may speak plain MQTT without credentials"},
        {"access.plain_beyond_loopback", "", "false", "boolean",
         "Allow plain HTTP and MQTT on addresses that other machines reach"},
        {"tls.certificate", "", "", "string",
         "PEM file of the server's certificate chain; empty: made by our own authority"},
        {"tls.key", "", "", "string", "PEM file of its private key"},
        {"backup.path", "", "", "string", "Directory for backups, best on another disk; empty: none by plan"},
        {"backup.schedule", "", "", "string", "Time of day in UTC for a daily backup, like 02:30; empty: on request"},
        {"backup.keep", "", "last=3,daily=7,weekly=5,monthly=12", "string", "Snapshots that stay after a backup"},
        {"backup.passphrase_file", "", "", "string", "File with the passphrase that encrypts the backups"},
        {"backup.unencrypted", "", "false", "boolean", "Make new backups without a passphrase, for anybody to read"},
        {"backup.bytes_per_second", "", "50MB", "bytes", "Read no faster than this for backups; 0: no bound"},
        {"tls.names", "", "", "list", "Further names and addresses for the certificate that we make"},
    };
    return table;
}

std::map<std::string, std::string> environment_variables() {
    std::map<std::string, std::string> found;
    for (char** entry = environ; *entry; ++entry) {
        const std::string_view text(*entry);
        const auto equals = text.find('=');
        if (text.starts_with(prefix) && equals != std::string_view::npos) {
            found.emplace(text.substr(0, equals), text.substr(equals + 1));
        }
    }
    return found;
}

Result<std::map<std::string, Origin>> gather_settings(const ConfigSources& sources) {
    std::map<std::string, Origin> gathered;
    for (const Setting& setting : settings())
        gathered[std::string(setting.key)] = {std::string(setting.otherwise), "default"};
    std::string file = sources.file;
    if (const auto named = sources.environment.find("LINESHAFT_CONFIG");
        file.empty() && named != sources.environment.end()) {
        file = named->second;
    }
    if (file.empty() && std::filesystem::exists(default_file)) file = default_file;
    if (!file.empty()) TRY_VOID(read_file(file, gathered));
    TRY_VOID(read_environment(sources.environment, gathered));
    for (const auto& [key, value] : sources.flags) {
        const auto known = std::ranges::find(settings(), key, &Setting::key);
        if (known == settings().end()) return unknown_key(key, "flag");
        gathered[key] = {value, fmt::format("flag {}", known->flag)};
    }
    return gathered;
}

Result<Config> make_config(const std::map<std::string, Origin>& gathered) {
    const Reader read(gathered);
    Config config;
    config.data_directory = read.text("data").empty() ? default_data_directory() : read.text("data");
    config.http = TRY(read.endpoint("listen.http"));
    config.https = TRY(read.endpoint("listen.https"));
    config.mqtt = TRY(read.endpoint("listen.mqtt"));
    config.mqtts = TRY(read.endpoint("listen.mqtts"));
    config.shards = TRY(read.number("shards"));
    if (config.shards > 64) return read.bad("shards", "at most 64");
    config.log_level = static_cast<LogLevel>(TRY(read.choice("log.level", {"debug", "info", "warning", "error"})));
    config.log_format = static_cast<LogFormat>(TRY(read.choice("log.format", {"text", "json"})));
    if (!read.text("store.memory").empty()) {
        config.memtable_bytes = TRY(read.bytes("store.memory"));
        if (*config.memtable_bytes < 1024 * 1024) return read.bad("store.memory", "at least 1MB");
    }
    if (!read.text("store.retention_age").empty()) {
        auto age = parse_duration(read.text("store.retention_age"));
        if (!age || *age < 1min)
            return read.bad("store.retention_age", "a duration of at least 1m is expected, like 90d");
        config.retention_age = *age;
    }
    if (!read.text("store.retention_bytes").empty())
        config.retention_bytes = TRY(read.bytes("store.retention_bytes"));
    config.cold_path = read.text("storage.cold_path");
    if (!config.cold_path.empty() && config.cold_path.front() != '/')
        return read.bad("storage.cold_path", "an absolute path is expected, like /mnt/cold/lineshaft");
    auto cold_after = parse_duration(read.text("storage.cold_after"));
    if (!cold_after || *cold_after < 24h)
        return read.bad("storage.cold_after", "a duration of at least 1d is expected, like 30d");
    config.cold_after = *cold_after;
    auto close_flush = parse_duration(read.text("storage.close_flush_max"));
    if (!close_flush || *close_flush < 0s)
        return read.bad("storage.close_flush_max", "a duration is expected, like 10s");
    config.close_flush_max = *close_flush;
    config.export_bytes = TRY(read.bytes("export.bytes_max"));
    config.import_bytes = TRY(read.bytes("import.bytes_max"));
    auto expiry = parse_duration(read.text("export.expiry"));
    if (!expiry || *expiry < 1min) return read.bad("export.expiry", "a duration of at least 1m is expected, like 7d");
    config.export_expiry = *expiry;
    config.accept_discovered = TRY(read.choice("discovery.devices", {"inbox", "accept"})) == 1;
    config.hall.tags_discovered_per_device_max = TRY(read.number("discovery.tags_per_device_max"));
    if (config.hall.tags_discovered_per_device_max < 1 || config.hall.tags_discovered_per_device_max > 1'000'000)
        return read.bad("discovery.tags_per_device_max", "1 to 1000000");
    TRY_VOID(read_time(read, config));
    config.anonymous_mqtt = TRY(read.choice("access.anonymous_mqtt", {"loopback", "never"})) == 0;
    config.plain_beyond_loopback = TRY(read.boolean("access.plain_beyond_loopback"));
    config.tls_certificate = read.text("tls.certificate");
    config.tls_key = read.text("tls.key");
    if (config.tls_certificate.empty() != config.tls_key.empty()) {
        return read.bad("tls.certificate", "tls.certificate and tls.key go together");
    }
    config.tls_names = split(read.text("tls.names"));
    TRY_VOID(read_backup(read, config));
    config.as_yaml = as_yaml(gathered);
    for (const char* key : {"listen.http", "listen.mqtt"}) {
        const auto endpoint = TRY(read.endpoint(key));
        if (endpoint && !is_loopback(*endpoint) && !config.plain_beyond_loopback) {
            return read.bad(
                key, "other machines could read along: use the TLS port, or set access.plain_beyond_loopback: true");
        }
    }
    return config;
}

std::string config_schema() {
    nlohmann::ordered_json root = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                                   {"title", "Lineshaft configuration"},
                                   {"type", "object"},
                                   {"additionalProperties", false},
                                   {"properties", nlohmann::ordered_json::object()}};
    for (const Setting& setting : settings()) {
        nlohmann::ordered_json leaf = {{"description", setting.help}};
        if (!setting.otherwise.empty()) leaf["default"] = setting.otherwise;
        if (setting.type == "integer")
            leaf["type"] = "integer";
        else if (setting.type == "boolean")
            leaf["type"] = "boolean";
        else if (setting.type == "list")
            leaf["type"] = {"array", "string"};
        else if (setting.type.find('|') != std::string_view::npos) {
            std::string names(setting.type);
            std::ranges::replace(names, '|', ',');
            leaf["enum"] = split(names);
        } else
            leaf["type"] = {"string", "integer"};
        const auto dot = setting.key.find('.');
        if (dot == std::string_view::npos) {
            root["properties"][std::string(setting.key)] = leaf;
            continue;
        }
        auto& section = root["properties"][std::string(setting.key.substr(0, dot))];
        if (section.is_null()) section = {{"type", "object"}, {"additionalProperties", false}};
        section["properties"][std::string(setting.key.substr(dot + 1))] = leaf;
    }
    return root.dump(2);
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& names) {
    std::optional<std::string> best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const std::string& name : names) {
        // Levenshtein, one row at a time.
        std::vector<std::size_t> row(name.size() + 1);
        for (std::size_t i = 0; i <= name.size(); ++i) row[i] = i;
        for (std::size_t j = 1; j <= word.size(); ++j) {
            std::size_t diagonal = std::exchange(row[0], j);
            for (std::size_t i = 1; i <= name.size(); ++i) {
                const std::size_t replaced = diagonal + (name[i - 1] != word[j - 1]);
                diagonal = row[i];
                row[i] = std::min({row[i] + 1, row[i - 1] + 1, replaced});
            }
        }
        if (row[name.size()] < best_distance) {
            best_distance = row[name.size()];
            best = name;
        }
    }
    return best;
}

std::string default_data_directory() {
    if (const char* data = std::getenv("XDG_DATA_HOME"); data && *data) return std::string(data) + "/lineshaft";
    if (::geteuid() == 0) return "/var/lib/lineshaft";
    if (const char* home = std::getenv("HOME"); home && *home) return std::string(home) + "/.local/share/lineshaft";
    return "lineshaft-data";
}

}  // namespace lineshaft::app
