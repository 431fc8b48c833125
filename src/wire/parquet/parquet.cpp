#include "wire/parquet/parquet.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>

#include <zstd.h>

#include "base/assert.h"
#include "wire/parquet/pages.h"
#include "wire/parquet/thrift.h"

namespace lineshaft::wire::parquet {
namespace {

using Type = ThriftWriter::Type;

constexpr std::string_view magic = "PAR1";
constexpr int zstd_level = 3;

// Numbers of parquet.thrift.
enum Physical : std::int32_t { Int32 = 1, Int64 = 2, Double = 5, ByteArray = 6 };
enum Encoding : std::int32_t { Plain = 0, Rle = 3, DeltaBinaryPacked = 5, RleDictionary = 8 };
constexpr std::int32_t codec_zstd = 6;
constexpr std::int32_t data_page = 0, dictionary_page = 2;
constexpr std::int32_t converted_utf8 = 0, converted_uint32 = 13, converted_int64 = 18;

Physical physical_of(Kind kind) {
    switch (kind) {
        case Kind::Double: return Physical::Double;
        case Kind::UInt32: return Physical::Int32;
        case Kind::Text: return Physical::ByteArray;
        case Kind::Time:
        case Kind::Int64: break;
    }
    return Physical::Int64;
}

void write_logical_type(ThriftWriter& w, Kind kind) {
    switch (kind) {
        case Kind::Time:
            w.begin_struct(10);
            w.begin_struct(8);
            w.boolean(1, true);  // Adjusted to UTC.
            w.begin_struct(2);
            w.empty_struct(3);  // Nanoseconds.
            w.end_struct();
            w.end_struct();
            return w.end_struct();
        case Kind::Int64: w.i32(6, converted_int64); return;
        case Kind::UInt32:
            w.i32(6, converted_uint32);
            w.begin_struct(10);
            w.begin_struct(10);
            w.i8(1, 32);
            w.boolean(2, false);
            w.end_struct();
            return w.end_struct();
        case Kind::Text:
            w.i32(6, converted_utf8);
            w.begin_struct(10);
            w.empty_struct(1);
            return w.end_struct();
        case Kind::Double: return;
    }
}

Bytes packed(ByteView plain) {
    Bytes out(ZSTD_compressBound(plain.size()));
    const std::size_t size = ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), zstd_level);
    ASSERT(!ZSTD_isError(size));
    out.resize(size);
    return out;
}

/// What the footer says of one column of a group.
struct Chunk {
    std::uint64_t dictionary_offset = 0;  // 0: none.
    std::uint64_t data_offset = 0;
    std::uint64_t packed_bytes = 0, plain_bytes = 0;
    std::array<std::int32_t, 2> encodings{Encoding::Plain, Encoding::Rle};
};

}  // namespace

/// Writes one group: a column after the other, each as dictionary (maybe) and one data page.
class GroupWriter {
public:
    GroupWriter(Bytes& out, std::uint64_t file_bytes) : out_(out), base_(file_bytes - out.size()) {}

    Chunk write(const Cells& cells);
    static void describe(ThriftWriter& w, const Column& column, const Cells& cells, const Chunk& chunk);
    static void clear(Cells& cells) { cells.clear(); }

private:
    std::uint64_t offset() const { return base_ + out_.size(); }
    void page(Chunk& chunk, std::int32_t kind, std::size_t values, Encoding encoding, const Bytes& plain);
    Encoding append_values(Bytes& plain, const Cells& cells, bool by_dictionary);
    static void write_statistics(ThriftWriter& w, const Cells& cells);

    Bytes& out_;
    const std::uint64_t base_;
};

void Cells::add_bits(std::uint64_t bits) {
    ++rows_;
    if (optional_) defined_.push_back(1);
    bits_.push_back(bits);
}

void Cells::add(double value) { add_bits(std::bit_cast<std::uint64_t>(value)); }

void Cells::add(std::string_view text) {
    const auto [at, is_new] = numbers_.try_emplace(std::string(text), static_cast<std::uint32_t>(texts_.size()));
    if (is_new) {
        texts_.push_back(at->first);
        text_bytes_ += text.size() + 64;
    }
    add_bits(at->second);
}

void Cells::add_null() {
    ASSERT(optional_);
    ++rows_;
    ++nulls_;
    defined_.push_back(0);
}

void Cells::clear() {
    rows_ = nulls_ = text_bytes_ = 0;
    defined_.clear();
    bits_.clear();
    texts_.clear();
    numbers_.clear();
}

