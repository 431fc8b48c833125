/// What stands in for a plant: a bottling line over real sockets, recorded data played as live devices, and a Modbus
/// server that can be told to misbehave. Each runs as its own process and knows Lineshaft only through the wire.
///
/// Threads: each function runs until SIGINT or SIGTERM (or the end of the recording) on the calling thread.
/// Errors:  the exit code: 0, or 1 with the error and its remedy on stderr.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "runtime/stream.h"
#include "wire/table/table.h"

namespace lineshaft::sim {

/// Where the simulated MQTT devices publish to.
struct BrokerOptions {
    Endpoint address{.host = "127.0.0.1", .port = 1883};
    std::string user;
    std::string password;   // A token, for Lineshaft.
    std::string client_id;  // Empty: chosen.
};

struct PlantOptions {
    std::string host = "127.0.0.1";     // Where the two PLCs listen.
    std::uint16_t filler_port = 15020;  // 0: any.
    std::uint16_t capper_port = 15021;
    std::optional<BrokerOptions> broker = BrokerOptions{};
    std::string root = "Acme/Lyon/Packing/Line1";
    std::uint64_t seed = 1;
    double speed = 1;  // Simulated seconds per second.
};

/// Prints "sim ready filler=HOST:PORT capper=HOST:PORT mqtt=HOST:PORT" when both PLCs listen.
int run_plant(const PlantOptions& options);

/// How the columns of a table are read.
enum class Shape : std::uint8_t {
    Rows,        // A row is a time step, a column a tag.
    Cycles,      // A row is one cycle, its columns the time steps: one tag (hydraulic rig).
    Transposed,  // A row is a tag, a column a time step (d00.dat).
};

struct ReplayOptions {
    std::vector<std::string> files;  // Each becomes a device; several Cycles files become one device.
    BrokerOptions broker;
    std::string device;  // Empty: "Replay/" and the file's stem.
    double speed = 1;    // 60: an hour in a minute. 0: as fast as the broker takes it.
    bool loop = false;
    bool original_time = false;  // Else shifted so that the recording starts now.
    Shape shape = Shape::Rows;
    Duration period{0};                // Between rows without a time column (Cycles: per cycle); 0: 1 s (60 s).
    std::vector<std::string> columns;  // Names instead of those in the file.
    std::uint64_t rows_max = 0;        // 0: all.
    wire::table::Options table;
};

/// Prints "sim ready …", at the end "sim done rows=… values=… refused=…".
int run_replay(const ReplayOptions& options);

struct ModbusServerOptions {
    Endpoint address{.host = "127.0.0.1", .port = 15020};
    std::uint16_t registers = 1000;  // Of each table; beyond is illegal data address. Holding i starts as i.
    double exception_share = 0;      // Of requests answered by ServerDeviceFailure; 0…1.
    double silence_share = 0;        // … not at all.
    double wrong_id_share = 0;       // … with another transaction id.
    double short_share = 0;          // … with a frame cut short, then the connection is closed.
    Duration delay{0};               // Before each answer.
    bool split = false;              // Answers leave byte by byte in two pieces.
    std::uint64_t seed = 1;
};

/// Prints "sim ready modbus=HOST:PORT".
int run_modbus_server(const ModbusServerOptions& options);

}  // namespace lineshaft::sim
