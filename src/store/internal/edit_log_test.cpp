#include "store/internal/edit_log.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "support/forgetful_disk.h"

namespace lineshaft::store {
namespace {

using testing::ForgetfulDisk;

constexpr std::uint32_t magic = 0x54'53'45'54;

class EditLogTest : public ::testing::Test {
protected:
    EditLogTest() { EXPECT_TRUE(disk.make_directory("/d")); }
    EditLog log() { return EditLog(disk, "/d", {"A", "B"}, magic, ShardId(0)); }
    /// What a fresh look at the files says: the state and its changes, joined.
    std::string text() {
        EditLog fresh = log();
        const auto loaded = fresh.load();
        EXPECT_TRUE(loaded);
        std::string joined;
        for (const ByteView record : loaded->records) joined += as_text(record);
        return joined + (loaded->is_damaged ? "!" : "");
    }

    ForgetfulDisk disk;
};

TEST_F(EditLogTest, IsAStateAndWhatChangedSince) {
    EXPECT_EQ(text(), "");
    EditLog one = log();
    ASSERT_TRUE(one.load());
    EXPECT_FALSE(one.can_append());
    ASSERT_TRUE(one.rewrite(as_bytes("a")));
    ASSERT_TRUE(one.append(as_bytes("b")));
    ASSERT_TRUE(one.append(as_bytes("c")));
    EXPECT_EQ(text(), "abc");
    EditLog two = log();
    ASSERT_TRUE(two.load());
    EXPECT_TRUE(two.can_append());
    ASSERT_TRUE(two.append(as_bytes("d")));
    EXPECT_EQ(text(), "abcd");
    ASSERT_TRUE(two.rewrite(as_bytes("x")));
    EXPECT_EQ(text(), "x");
}

TEST_F(EditLogTest, LosesNothingWhenOneCopyIsGoneOrDamagedAnywhere) {
    EditLog one = log();
    ASSERT_TRUE(one.rewrite(as_bytes("state ")));
    ASSERT_TRUE(one.append(as_bytes("first ")));
    ASSERT_TRUE(one.append(as_bytes("second")));
    for (const char* name : {"/d/A", "/d/B"}) {
        const Bytes whole = *disk.bytes_of(name);
        for (std::size_t at = 0; at < whole.size(); ++at) {
            (*disk.bytes_of(name))[at] ^= std::byte{16};
            EXPECT_EQ(text(), "state first second") << name << " " << at;
            *disk.bytes_of(name) = whole;
        }
        for (std::size_t size = 0; size < whole.size(); ++size) {
            disk.bytes_of(name)->resize(size);
            EXPECT_EQ(text(), "state first second") << name << " " << size;
            *disk.bytes_of(name) = whole;
        }
    }
    ASSERT_TRUE(disk.remove("/d/A"));
    EXPECT_EQ(text(), "state first second");
    EditLog two = log();
    ASSERT_TRUE(two.load());
    EXPECT_FALSE(two.can_append());  // Both copies come back with the next change.
    ASSERT_TRUE(two.rewrite(as_bytes("again")));
    ASSERT_TRUE(disk.remove("/d/B"));
    EXPECT_EQ(text(), "again");
}

TEST_F(EditLogTest, TellsWhenChangesAreLostInBothCopies) {
    EditLog one = log();
    ASSERT_TRUE(one.rewrite(as_bytes("state ")));
    ASSERT_TRUE(one.append(as_bytes("first ")));
    ASSERT_TRUE(one.append(as_bytes("second")));
    const std::size_t first_at = 20 + 16 + 6 + 16;
    for (const char* name : {"/d/A", "/d/B"}) (*disk.bytes_of(name))[first_at] ^= std::byte{1};
    EXPECT_EQ(text(), "state !");
}

TEST_F(EditLogTest, APowerCutAtEveryCallKeepsWhatWasAcknowledged) {
    for (const auto tear : {ForgetfulDisk::Tear::None, ForgetfulDisk::Tear::Random}) {
        for (std::uint64_t call = 0;; ++call) {
            SCOPED_TRACE(call);
            disk = ForgetfulDisk();
            ASSERT_TRUE(disk.make_directory("/d"));
            Random random(call);
            std::vector<std::string> states{""};
            std::size_t acknowledged = 0;
            disk.lose_power_at_call(call);
            EditLog one = log();
            std::string now;
            const auto go = [&](Result<void> outcome, std::string then) {
                now = then;
                states.push_back(std::move(then));
                if (outcome) acknowledged = states.size() - 1;
                return outcome.has_value();
            };
            bool ok = go(one.rewrite(as_bytes("a")), "a");
            for (int i = 0; ok && i < 4; ++i) ok = go(one.append(as_bytes("b")), now + "b");
            if (ok) ok = go(one.rewrite(as_bytes("c")), "c");
            if (ok) ok = go(one.append(as_bytes("d")), "cd");
            if (ok) break;
            disk.lose_power(tear, &random);
            const std::string found = text();
            const auto at = std::ranges::find(states, found);
            ASSERT_NE(at, states.end()) << found;
            EXPECT_GE(static_cast<std::size_t>(at - states.begin()), acknowledged) << found;
        }
    }
}

}  // namespace
}  // namespace lineshaft::store
