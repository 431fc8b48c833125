/// Fuzz: WebSocket frames, decoded whole and in pieces, and encoded.
///
/// Strategy: the first byte chooses role, delivery and where the input is cut. The same bytes go once in one span and
/// once in short ones; both must give the same events and the same end. What decodes as a message is encoded and
/// decoded again.
///
/// Invariants: never reads outside the input; never gives a message above the limit; the cut never shows;
/// decode(encode(message)) == message.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "wire/websocket/frame.h"

namespace {

using namespace lineshaft;
using namespace lineshaft::wire::websocket;

constexpr std::size_t message_bytes_max = 4096;

/// Everything that happened, as text: pieces are joined, since only they depend on the cut.
std::string decode_all(const Decoder::Options& options, ByteView input, std::size_t step) {
    Decoder decoder(options);
    std::string seen;
    std::string stream;
    for (std::size_t at = 0; at < input.size(); at += step) {
        ByteView part = input.subspan(at, std::min(step, input.size() - at));
        for (;;) {
            const auto event = decoder.next(part);
            if (!event) return seen + "|" + stream + "|!" + std::to_string(decoder.failure_code());
            if (!*event) break;
            if (options.delivery == Delivery::Messages) ASSERT((*event)->payload.size() <= message_bytes_max);
            const bool is_piece = options.delivery == Delivery::Pieces && (*event)->opcode == Opcode::Binary;
            std::string& into = is_piece ? stream : seen;
            if (!is_piece) into += "/" + std::to_string(static_cast<int>((*event)->opcode)) + ":";
            into += as_text((*event)->payload);
        }
        ASSERT(part.empty());
    }
    return seen + "|" + stream;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const ByteView input = std::as_bytes(std::span(data + 1, size - 1));
    Decoder::Options options;
    options.role = (data[0] & 1) ? Role::Client : Role::Server;
    options.delivery = (data[0] & 2) ? Delivery::Pieces : Delivery::Messages;
    options.message_bytes_max = message_bytes_max;
    const std::size_t step = 1 + (data[0] >> 2) % 7;
    ASSERT(decode_all(options, input, input.size() + 1) == decode_all(options, input, step));

    if (input.size() > message_bytes_max) return 0;
    Bytes frame;
    append_frame(frame, Opcode::Binary, input, 0xA1B2C3D4);
    Decoder decoder({Role::Server, Delivery::Messages, message_bytes_max});
    ByteView rest = frame;
    const auto again = decoder.next(rest);
    ASSERT(again && *again && rest.empty() && as_text((*again)->payload) == as_text(input));
    return 0;
}
