/// Fuzz: payloads without a schema.
///
/// Strategy: the first byte chooses MQTT or HTTP and one of a few topics; the rest is the payload. One decoder lives
/// through all runs, as it does on a shard, so what a payload leaves behind meets the next one.
///
/// Invariants: never reads outside the payload; a message that fails adds nothing; as many readings as it says; every
/// reading names a device and an address within the limits; numbers are doubles; texts are UTF-8 within their limit.
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "wire/telemetry/telemetry.h"

using namespace lineshaft;
using namespace lineshaft::wire::telemetry;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Decoder decoder;
    if (size == 0) return 0;
    const auto buffer = std::make_unique<char[]>(size - 1);
    std::memcpy(buffer.get(), data + 1, size - 1);
    const std::string_view payload(buffer.get(), size - 1);
    constexpr std::string_view topics[] = {"a", "a/b/c", "v1/devices/me/telemetry", "v1/gateway/telemetry", "//x/"};

    ReadingBatch batch;
    const bool is_http = data[0] & 1;
    const auto decoded = is_http ? decoder.decode_http(payload, data[0] & 2 ? "self" : "", batch)
                                 : decoder.decode_mqtt(topics[data[0] / 2 % 5], as_bytes(payload), "client", batch);
    if (!decoded) {
        ASSERT(batch.empty());
        return 0;
    }
    ASSERT(batch.size() == decoded->readings && batch.size() <= limits::json_values_max);
    for (const Reading& r : batch.readings) {
        ASSERT(r.device.size() + 1 + r.address.size() <= limits::tag_path_bytes_max && !r.address.empty() &&
               !r.device.empty());
        ASSERT(r.type != ValueType::Int && is_utf8(r.text) && is_utf8(r.device) && is_utf8(r.address));
        ASSERT(r.text.size() <= limits::string_value_bytes_max);
    }
    return 0;
}
