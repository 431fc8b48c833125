#include "wire/parquet/pages.h"

#include <algorithm>
#include <array>
#include <bit>

namespace lineshaft::wire::parquet {
namespace {

constexpr std::size_t block_values = 128;
constexpr std::size_t miniblocks = 4;
constexpr std::size_t miniblock_values = block_values / miniblocks;

std::uint64_t zigzag(std::uint64_t value) { return (value << 1) ^ (0 - (value >> 63)); }

/// Least significant bit first, as all of Parquet's packing.
class BitWriter {
public:
    explicit BitWriter(Bytes& out) : out_(out) {}
    void add(std::uint64_t value, unsigned width) {
        for (unsigned done = 0; done < width;) {
            const unsigned take = std::min(8 - filled_, width - done);
            const std::uint64_t part = (value >> done) & ((1U << take) - 1);
            byte_ = static_cast<std::uint8_t>(byte_ | part << filled_);
            filled_ += take;
            done += take;
            if (filled_ == 8) flush();
        }
    }
    void flush() {
        if (filled_ > 0) out_.push_back(static_cast<std::byte>(byte_));
        byte_ = 0;
        filled_ = 0;
    }

private:
    Bytes& out_;
    std::uint8_t byte_ = 0;
    unsigned filled_ = 0;
};

template <class T>
void append_packed(Bytes& out, std::span<const T> values, unsigned width) {
    const std::size_t groups = (values.size() + 7) / 8;
    ByteWriter(out).varint(groups << 1 | 1);
    BitWriter bits(out);
    for (const T value : values) bits.add(value, width);
    for (std::size_t i = values.size(); i < groups * 8; ++i) bits.add(0, width);
    bits.flush();
}

}  // namespace

unsigned bit_width(std::uint64_t value) { return static_cast<unsigned>(std::bit_width(value)); }

template <class T>
void append_hybrid(Bytes& out, std::span<const T> values, unsigned width) {
    std::size_t runs = 0;
    for (std::size_t i = 0; i < values.size(); ++i) runs += i == 0 || values[i] != values[i - 1];
    const std::size_t value_bytes = (width + 7) / 8;
    // A run costs its head and a value; packed, every value costs its bits.
    if (runs * (2 + value_bytes) > values.size() * width / 8) return append_packed(out, values, width);
    ByteWriter writer(out);
    for (std::size_t i = 0; i < values.size();) {
        std::size_t end = i + 1;
        while (end < values.size() && values[end] == values[i]) ++end;
        writer.varint((end - i) << 1);
        for (std::size_t b = 0; b < value_bytes; ++b)
            writer.u8(static_cast<std::uint8_t>(static_cast<std::uint64_t>(values[i]) >> (8 * b)));
        i = end;
    }
}

template void append_hybrid(Bytes&, std::span<const std::uint8_t>, unsigned);
template void append_hybrid(Bytes&, std::span<const std::uint64_t>, unsigned);

void append_deltas(Bytes& out, std::span<const std::uint64_t> values) {
    ByteWriter writer(out);
    writer.varint(block_values);
    writer.varint(miniblocks);
    writer.varint(values.size());
    writer.varint(values.empty() ? 0 : zigzag(values[0]));
    std::array<std::uint64_t, block_values> deltas{};
    for (std::size_t at = 1; at < values.size(); at += block_values) {
        const std::size_t count = std::min(block_values, values.size() - at);
        auto least = static_cast<std::int64_t>(values[at] - values[at - 1]);
        for (std::size_t i = 0; i < count; ++i) {
            deltas[i] = values[at + i] - values[at + i - 1];  // Modulo 2^64, as the format has it.
            least = std::min(least, static_cast<std::int64_t>(deltas[i]));
        }
        for (std::size_t i = 0; i < count; ++i) deltas[i] -= static_cast<std::uint64_t>(least);
        std::fill(deltas.begin() + static_cast<std::ptrdiff_t>(count), deltas.end(), 0);
        writer.varint(zigzag(static_cast<std::uint64_t>(least)));
        std::array<unsigned, miniblocks> widths{};
        for (std::size_t m = 0; m < miniblocks; ++m) {
            for (std::size_t i = 0; i < miniblock_values; ++i)
                widths[m] = std::max(widths[m], bit_width(deltas[m * miniblock_values + i]));
            writer.u8(static_cast<std::uint8_t>(widths[m]));
        }
        for (std::size_t m = 0; m * miniblock_values < count; ++m) {
            BitWriter bits(out);
            for (std::size_t i = 0; i < miniblock_values; ++i) bits.add(deltas[m * miniblock_values + i], widths[m]);
            bits.flush();
        }
    }
}

}  // namespace lineshaft::wire::parquet