void GroupWriter::page(Chunk& chunk, std::int32_t kind, std::size_t values, Encoding encoding, const Bytes& plain) {
    const Bytes body = packed(plain);
    const std::size_t begin = out_.size();
    ThriftWriter w(out_);
    w.i32(1, kind);
    w.i32(2, static_cast<std::int32_t>(plain.size()));
    w.i32(3, static_cast<std::int32_t>(body.size()));
    w.begin_struct(kind == data_page ? 5 : 7);
    w.i32(1, static_cast<std::int32_t>(values));
    w.i32(2, encoding);
    if (kind == data_page) {
        w.i32(3, Encoding::Rle);
        w.i32(4, Encoding::Rle);
    }
    w.end_struct();
    w.end_struct();
    const std::size_t head = out_.size() - begin;
    out_.insert(out_.end(), body.begin(), body.end());
    chunk.plain_bytes += head + plain.size();
    chunk.packed_bytes += head + body.size();
}

Encoding GroupWriter::append_values(Bytes& plain, const Cells& cells, bool by_dictionary) {
    ByteWriter writer(plain);
    switch (cells.kind_) {
        case Kind::Time:
        case Kind::Int64: append_deltas(plain, cells.bits_); return Encoding::DeltaBinaryPacked;
        case Kind::Double:
            for (const std::uint64_t bits : cells.bits_) writer.le(bits);
            return Encoding::Plain;
        case Kind::UInt32:
            for (const std::uint64_t bits : cells.bits_) writer.le(static_cast<std::uint32_t>(bits));
            return Encoding::Plain;
        case Kind::Text: break;
    }
    if (by_dictionary) {
        const unsigned width = std::max(1U, bit_width(cells.texts_.size() - 1));
        writer.u8(static_cast<std::uint8_t>(width));
        append_hybrid<std::uint64_t>(plain, cells.bits_, width);
        return Encoding::RleDictionary;
    }
    for (const std::uint64_t index : cells.bits_) {
        const std::string_view text = cells.texts_[index];
        writer.le(static_cast<std::uint32_t>(text.size()));
        writer.text(text);
    }
    return Encoding::Plain;
}

Chunk GroupWriter::write(const Cells& cells) {
    Chunk chunk;
    // Where nearly every text is new a dictionary only costs.
    const bool by_dictionary =
        cells.kind_ == Kind::Text && !cells.texts_.empty() && cells.texts_.size() <= cells.bits_.size() / 2 + 1;
    if (by_dictionary) {
        Bytes plain;
        ByteWriter writer(plain);
        for (const std::string_view text : cells.texts_) {
            writer.le(static_cast<std::uint32_t>(text.size()));
            writer.text(text);
        }
        chunk.dictionary_offset = offset();
        page(chunk, dictionary_page, cells.texts_.size(), Encoding::Plain, plain);
    }
    Bytes plain;
    if (cells.optional_) {
        Bytes levels;
        append_hybrid<std::uint8_t>(levels, cells.defined_, 1);
        ByteWriter(plain).le(static_cast<std::uint32_t>(levels.size()));
        plain.insert(plain.end(), levels.begin(), levels.end());
    }
    const Encoding encoding = append_values(plain, cells, by_dictionary);
    chunk.encodings = {encoding, Encoding::Rle};
    chunk.data_offset = offset();
    page(chunk, data_page, cells.rows_, encoding, plain);
    return chunk;
}

/// Least and greatest value, so that readers pass over groups that hold nothing of a range. Strings that are long and
/// numbers that are not have none.
void GroupWriter::write_statistics(ThriftWriter& w, const Cells& cells) {
    w.begin_struct(12);
    w.i64(3, static_cast<std::int64_t>(cells.nulls_));
    std::string least, greatest;
    const auto keep = [](std::string& into, auto value) {
        into.resize(sizeof value);
        store_le(reinterpret_cast<std::byte*>(into.data()), value);
    };
    if (cells.kind_ == Kind::Double) {
        double low = std::numeric_limits<double>::infinity(), high = -low;
        bool is_plain = !cells.bits_.empty();
        for (const std::uint64_t bits : cells.bits_) {
            const auto value = std::bit_cast<double>(bits);
            is_plain = is_plain && !std::isnan(value);
            low = std::min(low, value);
            high = std::max(high, value);
        }
        if (is_plain) {
            keep(least, low == 0 ? -0.0 : low);
            keep(greatest, high == 0 ? 0.0 : high);
        }
    } else if (cells.kind_ == Kind::Time || cells.kind_ == Kind::Int64) {
        const auto [low, high] = std::ranges::minmax_element(
            cells.bits_, {}, [](std::uint64_t bits) { return static_cast<std::int64_t>(bits); });
        if (!cells.bits_.empty()) {
            keep(least, *low);
            keep(greatest, *high);
        }
    } else if (cells.kind_ == Kind::Text && !cells.texts_.empty() && cells.texts_.size() <= 4096) {
        const auto [low, high] = std::ranges::minmax_element(cells.texts_);
        if (low->size() <= 256 && high->size() <= 256) {
            least = *low;
            greatest = *high;
        }
    }
    if (!least.empty() || !greatest.empty()) {
        w.text(5, greatest);
        w.text(6, least);
    }
    w.end_struct();
}

