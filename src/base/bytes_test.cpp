#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace lineshaft {
namespace {

TEST(ByteReader, ReadsBackWhatAWriterWrote) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.u8(0xAB);
    writer.le(std::uint32_t{0x01020304});
    writer.be(std::uint16_t{0x0506});
    writer.le(-1.5);
    writer.text("pump");
    EXPECT_EQ(as_text(ByteView(bytes).subspan(1, 4)), "\x04\x03\x02\x01");
    EXPECT_EQ(as_text(ByteView(bytes).subspan(5, 2)), "\x05\x06");

    ByteReader reader(bytes);
    EXPECT_EQ(reader.u8(), 0xAB);
    EXPECT_EQ(reader.le<std::uint32_t>(), 0x01020304u);
    EXPECT_EQ(reader.be<std::uint16_t>(), 0x0506u);
    EXPECT_EQ(reader.le<double>(), -1.5);
    EXPECT_EQ(reader.text(4), "pump");
    EXPECT_EQ(reader.left(), 0u);
    EXPECT_TRUE(reader.ok());
}

TEST(ByteReader, VarintsOfAllSizesComeBack) {
    Random random(1);
    for (int i = 0; i < 10'000; ++i) {
        const std::uint64_t value = random.next() >> random.below(64);
        Bytes bytes;
        ByteWriter(bytes).varint(value);
        ByteReader reader(bytes);
        ASSERT_EQ(reader.varint(), value);
        ASSERT_EQ(reader.left(), 0u);
    }
}

TEST(ByteReader, AVarintThatDoesNotEndOrDoesNotFitIsRefused) {
    ByteReader endless(as_bytes("\xFF\xFF\xFF"));
    endless.varint();
    EXPECT_FALSE(endless.ok());

    ByteReader eleven(as_bytes("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"));
    eleven.varint();
    EXPECT_FALSE(eleven.ok());

    // The tenth byte has room for one bit: 2^64 + … does not fit.
    ByteReader wide(as_bytes("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"));
    wide.varint();
    EXPECT_FALSE(wide.ok());
}

TEST(ByteReader, AfterTheFirstReadBeyondTheEndEverythingIsNothing) {
    ByteReader reader(as_bytes("abc"));
    EXPECT_EQ(reader.le<std::uint32_t>(), 0u);
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.u8(), 0);
    EXPECT_TRUE(reader.bytes(1).empty());
    EXPECT_EQ(reader.left(), 0u);
}

TEST(ByteReader, AHugeCountReadsNothingOutside) {
    ByteReader reader(as_bytes("abc"));
    EXPECT_EQ(reader.text(1), "a");
    EXPECT_TRUE(reader.text(SIZE_MAX).empty());
    EXPECT_FALSE(reader.ok());

    ByteReader empty{ByteView()};
    EXPECT_TRUE(empty.bytes(0).empty());
    EXPECT_TRUE(empty.ok());
}

TEST(Crc32c, HasTheValuesOfRfc3720) {
    EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u);
    EXPECT_EQ(crc32c(Bytes(32, std::byte{0})), 0x8A9136AAu);
    EXPECT_EQ(crc32c(Bytes(32, std::byte{0xFF})), 0x62A8AB43u);
    Bytes rising;
    for (int i = 0; i < 32; ++i) rising.push_back(static_cast<std::byte>(i));
    EXPECT_EQ(crc32c(rising), 0x46DD794Eu);
    EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, GoesOnWhereAnEarlierOneEnded) {
    const ByteView whole = as_bytes("the quick brown fox jumps over the lazy dog");
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
        EXPECT_EQ(crc32c(whole.subspan(cut), crc32c(whole.first(cut))), crc32c(whole)) << cut;
    }
}

}  // namespace
}  // namespace lineshaft
