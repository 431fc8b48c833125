/// The load that the macro benchmarks send, and the sinks that swallow it to show how fast the sender itself is.
///
/// Flow:    everything to be sent is made beforehand; then one thread sends it over plain sockets, as fast as the other
///          side acknowledges; then one line of JSON tells what happened.
/// Threads: one.
/// Errors:  the program ends with a message: a benchmark that goes on after an error measures something else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "load/rows.h"

namespace lineshaft::bench {

/// Readings of trucks as line protocol over HTTP; eight fields a line, each truck speaks every ten seconds.
struct LinesOptions {
    std::uint16_t port = 0;
    std::string path = "/write?precision=ns";
    std::vector<std::string> headers;
    std::size_t connections = 4;
    std::size_t requests = 250;
    std::size_t lines_per_request = 5000;
    std::size_t trucks = 1000;
    double late_share = 0.05;  // Of the lines: sent with a later request.
    std::int64_t end_s = 0;    // Time of the last reading, seconds since 1970.
};
void send_lines(const LinesOptions& options);

/// Rows of machines as line protocol over HTTP: made beforehand, or while they are sent.
struct SendRowsOptions {
    RowsOptions rows;
    std::uint16_t port = 0;
    std::string path = "/write?precision=ns";
    std::string form = "lines";  // Or "tabs", each request with rows of one table.
    std::vector<std::string> headers;
    std::size_t connections = 4;
    std::size_t lines_per_request = 5000;
    bool stream = false;
    double values_per_s = 0;  // Streamed at this rate, latencies from when a request was due; 0: as fast as it goes.
};
void send_rows(const SendRowsOptions& options);

/// The same rows as text on stdout; what was made goes to stderr.
struct WriteRowsOptions {
    RowsOptions rows;
    std::string form = "lines";  // Or "tabs" (seconds since 1970), "tabs-iso".
    std::string table;           // Only this one; "keys" is the table of keys. Empty: all.
};
void write_rows(const WriteRowsOptions& options);

/// Texts of 1,000 bytes from a substation's sensors, and scans of what came.
struct SubstationOptions {
    std::uint16_t port = 0;
    std::string path = "/write?precision=ns";
    std::string scan;  // A path with SENSOR, FROM and TO (ns since 1970).
    std::vector<std::string> headers;
    std::size_t producers = 10;
    std::size_t sensors = 160;
    std::size_t inserts = 2'000'000;
    std::size_t inserts_per_scan = 20'000;
    std::int64_t start_s = 1'767'225'600;
};
void send_substation(const SubstationOptions& options);

/// One value a message from many connections, each with a window of unacknowledged messages.
struct MqttOptions {
    std::uint16_t port = 0;
    std::size_t connections = 1000;
    std::size_t messages = 1'000'000;
    std::size_t window = 20;
    int qos = 1;
    std::int64_t end_s = 0;
};
void send_mqtt(const MqttOptions& options);

/// A table of times and ten columns of measured values.
struct TableOptions {
    std::string file;
    std::size_t rows = 2'000'000;
    std::int64_t start_s = 0;
};
void write_table(const TableOptions& options);

/// Answers 204 to every request, or CONNACK, PUBACK and PINGRESP, and keeps nothing. Runs until it is ended.
void run_null_http(std::uint16_t port);
void run_null_mqtt(std::uint16_t port);

}  // namespace lineshaft::bench
