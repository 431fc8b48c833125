#include "wire/parquet/parquet.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "wire/parquet/pages.h"

namespace lineshaft::wire::parquet {
namespace {

/// What a reader does with a hybrid of runs and packed bits.
std::vector<std::uint64_t> read_hybrid(ByteView bytes, unsigned width, std::size_t count) {
    std::vector<std::uint64_t> values;
    ByteReader reader(bytes);
    const std::size_t value_bytes = (width + 7) / 8;
    while (values.size() < count && reader.ok()) {
        const std::uint64_t head = reader.varint();
        if (head & 1) {
            const ByteView packed = reader.bytes((head >> 1) * width);
            for (std::size_t i = 0; i < (head >> 1) * 8; ++i) {
                std::uint64_t value = 0;
                for (unsigned b = 0; b < width; ++b) {
                    const std::size_t bit = i * width + b;
                    value |= static_cast<std::uint64_t>(static_cast<unsigned>(packed[bit / 8]) >> (bit % 8) & 1) << b;
                }
                values.push_back(value);
            }
        } else {
            std::uint64_t value = 0;
            for (std::size_t b = 0; b < value_bytes; ++b) value |= static_cast<std::uint64_t>(reader.u8()) << (8 * b);
            values.insert(values.end(), head >> 1, value);
        }
    }
    EXPECT_TRUE(reader.ok());
    values.resize(count);
    return values;
}

std::uint64_t unzigzag(std::uint64_t value) { return (value >> 1) ^ (0 - (value & 1)); }

std::vector<std::uint64_t> read_deltas(ByteView bytes) {
    ByteReader reader(bytes);
    EXPECT_EQ(reader.varint(), 128u);
    EXPECT_EQ(reader.varint(), 4u);
    const std::size_t count = reader.varint();
    std::uint64_t value = unzigzag(reader.varint());
    std::vector<std::uint64_t> values;
    if (count > 0) values.push_back(value);
    while (values.size() < count) {
        const std::uint64_t least = unzigzag(reader.varint());
        const ByteView widths = reader.bytes(4);
        for (std::size_t m = 0; m < 4 && values.size() < count; ++m) {
            const auto width = static_cast<unsigned>(widths[m]);
            const ByteView packed = reader.bytes(width * 4);
            for (std::size_t i = 0; i < 32 && values.size() < count; ++i) {
                std::uint64_t delta = 0;
                for (unsigned b = 0; b < width; ++b) {
                    const std::size_t bit = i * width + b;
                    delta |= static_cast<std::uint64_t>(static_cast<unsigned>(packed[bit / 8]) >> (bit % 8) & 1) << b;
                }
                value += delta + least;
                values.push_back(value);
            }
        }
    }
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(reader.left(), 0u);
    return values;
}

TEST(ParquetPagesTest, RunsAndPackedBitsComeBack) {
    std::mt19937_64 random(7);
    for (const unsigned width : {1U, 2U, 5U, 8U, 11U, 17U}) {
        for (const std::size_t run : {1, 3, 50}) {
            std::vector<std::uint64_t> values;
            while (values.size() < 777) values.insert(values.end(), run, random() & ((1ULL << width) - 1));
            Bytes out;
            append_hybrid<std::uint64_t>(out, values, width);
            EXPECT_EQ(read_hybrid(out, width, values.size()), values) << width << " " << run;
        }
    }
}

TEST(ParquetPagesTest, RepeatsAreRuns) {
    const std::vector<std::uint8_t> ones(100'000, 1);
    Bytes out;
    append_hybrid<std::uint8_t>(out, ones, 1);
    EXPECT_LE(out.size(), 4u);
}

TEST(ParquetPagesTest, DeltasComeBackAlsoAcrossTheWholeRange) {
    std::mt19937_64 random(7);
    for (const std::size_t count : {0, 1, 2, 33, 129, 1000}) {
        std::vector<std::uint64_t> regular, wild;
        for (std::size_t i = 0; i < count; ++i) {
            regular.push_back(1'700'000'000'000'000'000 + i * 1'000'000'000);
            wild.push_back(random());
        }
        for (const auto& values : {regular, wild}) {
            Bytes out;
            append_deltas(out, values);
            EXPECT_EQ(read_deltas(out), values) << count;
        }
        if (count > 100) {
            Bytes out;
            append_deltas(out, regular);
            EXPECT_LT(out.size(), count / 4);  // A steady clock costs nearly nothing.
        }
    }
}

const std::vector<Column> columns = {{"time", Kind::Time},          {"tag", Kind::Text},
                                     {"value", Kind::Double, true}, {"value_int", Kind::Int64, true},
                                     {"code", Kind::UInt32},        {"text", Kind::Text, true}};

void add_rows(Writer& writer, std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i) {
        writer.column(0).add(UtcTime(static_cast<std::int64_t>(i) * 1'000'000'007));
        writer.column(1).add(fmt::format("Line/{}", i / 500));
        i % 3 == 0 ? writer.column(2).add_null() : writer.column(2).add(static_cast<double>(i) / 8);
        i % 3 == 0 ? writer.column(3).add_int(static_cast<std::int64_t>(i) - 50) : writer.column(3).add_null();
        writer.column(4).add_uint(i % 10 ? 0 : 0x80310000);
        i % 7 ? writer.column(5).add_null() : writer.column(5).add(fmt::format("text {} ü", i));
        writer.end_row();
    }
}

TEST(ParquetWriterTest, TheFrameIsWhereReadersLookForIt) {
    Writer writer(columns, {{"source", "a test"}});
    Bytes out;
    writer.begin(out);
    add_rows(writer, 0, 1000);
    writer.finish(out);
    EXPECT_EQ(as_text(out).substr(0, 4), "PAR1");
    EXPECT_EQ(as_text(out).substr(out.size() - 4), "PAR1");
    const auto footer = load_le<std::uint32_t>(out.data() + out.size() - 8);
    ASSERT_LT(footer + 12, out.size());
    const std::string_view text = as_text(out).substr(out.size() - 8 - footer, footer);
    for (const Column& column : columns) EXPECT_NE(text.find(column.name), std::string_view::npos);
    EXPECT_NE(text.find("a test"), std::string_view::npos);
    EXPECT_EQ(writer.rows_written(), 1000u);
    // For other readers: LINESHAFT_PARQUET_OUT=file
    if (const char* path = std::getenv("LINESHAFT_PARQUET_OUT"))
        std::ofstream(path, std::ios::binary) << as_text(out);
}

TEST(ParquetWriterTest, AFileThatGoesOnAfterAGroupIsTheSameFile) {
    Writer whole(columns, {});
    Bytes expected;
    whole.begin(expected);
    for (std::size_t i = 0; i < 3; ++i) {
        add_rows(whole, i * 100, 100);
        whole.write_group(expected);
    }
    whole.finish(expected);

    Bytes out;
    Bytes groups;
    {
        Writer first(columns, {});
        first.begin(out);
        add_rows(first, 0, 100);
        first.write_group(out);
        groups = first.groups();
        add_rows(first, 100, 50);  // Lost with the process.
    }
    Writer second(columns, {});
    ASSERT_TRUE(second.restore(groups, 1, 100, out.size()));
    for (std::size_t i = 1; i < 3; ++i) {
        add_rows(second, i * 100, 100);
        second.write_group(out);
    }
    second.finish(out);
    EXPECT_EQ(out, expected);
}

TEST(ParquetWriterTest, WhatDoesNotFitTogetherIsNotGoneOnWith) {
    Writer writer(columns, {});
    EXPECT_EQ(writer.restore({}, 1, 10, 100).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(writer.restore({}, 0, 0, 2).error().code(), ErrorCode::Corrupt);
}

TEST(ParquetWriterTest, ManyRowsOrMuchTextMakeAGroupFull) {
    Writer writer({{"text", Kind::Text}}, {});
    const std::string big(1024 * 1024, 'x');
    std::size_t rows = 0;
    for (; !writer.is_full(); ++rows) {
        writer.column(0).add(big + fmt::format("{}", rows));
        writer.end_row();
    }
    EXPECT_LE(rows, 33u);
}

TEST(ParquetWriterTest, NothingIsAFileToo) {
    Writer writer(columns, {});
    Bytes out;
    writer.begin(out);
    writer.finish(out);
    EXPECT_EQ(writer.group_count(), 0u);
    EXPECT_GT(out.size(), 100u);
}

}  // namespace
}  // namespace lineshaft::wire::parquet
