#include "store/internal/block.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <vector>

#include <zstd.h>

#include "base/assert.h"
#include "store/internal/block_header.h"
#include "store/internal/ints.h"
#include "store/internal/lanes.h"
#include "store/internal/values.h"

namespace lineshaft::store {
namespace {

constexpr std::size_t prefix_bytes = 4 + 4 + 2;
constexpr std::int64_t ns_per_ms = 1'000'000;
constexpr int cold_level = 9;
// Columns of as many rows as there may be, none of them shorter for being packed, and their texts.
constexpr std::size_t body_bytes_max = block_rows_max * 64 + 4 * block_text_bytes_max;

using Ints = std::vector<std::int64_t>;

std::int64_t floor_ms(UtcTime time) { return time.ns() / ns_per_ms - (time.ns() % ns_per_ms < 0 ? 1 : 0); }

/// Whole milliseconds after `since`; 0 is kept for rows whose receive time is their source time.
std::int64_t encode_receive(UtcTime source, UtcTime receive, std::int64_t since_ms) {
    if (source == receive) return 0;
    return static_cast<std::int64_t>(1 + zigzag(floor_ms(receive) - since_ms));
}

UtcTime decode_receive(UtcTime source, std::int64_t code, std::int64_t since_ms) {
    if (code == 0) return source;
    const std::int64_t ms = wrapping_add(since_ms, unzigzag(static_cast<std::uint64_t>(code) - 1));
    return UtcTime(static_cast<std::int64_t>(static_cast<std::uint64_t>(ms) * ns_per_ms));
}

/// Rows [first, first + count) of a chunk.
struct Rows {
    const Chunk& chunk;
    std::size_t first;
    std::size_t count;
    std::span<const UtcTime> times() const { return std::span(chunk.source_times).subspan(first, count); }
    std::span<const UtcTime> receives() const { return std::span(chunk.receive_times).subspan(first, count); }
    std::span<const ValueType> types() const { return std::span(chunk.types).subspan(first, count); }
    std::span<const std::uint64_t> bits() const { return std::span(chunk.bits).subspan(first, count); }
    std::span<const Quality> qualities() const { return std::span(chunk.qualities).subspan(first, count); }
};

/// Adds at least one value, none of them NaN; counts and times are the caller's.
void add_values(Bucket& bucket, std::span<const double> values) {
    Totals totals;
    lanes().add_up(values, totals);
    if (bucket.usable == 0) {
        bucket.min = totals.least;
        bucket.max = totals.most;
        bucket.first = values.front();
    } else {
        if (totals.least < bucket.min) bucket.min = totals.least;
        if (totals.most > bucket.max) bucket.max = totals.most;
    }
    bucket.last = values.back();
    bucket.usable += values.size();
    bucket.sum.add(totals.sum);
}

Bucket statistics(const Rows& rows, ValueType type, bool mixed) {
    Bucket stats;
    const auto times = rows.times();
    std::vector<double> values(rows.count);
    std::memcpy(values.data(), rows.bits().data(), rows.count * sizeof(double));
    const bool plain = type == ValueType::Double && !mixed &&
                       std::ranges::all_of(rows.qualities(), [](Quality quality) { return quality.code() == 0; }) &&
                       std::ranges::adjacent_find(times) == times.end() &&
                       std::ranges::none_of(values, [](double value) { return value != value; });
    if (plain) {
        stats.first_time = times.front();
        stats.last_time = times.back();
        stats.count = stats.good = rows.count;
        add_values(stats, values);
        return stats;
    }
    for (std::size_t i = 0; i < rows.count; ++i) {
        if (i + 1 < rows.count && times[i + 1] == times[i]) continue;
        add_basic(stats, times[i], rows.chunk.number_at(rows.first + i), rows.qualities()[i]);
    }
    return stats;
}

/// The coarsest unit that all times are whole numbers of.
std::uint8_t unit_of(std::span<const UtcTime> times) {
    std::uint64_t divisor = 0;
    std::uint64_t step = 0;
    const auto first = static_cast<std::uint64_t>(times.front().ns());
    const std::uint64_t size = times.front().ns() < 0 ? 0 - first : first;
    divisor = std::gcd(size, std::uint64_t{1'000'000'000});
    for (std::size_t i = 1; i < times.size() && divisor > 1; ++i) {
        const auto now = static_cast<std::uint64_t>(times[i].ns()) - static_cast<std::uint64_t>(times[i - 1].ns());
        if (now == step) continue;
        step = now;
        if (now % divisor != 0) divisor = std::gcd(divisor, now);
    }
    return divisor % 1'000'000'000 == 0 ? 3 : divisor % 1'000'000 == 0 ? 2 : divisor % 1'000 == 0 ? 1 : 0;
}

void write_column(ValueType type, std::span<const std::uint64_t> bits, std::string_view text, ByteWriter& out) {
    switch (type) {
        case ValueType::Bool:
        case ValueType::Int:
            return encode_ints({reinterpret_cast<const std::int64_t*>(bits.data()), bits.size()}, out);
        case ValueType::Double: return encode_doubles(bits, out);
        case ValueType::String: return encode_strings(bits, text, out);
    }
}

void read_column(ByteReader& in, ValueType type, std::span<std::uint64_t> bits, std::string& text) {
    switch (type) {
        case ValueType::Bool:
            decode_ints(in, {reinterpret_cast<std::int64_t*>(bits.data()), bits.size()});
            if (std::ranges::any_of(bits, [](std::uint64_t bit) { return bit > 1; })) in.fail();
            return;
        case ValueType::Int: return decode_ints(in, {reinterpret_cast<std::int64_t*>(bits.data()), bits.size()});
        case ValueType::Double: return decode_doubles(in, bits);
        case ValueType::String: return decode_strings(in, bits, text);
    }
    in.fail();
}

constexpr std::array all_types = {ValueType::Bool, ValueType::Int, ValueType::Double, ValueType::String};

void write_values(const BlockHeader& header, const Rows& rows, ByteWriter& out) {
    if (header.flags & flag_uniform) return;
    if (!header.mixed) return write_column(header.type, rows.bits(), rows.chunk.text, out);
    for (const ValueType type : all_types) {
        std::vector<std::uint64_t> part;
        for (std::size_t i = 0; i < rows.count; ++i) {
            if (rows.types()[i] == type) part.push_back(rows.bits()[i]);
        }
        write_column(type, part, rows.chunk.text, out);
    }
}

void write_times(const BlockHeader& header, const Rows& rows, Ints& numbers, ByteWriter& out) {
    const auto first = static_cast<std::uint64_t>(header.first_time.ns());
    const auto write = [&](auto unit) {
        for (std::size_t i = 0; i < rows.count; ++i)
            numbers[i] = static_cast<std::int64_t>((static_cast<std::uint64_t>(rows.times()[i].ns()) - first) / unit);
    };
    // Constants, so that no division is left.
    switch (header.unit) {
        case 3: write(std::uint64_t{1'000'000'000}); break;
        case 2: write(std::uint64_t{1'000'000}); break;
        case 1: write(std::uint64_t{1'000}); break;
        default: write(std::uint64_t{1}); break;
    }
    encode_ints(numbers, out);
}

/// Milliseconds after each row's source time, or after the first's where that is shorter: a source that sends at once is
/// a constant delay, many rows received together are a run.
void write_receives(BlockHeader& header, const Rows& rows, Ints& numbers, ByteWriter& out) {
    std::size_t receptions = 0;
    std::size_t delays = 0;
    std::int64_t delay = 0;
    for (std::size_t i = 1; i < rows.count; ++i) {
        receptions += rows.receives()[i] != rows.receives()[i - 1];
        const std::int64_t now = wrapping_sub(rows.receives()[i].ns(), rows.times()[i].ns());
        delays += now != delay;
        delay = now;
    }
    const std::int64_t first_ms = floor_ms(header.first_time);
    const auto write = [&](bool received_at, ByteWriter& to) {
        for (std::size_t i = 0; i < rows.count; ++i) {
            const UtcTime source = rows.times()[i];
            numbers[i] = encode_receive(source, rows.receives()[i], received_at ? first_ms : floor_ms(source));
        }
        encode_ints(numbers, to);
    };
    constexpr std::size_t clearly = 8;  // So many times fewer changes: the other need not be tried.
    const bool may_be_delays = delays < receptions * clearly || delays == 0;
    const bool may_be_received_at = receptions < delays * clearly;
    if (!may_be_received_at) return write(false, out);
    if (!may_be_delays) {
        header.flags |= flag_received_at;
        return write(true, out);
    }
    Bytes as_delays;
    Bytes as_received_at;
    ByteWriter delays_out(as_delays);
    ByteWriter received_at_out(as_received_at);
    write(false, delays_out);
    write(true, received_at_out);
    if (as_received_at.size() < as_delays.size()) header.flags |= flag_received_at;
    out.bytes(as_received_at.size() < as_delays.size() ? as_received_at : as_delays);
}

void write_body(BlockHeader& header, const Rows& rows, Bytes& into) {
    ByteWriter out(into);
    Ints numbers(rows.count);
    if (header.mixed) {
        std::ranges::transform(rows.types(), numbers.begin(),
                               [](ValueType type) { return static_cast<std::int64_t>(type); });
        encode_ints(numbers, out);
    }
    write_times(header, rows, numbers, out);
    std::ranges::transform(rows.qualities(), numbers.begin(),
                           [](Quality quality) { return static_cast<std::int64_t>(quality.code()); });
    encode_ints(numbers, out);
    write_values(header, rows, out);
    write_receives(header, rows, numbers, out);
}

/// zstd over the columns where it is smaller.
void pack_cold(BlockHeader& header, Bytes& body) {
    Bytes packed(ZSTD_compressBound(body.size()));
    const std::size_t bytes = ZSTD_compress(packed.data(), packed.size(), body.data(), body.size(), cold_level);
    if (ZSTD_isError(bytes) || bytes + 4 >= body.size()) return;
    header.flags |= flag_packed;
    Bytes whole;
    ByteWriter out(whole);
    out.varint(body.size());
    out.bytes(ByteView(packed).first(bytes));
    body = std::move(whole);
}

/// The columns: the body itself, or what its zstd frame holds. Empty when it is no such frame.
ByteView columns_of(ByteView body, const BlockHeader& header, Bytes& unpacked) {
    if (!(header.flags & flag_packed) || !(header.flags & flag_version_2)) return body;
    ByteReader in(body);
    const std::uint64_t bytes = in.varint();
    const ByteView frame = in.bytes(in.left());
    if (!in.ok() || bytes > body_bytes_max || ZSTD_getFrameContentSize(frame.data(), frame.size()) != bytes)
        return {};
    unpacked.resize(bytes);
    const std::size_t got = ZSTD_decompress(unpacked.data(), unpacked.size(), frame.data(), frame.size());
    if (ZSTD_isError(got) || got != bytes) return {};
    return unpacked;
}

void read_types(ByteReader& in, const BlockHeader& header, Ints& numbers, Chunk& into) {
    if (!header.mixed) {
        into.types.assign(header.rows, header.type);
        return;
    }
    decode_ints(in, numbers);
    into.types.resize(header.rows);
    for (std::size_t i = 0; i < header.rows && in.ok(); ++i) {
        if (numbers[i] < 1 || numbers[i] > 4) return in.fail();
        into.types[i] = static_cast<ValueType>(numbers[i]);
    }
}

void read_values(ByteReader& in, const BlockHeader& header, Chunk& into) {
    if (!in.ok()) return;
    if (header.flags & flag_uniform)
        return into.bits.assign(header.rows, std::bit_cast<std::uint64_t>(header.stats.min));
    into.bits.resize(header.rows);
    if (!header.mixed) return read_column(in, header.type, into.bits, into.text);
    for (const ValueType type : all_types) {
        std::vector<std::uint64_t> part(static_cast<std::size_t>(std::ranges::count(into.types, type)));
        if (part.empty()) continue;
        read_column(in, type, part, into.text);
        std::size_t taken = 0;
        for (std::size_t i = 0; i < header.rows; ++i) {
            if (into.types[i] == type) into.bits[i] = part[taken++];
        }
    }
}

/// Source times in ns; they do not fall and begin and end as the header says.
void read_times(ByteReader& in, const BlockHeader& header, std::span<std::int64_t> numbers) {
    if (header.flags & flag_version_2)
        decode_ints(in, numbers, header.first_time.ns(), static_cast<std::uint64_t>(ns_of_unit(header.unit)));
    else
        decode_ints(in, numbers);
    if (!in.ok()) return;
    bool falls = numbers.front() != header.first_time.ns() || numbers.back() != header.last_time.ns();
    for (std::size_t i = 1; i < numbers.size(); ++i) falls |= numbers[i] < numbers[i - 1];
    if (falls) in.fail();
}

void read_receives(ByteReader& in, const BlockHeader& header, Ints& numbers, Chunk& into) {
    decode_ints(in, numbers);
    if (!in.ok()) return;
    into.receive_times.resize(header.rows);
    const bool received_at = (header.flags & flag_received_at) != 0;
    const std::int64_t first_ms = floor_ms(header.first_time);
    for (std::size_t i = 0; i < header.rows; ++i) {
        const UtcTime source = into.source_times[i];
        into.receive_times[i] = decode_receive(source, numbers[i], received_at ? first_ms : floor_ms(source));
    }
}

void read_qualities(ByteReader& in, const BlockHeader& header, Ints& numbers, Chunk& into) {
    decode_ints(in, numbers);
    into.qualities.resize(header.rows);
    for (std::size_t i = 0; i < header.rows; ++i) into.qualities[i] = Quality(static_cast<std::uint32_t>(numbers[i]));
}

std::unexpected<Error> corrupt(const char* what) { return fail(ErrorCode::Corrupt, what); }

Result<ByteView> checked_body(ByteView block, const BlockHeader& header) {
    ASSERT(header.body_offset + header.body_bytes <= block.size());
    const ByteView body = block.subspan(header.body_offset, header.body_bytes);
    if (crc32c(body) != load_le<std::uint32_t>(block.data() + 4)) return corrupt("the block fails its checksum");
    return body;
}

constexpr const char* not_the_format = "the block's columns do not follow the format";

}  // namespace

BlockHeader encode_block(TagId tag, const Chunk& chunk, std::size_t first, std::size_t count, Bytes& into,
                         Effort effort) {
    ASSERT(count > 0 && count <= block_rows_max && first + count <= chunk.size());
    const Rows rows{chunk, first, count};
    BlockHeader header;
    header.tag = tag;
    header.rows = static_cast<std::uint32_t>(count);
    header.type = rows.types()[0];
    header.mixed = std::ranges::any_of(rows.types(), [&](ValueType type) { return type != header.type; });
    header.first_time = rows.times().front();
    header.last_time = rows.times().back();
    header.unit = unit_of(rows.times());
    header.stats = statistics(rows, header.type, header.mixed);
    const auto is_first = [&](std::uint64_t bits) { return bits == rows.bits()[0]; };
    if (header.type == ValueType::Double && !header.mixed && is_constant(header.stats) &&
        is_first(std::bit_cast<std::uint64_t>(header.stats.min)) && std::ranges::all_of(rows.bits(), is_first))
        header.flags |= flag_uniform;

    Bytes body;
    body.reserve(count * 4);
    write_body(header, rows, body);
    if (effort == Effort::Cold) pack_cold(header, body);
    header.body_bytes = body.size();
    Bytes head;
    ByteWriter head_out(head);
    head_out.le(std::uint16_t{0});
    write_block_header(header, head_out);
    store_le(head.data(), static_cast<std::uint16_t>(head.size() - 2));
    header.body_offset = 8 + head.size();

    ByteWriter out(into);
    out.le(crc32c(head));
    out.le(crc32c(body));
    out.bytes(head);
    out.bytes(body);
    return header;
}

Result<BlockHeader> read_block_header(ByteView block) {
    if (block.size() < prefix_bytes) return corrupt("the block ends within its header");
    const std::size_t header_bytes = load_le<std::uint16_t>(block.data() + 8);
    if (header_bytes > block.size() - prefix_bytes) return corrupt("the block ends within its header");
    if (crc32c(block.subspan(8, 2 + header_bytes)) != load_le<std::uint32_t>(block.data()))
        return corrupt("the block's header fails its checksum");
    ByteReader in(block.subspan(prefix_bytes, header_bytes));
    BlockHeader header = read_block_header(in);
    header.body_offset = prefix_bytes + header_bytes;
    if (!in.ok() || in.left() != 0 || header.body_bytes > block.size() - header.body_offset)
        return corrupt("the block's header is not one");
    return header;
}

Result<void> decode_block(ByteView block, const BlockHeader& header, Chunk& into) {
    into.clear();
    const ByteView body = TRY(checked_body(block, header));
    Bytes unpacked;
    ByteReader in(columns_of(body, header, unpacked));
    Ints numbers(header.rows);
    read_types(in, header, numbers, into);
    if (in.ok()) read_times(in, header, numbers);
    into.source_times.resize(header.rows);
    for (std::size_t i = 0; i < header.rows; ++i) into.source_times[i] = UtcTime(numbers[i]);
    const bool second = (header.flags & flag_version_2) != 0;
    if (!second && in.ok()) read_receives(in, header, numbers, into);
    if (in.ok()) read_qualities(in, header, numbers, into);
    read_values(in, header, into);
    if (second && in.ok()) read_receives(in, header, numbers, into);
    if (!in.ok() || in.left() != 0) {
        into.clear();
        return corrupt(not_the_format);
    }
    return {};
}

Result<void> decode_numbers(ByteView block, const BlockHeader& header, Numbers& into) {
    const std::size_t count = header.rows;
    into.times.resize(count);
    into.values.resize(count);
    into.qualities.clear();
    const bool numeric = !header.mixed && header.type != ValueType::String;
    if (!numeric || !(header.flags & flag_version_2)) {
        Chunk rows;
        TRY_VOID(decode_block(block, header, rows));
        for (std::size_t i = 0; i < count; ++i) {
            into.times[i] = rows.source_times[i].ns();
            into.values[i] = rows.number_at(i);
        }
        into.qualities = std::move(rows.qualities);
        return {};
    }
    const ByteView body = TRY(checked_body(block, header));
    Bytes unpacked;
    ByteReader in(columns_of(body, header, unpacked));
    read_times(in, header, into.times);
    const std::span bits(reinterpret_cast<std::uint64_t*>(into.values.data()), count);
    const std::span numbers(reinterpret_cast<std::int64_t*>(into.values.data()), count);
    const auto same = decode_same(in);
    if (!same) decode_ints(in, numbers);
    if (!same || *same != 0) {
        into.qualities.resize(count);
        for (std::size_t i = 0; i < count; ++i)
            into.qualities[i] = Quality(static_cast<std::uint32_t>(same ? *same : numbers[i]));
    }
    if (header.flags & flag_uniform) {
        std::ranges::fill(into.values, header.stats.min);
    } else if (in.ok()) {
        std::string no_text;
        read_column(in, header.type, bits, no_text);
        if (header.type != ValueType::Double) lanes().to_doubles(bits, 1, false);
    }
    if (!in.ok()) return corrupt(not_the_format);
    return {};
}

void add_numbers(Bucket& bucket, const NumbersView& rows) {
    if (rows.empty()) return;
    bool is_plain = true;  // Without an early end: several at a time.
    for (const double value : rows.values) is_plain &= value == value;
    for (const Quality quality : rows.qualities) is_plain &= quality.code() == 0;
    if (!is_plain) {
        for (std::size_t row = 0; row < rows.size(); ++row)
            add_basic(bucket, UtcTime(rows.times[row]), rows.values[row], rows.quality_at(row));
        return;
    }
    if (bucket.count == 0) bucket.first_time = UtcTime(rows.times.front());
    bucket.last_time = UtcTime(rows.times.back());
    bucket.count += rows.size();
    bucket.good += rows.size();
    add_values(bucket, rows.values);
}

}  // namespace lineshaft::store
