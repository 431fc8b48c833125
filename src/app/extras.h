/// What the REST API says about rooms that it does not know: ports, broker, ingest, adapters, warnings.
///
/// Threads: on the asking Api's shard; gathers from others by message.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/modbus_devices.h"
#include "normalise/normaliser.h"
#include "north/rest/rest.h"
#include "south/mqtt/broker.h"

namespace lineshaft::app {

class Extras final : public rest::Extras {
public:
    struct Sources {
        Shards& shards;
        Disk& disk;
        std::string data_directory;
        ModbusDevices& modbus;
        std::vector<normalise::Normaliser*> normalisers;  // By shard.
        mqtt::Broker* broker = nullptr;
        std::function<std::string()> ports_json;             // Any thread.
        std::function<std::vector<std::string>()> warnings;  // JSON objects {"code","text","remedy"}; any thread.
    };
    explicit Extras(Sources sources) : sources_(std::move(sources)) {}

    void status(Shard& caller, Done done) override;
    void connection(Shard& caller, const registry::Device& device, Done done) override;
    Result<std::vector<registry::NewTag>> check_settings(const std::string& protocol,
                                                         const std::string& json) override;
    void modbus_test(Shard& caller, const std::string& json, Done done) override;
    void modbus_read(Shard& caller, const std::string& json, Done done) override;
    Result<std::string> registers_csv(const std::string& settings) override;
    Result<CsvMerge> merge_csv(const std::string& settings, const std::string& csv) override;

private:
    class StatusQuestion;
    Sources sources_;
};

}  // namespace lineshaft::app
