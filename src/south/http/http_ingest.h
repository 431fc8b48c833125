/// The HTTP south door: telemetry as JSON and InfluxDB line protocol, answered when it is on disk.
///
/// Flow:    POST /api/v1/telemetry, POST /write, POST /api/v2/write, GET|HEAD /ping; readings to one ReadingSink.
///          gzip and zstd bodies are unpacked piece by piece; big bodies travel as batches of at most
///          limits::batch_samples_max readings, each offered when the one before was taken.
/// Threads: one HttpIngest per shard, own shard only.
/// Errors:  400 with the bad lines (the good lines are kept, as InfluxDB does), 401 and 403 from `authenticate`,
///          413 beyond the limits, 415 other encodings, 422 values, 503 with Retry-After when the house is full.
///          204 is sent when everything is durable, and not earlier.
/// Limits:  limits::http_inflated_bytes_max, jobs_max, held_bytes_max, patience.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "flow/reading_sink.h"
#include "net/http_server.h"

namespace lineshaft::south {

/// Who sends, as access/ found out.
struct Sender {
    TenantId tenant{1};
    std::string name;    // Of the token: names the source "http/NAME".
    std::string device;  // What the token belongs to; empty: telemetry must name its device.
    bool may_write = false;
};

/// Errors: Unauthenticated, Forbidden, TooManyAttempts.
using Authenticate = std::function<Result<Sender>(const net::HttpRequest&)>;

class HttpIngest {
public:
    struct Options {
        std::size_t jobs_max = 256;                      // Requests at a time.
        std::size_t held_bytes_max = 256 * 1024 * 1024;  // Bodies at a time.
        Duration patience = 20s;                         // Without progress for so long: 503.
        std::size_t homes = 1;                           // Shards: lines are sorted by home as they are read.
    };

    /// `readings` outlives the door.
    HttpIngest(Shard& shard, flow::ReadingSink& readings, Authenticate authenticate, Options options);
    ~HttpIngest();

    /// True for the requests this door answers.
    static bool handles(const net::HttpRequest& request);
    void handle(net::HttpRequest request, net::HttpReply reply);
    /// Refuses new requests (503); `done` runs when those that run have been answered.
    void close(Task done);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lineshaft::south
