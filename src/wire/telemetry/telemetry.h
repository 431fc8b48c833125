/// What devices say without a schema: bare values and JSON, turned into readings.
///
/// A scalar is a number, a boolean, a string, or an object that wraps one with its circumstances:
///     {"value":20.5,"timestamp":1700000000000,"quality":"Good","unit":"Cel"}
///         value/val/v, timestamp/ts/time/t (s, ms, us or ns, told apart by size; or RFC 3339), quality/q, unit/u
/// Any other object is a map of names to scalars, maps and short arrays; names are joined by '/':
///     {"motor":{"current":1.2,"phases":[1,2,3]},"ts":1700000000000}
///         motor/current, motor/phases/0, motor/phases/1, motor/phases/2, all at that time
/// {"ts":…,"values":{map}} is ThingsBoard's form of the same. An array of objects is one message after the other.
///
/// On MQTT a scalar on topic a/b/c is device a/b, address c; a map is device a/b/c. On HTTP "device" names the device.
/// A number is always a double, so that 20 and 20.5 are one type. null is a Bad reading without a value.
///
/// Threads: one Decoder per shard, own shard only; it keeps its buffers between calls.
/// Errors:  Malformed, TooLarge (depth, number of values, names), InvalidArgument (no device). A message that fails
///          leaves the batch as it was.
/// Limits:  limits::json_depth_max, json_values_max, string_value_bytes_max, array_values_max.
#pragma once

#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "model/reading.h"

namespace lineshaft::wire::telemetry {

/// A longer array is a waveform, not a set of tags: it is skipped and counted.
inline constexpr std::size_t array_values_max = 256;

struct Decoded {
    std::size_t readings = 0;
    std::size_t skipped = 0;  // Long arrays, strings over the limit, empty names.
};

class Decoder {
public:
    Decoder();
    ~Decoder();
    Decoder(const Decoder&) = delete;

    /// Adds what `payload` on `topic` says to `out`. `self` is the device of the sender's credential, or its client
    /// id: the device of v1/devices/me/telemetry. What is neither JSON nor a number is a string if it is UTF-8.
    /// An empty payload says nothing.
    Result<Decoded> decode_mqtt(std::string_view topic, ByteView payload, std::string_view self, ReadingBatch& out);

    /// Adds what a body of POST /api/v1/telemetry says: an object or an array of them. `self` is the device of the
    /// sender's token, for objects without "device"; may be empty.
    Result<Decoded> decode_http(std::string_view body, std::string_view self, ReadingBatch& out);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lineshaft::wire::telemetry
