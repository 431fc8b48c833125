/// The configuration: one table of settings, each from flag, environment, file or default, in that order.
///
///   flag --http  >  LINESHAFT_LISTEN__HTTP  >  listen: {http: …} in YAML  >  default
///
/// Errors:  ConfigUnknownKey (with the nearest key and the line), ConfigInvalid, NotFound, Malformed.
/// Formats: YAML 1.2 (JSON is accepted); `lineshaft config schema` prints the JSON Schema.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/keep.h"
#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "normalise/normaliser.h"
#include "runtime/stream.h"

namespace lineshaft::app {

struct Config {
    std::string data_directory;
    std::optional<Endpoint> http, https, mqtt, mqtts;  // None: off.
    std::size_t shards = 0;                            // 0: one a core.
    LogLevel log_level = LogLevel::Info;
    LogFormat log_format = LogFormat::Text;
    std::optional<std::uint64_t> memtable_bytes;  // Of a shard. None: a share of the machine's.
    std::optional<Duration> retention_age;
    std::optional<std::uint64_t> retention_bytes;
    std::string cold_path;
    Duration cold_after = 30 * 24h;
    Duration close_flush_max = 10s;
    std::uint64_t export_bytes = 0, import_bytes = 0;
    Duration export_expiry{0};
    bool accept_discovered = false;
    normalise::Normaliser::Options hall;
    bool anonymous_mqtt = true;  // On unencrypted loopback only.
    bool plain_beyond_loopback = false;
    std::string tls_certificate, tls_key;  // PEM files; empty: our own authority.
    std::vector<std::string> tls_names;
    std::string backup_path, backup_passphrase_file;  // Empty path: none by plan.
    bool backup_unencrypted = false;
    std::optional<backup::DailyTime> backup_schedule;
    backup::KeepRule backup_keep;
    std::uint64_t backup_bytes_per_second = 0;  // 0: no bound.
    std::string as_yaml;                        // All settings as they are: kept in backups.
};

/// One row of the table.
struct Setting {
    std::string_view key;        // "listen.http".
    std::string_view flag;       // "--http"; empty: none.
    std::string_view otherwise;  // The default, as text.
    std::string_view type;  // "endpoint", "integer", "duration", "bytes", "boolean", "string", "list" or "a|b|c".
    std::string_view help;
};
const std::vector<Setting>& settings();

/// Where a value came from: "default", "file /etc/…:12", "environment LINESHAFT_…", "flag --http".
struct Origin {
    std::string value;
    std::string from;
};

/// Flags and file as given on the command line.
struct ConfigSources {
    std::map<std::string, std::string> flags;        // By key.
    std::string file;                                // Empty: /etc/lineshaft/lineshaft.yaml when it exists.
    std::map<std::string, std::string> environment;  // LINESHAFT_… only.
};
/// The LINESHAFT_… variables of this process.
std::map<std::string, std::string> environment_variables();

/// All settings with their origins, by key. Errors: as above.
Result<std::map<std::string, Origin>> gather_settings(const ConfigSources& sources);
Result<Config> make_config(const std::map<std::string, Origin>& settings);

/// JSON Schema of the file.
std::string config_schema();

/// The nearest of `names` to `word`, when it is near enough to be what was meant.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& names);

/// $XDG_DATA_HOME/lineshaft, ~/.local/share/lineshaft, or /var/lib/lineshaft for root.
std::string default_data_directory();

}  // namespace lineshaft::app