void GroupWriter::describe(ThriftWriter& w, const Column& column, const Cells& cells, const Chunk& chunk) {
    const auto first = chunk.dictionary_offset ? chunk.dictionary_offset : chunk.data_offset;
    w.begin_element();
    w.i64(2, static_cast<std::int64_t>(first));
    w.begin_struct(3);
    w.i32(1, physical_of(column.kind));
    w.begin_list(2, Type::I32, chunk.dictionary_offset ? 3 : 2);
    for (const std::int32_t encoding : chunk.encodings) w.bare_i32(encoding);
    if (chunk.dictionary_offset) w.bare_i32(Encoding::Plain);
    w.begin_list(3, Type::Binary, 1);
    w.bare_text(column.name);
    w.i32(4, codec_zstd);
    w.i64(5, static_cast<std::int64_t>(cells.rows_));
    w.i64(6, static_cast<std::int64_t>(chunk.plain_bytes));
    w.i64(7, static_cast<std::int64_t>(chunk.packed_bytes));
    w.i64(9, static_cast<std::int64_t>(chunk.data_offset));
    if (chunk.dictionary_offset) w.i64(11, static_cast<std::int64_t>(chunk.dictionary_offset));
    write_statistics(w, cells);
    w.end_struct();
    w.end_struct();
}

Writer::Writer(std::vector<Column> columns, Metadata metadata)
    : columns_(std::move(columns)), metadata_(std::move(metadata)) {
    for (const Column& column : columns_) cells_.emplace_back(column);
}

void Writer::begin(Bytes& out) {
    ByteWriter(out).text(magic);
    file_bytes_ = magic.size();
}

bool Writer::is_full() const {
    std::size_t bytes = 0;
    for (const Cells& cells : cells_) bytes += cells.text_bytes();
    return rows_ >= rows_per_group_max || bytes >= group_bytes_max;
}

void Writer::write_group(Bytes& out) {
    if (rows_ == 0) return;
    const std::size_t begin = out.size();
    GroupWriter group(out, file_bytes_);
    std::vector<Chunk> chunks;
    for (const Cells& cells : cells_) {
        ASSERT(cells.rows() == rows_);
        chunks.push_back(group.write(cells));
    }
    std::uint64_t plain = 0, packed_all = 0;
    ThriftWriter w(groups_);
    w.begin_list(1, Type::Struct, columns_.size());
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        GroupWriter::describe(w, columns_[i], cells_[i], chunks[i]);
        plain += chunks[i].plain_bytes;
        packed_all += chunks[i].packed_bytes;
    }
    w.i64(2, static_cast<std::int64_t>(plain));
    w.i64(3, static_cast<std::int64_t>(rows_));
    w.i64(5, static_cast<std::int64_t>(file_bytes_));
    w.i64(6, static_cast<std::int64_t>(packed_all));
    w.end_struct();

    for (Cells& cells : cells_) GroupWriter::clear(cells);
    file_bytes_ += out.size() - begin;
    rows_written_ += rows_;
    ++group_count_;
    rows_ = 0;
}

void Writer::finish(Bytes& out) {
    write_group(out);
    const std::size_t begin = out.size();
    ThriftWriter w(out);
    w.i32(1, 2);
    w.begin_list(2, Type::Struct, columns_.size() + 1);
    w.begin_element();
    w.text(4, "schema");
    w.i32(5, static_cast<std::int32_t>(columns_.size()));
    w.end_struct();
    for (const Column& column : columns_) {
        w.begin_element();
        w.i32(1, physical_of(column.kind));
        w.i32(3, column.optional ? 1 : 0);
        w.text(4, column.name);
        write_logical_type(w, column.kind);
        w.end_struct();
    }
    w.i64(3, static_cast<std::int64_t>(rows_written_));
    w.begin_list(4, Type::Struct, group_count_);
    w.bare_bytes(groups_);
    w.begin_list(5, Type::Struct, metadata_.size());
    for (const auto& [key, value] : metadata_) {
        w.begin_element();
        w.text(1, key);
        w.text(2, value);
        w.end_struct();
    }
    w.text(6, "Lineshaft");
    w.begin_list(7, Type::Struct, columns_.size());
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        w.begin_element();
        w.empty_struct(1);  // Statistics are in the order of the type.
        w.end_struct();
    }
    w.end_struct();
    const auto footer = static_cast<std::uint32_t>(out.size() - begin);
    ByteWriter writer(out);
    writer.le(footer);
    writer.text(magic);
    file_bytes_ += out.size() - begin;
}

Result<void> Writer::restore(ByteView groups, std::uint64_t group_count, std::uint64_t rows,
                             std::uint64_t file_bytes) {
    // The least a group can take; a list of another length would make a footer that nobody can read.
    if (file_bytes < magic.size() || (group_count == 0) != groups.empty() || groups.size() < group_count * 8)
        return fail(ErrorCode::Corrupt, "what was kept of the Parquet file does not fit together");
    groups_.assign(groups.begin(), groups.end());
    group_count_ = group_count;
    rows_written_ = rows;
    file_bytes_ = file_bytes;
    return {};
}

}  // namespace lineshaft::wire::parquet
