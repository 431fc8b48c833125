/// Fuzz: MQTT packets, framing, decode and encode.
///
/// Strategy: the first byte chooses the protocol version, the rest are bytes as a peer sends them, several packets
/// in a row. What decodes must encode, and decode again, and encode to the same bytes.
///
/// Invariants: never reads outside the input; a frame never exceeds packet_bytes_max nor the input;
/// encode(decode(encode(decode(x)))) == encode(decode(x)); what decoded once decodes again.
#include <algorithm>

#include "base/assert.h"
#include "wire/mqtt/packet.h"
#include "wire/mqtt/topic.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace lineshaft;
    using namespace lineshaft::wire::mqtt;
    constexpr std::size_t packet_bytes_max = 4096;
    if (size == 0) return 0;
    const Version version = data[0] & 1 ? Version::V5 : Version::V311;
    ByteView input = std::as_bytes(std::span(data + 1, size - 1));
    while (true) {
        const auto frame = next_frame(input, packet_bytes_max);
        if (!frame || !*frame) return 0;
        ASSERT((*frame)->frame_bytes <= input.size() && (*frame)->frame_bytes <= packet_bytes_max);
        input = input.subspan((*frame)->frame_bytes);
        const auto first = decode(**frame, version);
        if (!first) continue;
        const auto* connect = std::get_if<Connect>(&*first);
        const Version spoken = connect ? connect->version : version;
        if (const auto* publish = std::get_if<Publish>(&*first)) {
            ASSERT(matches("#", publish->topic) || publish->topic.empty() || publish->topic.starts_with('$'));
        }

        const auto encoded_again = [&](const Packet& packet) {
            Bytes out;
            encode_any(packet, spoken, out);
            return out;
        };
        // Return codes of 3.1.1 are a smaller set than reasons: they do not come back.
        if (std::holds_alternative<ConnAck>(*first) || std::holds_alternative<SubAck>(*first)) continue;
        const Bytes encoded = encoded_again(*first);
        const auto second_frame = next_frame(encoded, packet_bytes_max + 16);
        ASSERT(second_frame && *second_frame && (*second_frame)->frame_bytes == encoded.size());
        const auto second = decode(**second_frame, spoken);
        ASSERT(second && second->index() == first->index());
        ASSERT(std::ranges::equal(encoded_again(*second), encoded));
    }
}
