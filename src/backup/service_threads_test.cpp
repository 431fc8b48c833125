#include <cstdlib>
#include <filesystem>
#include <future>

#include <gtest/gtest.h>

#include "backup/restore.h"
#include "backup/service.h"

namespace lineshaft::backup {
namespace {

/// Real threads, a real disk: samples go in on one shard while another asks for a backup.
TEST(ServiceThreads, ABackupUnderLoadHoldsAllThatWasDurableBefore) {
    std::string root = (std::filesystem::temp_directory_path() / "lineshaft-threads-XXXXXX").string();
    ASSERT_NE(::mkdtemp(root.data()), nullptr);
    const auto disk = make_system_disk();
    ASSERT_TRUE(disk->make_directory(root + "/data"));
    auto log_pool = WorkerPool::create("log", 2), disk_pool = WorkerPool::create("disk", 1),
         audit_pool = WorkerPool::create("audit", 1);
    const auto shards = Shards::create(2, system_clock());
    const auto audit =
        audit::Log::open(*disk, system_clock(), *audit_pool, {.directory = root + "/data/audit"}).value();
    store::Options options;
    options.path = root + "/data/history";
    const auto store = store::Historians::create(*shards, *disk, *log_pool, *disk_pool, options).value();
    Plan plan;
    plan.data_directory = root + "/data";
    plan.path = root + "/backup";
    plan.unencrypted = true;
    auto service = Service::create(shards->at(0), *disk, WorkerPool::create("backup", 1), *store, *audit, plan);
    shards->start();

    std::int64_t next = 0;
    Timer load;
    const auto offer = [&] {
        store::Historian& home = store->at(ShardId(1));
        if (!home.is_ready()) return;
        Batch batch;
        batch.source = SourceId(1);
        batch.first_sequence = static_cast<std::uint64_t>(next) + 1;
        batch.receive_time = UtcTime(1'767'225'600'000'000'000);
        for (int i = 0; i < 1000; ++i, ++next)
            batch.add(TagId(7), batch.receive_time + Duration(next), Value(static_cast<double>(next)), {});
        home.offer(batch);
    };
    shards->must_run(1, [&] {
        for (int i = 0; i < 20; ++i) offer();
        load = shards->at(1).every(1ms, offer);
    });
    std::promise<Result<Job>> begun;
    service->post_start(shards->at(1), {}, [&](Result<Job> job) { begun.set_value(std::move(job)); });
    ASSERT_TRUE(begun.get_future().get());
    Report report;
    do {
        std::promise<Report> answered;
        service->post_report(shards->at(1), [&](Result<Report> now) { answered.set_value(*std::move(now)); });
        report = answered.get_future().get();
    } while (report.job->state == Job::State::Running);
    EXPECT_EQ(report.job->state, Job::State::Done) << report.job->error;
    EXPECT_EQ(report.snapshots.size(), 1u);

    shards->must_run(1, [&] { load.cancel(); });
    std::promise<void> closed, stored;
    shards->must_run(0, [&] { service->close([&] { closed.set_value(); }); });
    closed.get_future().get();
    shards->must_run(0, [&] { store->close(shards->at(0), [&] { stored.set_value(); }); });
    stored.get_future().get();
    shards->stop();
    service.reset();

    Progress progress;
    const auto repository = Repository::open(*disk, plan.path, std::nullopt).value();
    const auto restored = restore(*repository, *disk, "latest", root + "/new", progress);
    ASSERT_TRUE(restored) << restored.error().message();
    const auto other_shards = Shards::create(2, system_clock());
    options.path = root + "/new/history";
    const auto other = store::Historians::create(*other_shards, *disk, *log_pool, *disk_pool, options).value();
    const auto rows = other->at(ShardId(1)).scan(TagId(7), utc_time_min, utc_time_max, 10'000'000).value();
    EXPECT_GE(rows.size(), 20'000u);
    EXPECT_EQ(rows.size() % 1000, 0u) << "whole batches";
    EXPECT_TRUE(repository->snapshots().value().front().files > 0);
    std::promise<void> ended;
    other_shards->start();
    other_shards->must_run(0, [&] { other->close(other_shards->at(0), [&] { ended.set_value(); }); });
    ended.get_future().get();
    other_shards->stop();
    std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace lineshaft::backup
