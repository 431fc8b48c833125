#include "store/internal/entropy.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "base/assert.h"

namespace lineshaft::store {
namespace {

constexpr unsigned table_bits = 9;
constexpr std::size_t slots = std::size_t{1} << table_bits;
constexpr std::size_t step = 323;  // Odd, so it meets every slot.
constexpr std::size_t chains = 4;
constexpr std::array<std::uint32_t, 16> weights = {0,     1048576, 623487, 370728, 220436, 131072, 77936, 46341,
                                                   27554, 16384,   9742,   5793,   3444,   2048,   1218,  724};

using Frequencies = std::array<std::uint16_t, entropy_symbols_max>;

/// False when no symbol occurs at all. Integers only: both sides must come to the same.
bool frequencies_of(std::span<const std::uint8_t> levels, Frequencies& frequencies) {
    std::uint64_t sum = 0;
    for (const std::uint8_t level : levels) sum += weights[level];
    if (sum == 0) return false;
    std::size_t given = 0;
    for (std::size_t i = 0; i < levels.size(); ++i) {
        if (levels[i] == 0) continue;
        frequencies[i] =
            static_cast<std::uint16_t>(std::max<std::uint64_t>(1, (weights[levels[i]] * slots + sum / 2) / sum));
        given += frequencies[i];
    }
    auto most = std::ranges::max_element(frequencies);
    if (given < slots) *most = static_cast<std::uint16_t>(*most + (slots - given));
    for (; given > slots; --given, most = std::ranges::max_element(frequencies)) --*most;
    return true;
}

/// bits_of[f]: what a symbol with frequency f costs.
const std::array<float, slots + 1>& bits_of() {
    static const auto table = [] {
        std::array<float, slots + 1> bits{};
        for (std::size_t f = 1; f <= slots; ++f)
            bits[f] = static_cast<float>(table_bits) - std::log2(static_cast<float>(f));
        return bits;
    }();
    return table;
}

/// Which symbol each slot belongs to.
std::array<std::uint8_t, slots> owners_of(const Frequencies& frequencies) {
    std::array<std::uint8_t, slots> owners;
    std::size_t slot = 0;
    for (std::size_t symbol = 0; symbol < frequencies.size(); ++symbol) {
        for (std::uint16_t k = 0; k < frequencies[symbol]; ++k) {
            owners[slot] = static_cast<std::uint8_t>(symbol);
            slot = (slot + step) & (slots - 1);
        }
    }
    return owners;
}

struct Slot {
    std::uint16_t next;  // Before the bits are added.
    std::uint8_t bits;
    std::uint8_t symbol;
};

std::array<Slot, slots> decoding_table(Frequencies next) {
    const auto owners = owners_of(next);
    std::array<Slot, slots> table;
    for (std::size_t slot = 0; slot < slots; ++slot) {
        const std::uint8_t symbol = owners[slot];
        const unsigned state = next[symbol]++;
        const auto bits = static_cast<unsigned>(table_bits + 1 - static_cast<unsigned>(std::bit_width(state)));
        table[slot] = {static_cast<std::uint16_t>((state << bits) - slots), static_cast<std::uint8_t>(bits), symbol};
    }
    return table;
}

/// Bits, least significant first, from a reader's bytes; past the end come zeros, and `overrun` tells.
class BitSource {
public:
    explicit BitSource(ByteView bytes) : bytes_(bytes) {}
    /// At least 57 bits from where `take` left off.
    std::uint64_t look() const {
        const std::size_t at = bit_ >> 3;
        if (at + 8 <= bytes_.size()) return load_le<std::uint64_t>(bytes_.data() + at) >> (bit_ & 7);
        std::array<std::byte, 8> window{};
        if (at < bytes_.size())
            std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at), bytes_.size() - at, window.begin());
        return load_le<std::uint64_t>(window.data()) >> (bit_ & 7);
    }
    void take(std::size_t bits) { bit_ += bits; }
    bool at_end() const { return (bit_ + 7) / 8 == bytes_.size(); }

private:
    ByteView bytes_;
    std::size_t bit_ = 0;
};

}  // namespace

EntropyModel model_of(const SymbolCounts& counts) {
    EntropyModel model;
    const std::uint32_t most = *std::ranges::max_element(counts);
    ASSERT(most > 0);
    for (std::size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] == 0) continue;
        model.symbols = i + 1;
        const float rarer = std::log2(static_cast<float>(most) / static_cast<float>(counts[i]));
        model.levels[i] = static_cast<std::uint8_t>(std::min(15.0F, 1.5F + rarer / 0.75F));
    }
    frequencies_of(std::span(model.levels).first(model.symbols), model.frequencies);
    float bits = chains * table_bits;
    for (std::size_t i = 0; i < model.symbols; ++i)
        bits += static_cast<float>(counts[i]) * bits_of()[model.frequencies[i]];
    model.bytes = 3 + (model.symbols + 1) / 2 + static_cast<std::size_t>(bits / 8) + 1;
    return model;
}

