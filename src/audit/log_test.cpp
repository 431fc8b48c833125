#include "audit/log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "audit/internal/chain.h"
#include "support/forgetful_disk.h"
#include "support/manual_shard.h"

namespace lineshaft::audit {
namespace {

using testing::ForgetfulDisk;
using testing::ManualClock;
using testing::ManualShard;

class AuditLog : public ::testing::Test {
protected:
    static constexpr const char* directory = "data/audit";
    static constexpr const char* first_segment = "data/audit/audit-00000001.log";

    Result<std::unique_ptr<Log>> open(std::uint64_t segment_bytes_max = 1024 * 1024) {
        return Log::open(disk, clock, *pool, {directory, segment_bytes_max});
    }
    static Entry entry(int n) {
        Entry made;
        made.actor = n % 2 ? "user anna" : "token ci";
        made.address = "10.0.0.7";
        made.action = n % 3 ? "device.update" : "user.create";
        made.target = fmt::format("device {}", n);
        made.detail = R"({"before":null,"after":{"unit":"°C"}})";
        return made;
    }
    void record(Log& log, int from, int to) {
        for (int n = from; n <= to; ++n) ASSERT_EQ(log.record(entry(n)).value(), static_cast<std::uint64_t>(n));
    }
    Verdict verify() { return Log::verify(disk, directory).value(); }

    ManualClock clock;
    ManualShard shard{clock};
    ForgetfulDisk disk;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
};

TEST_F(AuditLog, KeepsEntriesAcrossReopening) {
    record(*open().value(), 1, 5);
    auto log = open().value();
    record(*log, 6, 7);
    const Page page = log->list({}, {}, 100).value();
    ASSERT_EQ(page.items.size(), 7u);
    EXPECT_EQ(page.items[0].number, 7u);
    Entry expected = entry(3);
    expected.time = clock.utc_now();
    EXPECT_EQ(page.items[4].entry, expected);
    EXPECT_FALSE(page.next);
    EXPECT_TRUE(verify().ok) << verify().detail;
    EXPECT_EQ(verify().entries, 7u);
}

TEST_F(AuditLog, AnAnsweredEntrySurvivesAPowerCutAtEverySync) {
    for (std::uint64_t cut = 0; cut < 40; ++cut) {
        Random random(cut);
        disk = ForgetfulDisk();
        disk.lose_power_at_sync(cut);
        int answered = 0;
        if (auto log = open(200)) {
            for (int n = 1; n <= 10; ++n) {
                if (!(*log)->record(entry(n))) break;
                answered = n;
            }
        }
        disk.lose_power(ForgetfulDisk::Tear::Random, &random);
        auto log = open(200);
        ASSERT_TRUE(log) << log.error().message();
        EXPECT_GE((*log)->entries(), static_cast<std::uint64_t>(answered)) << "cut before sync " << cut;
        EXPECT_TRUE(verify().ok) << "cut before sync " << cut << ": " << verify().detail;
        ASSERT_TRUE((*log)->record(entry(11)));
        EXPECT_TRUE(verify().ok) << verify().detail;
    }
}

TEST_F(AuditLog, CutsOffATornTailThatNobodyWasToldOf) {
    record(*open().value(), 1, 3);
    Bytes torn;
    encode_record({3, {}}, entry(4), torn);
    torn.resize(torn.size() / 2);
    Bytes& bytes = *disk.bytes_of(first_segment);
    bytes.insert(bytes.end(), torn.begin(), torn.end());
    EXPECT_TRUE(verify().ok);
    auto log = open().value();
    record(*log, 4, 4);
    EXPECT_TRUE(verify().ok) << verify().detail;
    EXPECT_EQ(verify().entries, 4u);
}

TEST_F(AuditLog, FindsAnyChangedByte) {
    record(*open().value(), 1, 4);
    Bytes& bytes = *disk.bytes_of(first_segment);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        bytes[at] ^= std::byte{0x10};
        const auto verdict = Log::verify(disk, directory);
        EXPECT_TRUE(!verdict || !verdict->ok) << "byte " << at;
        bytes[at] ^= std::byte{0x10};
    }
    EXPECT_TRUE(verify().ok);
}

TEST_F(AuditLog, FindsAnEntryTakenOutEvenWithGoodChecksums) {
    record(*open().value(), 1, 3);
    Bytes& bytes = *disk.bytes_of(first_segment);
    const std::size_t first = header_bytes;
    const std::size_t second = first + record_bytes(ByteView(bytes).subspan(first));
    const std::size_t third = second + record_bytes(ByteView(bytes).subspan(second));
    bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(second),
                bytes.begin() + static_cast<std::ptrdiff_t>(third));
    EXPECT_FALSE(verify().ok);
}

