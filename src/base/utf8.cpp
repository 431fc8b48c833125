#include "base/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace lineshaft {
namespace {

/// Length of the sequence at `at`; 0 when it is not well-formed.
std::size_t sequence(const unsigned char* at, std::size_t left) {
    const unsigned char lead = at[0];
    const auto follows = [&](std::size_t i, unsigned char low, unsigned char high) {
        return i < left && at[i] >= low && at[i] <= high;
    };
    if (lead < 0x80) return 1;
    if (lead < 0xC2) return 0;
    if (lead < 0xE0) return follows(1, 0x80, 0xBF) ? 2 : 0;
    if (lead < 0xF0) {
        const unsigned char low = lead == 0xE0 ? 0xA0 : 0x80;
        const unsigned char high = lead == 0xED ? 0x9F : 0xBF;
        return follows(1, low, high) && follows(2, 0x80, 0xBF) ? 3 : 0;
    }
    if (lead > 0xF4) return 0;
    const unsigned char low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xF4 ? 0x8F : 0xBF;
    return follows(1, low, high) && follows(2, 0x80, 0xBF) && follows(3, 0x80, 0xBF) ? 4 : 0;
}

}  // namespace

bool is_utf8(std::string_view text) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t at = 0;
    while (at < text.size()) {
        // Eight ASCII bytes at a time: nearly all text is.
        std::uint64_t eight = 0;
        while (at + sizeof eight <= text.size()) {
            std::memcpy(&eight, bytes + at, sizeof eight);
            if (eight & 0x8080808080808080) break;
            at += sizeof eight;
        }
        if (at == text.size()) break;
        const std::size_t length = sequence(bytes + at, text.size() - at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

bool is_printable_utf8(std::string_view text) {
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    return std::ranges::none_of(text, is_control) && is_utf8(text);
}

}  // namespace lineshaft