void encode_symbols(std::span<const std::uint8_t> symbols, const EntropyModel& model, ByteWriter& out) {
    const Frequencies& frequencies = model.frequencies;
    // places[start[s] + x - freq[s]] is the state that decodes to s and leaves x.
    std::array<std::uint16_t, slots> places;
    std::array<std::int32_t, entropy_symbols_max> start{};
    std::int32_t sum = 0;
    for (std::size_t s = 0; s < frequencies.size(); ++s) {
        start[s] = sum - frequencies[s];
        sum += frequencies[s];
    }
    const auto owners = owners_of(frequencies);
    Frequencies next = frequencies;
    for (std::size_t slot = 0; slot < slots; ++slot) {
        const std::uint8_t s = owners[slot];
        places[static_cast<std::size_t>(start[s] + next[s]++)] = static_cast<std::uint16_t>(slots + slot);
    }
    // Backwards, because decoding undoes the last step first; then the bits are written the way they are read.
    struct Emitted {
        std::uint16_t value;
        std::uint16_t bits;
    };
    std::vector<Emitted> emitted(symbols.size());
    std::array<std::uint32_t, chains> states;
    states.fill(slots);
    for (std::size_t i = symbols.size(); i-- > 0;) {
        const std::uint8_t s = symbols[i];
        std::uint32_t& state = states[i % chains];
        const std::uint32_t frequency = frequencies[s];
        auto bits = static_cast<unsigned>(std::bit_width(state) - std::bit_width(frequency));
        bits -= (state >> bits) < frequency;
        emitted[i] = {static_cast<std::uint16_t>(state & ((1U << bits) - 1)), static_cast<std::uint16_t>(bits)};
        state = places[static_cast<std::size_t>(start[s] + static_cast<std::int32_t>(state >> bits))];
    }

    out.u8(static_cast<std::uint8_t>(model.symbols));
    for (std::size_t i = 0; i < model.symbols; i += 2)
        out.u8(static_cast<std::uint8_t>(model.levels[i] | (i + 1 < model.symbols ? model.levels[i + 1] << 4 : 0)));
    std::size_t total = chains * table_bits;
    for (const Emitted& part : emitted) total += part.bits;
    out.varint((total + 7) / 8);
    std::uint64_t held = 0;
    unsigned bits = 0;
    const auto put = [&](std::uint64_t value, unsigned count) {
        held |= value << bits;
        bits += count;
        if (bits < 32) return;
        out.le(static_cast<std::uint32_t>(held));
        held >>= 32;
        bits -= 32;
    };
    for (const std::uint32_t state : states) put(state - slots, table_bits);
    for (const Emitted& part : emitted) put(part.value, part.bits);
    for (; bits > 0; bits = bits > 8 ? bits - 8 : 0, held >>= 8) out.u8(static_cast<std::uint8_t>(held));
}

void decode_symbols(ByteReader& in, std::span<std::uint8_t> symbols) {
    const std::size_t count = in.u8();
    const ByteView levels = in.bytes((count + 1) / 2);
    const ByteView stream = in.bytes(in.varint());
    if (!in.ok() || count > entropy_symbols_max) return in.fail();
    std::array<std::uint8_t, entropy_symbols_max + 1> nibbles{};
    for (std::size_t i = 0; i < levels.size(); ++i) {
        nibbles[2 * i] = static_cast<std::uint8_t>(levels[i]) & 15;
        nibbles[2 * i + 1] = static_cast<std::uint8_t>(levels[i]) >> 4;
    }
    Frequencies frequencies{};
    if (!frequencies_of(std::span(nibbles).first(count), frequencies)) return in.fail();
    const auto table = decoding_table(frequencies);

    BitSource source(stream);
    std::array<std::uint32_t, chains> states;
    std::uint64_t ahead = source.look();
    for (std::uint32_t& state : states) {
        state = ahead & (slots - 1);
        ahead >>= table_bits;
    }
    source.take(chains * table_bits);
    const auto turn = [&table](std::uint32_t& state, std::uint64_t& bits, std::size_t& used) {
        const Slot slot = table[state];
        state = slot.next + static_cast<std::uint32_t>(bits & ((1U << slot.bits) - 1));
        bits >>= slot.bits;
        used += slot.bits;
        return slot.symbol;
    };
    std::size_t i = 0;
    auto [a, b, c, d] = states;
    for (; i + chains <= symbols.size(); i += chains) {
        std::uint64_t bits = source.look();
        std::size_t used = 0;
        symbols[i] = turn(a, bits, used);
        symbols[i + 1] = turn(b, bits, used);
        symbols[i + 2] = turn(c, bits, used);
        symbols[i + 3] = turn(d, bits, used);
        source.take(used);
    }
    states = {a, b, c, d};
    std::uint64_t bits = source.look();
    std::size_t used = 0;
    for (; i < symbols.size(); ++i) symbols[i] = turn(states[i % chains], bits, used);
    source.take(used);
    if (!source.at_end() || std::ranges::any_of(states, [](std::uint32_t state) { return state != 0; })) in.fail();
}

}  // namespace lineshaft::store
