// The worked examples of docs/formats/manifest.md. Bytes once written are read for ever.
#include "store/internal/manifest.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lineshaft::store {
namespace {

std::string hex(ByteView bytes) {
    std::string text;
    for (const std::byte byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
    return text;
}

TEST(Formats, AManifestIsAsItsPageSays) {
    Manifest manifest;
    manifest.next_number = 12;
    manifest.log_number_min = 3;
    manifest.sources.push_back({SourceId(1), 8, "mqtt/filler"});
    EXPECT_EQ(hex(encode_manifest(manifest, ShardId(0))),
              "4c534d460200000001000000000000000b27df6c4972a21014000000010000000000000001020c03030e01080b6d7174742f66"
              "696c6c6572");
    const auto back = decode_manifest(encode_manifest(manifest, ShardId(0)));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->next_number, 12U);
    EXPECT_EQ(back->sources.at(0).name, "mqtt/filler");
    EXPECT_EQ(hex(encode_change({.next_number = 13,
                                 .log_number_min = 3,
                                 .gone = {"a.seg"},
                                 .erasures = {{{UtcTime(1), UtcTime(2), 9, 12}, {TagId(300), TagId(301)}}}})),
              "01020d03050605612e736567061601000000000000000200000000000000090c02ac0201");
}

TEST(Formats, AManifestOfVersion1IsStillRead) {
    constexpr std::string_view old =
        "4c534d46010000001400000000000000664d21a61b6191d301020c03030e01080b6d7174742f66696c6c6572";
    Bytes file;
    for (std::size_t i = 0; i < old.size(); i += 2)
        file.push_back(static_cast<std::byte>(std::stoi(std::string(old.substr(i, 2)), nullptr, 16)));
    const auto manifest = decode_manifest(file);
    ASSERT_TRUE(manifest);
    EXPECT_EQ(manifest->next_number, 12U);
    EXPECT_EQ(manifest->log_number_min, 3U);
    EXPECT_EQ(manifest->sources.at(0).last_sequence, 8U);
}

}  // namespace
}  // namespace lineshaft::store
