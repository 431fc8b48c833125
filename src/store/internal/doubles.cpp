#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "store/internal/decimal.h"
#include "store/internal/ints.h"
#include "store/internal/lanes.h"
#include "store/internal/packing.h"
#include "store/internal/values.h"

namespace lineshaft::store {
namespace {

enum class Form : std::uint8_t {  // On disk. Append only.
    Constant = 0,
    Decimal = 1,
    Xor = 2,
    Raw = 3,
    Single = 4,
    Split = 5,
    Dictionary = 6
};

constexpr std::size_t dictionary_max = 256;

bool is_single(std::uint64_t bits) {
    const double value = std::bit_cast<double>(bits);
    return std::bit_cast<std::uint64_t>(static_cast<double>(static_cast<float>(value))) == bits;
}

/// The exponents that fit all, and nine tenths, of a sample of the column that are decimals at all.
struct Candidates {
    int all = -1;
    int most = -1;
};

Candidates candidates(std::span<const std::uint64_t> bits, bool single) {
    constexpr std::size_t sample_max = 48;
    std::array<std::uint32_t, scale_max + 1> need{};
    std::uint32_t sampled = 0;
    std::uint32_t fitting = 0;
    for (std::size_t k = 0; k < std::min(sample_max, bits.size()); ++k) {
        // Steps of the golden ratio spread evenly and share no period with what a machine does.
        const std::size_t i = bits.size() <= sample_max ? k : (k * 40'503 % 65'536) * bits.size() >> 16;
        if (!std::isfinite(std::bit_cast<double>(bits[i]))) continue;
        ++sampled;
        std::int64_t unused = 0;
        for (int exponent = 0; exponent <= scale_max; ++exponent) {
            if (!to_decimal(bits[i], {exponent, single}, unused)) continue;
            ++need[static_cast<std::size_t>(exponent)];
            ++fitting;
            break;
        }
    }
    if (sampled == 0 || fitting * 8 < sampled * 7) return {};
    Candidates found;
    std::uint32_t covered = 0;
    for (int exponent = 0; exponent <= scale_max; ++exponent) {
        covered += need[static_cast<std::size_t>(exponent)];
        if (found.most < 0 && covered * 10 >= fitting * 9) found.most = exponent;
        if (need[static_cast<std::size_t>(exponent)] > 0) found.all = exponent;
    }
    return found;
}

struct Exception {
    std::size_t position;
    std::size_t length;
    std::uint64_t bits;
};

/// False when too many values are no decimals of this scale.
bool encode_decimal(std::span<const std::uint64_t> bits, Scale scale, Bytes& into) {
    std::vector<std::int64_t> numbers(bits.size());
    std::vector<Exception> exceptions;
    for (std::size_t i = 0; i < bits.size(); ++i) {
        if (to_decimal(bits[i], scale, numbers[i])) continue;
        numbers[i] = i > 0 ? numbers[i - 1] : 0;
        if (!exceptions.empty() && exceptions.back().bits == bits[i] &&
            exceptions.back().position + exceptions.back().length == i) {
            ++exceptions.back().length;
        } else {
            exceptions.push_back({i, 1, bits[i]});
        }
        if (exceptions.size() * 4 > bits.size() + 8) return false;
    }
    ByteWriter out(into);
    out.u8(static_cast<std::uint8_t>(Form::Decimal));
    out.u8(scale.byte());
    out.varint(exceptions.size());
    std::size_t after = 0;
    for (const Exception& exception : exceptions) {
        out.varint(exception.position - after);
        out.varint(exception.length);
        out.le(exception.bits);
        after = exception.position + exception.length;
    }
    encode_ints(numbers, out);
    return true;
}

void decode_decimal(ByteReader& in, std::span<std::uint64_t> bits) {
    const Scale scale = Scale::from(in.u8());
    const std::uint64_t exceptions = in.varint();
    if (!in.ok() || scale.exponent > scale_max || exceptions > bits.size()) return in.fail();
    std::vector<Exception> kept;
    kept.reserve(exceptions);
    std::size_t after = 0;
    for (std::uint64_t i = 0; i < exceptions; ++i) {
        const std::uint64_t skip = in.varint();
        const std::uint64_t length = in.varint();
        const auto value = in.le<std::uint64_t>();
        if (!in.ok() || skip > bits.size() - after || length > bits.size() - after - skip) return in.fail();
        kept.push_back({after + skip, length, value});
        after += skip + length;
    }
    // The integers are decoded in place: the two types may alias.
    const std::span<std::int64_t> numbers(reinterpret_cast<std::int64_t*>(bits.data()), bits.size());
    decode_ints(in, numbers);
    if (!in.ok()) return;
    lanes().to_doubles(bits, powers_of_ten[static_cast<std::size_t>(scale.exponent)], scale.single);
    for (const Exception& exception : kept)
        std::fill_n(bits.begin() + static_cast<std::ptrdiff_t>(exception.position), exception.length, exception.bits);
}

/// Bits, most significant first.
class BitWriter {
public:
    explicit BitWriter(ByteWriter& out) : out_(out) {}
    void put(std::uint64_t bits, unsigned count) {
        while (count > 0) {
            const unsigned take = std::min(count, 8 - held_);
            const auto part = static_cast<unsigned>(bits >> (count - take)) & ((1U << take) - 1);
            byte_ = byte_ << take | part;
            held_ += take;
            count -= take;
            if (held_ == 8) flush();
        }
    }
    void finish() {
        if (held_ == 0) return;
        byte_ <<= 8 - held_;
        flush();
    }

private:
    void flush() {
        out_.u8(static_cast<std::uint8_t>(byte_));
        byte_ = 0;
        held_ = 0;
    }
    ByteWriter& out_;
    unsigned byte_ = 0;
    unsigned held_ = 0;
};

class BitReader {
public:
    explicit BitReader(ByteReader& in) : in_(in) {}
    std::uint64_t get(unsigned count) {
        std::uint64_t bits = 0;
        while (count > 0) {
            if (held_ == 0) {
                byte_ = in_.u8();
                held_ = 8;
            }
            const unsigned take = std::min(count, held_);
            bits = bits << take | ((byte_ >> (held_ - take)) & ((1U << take) - 1));
            held_ -= take;
            count -= take;
        }
        return bits;
    }

private:
    ByteReader& in_;
    unsigned byte_ = 0;
    unsigned held_ = 0;
};

void encode_xor(std::span<const std::uint64_t> bits, Bytes& into) {
    ByteWriter out(into);
    out.u8(static_cast<std::uint8_t>(Form::Xor));
    BitWriter stream(out);
    stream.put(bits[0], 64);
    unsigned leading = 64;
    unsigned length = 0;
    for (std::size_t i = 1; i < bits.size(); ++i) {
        const std::uint64_t change = bits[i] ^ bits[i - 1];
        if (change == 0) {
            stream.put(0, 1);
            continue;
        }
        const unsigned lead = std::min(31U, static_cast<unsigned>(std::countl_zero(change)));
        const auto trail = static_cast<unsigned>(std::countr_zero(change));
        if (leading <= lead && 64 - leading - length <= trail) {
            stream.put(0b10, 2);
        } else {
            leading = lead;
            length = 64 - lead - trail;
            stream.put(0b11, 2);
            stream.put(leading, 5);
            stream.put(length - 1, 6);
        }
        stream.put(change >> (64 - leading - length), length);
    }
    stream.finish();
}

void decode_xor(ByteReader& in, std::span<std::uint64_t> bits) {
    BitReader stream(in);
    bits[0] = stream.get(64);
    unsigned leading = 64;
    unsigned length = 0;
    for (std::size_t i = 1; i < bits.size() && in.ok(); ++i) {
        bits[i] = bits[i - 1];
        if (stream.get(1) == 0) continue;
        if (stream.get(1) == 1) {
            leading = static_cast<unsigned>(stream.get(5));
            length = static_cast<unsigned>(stream.get(6)) + 1;
        }
        if (length == 0 || leading + length > 64) return in.fail();
        bits[i] ^= stream.get(length) << (64 - leading - length);
    }
}

void encode_raw(std::span<const std::uint64_t> bits, bool single, Bytes& into) {
    ByteWriter out(into);
    out.u8(static_cast<std::uint8_t>(single ? Form::Single : Form::Raw));
    for (const std::uint64_t value : bits) {
        if (single)
            out.le(std::bit_cast<std::uint32_t>(static_cast<float>(std::bit_cast<double>(value))));
        else
            out.le(value);
    }
}

/// True doubles: what is above the cut goes slowly and is a column of integers, what is below is noise.
void encode_split(std::span<const std::uint64_t> bits, Bytes& into) {
    std::uint64_t any = 0;
    for (const std::uint64_t value : bits) any |= value;
    if (any == 0) return;
    const auto trailing = static_cast<unsigned>(std::countr_zero(any));
    // Noise begins where neighbours differ: the cut lies some bits above the usual highest bit of a change, so that
    // symbols carry those.
    std::array<std::uint32_t, 65> changes{};
    for (std::size_t i = 1; i < bits.size(); ++i)
        ++changes[static_cast<std::size_t>(std::bit_width(
            zigzag(wrapping_sub(static_cast<std::int64_t>(bits[i]), static_cast<std::int64_t>(bits[i - 1])))))];
    std::size_t below = 0;
    unsigned middle = 0;
    while (middle < 64 && (below += changes[middle]) * 2 < bits.size()) ++middle;
    const unsigned cut = std::clamp(middle > 6 ? middle - 6 : 0, trailing, std::min(trailing + 56U, 63U));
    ByteWriter out(into);
    out.u8(static_cast<std::uint8_t>(Form::Split));
    out.u8(static_cast<std::uint8_t>(trailing));
    out.u8(static_cast<std::uint8_t>(cut - trailing));
    std::vector<std::int64_t> high(bits.size());
    std::vector<std::uint64_t> low(bits.size());
    const std::uint64_t mask = (std::uint64_t{1} << (cut - trailing)) - 1;
    for (std::size_t i = 0; i < bits.size(); ++i) {
        high[i] = static_cast<std::int64_t>(bits[i]) >> cut;
        low[i] = bits[i] >> trailing & mask;
    }
    encode_ints(high, out);
    if (cut > trailing) write_bits(low, cut - trailing, out);
}

void decode_split(ByteReader& in, std::span<std::uint64_t> bits) {
    const unsigned trailing = in.u8();
    const unsigned width = in.u8();
    if (!in.ok() || trailing > 63 || width > 56 || trailing + width > 63) return in.fail();
    std::vector<std::int64_t> high(bits.size());
    decode_ints(in, high);
    const std::span<std::int64_t> low(reinterpret_cast<std::int64_t*>(bits.data()), bits.size());
    if (width > 0) {
        const ByteView packed = in.bytes((bits.size() * width + 7) / 8);
        if (!in.ok()) return;
        lanes().unpack(packed, width, low);
    } else {
        std::ranges::fill(bits, 0);
    }
    for (std::size_t i = 0; i < bits.size(); ++i)
        bits[i] = static_cast<std::uint64_t>(high[i]) << (trailing + width) | bits[i] << trailing;
}

/// Few distinct values that are no decimals together: ratios, converted units, calibration constants.
void encode_dictionary(std::span<const std::uint64_t> bits, Bytes& into) {
    std::vector<std::uint64_t> entries;
    std::unordered_map<std::uint64_t, std::int64_t> known;
    std::vector<std::int64_t> indexes(bits.size());
    for (std::size_t i = 0; i < bits.size(); ++i) {
        if (i > 0 && bits[i] == bits[i - 1]) {
            indexes[i] = indexes[i - 1];
            continue;
        }
        const auto [found, fresh] = known.try_emplace(bits[i], static_cast<std::int64_t>(entries.size()));
        if (fresh && entries.size() == dictionary_max) return;
        if (fresh) entries.push_back(bits[i]);
        indexes[i] = found->second;
    }
    ByteWriter out(into);
    out.u8(static_cast<std::uint8_t>(Form::Dictionary));
    out.u8(static_cast<std::uint8_t>(entries.size() - 1));
    for (const std::uint64_t entry : entries) out.le(entry);
    encode_ints(indexes, out);
}

void decode_dictionary(ByteReader& in, std::span<std::uint64_t> bits) {
    const std::size_t count = std::size_t{in.u8()} + 1;
    std::array<std::uint64_t, dictionary_max> entries;
    for (std::size_t i = 0; i < count; ++i) entries[i] = in.le<std::uint64_t>();
    decode_ints(in, {reinterpret_cast<std::int64_t*>(bits.data()), bits.size()});
    if (!in.ok()) return;
    for (std::uint64_t& value : bits) {
        if (value >= count) return in.fail();
        value = entries[value];
    }
}

}  // namespace

void encode_doubles(std::span<const std::uint64_t> bits, ByteWriter& out) {
    if (bits.empty()) return;
    if (std::ranges::all_of(bits, [&](std::uint64_t value) { return value == bits[0]; })) {
        out.u8(static_cast<std::uint8_t>(Form::Constant));
        out.le(bits[0]);
        return;
    }
    Bytes best;
    const auto consider = [&best](Bytes& trial) {
        if (!trial.empty() && (best.empty() || trial.size() < best.size())) std::swap(best, trial);
        trial.clear();
    };
    Bytes trial;
    bool decimal = false;
    for (const bool single : {false, true}) {
        const Candidates found = candidates(bits, single);
        if (found.all < 0) continue;
        decimal = encode_decimal(bits, {found.all, single}, trial) || decimal;
        consider(trial);
        if (found.most != found.all) {
            encode_decimal(bits, {found.most, single}, trial);
            consider(trial);
        }
        if (decimal) break;
    }
    // Decimals of few digits are settled; the others have to stand the comparison.
    if (!decimal || best.size() > bits.size() * 3) {
        encode_dictionary(bits, trial);
        consider(trial);
        encode_split(bits, trial);
        consider(trial);
        // Decoding it bit by bit is slow: only where it is a twentieth smaller.
        encode_xor(bits, trial);
        if (trial.size() + trial.size() / 20 < best.size()) consider(trial);
        trial.clear();
        encode_raw(bits, std::ranges::all_of(bits, is_single), trial);
        consider(trial);
    }
    out.bytes(best);
}

void decode_doubles(ByteReader& in, std::span<std::uint64_t> bits) {
    if (bits.empty()) return;
    switch (static_cast<Form>(in.u8())) {
        case Form::Constant: std::ranges::fill(bits, in.le<std::uint64_t>()); return;
        case Form::Decimal: decode_decimal(in, bits); return;
        case Form::Xor: decode_xor(in, bits); return;
        case Form::Raw: {
            const ByteView raw = in.bytes(bits.size() * 8);
            if (in.ok()) std::memcpy(bits.data(), raw.data(), raw.size());
            return;
        }
        case Form::Single:
            for (std::uint64_t& value : bits)
                value =
                    std::bit_cast<std::uint64_t>(static_cast<double>(std::bit_cast<float>(in.le<std::uint32_t>())));
            return;
        case Form::Split: return decode_split(in, bits);
        case Form::Dictionary: return decode_dictionary(in, bits);
    }
    in.fail();
}

}  // namespace lineshaft::store
