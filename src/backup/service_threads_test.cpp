#include <cstdlib>
#include <filesystem>
#include <future>

#include <gtest/gtest.h>

#include "backup/restore.h"
#include "backup/service.h"

namespace lineshaft::backup {
namespace {

/// Gives whole batches to the store, again and again, on the shard it runs on.
class Load {
public:
    explicit Load(store::Historian& home) : home_(home) {}

    void offer() {
        if (!home_.is_ready()) return;
        Batch batch;
        batch.source = SourceId(1);
        batch.first_sequence = static_cast<std::uint64_t>(next_) + 1;
        batch.receive_time = UtcTime(1'767'225'600'000'000'000);
        for (int i = 0; i < 1000; ++i, ++next_)
            batch.add(TagId(7), batch.receive_time + Duration(next_), Value(static_cast<double>(next_)), {});
        home_.offer(batch);
    }

private:
    store::Historian& home_;
    std::int64_t next_ = 0;
};

Report wait_for_end(Service& service, Shard& caller) {
    Report report;
    do {
        std::promise<Report> answered;
        service.post_report(caller, [&](Result<Report> now) { answered.set_value(*std::move(now)); });
        report = answered.get_future().get();
    } while (report.job->state == Job::State::Running);
    return report;
}

void close(store::Historians& store, Shards& shards) {
    std::promise<void> closed;
    shards.must_run(0, [&] { store.close(shards.at(0), [&] { closed.set_value(); }); });
    closed.get_future().get();
    shards.stop();
}

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

    Load load(store->at(ShardId(1)));
    Timer again;
    shards->must_run(1, [&] {
        for (int i = 0; i < 20; ++i) load.offer();
        again = shards->at(1).every(1ms, [&] { load.offer(); });
    });
    std::promise<Result<Job>> begun;
    service->post_start(shards->at(1), {}, [&](Result<Job> job) { begun.set_value(std::move(job)); });
    ASSERT_TRUE(begun.get_future().get());
    const Report report = wait_for_end(*service, shards->at(1));
    EXPECT_EQ(report.job->state, Job::State::Done) << report.job->error;
    EXPECT_EQ(report.snapshots.size(), 1u);

    shards->must_run(1, [&] { again.cancel(); });
    std::promise<void> closed;
    shards->must_run(0, [&] { service->close([&] { closed.set_value(); }); });
    closed.get_future().get();
    close(*store, *shards);
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
    other_shards->start();
    close(*other, *other_shards);
    std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace lineshaft::backup