TEST_F(AuditLog, FindsALogThatWasCutShortAndGoesOnAfterIt) {
    record(*open().value(), 1, 4);
    Bytes& bytes = *disk.bytes_of(first_segment);
    bytes.resize(header_bytes + record_bytes(ByteView(bytes).subspan(header_bytes)));
    EXPECT_FALSE(verify().ok);
    auto log = open().value();
    EXPECT_EQ(log->record(entry(6)).value(), 6u) << "5 tells of the damage";
    const Page page = log->list({}, {}, 10).value();
    ASSERT_EQ(page.items.size(), 3u);
    EXPECT_EQ(page.items[1].entry.action, "audit.damage");
    EXPECT_FALSE(verify().ok) << "damage stays visible";
    auto again = open().value();
    EXPECT_EQ(again->entries(), 6u);
}

TEST_F(AuditLog, FindsThatAllSegmentsAreGone) {
    record(*open().value(), 1, 2);
    ASSERT_TRUE(disk.remove(first_segment));
    EXPECT_FALSE(verify().ok);
    EXPECT_EQ(open().value()->entries(), 3u);
}

TEST_F(AuditLog, RefusesWhenTheDiskIsFullAndGoesOnWhenThereIsRoom) {
    auto log = open().value();
    record(*log, 1, 2);
    disk.set_free_bytes(10);
    EXPECT_EQ(log->record(entry(3)).error().code(), ErrorCode::DiskFull);
    disk.set_free_bytes(1'000'000);
    record(*log, 3, 4);
    EXPECT_TRUE(verify().ok) << verify().detail;
    EXPECT_EQ(open().value()->entries(), 4u);
}

TEST_F(AuditLog, RefusesWhenSyncFails) {
    auto log = open().value();
    record(*log, 1, 2);
    disk.fail_sync_after(0);
    EXPECT_EQ(log->record(entry(3)).error().code(), ErrorCode::Io);
    record(*log, 3, 3);
    EXPECT_TRUE(verify().ok) << verify().detail;
}

TEST_F(AuditLog, ListsNewestFirstPageByPageOverSegments) {
    auto log = open(500).value();
    record(*log, 1, 50);
    ASSERT_GT(disk.files().size(), 5u);
    std::vector<std::uint64_t> numbers;
    std::optional<std::uint64_t> cursor;
    do {
        const Page page = log->list({}, cursor, 7).value();
        EXPECT_LE(page.items.size(), 7u);
        for (const Kept& kept : page.items) numbers.push_back(kept.number);
        cursor = page.next;
    } while (cursor);
    ASSERT_EQ(numbers.size(), 50u);
    for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(numbers[i], 50 - i);
    EXPECT_TRUE(verify().ok) << verify().detail;
}

TEST_F(AuditLog, FiltersByActorActionTargetAndTime) {
    auto log = open().value();
    record(*log, 1, 9);
    clock.advance(1h);
    record(*log, 10, 12);
    Filter filter;
    filter.actor = "user anna";
    EXPECT_EQ(log->list(filter, {}, 100)->items.size(), 6u);
    filter.action_prefix = "user.";
    EXPECT_EQ(log->list(filter, {}, 100)->items.size(), 2u);
    filter.target_part = " 9";
    EXPECT_EQ(log->list(filter, {}, 100)->items.size(), 1u);
    filter = {};
    filter.from = clock.utc_now();
    EXPECT_EQ(log->list(filter, {}, 100)->items.size(), 3u);
    filter.tenant = TenantId(2);
    EXPECT_TRUE(log->list(filter, {}, 100)->items.empty());
}

TEST_F(AuditLog, AnswersOnTheShardAfterTheEntryIsKept) {
    auto log = open().value();
    std::vector<std::uint64_t> numbers;
    for (int n = 1; n <= 3; ++n) {
        log->post_record(shard, entry(n), [&](Result<std::uint64_t> number) { numbers.push_back(number.value()); });
    }
    EXPECT_TRUE(numbers.empty());
    shard.run();
    EXPECT_EQ(numbers, (std::vector<std::uint64_t>{1, 2, 3}));
    bool ok = false;
    log->post_verify(shard, [&](Result<Verdict> verdict) { ok = verdict->ok && verdict->entries == 3; });
    shard.run();
    EXPECT_TRUE(ok);
}

TEST_F(AuditLog, ManyThreadsShareSyncs) {
    auto threads = WorkerPool::create("audit-test", 4);
    auto log = Log::open(disk, clock, *threads, {directory, 1024 * 1024}).value();
    {
        auto writers = WorkerPool::create("writers", 4);
        for (int n = 1; n <= 200; ++n) writers->post([&log, n] { EXPECT_TRUE(log->record(entry(n))); });
    }
    EXPECT_EQ(log->entries(), 200u);
    EXPECT_TRUE(verify().ok) << verify().detail;
}

TEST_F(AuditLog, RefusesAnEntryThatIsTooLarge) {
    auto log = open().value();
    Entry large = entry(1);
    large.detail.assign(entry_bytes_max + 1, 'x');
    EXPECT_EQ(log->record(large).error().code(), ErrorCode::TooLarge);
    EXPECT_EQ(log->entries(), 0u);
}

}  // namespace
}  // namespace lineshaft::audit
