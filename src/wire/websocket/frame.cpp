#include "wire/websocket/frame.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/utf8.h"

namespace lineshaft::wire::websocket {
namespace {

constexpr std::size_t kept_bytes_max = 4096;  // Of the message buffer between messages.

/// RFC 6455 §7.4: what may stand on the wire.
bool is_close_code(std::uint16_t code) {
    if (code >= 3000 && code <= 4999) return true;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

std::size_t header_bytes(std::byte second) {
    const unsigned size = std::to_integer<unsigned>(second) & 0x7F;
    const std::size_t mask = (std::to_integer<unsigned>(second) & 0x80) ? 4 : 0;
    return 2 + (size == 126 ? 2 : size == 127 ? 8 : 0) + mask;
}

}  // namespace

Result<std::optional<Event>> Decoder::next(ByteView& bytes) {
    if (message_is_given_) {
        message_is_given_ = false;
        message_.clear();
        if (message_.capacity() > kept_bytes_max) message_ = {};
    }
    for (;;) {
        if (!in_frame_) {
            const bool whole = TRY(take_header(bytes));
            if (!whole) return std::nullopt;
            TRY_VOID(begin_frame());
        }
        auto event = is_control() ? take_control(bytes) : take_data(bytes);
        if (!event || *event || left_ > 0) return event;
        // An inner frame of a message has ended: go on with the next one.
    }
}

std::unexpected<Error> Decoder::refuse(std::uint16_t code, const char* why) {
    failure_code_ = code;
    return fail(code == close_code::too_large ? ErrorCode::TooLarge : ErrorCode::Malformed,
                std::string("WebSocket: ") + why);
}

/// True when the header is whole in header_.
Result<bool> Decoder::take_header(ByteView& bytes) {
    const auto take_to = [&](std::size_t size) {
        const std::size_t taken = std::min(size - header_size_, bytes.size());
        std::copy_n(bytes.begin(), taken, header_.begin() + static_cast<std::ptrdiff_t>(header_size_));
        bytes = bytes.subspan(taken);
        header_size_ += taken;
        return header_size_ == size;
    };
    if (header_size_ < 2 && !take_to(2)) return false;
    return take_to(header_bytes(header_[1]));
}

Result<void> Decoder::begin_frame() {
    const auto first = std::to_integer<std::uint8_t>(header_[0]);
    const auto second = std::to_integer<std::uint8_t>(header_[1]);
    is_last_ = (first & 0x80) != 0;
    is_masked_ = (second & 0x80) != 0;
    opcode_ = static_cast<Opcode>(first & 0x0F);
    if (first & 0x70) return refuse(close_code::protocol_error, "a reserved bit is set");
    if (is_masked_ != (options_.role == Role::Server)) {
        return refuse(close_code::protocol_error, is_masked_ ? "a server must not mask" : "a client must mask");
    }
    left_ = second & 0x7F;
    if (left_ == 126) {
        left_ = load_be<std::uint16_t>(&header_[2]);
        if (left_ < 126) return refuse(close_code::protocol_error, "the size is not in its shortest form");
    } else if (left_ == 127) {
        left_ = load_be<std::uint64_t>(&header_[2]);
        if (left_ <= 0xFFFF || left_ >> 63)
            return refuse(close_code::protocol_error, "the size is not in its shortest form");
    }
    if (is_masked_) std::copy_n(&header_[header_size_ - 4], 4, mask_.begin());
    mask_at_ = 0;
    header_size_ = 0;
    in_frame_ = true;

    switch (opcode_) {
        case Opcode::Close:
        case Opcode::Ping:
        case Opcode::Pong:
            if (!is_last_) return refuse(close_code::protocol_error, "a control frame is fragmented");
            if (left_ > control_bytes_max) return refuse(close_code::protocol_error, "a control frame is too long");
            control_size_ = 0;
            return {};
        case Opcode::Continuation:
            if (message_opcode_ == Opcode::Continuation)
                return refuse(close_code::protocol_error, "nothing to continue");
            break;
        case Opcode::Text:
        case Opcode::Binary:
            if (message_opcode_ != Opcode::Continuation)
                return refuse(close_code::protocol_error, "a message is not finished");
            if (opcode_ == Opcode::Text && options_.delivery == Delivery::Pieces) {
                return refuse(close_code::unacceptable, "text where binary is expected");
            }
            message_opcode_ = opcode_;
            break;
        default: return refuse(close_code::protocol_error, "unknown opcode");
    }
    if (options_.delivery == Delivery::Messages && left_ > options_.message_bytes_max - message_.size()) {
        return refuse(close_code::too_large, "the message is larger than the limit");
    }
    return {};
}

Result<std::optional<Event>> Decoder::take_control(ByteView& bytes) {
    const std::size_t taken = std::min<std::uint64_t>(left_, bytes.size());
    unmask(bytes.first(taken), control_.data() + control_size_);
    bytes = bytes.subspan(taken);
    control_size_ += taken;
    left_ -= taken;
    if (left_ > 0) return std::nullopt;

    in_frame_ = false;
    const ByteView payload(control_.data(), control_size_);
    if (opcode_ == Opcode::Close && !payload.empty()) {
        if (payload.size() == 1 || !is_close_code(load_be<std::uint16_t>(payload.data()))) {
            return refuse(close_code::protocol_error, "no valid close code");
        }
        if (!is_utf8(as_text(payload.subspan(2))))
            return refuse(close_code::invalid_text, "the close reason is not UTF-8");
    }
    return Event{opcode_, payload};
}

Result<std::optional<Event>> Decoder::take_data(ByteView& bytes) {
    const std::size_t taken = std::min<std::uint64_t>(left_, bytes.size());
    const std::size_t at = message_.size();
    message_.resize(at + taken);
    unmask(bytes.first(taken), message_.data() + at);
    bytes = bytes.subspan(taken);
    left_ -= taken;
    if (left_ == 0) in_frame_ = false;
    const bool ends = left_ == 0 && is_last_;

    if (options_.delivery == Delivery::Pieces) {
        if (ends) message_opcode_ = Opcode::Continuation;
        if (message_.empty()) return std::nullopt;
        message_is_given_ = true;
        return Event{Opcode::Binary, message_};
    }
    return ends ? end_message() : Result<std::optional<Event>>(std::nullopt);
}

Result<std::optional<Event>> Decoder::end_message() {
    const Opcode opcode = std::exchange(message_opcode_, Opcode::Continuation);
    if (opcode == Opcode::Text && !is_utf8(as_text(message_)))
        return refuse(close_code::invalid_text, "text is not UTF-8");
    message_is_given_ = true;
    return Event{opcode, message_};
}

void Decoder::unmask(ByteView from, std::byte* to) {
    if (from.empty()) return;
    if (!is_masked_) {
        std::memcpy(to, from.data(), from.size());
        return;
    }
    std::array<std::byte, 8> key;  // The mask twice, turned to where the payload stands: eight bytes a step.
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = mask_[(mask_at_ + i) % 4];
    const auto wide = load_le<std::uint64_t>(key.data());
    std::size_t i = 0;
    for (; i + 8 <= from.size(); i += 8) store_le(to + i, load_le<std::uint64_t>(from.data() + i) ^ wide);
    for (; i < from.size(); ++i) to[i] = from[i] ^ key[i % 8];
    mask_at_ = static_cast<std::uint8_t>((mask_at_ + from.size()) % 4);
}

void append_header(Bytes& out, Opcode opcode, std::size_t size) {
    ByteWriter writer(out);
    writer.u8(0x80 | static_cast<std::uint8_t>(opcode));
    if (size <= 125) {
        writer.u8(static_cast<std::uint8_t>(size));
    } else if (size <= 0xFFFF) {
        writer.u8(126);
        writer.be(static_cast<std::uint16_t>(size));
    } else {
        writer.u8(127);
        writer.be(static_cast<std::uint64_t>(size));
    }
}

void append_frame(Bytes& out, Opcode opcode, ByteView payload, std::optional<std::uint32_t> mask) {
    const std::size_t at = out.size();
    append_header(out, opcode, payload.size());
    if (!mask) {
        out.insert(out.end(), payload.begin(), payload.end());
        return;
    }
    out[at + 1] |= std::byte{0x80};
    ByteWriter(out).be(*mask);
    std::array<std::byte, 4> key;
    store_be(key.data(), *mask);
    for (std::size_t i = 0; i < payload.size(); ++i) out.push_back(payload[i] ^ key[i % 4]);
}

Bytes close_payload(std::uint16_t code, std::string_view reason) {
    ASSERT(reason.size() + 2 <= control_bytes_max);
    Bytes out;
    ByteWriter writer(out);
    writer.be(code);
    writer.text(reason);
    return out;
}

}  // namespace lineshaft::wire::websocket
