/// Fuzz: the codecs below a block, as damaged or hostile bytes reach them, and their round trips.
///
/// Strategy: the first byte chooses the codec and whether bytes are decoded or values made of them are encoded, the
///           next two the count. Here no checksum stands before the readers, so every byte counts. Values are made in
///           several ways (raw, narrow, walks, few distinct), because raw ones would never reach most codings.
///
/// Invariants: nothing is read or written outside; no memory is taken that the input does not justify; decode(encode(x))
///             == x with no byte left over; the wide and the scalar loops agree; a block of either effort comes back.
#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "store/internal/block.h"
#include "store/internal/entropy.h"
#include "store/internal/ints.h"
#include "store/internal/lanes.h"
#include "store/internal/values.h"

namespace {

using namespace lineshaft;
using namespace lineshaft::store;

using Ints = std::vector<std::int64_t>;

void decode_any(std::uint8_t codec, std::size_t count, ByteView input) {
    ByteReader in(input);
    Ints numbers(count);
    const std::span bits(reinterpret_cast<std::uint64_t*>(numbers.data()), count);
    if (codec == 0) {
        decode_ints(in, numbers);
    } else if (codec == 1) {
        decode_doubles(in, bits);
    } else if (codec == 2) {
        std::string text = "before";
        decode_strings(in, bits, text);
        if (!in.ok()) return;
        for (const std::uint64_t at : bits) ASSERT((at >> 32) + (at & 0xFFFFFFFF) <= text.size());
    } else {
        std::vector<std::uint8_t> symbols(count);
        decode_symbols(in, symbols);
    }
}

/// Values that resemble what machines send, chosen by the input.
Ints make_values(ByteReader& in, std::size_t count) {
    const std::uint8_t kind = in.u8();
    const auto step = in.le<std::int64_t>();
    Ints values;
    std::int64_t level = in.le<std::int64_t>();
    while (values.size() < count && in.left() > 0) {
        const std::uint8_t byte = in.u8();
        switch (kind % 6) {
            case 0: values.push_back(static_cast<std::int64_t>(in.le<std::uint64_t>())); break;
            case 1: values.push_back(byte); break;
            case 2: values.push_back(level = wrapping_add(level, byte - 128)); break;
            case 3: values.push_back(static_cast<std::int64_t>(byte % 5 * static_cast<std::uint64_t>(step))); break;
            case 4: values.insert(values.end(), 1 + byte % 50, level = wrapping_add(level, byte)); break;
            default:
                values.push_back(std::bit_cast<std::int64_t>(static_cast<double>(byte + (step & 0xFFFF)) / 100));
                break;
        }
    }
    return values;
}

void round_trip(std::uint8_t codec, std::size_t count, ByteView input) {
    ByteReader source(input);
    const Ints values = make_values(source, count);
    Bytes bytes;
    ByteWriter out(bytes);
    Ints back(values.size());
    const std::span in_bits(reinterpret_cast<const std::uint64_t*>(values.data()), values.size());
    const std::span out_bits(reinterpret_cast<std::uint64_t*>(back.data()), back.size());
    if (codec == 0)
        encode_ints(values, out);
    else
        encode_doubles(in_bits, out);
    ByteReader in(bytes);
    if (codec == 0)
        decode_ints(in, back);
    else
        decode_doubles(in, out_bits);
    ASSERT(in.ok() && in.left() == 0 && back == values);
}

void block_round_trip(std::size_t count, ByteView input) {
    ByteReader source(input);
    const Ints values = make_values(source, count);
    if (values.empty()) return;
    Chunk rows;
    std::int64_t time = 1'767'225'600'000'000'000;
    for (const std::int64_t value : values) {
        time += (value & 7) == 0 ? 0 : 1'000'000'000 + (value & 8 ? 1'000'000 : 0);
        rows.source_times.emplace_back(time);
        rows.receive_times.push_back(kept_receive_time(UtcTime(time), UtcTime(time + (value & 0xFFFFFF))));
        rows.types.push_back(count & 1 ? ValueType::Double : ValueType::Int);
        rows.bits.push_back(static_cast<std::uint64_t>(value));
        rows.qualities.emplace_back(value % 97 == 0 ? std::uint32_t{0x80310000} : 0);
    }
    Bytes block;
    encode_block(TagId(5), rows, 0, rows.size(), block, count & 2 ? Effort::Cold : Effort::Usual);
    const auto header = read_block_header(block);
    ASSERT(header && header->rows == rows.size());
    Chunk back;
    ASSERT(decode_block(block, *header, back));
    ASSERT(back.source_times == rows.source_times && back.receive_times == rows.receive_times);
    ASSERT(back.bits == rows.bits && back.qualities == rows.qualities);
    Numbers numbers;
    ASSERT(decode_numbers(block, *header, numbers) && numbers.size() == rows.size());
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const double value = rows.number_at(row);
        ASSERT(numbers.times[row] == rows.source_times[row].ns() && numbers.quality_at(row) == rows.qualities[row]);
        ASSERT(numbers.values[row] == value || (value != value && numbers.values[row] != numbers.values[row]));
    }
}

void compare_lanes(std::size_t count, ByteView input) {
    ByteReader in(input);
    const unsigned width = 1 + in.u8() % 64;
    const auto divisor = in.le<std::uint64_t>();
    const ByteView packed = in.bytes(in.left());
    count = std::min(count, packed.size() * 8 / width);
    Ints wide(count);
    Ints narrow(count);
    const auto run = [&](const Lanes& way, Ints& numbers) {
        way.unpack(packed, width, numbers);
        way.unzigzag(numbers);
        way.sum_up(numbers);
        way.scale(numbers, static_cast<std::int64_t>(divisor), divisor);
        way.add(numbers, 7);
        way.to_doubles({reinterpret_cast<std::uint64_t*>(numbers.data()), count}, 1000, width % 2 == 0);
    };
    run(lanes(), wide);
    run(scalar_lanes, narrow);
    ASSERT(wide == narrow);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    const std::size_t count = (data[1] | std::size_t{data[2]} << 8) % (block_rows + 1);
    const ByteView input = std::as_bytes(std::span(data + 3, size - 3));
    switch (data[0] % 8) {
        case 4: round_trip(0, count, input); break;
        case 5: round_trip(1, count, input); break;
        case 6: block_round_trip(count, input); break;
        case 7: compare_lanes(count, input); break;
        default: decode_any(data[0] % 8, count, input); break;
    }
    return 0;
}
