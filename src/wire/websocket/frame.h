/// WebSocket framing: bytes to messages and back, for both sides. No I/O, no clock, no hash: the handshake is in net/.
///
/// Flow:    Decoder::next takes from the front of what came and gives one event at a time; append_frame makes bytes.
/// Errors:  Malformed, TooLarge; failure_code() then says which close code tells the peer.
/// Limits:  Options::message_bytes_max. Only bytes that have come take memory, never an announced length.
/// Formats: RFC 6455 §5, big-endian, no extensions:
///
///   frame := fin:1 rsv:3=0 opcode:4 masked:1 size:7 [size:u16 | size:u64] [mask:u8[4]] payload
///
///   size 126 and 127 mean that the wider field follows; the shortest form is the only one accepted. A client masks,
///   a server does not: anything else is Malformed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"

namespace lineshaft::wire::websocket {

enum class Opcode : std::uint8_t { Continuation = 0, Text = 1, Binary = 2, Close = 8, Ping = 9, Pong = 10 };

namespace close_code {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t unacceptable = 1003;
inline constexpr std::uint16_t invalid_text = 1007;
inline constexpr std::uint16_t too_large = 1009;
}  // namespace close_code

inline constexpr std::size_t control_bytes_max = 125;

/// Who decodes: a server expects masked frames, a client unmasked ones.
enum class Role : std::uint8_t { Server, Client };

/// Messages come whole (text is checked to be UTF-8). Pieces come as they arrive, for protocols that make a byte
/// stream of binary messages; text is then refused.
enum class Delivery : std::uint8_t { Messages, Pieces };

/// A message, a piece or a control frame. Good until the next call of the decoder.
struct Event {
    Opcode opcode;  // Never Continuation.
    ByteView payload;
};

class Decoder {
public:
    struct Options {
        Role role = Role::Server;
        Delivery delivery = Delivery::Messages;
        std::size_t message_bytes_max = 1024 * 1024;  // Of Messages; pieces are not gathered.
    };
    explicit Decoder(const Options& options) : options_(options) {}

    /// Takes bytes from the front of `bytes` until an event is whole; nullopt when they are used up before.
    /// Not to be called again after an error. Errors: Malformed, TooLarge.
    Result<std::optional<Event>> next(ByteView& bytes);

    /// After an error: the close code for the peer.
    std::uint16_t failure_code() const { return failure_code_; }

private:
    std::unexpected<Error> refuse(std::uint16_t code, const char* why);
    Result<bool> take_header(ByteView& bytes);
    Result<void> begin_frame();
    Result<std::optional<Event>> take_control(ByteView& bytes);
    Result<std::optional<Event>> take_data(ByteView& bytes);
    Result<std::optional<Event>> end_message();
    void unmask(ByteView from, std::byte* to);
    bool is_control() const { return static_cast<std::uint8_t>(opcode_) >= 8; }

    Options options_;
    // The frame at hand.
    std::array<std::byte, 14> header_{};
    std::size_t header_size_ = 0;
    std::uint64_t left_ = 0;  // Of its payload.
    std::uint8_t mask_at_ = 0;
    std::array<std::byte, 4> mask_{};
    Opcode opcode_ = Opcode::Continuation;
    bool in_frame_ = false;
    bool is_last_ = false;
    bool is_masked_ = false;
    // The message at hand; a control frame may come between its frames.
    Opcode message_opcode_ = Opcode::Continuation;  // Continuation: none.
    Bytes message_;
    bool message_is_given_ = false;  // The caller has seen it; the next call forgets it.
    std::array<std::byte, control_bytes_max> control_{};
    std::size_t control_size_ = 0;
    std::uint16_t failure_code_ = close_code::protocol_error;
};

/// Appends the header of a frame with `size` bytes of payload, unmasked.
void append_header(Bytes& out, Opcode opcode, std::size_t size);
/// Appends a whole frame; masked with `mask` when this side is a client.
void append_frame(Bytes& out, Opcode opcode, ByteView payload, std::optional<std::uint32_t> mask = std::nullopt);
/// The payload of a Close frame. `reason` at most 123 bytes.
Bytes close_payload(std::uint16_t code, std::string_view reason = {});

}  // namespace lineshaft::wire::websocket
