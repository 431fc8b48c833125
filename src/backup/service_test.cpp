#include "backup/service.h"

#include <gtest/gtest.h>

#include "backup/data_directory.h"
#include "backup/restore.h"
#include "support/forgetful_disk.h"
#include "support/manual_shard.h"

namespace lineshaft::backup {
namespace {

using testing::ForgetfulDisk;
using testing::ManualClock;
using testing::ManualShards;

class ServiceTest : public ::testing::Test {
protected:
    // 2026-01-01T00:00:00Z.
    ManualClock clock;
    ManualShards shards{2, clock};
    ForgetfulDisk disk;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::unique_ptr<audit::Log> audit;
    std::unique_ptr<store::Historians> store;
    std::unique_ptr<Service> service;

    void SetUp() override {
        ASSERT_TRUE(disk.make_directory("/data"));
        ASSERT_TRUE(disk.replace("/data/house.json", as_bytes("{\"shards\":2}")));
        audit = audit::Log::open(disk, clock, *pool, {.directory = "/data/audit"}).value();
        store::Options options;
        options.path = "/data/history";
        store = store::Historians::create(shards, disk, *pool, *pool, options).value();
    }

    void TearDown() override {
        bool closed = false;
        if (service) service->close([&] { closed = true; });
        shards.run();
        EXPECT_TRUE(!service || closed);
        store->close(shards.at(0), [] {});
        shards.run();
    }

    Plan plan() const {
        Plan plan;
        plan.data_directory = "/data";
        plan.path = "/backup";
        plan.unencrypted = true;
        plan.keep = {.last = 2};
        plan.version = "0.1.0";
        plan.configuration = "shards: 2\n";
        return plan;
    }

    void open(Plan plan) {
        service = Service::create(shards.at(0), disk, make_inline_pool(), *store, *audit, std::move(plan));
        shards.run();
    }

    Result<Job> start(Request request = {}) {
        Result<Job> answer = fail(ErrorCode::Internal);
        service->post_start(shards.at(1), std::move(request), [&](Result<Job> job) { answer = std::move(job); });
        shards.run();
        return answer;
    }

    Report report() {
        Report answer;
        service->post_report(shards.at(1), [&](Result<Report> report) { answer = *std::move(report); });
        shards.run();
        return answer;
    }

    void offer(std::uint64_t tag, std::int64_t count) {
        Batch batch;
        batch.source = SourceId(1);
        batch.receive_time = clock.utc_now();
        for (std::int64_t i = 0; i < count; ++i)
            batch.add(TagId(tag), ManualClock::start + Duration(i), Value(static_cast<double>(i)), {});
        store->at(ShardId(0)).offer(batch);
    }
};

TEST_F(ServiceTest, ABackupHoldsWhatWasOfferedBefore) {
    open(plan());
    offer(7, 100);
    ASSERT_TRUE(start());
    const Report now = report();
    ASSERT_EQ(now.job->state, Job::State::Done) << now.job->error;
    ASSERT_EQ(now.snapshots.size(), 1u);
    EXPECT_EQ(now.snapshots.front().id, now.job->snapshot);
    EXPECT_EQ(now.last_success, now.snapshots.front().time);

    Progress progress;
    const auto repository = Repository::open(disk, "/backup", std::nullopt).value();
    ASSERT_TRUE(restore(*repository, disk, "latest", "/new", progress));
    EXPECT_EQ(as_text(disk.read("/new/configuration.yaml").value()), "shards: 2\n");
    store::Options options;
    options.path = "/new/history";
    const auto other = store::Historians::create(shards, disk, *pool, *pool, options).value();
    EXPECT_EQ(other->at(ShardId(0)).scan(TagId(7), utc_time_min, utc_time_max, 1000).value().size(), 100u);
    other->close(shards.at(0), [] {});
    shards.run();
}

TEST_F(ServiceTest, TheAuditLogHasIt) {
    open(plan());
    Request request;
    request.actor = "user anna";
    request.path = "/backup";
    request.unencrypted = true;
    ASSERT_TRUE(start(request));
    const audit::Page page = audit->list({.action_prefix = "backup."}, std::nullopt, 10).value();
    ASSERT_EQ(page.items.size(), 1u);
    EXPECT_EQ(page.items.front().entry.actor, "user anna");
    EXPECT_EQ(page.items.front().entry.outcome, audit::Outcome::Done);
}

TEST_F(ServiceTest, ThePlanIsKeptDayByDayAndOldSnapshotsGo) {
    Plan daily = plan();
    daily.schedule = DailyTime{2, 30};
    open(daily);
    EXPECT_EQ(report().next_run, ManualClock::start + 2h + 30min);
    shards.advance(2h);
    EXPECT_TRUE(report().snapshots.empty());
    shards.advance(1h);
    EXPECT_EQ(report().snapshots.size(), 1u);
    EXPECT_EQ(report().next_run, ManualClock::start + 26h + 30min);
    shards.advance(72h);
    EXPECT_EQ(report().snapshots.size(), 2u) << "the last two stay";
    EXPECT_FALSE(service->is_overdue());
}

TEST_F(ServiceTest, AFailedBackupIsTriedAgainAndMissedOnTheSecondDay) {
    Plan daily = plan();
    daily.schedule = DailyTime{2, 30};
    open(daily);
    disk.set_free_bytes(0);
    shards.advance(3h);
    ASSERT_EQ(report().job->state, Job::State::Failed);
    EXPECT_FALSE(report().job->error.empty());
    EXPECT_GT(report().job->number, 1u) << "tried again";
    shards.advance(46h);
    EXPECT_TRUE(service->is_overdue());
    disk.set_free_bytes(100'000'000);
    shards.advance(16min);
    EXPECT_EQ(report().job->state, Job::State::Done) << report().job->error;
    EXPECT_FALSE(service->is_overdue());
}

TEST_F(ServiceTest, WithoutADirectoryItIsRefused) {
    Plan nothing = plan();
    nothing.path.clear();
    open(nothing);
    EXPECT_EQ(start().error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(start({.path = "relative"}).error().code(), ErrorCode::InvalidArgument);
    EXPECT_TRUE(report().snapshots.empty());
}

TEST_F(ServiceTest, NothingIsUnencryptedUnlessSaidSo) {
    Plan silent = plan();
    silent.unencrypted = false;
    open(silent);
    ASSERT_TRUE(start());
    EXPECT_EQ(report().job->state, Job::State::Failed);
    EXPECT_FALSE(Repository::is_at(disk, "/backup"));
}

TEST(DataDirectory, EachFileHasItsTreatment) {
    EXPECT_EQ(kind_of("history/shard-0/000000000003-000.seg").treatment, Treatment::History);
    EXPECT_EQ(kind_of("history/shard-0/LOCK").treatment, Treatment::LeaveOut);
    EXPECT_EQ(kind_of("history/shard-0/MANIFEST.new").treatment, Treatment::LeaveOut);
    EXPECT_EQ(kind_of("history/shard-0/MANIFEST.corrupt").treatment, Treatment::Copy);
    EXPECT_EQ(kind_of("registry.db").treatment, Treatment::Database);
    EXPECT_EQ(kind_of("registry.db-wal").treatment, Treatment::LeaveOut);
    EXPECT_EQ(kind_of("pki/authority.pem").treatment, Treatment::Copy);
    EXPECT_FALSE(is_known("something/else"));
    EXPECT_EQ(kind_of("something/else").treatment, Treatment::Copy) << "rather too much than too little";
}

}  // namespace
}  // namespace lineshaft::backup
