#include "store/internal/block.h"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "base/assert.h"
#include "store/internal/ints.h"
#include "store/internal/values.h"

namespace lineshaft::store {
namespace {

constexpr std::uint8_t flag_repeats = 1;
constexpr std::uint8_t flag_unusable = 2;
constexpr std::uint8_t flag_quality = 4;
constexpr std::uint8_t flag_constant = 8;
constexpr std::uint8_t flags_known = 15;
constexpr std::uint8_t type_mixed = 0;
constexpr std::size_t prefix_bytes = 4 + 4 + 2;
constexpr std::int64_t ns_per_ms = 1'000'000;

using Ints = std::vector<std::int64_t>;

std::int64_t floor_ms(UtcTime time) { return time.ns() / ns_per_ms - (time.ns() % ns_per_ms < 0 ? 1 : 0); }

std::int64_t encode_receive(UtcTime source, UtcTime receive) {
    if (source == receive) return 0;
    return static_cast<std::int64_t>(1 + zigzag(floor_ms(receive) - floor_ms(source)));
}

UtcTime decode_receive(UtcTime source, std::int64_t code) {
    if (code == 0) return source;
    const std::int64_t ms = wrapping_add(floor_ms(source), unzigzag(static_cast<std::uint64_t>(code) - 1));
    return UtcTime(static_cast<std::int64_t>(static_cast<std::uint64_t>(ms) * ns_per_ms));
}

Bucket statistics(const Chunk& rows, std::size_t first, std::size_t count) {
    Bucket stats;
    for (std::size_t row = first; row < first + count; ++row) {
        if (row + 1 < first + count && rows.source_times[row + 1] == rows.source_times[row]) continue;
        add_basic(stats, rows.source_times[row], rows.number_at(row), rows.qualities[row]);
    }
    return stats;
}

void write_header(const BlockHeader& header, Bytes& into) {
    const Bucket& stats = header.stats;
    const bool quality = stats.worst.code() != 0;
    const auto is_min = [&stats](double value) {
        return std::bit_cast<std::uint64_t>(value) == std::bit_cast<std::uint64_t>(stats.min);
    };
    const bool constant = stats.usable > 0 && is_min(stats.max) && is_min(stats.first) && is_min(stats.last) &&
                          stats.sum.value() == stats.min * static_cast<double>(stats.usable);
    ByteWriter out(into);
    out.u8(static_cast<std::uint8_t>((stats.count != header.rows ? flag_repeats : 0) |
                                     (stats.usable != stats.count ? flag_unusable : 0) |
                                     (quality ? flag_quality : 0) | (constant ? flag_constant : 0)));
    out.u8(header.mixed ? type_mixed : static_cast<std::uint8_t>(header.type));
    out.varint(header.tag.value());
    out.varint(header.body_bytes);
    out.varint(header.rows);
    out.le(header.first_time.ns());
    out.varint(static_cast<std::uint64_t>(wrapping_sub(header.last_time.ns(), header.first_time.ns())));
    if (stats.count != header.rows) out.varint(header.rows - stats.count);
    if (stats.usable != stats.count) out.varint(stats.count - stats.usable);
    if (quality) {
        out.varint(stats.count - stats.good);
        out.varint(stats.uncertain);
        out.le(stats.worst.code());
    }
    if (stats.usable == 0) return;
    if (constant) return out.le(stats.min);
    for (const double value : {stats.min, stats.max, stats.first, stats.last, stats.sum.value()}) out.le(value);
}

void read_statistics(ByteReader& in, std::uint8_t flags, BlockHeader& header) {
    Bucket& stats = header.stats;
    const std::uint64_t repeats = flags & flag_repeats ? in.varint() : 0;
    if (repeats >= header.rows) return in.fail();
    stats.count = header.rows - repeats;
    const std::uint64_t unusable = flags & flag_unusable ? in.varint() : 0;
    if (unusable > stats.count) return in.fail();
    stats.usable = stats.count - unusable;
    stats.good = stats.count;
    if (flags & flag_quality) {
        const std::uint64_t not_good = in.varint();
        stats.uncertain = in.varint();
        stats.worst = Quality(in.le<std::uint32_t>());
        if (not_good > stats.count || stats.uncertain > not_good) return in.fail();
        stats.good = stats.count - not_good;
    }
    if (stats.usable == 0) return;
    if (flags & flag_constant) {
        stats.min = stats.max = stats.first = stats.last = in.le<double>();
        stats.sum.add_product(stats.min, static_cast<double>(stats.usable));
        return;
    }
    for (double* value : {&stats.min, &stats.max, &stats.first, &stats.last, &stats.sum.hi}) *value = in.le<double>();
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

void write_body(const BlockHeader& header, const Chunk& rows, std::size_t first, Bytes& into) {
    ByteWriter out(into);
    const std::size_t count = header.rows;
    const auto types = std::span(rows.types).subspan(first, count);
    const auto bits = std::span(rows.bits).subspan(first, count);
    Ints numbers(count);
    const auto write = [&](auto number_of) {
        for (std::size_t i = 0; i < count; ++i) numbers[i] = number_of(first + i);
        encode_ints(numbers, out);
    };
    if (header.mixed) write([&](std::size_t row) { return static_cast<std::int64_t>(rows.types[row]); });
    write([&](std::size_t row) { return rows.source_times[row].ns(); });
    write([&](std::size_t row) { return encode_receive(rows.source_times[row], rows.receive_times[row]); });
    write([&](std::size_t row) { return static_cast<std::int64_t>(rows.qualities[row].code()); });
    if (!header.mixed) return write_column(header.type, bits, rows.text, out);
    for (const ValueType type : all_types) {
        std::vector<std::uint64_t> part;
        for (std::size_t i = 0; i < count; ++i) {
            if (types[i] == type) part.push_back(bits[i]);
        }
        write_column(type, part, rows.text, out);
    }
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

void read_times(ByteReader& in, const BlockHeader& header, Ints& numbers, Chunk& into) {
    const std::size_t count = header.rows;
    into.source_times.resize(count);
    into.receive_times.resize(count);
    decode_ints(in, numbers);
    if (!in.ok() || numbers.front() != header.first_time.ns() || numbers.back() != header.last_time.ns())
        return in.fail();
    bool falls = false;
    for (std::size_t i = 0; i < count; ++i) {
        into.source_times[i] = UtcTime(numbers[i]);
        falls |= i > 0 && numbers[i] < numbers[i - 1];
    }
    if (falls) return in.fail();
    decode_ints(in, numbers);
    for (std::size_t i = 0; i < count; ++i) into.receive_times[i] = decode_receive(into.source_times[i], numbers[i]);
}

std::unexpected<Error> corrupt(const char* what) { return fail(ErrorCode::Corrupt, what); }

}  // namespace

BlockHeader encode_block(TagId tag, const Chunk& rows, std::size_t first, std::size_t count, Bytes& into) {
    ASSERT(count > 0 && count <= block_rows_max && first + count <= rows.size());
    BlockHeader header;
    header.tag = tag;
    header.rows = static_cast<std::uint32_t>(count);
    header.type = rows.types[first];
    const auto types = std::span(rows.types).subspan(first, count);
    header.mixed = std::ranges::any_of(types, [&](ValueType type) { return type != header.type; });
    header.first_time = rows.source_times[first];
    header.last_time = rows.source_times[first + count - 1];
    header.stats = statistics(rows, first, count);

    Bytes body;
    body.reserve(count * 4);
    write_body(header, rows, first, body);
    header.body_bytes = body.size();
    Bytes head;
    ByteWriter(head).le(std::uint16_t{0});
    write_header(header, head);
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
    BlockHeader header;
    const std::uint8_t flags = in.u8();
    const std::uint8_t type = in.u8();
    header.tag = TagId(in.varint());
    header.body_bytes = in.varint();
    const std::uint64_t rows = in.varint();
    header.first_time = UtcTime(in.le<std::int64_t>());
    header.last_time =
        UtcTime(static_cast<std::int64_t>(static_cast<std::uint64_t>(header.first_time.ns()) + in.varint()));
    header.body_offset = prefix_bytes + header_bytes;
    if (!in.ok() || rows == 0 || rows > block_rows_max || type > 4 || (flags & ~flags_known) != 0 ||
        header.last_time < header.first_time || header.body_bytes > block.size() - header.body_offset)
        return corrupt("the block's header is not one");
    header.rows = static_cast<std::uint32_t>(rows);
    header.mixed = type == type_mixed;
    header.type = header.mixed ? ValueType::Double : static_cast<ValueType>(type);
    header.stats.first_time = header.first_time;
    header.stats.last_time = header.last_time;
    read_statistics(in, flags, header);
    if (!in.ok() || in.left() != 0) return corrupt("the block's statistics are not as its flags say");
    return header;
}

Result<void> decode_block(ByteView block, const BlockHeader& header, Chunk& into) {
    ASSERT(header.body_offset + header.body_bytes <= block.size());
    const ByteView body = block.subspan(header.body_offset, header.body_bytes);
    if (crc32c(body) != load_le<std::uint32_t>(block.data() + 4)) return corrupt("the block fails its checksum");
    into.clear();
    ByteReader in(body);
    Ints numbers(header.rows);
    read_types(in, header, numbers, into);
    if (in.ok()) read_times(in, header, numbers, into);
    decode_ints(in, numbers);
    into.qualities.resize(header.rows);
    for (std::size_t i = 0; i < header.rows; ++i) into.qualities[i] = Quality(static_cast<std::uint32_t>(numbers[i]));
    if (in.ok()) read_values(in, header, into);
    if (!in.ok() || in.left() != 0) {
        into.clear();
        return corrupt("the block's columns do not follow the format");
    }
    return {};
}

}  // namespace lineshaft::store
