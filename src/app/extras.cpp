#include "app/extras.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/counters.h"

namespace lineshaft::app {
namespace {

using Json = nlohmann::json;

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }
double to_ms(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }
Json time_json(UtcTime time) { return time.is_none() ? Json() : Json(to_rfc3339(time)); }

Json value_json(const Value& value) {
    if (const auto* b = std::get_if<bool>(&value)) return *b;
    if (const auto* i = std::get_if<std::int64_t>(&value)) return *i;
    if (const auto* d = std::get_if<double>(&value)) return *d;
    return std::get<std::string>(value);
}

struct ModbusTarget {
    Endpoint address;
    std::uint8_t unit = 1;
    Duration timeout = 2s;
    Json registers;
};

/// Errors: Malformed, InvalidArgument.
Result<ModbusTarget> modbus_target(const std::string& text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return fail(ErrorCode::Malformed, "the body must be a JSON object");
    ModbusTarget target;
    const auto address = json.find("address");
    if (address == json.end() || !address->is_string())
        return fail(ErrorCode::InvalidArgument, "'address' must be HOST:PORT");
    std::string host = address->get<std::string>();
    if (host.rfind(':') == std::string::npos) host += ":502";
    target.address = TRY(parse_endpoint(host));
    if (const auto unit = json.find("unit"); unit != json.end()) {
        if (!unit->is_number_integer() || unit->get<int>() < 0 || unit->get<int>() > 255) {
            return fail(ErrorCode::InvalidArgument, "'unit' must be 0 to 255");
        }
        target.unit = unit->get<std::uint8_t>();
    }
    if (const auto timeout = json.find("timeout_ms"); timeout != json.end() && timeout->is_number()) {
        target.timeout =
            Duration(static_cast<std::int64_t>(std::clamp(timeout->get<double>(), 10.0, 10'000.0) * 1e6));
    }
    if (const auto registers = json.find("registers"); registers != json.end()) target.registers = *registers;
    return target;
}

}  // namespace

/// Asks every shard's normaliser, adds it up, answers.
class Extras::StatusQuestion {
public:
    StatusQuestion(Sources& sources, Shard& caller, Done done)
        : sources_(sources), caller_(caller), done_(std::move(done)), left_(sources.normalisers.size()) {}

    void ask() {
        for (std::size_t i = 0; i < sources_.normalisers.size(); ++i) {
            sources_.shards.at(i).post([this, i] {
                const normalise::Normaliser& normaliser = *sources_.normalisers[i];
                caller_.post(
                    [this, rates = normaliser.rates(), refusals = normaliser.refusals()] { take(rates, refusals); });
            });
        }
    }

private:
    void take(const std::vector<normalise::ProtocolRate>& rates, const std::vector<normalise::Refusal>& refusals) {
        for (const normalise::ProtocolRate& rate : rates) {
            rates_[rate.protocol].first += rate.samples_per_second;
            rates_[rate.protocol].second += rate.samples;
        }
        refusals_.insert(refusals_.end(), refusals.begin(), refusals.end());
        if (--left_ == 0) answer();
    }

    void answer() {
        const std::unique_ptr<StatusQuestion> self(this);
        Json json = {{"role", "platform"}};
        json["ports"] = Json::parse(sources_.ports_json());
        double total = 0;
        Json protocols = Json::object(), samples = Json::object();
        for (const auto& [name, rate] : rates_) {
            protocols[name] = rate.first;
            samples[name] = rate.second;
            total += rate.first;
        }
        json["ingest"] = {{"samples_per_second", total}, {"by_protocol", protocols}, {"samples", samples}};
        std::ranges::sort(refusals_, std::greater(), &normalise::Refusal::count);
        refusals_.resize(std::min<std::size_t>(refusals_.size(), 100));
        json["refused"] = Json::array();
        for (const normalise::Refusal& refusal : refusals_) {
            json["refused"].push_back({{"what", refusal.what},
                                       {"reason", refusal.reason},
                                       {"count", refusal.count},
                                       {"last", time_json(refusal.last)}});
        }
        add_counted_refusals(json["refused"]);
        if (sources_.broker) add_broker(json);
        add_disk(json);
        json["warnings"] = Json::array();
        for (const std::string& warning : sources_.warnings()) json["warnings"].push_back(Json::parse(warning));
        done_(text_of(json));
    }

    /// What the doors counted by reason; their words are in /metrics too.
    static void add_counted_refusals(Json& refused) {
        for (const char* part : {"refused", "dropped", "rejected", "malformed", "_lost_", "missed"}) {
            for (const MetricValue& counter : counters_named(part)) {
                refused.push_back({{"what", counter.help},
                                   {"reason", counter.labels},
                                   {"count", counter.value},
                                   {"last", nullptr}});
            }
        }
    }

    void add_broker(Json& json) {
        const mqtt::Broker::Stats stats = sources_.broker->stats();
        json["mqtt"] = {{"connections", stats.connections},         {"sessions", stats.sessions},
                        {"subscriptions", stats.subscriptions},     {"retained", stats.retained},
                        {"queued_messages", stats.queued_messages}, {"queued_bytes", stats.queued_bytes},
                        {"messages_in", stats.messages_in},         {"messages_out", stats.messages_out},
                        {"journal_bytes", stats.journal_bytes},     {"journal_failed", stats.journal_failed}};
    }

    void add_disk(Json& json) {
        if (const auto free = sources_.disk.free_bytes(sources_.data_directory))
            json["store"]["disk_free_bytes"] = *free;
        std::error_code unknown;
        const auto space = std::filesystem::space(sources_.data_directory, unknown);
        if (!unknown) json["store"]["disk_total_bytes"] = space.capacity;
    }

    Sources& sources_;
    Shard& caller_;
    Done done_;
    std::size_t left_;
    std::map<std::string, std::pair<double, std::uint64_t>> rates_;
    std::vector<normalise::Refusal> refusals_;
};

void Extras::status(Shard& caller, Done done) { (new StatusQuestion(sources_, caller, std::move(done)))->ask(); }

void Extras::connection(Shard& caller, const registry::Device& device, Done done) {
    if (device.protocol != "modbus") return done(std::string());
    sources_.modbus.post_status(caller, device, [done = std::move(done)](std::optional<modbus::DeviceStatus> status) mutable {
        if (!status)
            return done(std::string(
                R"({"state":"none","detail":"accept the device to start polling","since":null,"requests_per_second":0,"errors":0})"));
        Json faults = Json::array();
        for (const modbus::RegisterFault& fault : status->faults)
            faults.push_back({{"name", fault.name}, {"detail", fault.detail}});
        done(text_of(
            {{"state", modbus::to_text(status->state)},
             {"detail", status->detail},
             {"since", time_json(status->since)},
             {"latency_ms", to_ms(status->latency)},
             {"requests_per_second", status->requests_per_second},
             {"requests", status->requests},
             {"responses", status->responses},
             {"timeouts", status->timeouts},
             {"exceptions", status->exceptions},
             {"malformed", status->malformed},
             {"cycles_missed", status->cycles_missed},
             {"errors", status->timeouts + status->exceptions + status->malformed + status->connection_failures},
             {"faults", std::move(faults)}}));
    });
}

Result<std::vector<registry::NewTag>> Extras::check_settings(const std::string& protocol, const std::string& json) {
    std::vector<registry::NewTag> tags;
    if (protocol != "modbus") return tags;
    const modbus::DeviceSettings settings = TRY(modbus::parse_settings(json));
    for (const modbus::Register& reg : settings.registers) {
        registry::NewTag& tag = tags.emplace_back();
        tag.address = reg.name;
        tag.type = modbus::value_type_of(reg);
        tag.unit = reg.unit;
        tag.writable = reg.writable;
    }
    return tags;
}

void Extras::modbus_test(Shard& caller, const std::string& json, Done done) {
    const auto target = modbus_target(json);
    if (!target) return done(std::unexpected(target.error()));
    sources_.modbus.adapter(caller).test_connection(
        target->address, target->unit, target->timeout,
        [done = std::move(done)](const modbus::TestResult& result) mutable {
            done(text_of({{"ok", result.ok},
                          {"latency_ms", to_ms(result.latency)},
                          {"detail", result.detail},
                          {"tried", result.tried}}));
        });
}

void Extras::modbus_read(Shard& caller, const std::string& json, Done done) {
    const auto target = modbus_target(json);
    if (!target) return done(std::unexpected(target.error()));
    auto registers = modbus::parse_registers(target->registers.dump());
    if (!registers) return done(std::unexpected(registers.error()));
    sources_.modbus.adapter(caller).read_once(
        target->address, target->unit, target->timeout, *std::move(registers),
        [done = std::move(done)](const Result<std::vector<modbus::PreviewValue>>& values) mutable {
            if (!values) return done(std::unexpected(values.error()));
            Json items = Json::array();
            for (const modbus::PreviewValue& value : *values) {
                items.push_back({{"name", value.name},
                                 {"value", value.value ? value_json(*value.value) : Json()},
                                 {"raw", value.raw},
                                 {"error", value.error.empty() ? Json() : Json(value.error)}});
            }
            done(text_of({{"items", std::move(items)}}));
        });
}

Result<std::string> Extras::registers_csv(const std::string& settings) {
    if (settings.empty()) return fail(ErrorCode::NotSupported, "only Modbus devices have a register map");
    return modbus::to_csv(TRY(modbus::parse_settings(settings)).registers);
}

Result<rest::Extras::CsvMerge> Extras::merge_csv(const std::string& settings, const std::string& csv) {
    if (settings.empty()) return fail(ErrorCode::NotSupported, "only Modbus devices have a register map");
    modbus::DeviceSettings merged = TRY(modbus::parse_settings(settings));
    modbus::CsvRegisters read = modbus::parse_register_csv(csv);
    CsvMerge merge;
    merge.rows = read.registers.size();
    Json errors = Json::array();
    for (const modbus::CsvError& error : read.errors)
        errors.push_back({{"line", error.line}, {"message", error.message}});
    merge.errors = text_of(errors);
    merged.registers = std::move(read.registers);
    merge.settings = modbus::to_json(merged);
    return merge;
}

}  // namespace lineshaft::app
