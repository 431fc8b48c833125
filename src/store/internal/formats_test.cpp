// The worked examples of docs/formats/wal.md and docs/formats/segment.md. Bytes once written are read for ever: when one
// of these changes, a version number changes with it and the old bytes stay readable.
#include <bit>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "store/internal/block.h"
#include "store/internal/log_record.h"
#include "store/internal/manifest.h"
#include "support/forgetful_disk.h"

namespace lineshaft::store {
namespace {

std::string hex(ByteView bytes) {
    std::string text;
    for (const std::byte byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
    return text;
}

constexpr std::int64_t t0 = 1'767'225'600'000'000'000;  // 2026-01-01T00:00:00Z.

Batch example_batch() {
    Batch batch;
    batch.source = SourceId(1);
    batch.first_sequence = 7;
    batch.receive_time = UtcTime(t0 + 5'000'000);
    batch.add(TagId(300), UtcTime(t0), 21.5, Quality::good);
    batch.add(TagId(301), UtcTime(t0), true, Quality::good);
    return batch;
}

const SeriesInfo example_info{"Filler/temp", "Cel", ValueType::Double, "Filler", TenantId(1)};

TEST(Formats, ALogFileIsAsItsPageSays) {
    Bytes file = encode_log_header({ShardId(0), 1, 1});
    Bytes commit(commit_record_bytes);
    encode_commit(1, commit);
    file.insert(file.end(), commit.begin(), commit.end());
    append_series(TagId(300), example_info, file);
    append_samples(example_batch(), file);
    EXPECT_EQ(hex(ByteView(file).first(28)), "4c53574c010000000100000000000000010000000000000069229dea");
    EXPECT_EQ(hex(ByteView(file).subspan(28, 17)), "52bb248208000000010100000000000000");
    EXPECT_EQ(hex(ByteView(file).subspan(45, 36)),
              "c81448751b00000002ac0203010b46696c6c65722f74656d700343656c0646696c6c6572");
    EXPECT_EQ(hex(ByteView(file).subspan(81)),
              "86e78f7a1f000000040107404b46ee517286180201d80402fface204000301000000000080354001");
}

TEST(Formats, ASegmentIsAsItsPageSays) {
    testing::ForgetfulDisk disk;
    ASSERT_TRUE(disk.make_directory("/d"));
    auto writer = *SegmentWriter::create(disk, "/d", "x.seg", ShardId(0), 9);
    Chunk rows;
    for (int i = 0; i < 4; ++i) {
        rows.source_times.emplace_back(t0 + i * 1'000'000'000LL);
        rows.receive_times.emplace_back(t0 + i * 1'000'000'000LL + 5'000'000);
        rows.types.push_back(ValueType::Double);
        rows.bits.push_back(std::bit_cast<std::uint64_t>(21.5 + 0.25 * i));
        rows.qualities.push_back(Quality::good);
    }
    writer->begin_series(TagId(300), example_info);
    ASSERT_TRUE(writer->add(rows, 0, 4));
    ASSERT_TRUE(writer->end_series());
    const auto meta = writer->finish();
    ASSERT_TRUE(meta);
    const Bytes file = *disk.bytes_of("/d/x.seg");
    const auto segment = *Segment::open(disk, "/d", "x.seg");
    const BlockRef block = segment->series_at(0)->blocks[0];
    EXPECT_EQ(block.offset, 20U);
    const ByteView all(file);
    EXPECT_EQ(hex(all.first(20)), "4c535347020000000900000000000000562c031a");
    EXPECT_EQ(
        hex(all.subspan(20, block.bytes)),
        "eab3461c7a27585717008033ac02160480e4ad950d0302cc214b004bdc8801000020000102020024500001020020cc2119020200"
        "245016");
    const std::size_t detail = 20 + block.bytes;
    const std::size_t table = file.size() - 56 - 24;
    EXPECT_EQ(
        hex(all.subspan(detail, table - detail)),
        "4cfe9b692e00000003010b46696c6c65722f74656d700343656c0646696c6c65728080d0dfbd94b9863180bcc1960b0132ba2e05"
        "00001437048080d0dfbd94b9863180bcc1960b");
    EXPECT_EQ(hex(all.subspan(table, 24)), "2c010000000000004b00000000000000470000004cfe9b69");
    EXPECT_EQ(
        hex(all.last(56)),
        "9200000000000000010000000000000004000000000000000000faed51728618005ecaa05272861883838f9902000000a574234f"
        "4c535347");
}

Bytes from_hex(std::string_view text) {
    Bytes bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes.push_back(static_cast<std::byte>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
    return bytes;
}

TEST(Formats, ASegmentOfVersion1StaysReadable) {
    const Bytes file = from_hex(
        "4c53534701000000090000000000000006509149"
        "5660cf5cbef518f23b000003ac0220040000faed5172861880bcc1960b00000000008035400000000000403640000000000080354000"
        "00"
        "0000004036400000000000e05540018080d0dfbd94b986318094ebdc0302001601000000010001020001cc211902"
        "17d93cfe03010b46696c6c65722f74656d700343656c0646696c6c6572011465048080d0dfbd94b9863180bcc1960b"
        "2c0100000000000079000000000000002f00000017d93cfe"
        "a800000000000000010000000000000004000000000000000000faed51728618005ecaa05272861804ee7dec0100000000b4fc454c53"
        "5347");
    testing::ForgetfulDisk disk;
    ASSERT_TRUE(disk.make_directory("/d"));
    ASSERT_TRUE((*disk.create("/d/old.seg"))->append(file));
    const auto segment = Segment::open(disk, "/d", "old.seg");
    ASSERT_TRUE(segment) << segment.error().detail();
    const auto outline = (*segment)->outline_at(0);
    ASSERT_TRUE(outline);
    EXPECT_EQ(outline->info, example_info);
    EXPECT_EQ(outline->first_time, UtcTime(t0));
    EXPECT_EQ(outline->last_time, UtcTime(t0 + 3'000'000'000));
    EXPECT_TRUE(outline->tiers.empty());
    const auto series = (*segment)->series_at(0);
    ASSERT_TRUE(series);
    const auto header = (*segment)->header_of(TagId(300), series->blocks.at(0));
    ASSERT_TRUE(header);
    Chunk rows;
    ASSERT_TRUE((*segment)->decode(series->blocks[0], *header, rows));
    ASSERT_EQ(rows.size(), 4U);
    EXPECT_EQ(rows.number_at(3), 22.25);
    EXPECT_EQ(rows.receive_times[0], UtcTime(t0 + 5'000'000));
}

}  // namespace
}  // namespace lineshaft::store
