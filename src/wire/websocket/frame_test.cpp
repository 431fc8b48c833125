#include "wire/websocket/frame.h"

#include <gtest/gtest.h>

namespace lineshaft::wire::websocket {
namespace {

struct Seen {
    std::vector<std::pair<Opcode, std::string>> events;
    std::optional<ErrorCode> error;
    std::uint16_t code = 0;
    bool operator==(const Seen&) const = default;
};

Seen decode(ByteView bytes, Decoder::Options options = {}, std::size_t step = SIZE_MAX) {
    Decoder decoder(options);
    Seen seen;
    while (!bytes.empty()) {
        ByteView part = bytes.first(std::min(step, bytes.size()));
        bytes = bytes.subspan(part.size());
        for (;;) {
            const auto event = decoder.next(part);
            if (!event) {
                seen.error = event.error().code();
                seen.code = decoder.failure_code();
                return seen;
            }
            if (!*event) break;
            seen.events.emplace_back((*event)->opcode, std::string(as_text((*event)->payload)));
        }
    }
    return seen;
}

Bytes bytes_of(std::initializer_list<int> values) {
    Bytes bytes;
    for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
    return bytes;
}

Bytes masked(Opcode opcode, std::string_view payload, bool last = true) {
    Bytes out;
    append_frame(out, opcode, as_bytes(payload), 0x37FA213D);
    if (!last) out[0] &= std::byte{0x7F};
    return out;
}

Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

// RFC 6455 §5.7.
TEST(WebSocketFrame, DecodesTheExamplesOfTheSpecification) {
    const auto hello = bytes_of({0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58});
    EXPECT_EQ(decode(hello).events, (decltype(Seen::events){{Opcode::Text, "Hello"}}));
    EXPECT_EQ(masked(Opcode::Text, "Hello"), hello);

    const auto plain = bytes_of({0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F});
    EXPECT_EQ(decode(plain, {.role = Role::Client}).events, (decltype(Seen::events){{Opcode::Text, "Hello"}}));
}

TEST(WebSocketFrame, TheCutBetweenReadsDoesNotShow) {
    const Bytes all = masked(Opcode::Text, "first") + masked(Opcode::Binary, "sec", false) +
                      masked(Opcode::Ping, "p") + masked(Opcode::Continuation, std::string(70'000, 'x')) +
                      masked(Opcode::Close, {"\x03\xE8"
                                             "bye",
                                             5});
    const Seen whole = decode(all);
    ASSERT_EQ(whole.events.size(), 4u);
    EXPECT_EQ(whole.events[1], (std::pair{Opcode::Ping, std::string("p")}));
    EXPECT_EQ(whole.events[2], (std::pair{Opcode::Binary, "sec" + std::string(70'000, 'x')}));
    for (const std::size_t step : {1, 2, 3, 7, 1000}) EXPECT_EQ(decode(all, {}, step), whole) << step;
}

TEST(WebSocketFrame, PiecesJoinToTheSameStreamWhateverTheFrames) {
    const Bytes all = masked(Opcode::Binary, "ab", false) + masked(Opcode::Continuation, "", false) +
                      masked(Opcode::Ping, "") + masked(Opcode::Continuation, "cd") +
                      masked(Opcode::Binary, std::string(200'000, 'z'));
    for (const std::size_t step : {1, 5, 4096, 1'000'000}) {
        std::string stream;
        for (const auto& [opcode, payload] : decode(all, {.delivery = Delivery::Pieces}, step).events) {
            if (opcode == Opcode::Binary) stream += payload;
        }
        EXPECT_EQ(stream, "abcd" + std::string(200'000, 'z')) << step;
    }
}

TEST(WebSocketFrame, RefusesWhatTheSpecificationForbids) {
    const struct {
        const char* what;
        Bytes bytes;
        std::uint16_t code;
    } cases[] = {
        {"reserved bit", bytes_of({0xC1, 0x80, 0, 0, 0, 0}), close_code::protocol_error},
        {"unmasked from a client", bytes_of({0x81, 0x00}), close_code::protocol_error},
        {"unknown opcode", bytes_of({0x83, 0x80, 0, 0, 0, 0}), close_code::protocol_error},
        {"fragmented ping", bytes_of({0x09, 0x80, 0, 0, 0, 0}), close_code::protocol_error},
        {"long ping", bytes_of({0x89, 0xFE, 0, 126, 0, 0, 0, 0}), close_code::protocol_error},
        {"long form of a short size", bytes_of({0x82, 0xFE, 0, 5, 0, 0, 0, 0}), close_code::protocol_error},
        {"longest form of a short size", bytes_of({0x82, 0xFF, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0}),
         close_code::protocol_error},
        {"negative size", bytes_of({0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), close_code::protocol_error},
        {"nothing to continue", masked(Opcode::Continuation, "x"), close_code::protocol_error},
        {"new message inside a message", masked(Opcode::Text, "a", false) + masked(Opcode::Text, "b"),
         close_code::protocol_error},
        {"not UTF-8", masked(Opcode::Text, "\xC0\xAF"), close_code::invalid_text},
        {"close with one byte", masked(Opcode::Close, "x"), close_code::protocol_error},
        {"close with a code that is not for the wire", masked(Opcode::Close, "\x03\xED"), close_code::protocol_error},
        {"announces too much", bytes_of({0x82, 0xFF, 0, 0, 0, 0x7F, 0, 0, 0, 0, 0, 0, 0, 0}), close_code::too_large},
    };
    for (const auto& c : cases) {
        const Seen seen = decode(c.bytes);
        ASSERT_TRUE(seen.error) << c.what;
        EXPECT_EQ(seen.code, c.code) << c.what;
        EXPECT_EQ(*seen.error, c.code == close_code::too_large ? ErrorCode::TooLarge : ErrorCode::Malformed)
            << c.what;
    }
    EXPECT_EQ(decode(masked(Opcode::Text, "x"), {.delivery = Delivery::Pieces}).code, close_code::unacceptable);
    EXPECT_TRUE(decode(masked(Opcode::Text, "x"), {.role = Role::Client}).error);
}

TEST(WebSocketFrame, AMessageInManyFramesStaysUnderTheLimit) {
    const Decoder::Options options{.message_bytes_max = 10};
    const Bytes first = masked(Opcode::Binary, "123456", false);
    EXPECT_FALSE(decode(first + masked(Opcode::Continuation, "7890"), options).error);
    EXPECT_EQ(decode(first + masked(Opcode::Continuation, "78901"), options).error, ErrorCode::TooLarge);
}

TEST(WebSocketFrame, EncodesEachSizeClassInItsShortestForm) {
    for (const std::size_t size : {0, 1, 125, 126, 65'535, 65'536, 200'000}) {
        Bytes frame;
        append_frame(frame, Opcode::Binary, Bytes(size, std::byte{7}));
        const Seen seen = decode(frame, {.role = Role::Client});
        ASSERT_EQ(seen.events.size(), 1u) << size;
        EXPECT_EQ(seen.events[0].second.size(), size);
    }
}

}  // namespace
}  // namespace lineshaft::wire::websocket
