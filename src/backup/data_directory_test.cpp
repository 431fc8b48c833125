#include "backup/data_directory.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <gtest/gtest.h>

#include "audit/log.h"
#include "backup/restore.h"
#include "base/limits.h"
#include "registry/database.h"
#include "store/historians.h"
#include "support/manual_shard.h"

namespace lineshaft::backup {
namespace {

using testing::ManualClock;
using testing::ManualShards;

/// A data directory on the machine's own disk, with a real registry, history and audit log.
class DataDirectoryTest : public ::testing::Test {
protected:
    ManualClock clock;
    ManualShards shards{2, clock};
    std::unique_ptr<Disk> disk = make_system_disk();
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::string root;
    Progress progress;

    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "lineshaft-backup-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        root = pattern;
        ASSERT_TRUE(disk->make_directory(data() + "/pki"));
        ASSERT_TRUE(disk->replace(data() + "/house.json", as_bytes("{\"shards\":2}")));
        ASSERT_TRUE(disk->replace(data() + "/pki/authority.pem", as_bytes("a key")));
        ASSERT_TRUE(disk->replace(data() + "/run.json", as_bytes("{}")));
        database = registry::Database::open(registry_path()).value();
        ASSERT_TRUE(database->execute("CREATE TABLE people (name TEXT); INSERT INTO people VALUES ('anna')"));
        audit = audit::Log::open(*disk, clock, *pool, {.directory = data() + "/audit"}).value();
        ASSERT_TRUE(audit->record({.actor = "anna", .action = "house.claim", .target = "house", .detail = "{}"}));
        store = open_store(data());
    }

    void TearDown() override {
        close(std::move(store));
        audit.reset();
        database.reset();
        std::filesystem::remove_all(root);
    }

    std::string data() const { return root + "/data"; }
    std::string registry_path() const { return data() + "/registry.db"; }

    std::unique_ptr<store::Historians> open_store(const std::string& directory) {
        store::Options options;
        options.path = directory + "/history";
        return store::Historians::create(shards, *disk, *pool, *pool, options).value();
    }

    void close(std::unique_ptr<store::Historians> one) {
        if (!one) return;
        one->close(shards.at(0), [] {});
        shards.run();
    }

    void offer(std::int64_t first, std::int64_t count) {
        while (count > 0) {
            const auto some = std::min<std::int64_t>(count, limits::batch_samples_max);
            Batch batch;
            batch.source = SourceId(1);
            batch.first_sequence = static_cast<std::uint64_t>(first) + 1;
            batch.receive_time = clock.utc_now();
            for (std::int64_t i = first; i < first + some; ++i)
                batch.add(TagId(7), ManualClock::start + Duration(i), Value(static_cast<double>(i)), {});
            store->at(ShardId(1)).offer(batch);
            shards.run();
            first += some;
            count -= some;
        }
    }

    std::size_t rows_in(const std::string& directory) {
        auto other = open_store(directory);
        const std::size_t rows =
            other->at(ShardId(1)).scan(TagId(7), utc_time_min, utc_time_max, 100'000).value().size();
        close(std::move(other));
        return rows;
    }

    std::unique_ptr<Repository> make() {
        if (Repository::is_at(*disk, root + "/backup")) return Repository::open(*disk, root + "/backup", "x").value();
        return Repository::create(*disk, root + "/backup", "x", {.kib = 64, .passes = 1}).value();
    }

    Result<SnapshotInfo> take_from(Sources sources) {
        clock.advance(1h);
        Throttle throttle(clock, 0, [](Duration) {});
        return take(*disk, *make(), sources, clock, "0.1.0", throttle, progress);
    }

    std::vector<store::Pinned> pins() {
        std::vector<store::Pinned> all;
        store->post_pin(shards.at(0), [&](Result<std::vector<store::Pinned>> pinned) { all = *std::move(pinned); });
        shards.run();
        return all;
    }

    std::vector<std::string> files_of(const std::string& directory) {
        std::vector<std::string> all;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
            if (entry.is_regular_file()) all.push_back(std::filesystem::relative(entry.path(), directory).string());
        }
        return all;
    }

    std::unique_ptr<registry::Database> database;
    std::unique_ptr<audit::Log> audit;
    std::unique_ptr<store::Historians> store;
};

TEST_F(DataDirectoryTest, AHouseThatRunsIsKeptWhole) {
    offer(0, 1000);
    auto history = pins();
    // What comes later is not in it, and does not disturb it.
    offer(1000, 500);
    ASSERT_TRUE(database->execute("INSERT INTO people VALUES ('bert')"));
    const auto info = take_from(gather(*disk, data(), std::move(history)).value());
    ASSERT_TRUE(info) << info.error().message();
    EXPECT_FALSE(disk->exists(registry_path() + ".backup")) << "the registry's copy is gone again";

    const std::string to = root + "/new";
    ASSERT_TRUE(restore(*make(), *disk, "latest", to, progress));
    EXPECT_EQ(rows_in(to), 1000u);
    EXPECT_TRUE(audit::Log::verify(*disk, to + "/audit").value().ok);
    const auto people = registry::Database::open(to + "/registry.db").value();
    auto count = people->prepare("SELECT count(*) FROM people").value();
    ASSERT_TRUE(count.step().value());
    EXPECT_EQ(count.integer(0), 2);
    const auto verdict = verify_data(*disk, to, progress).value();
    EXPECT_TRUE(verdict.ok()) << verdict.findings.front().path << ": " << verdict.findings.front().why;
}

TEST_F(DataDirectoryTest, NoFileIsForgotten) {
    offer(0, 1000);
    ASSERT_TRUE(take_from(gather(*disk, data(), pins()).value()));
    const Snapshot snapshot = make()->snapshot("latest").value();
    for (const std::string& path : files_of(data())) {
        EXPECT_TRUE(is_known(path)) << path << " stands in no row of the table";
        const Kind kind = kind_of(path);
        // The log is not needed: what it holds was flushed.
        if (kind.treatment == Treatment::LeaveOut || path.ends_with(".wal") || path.ends_with(".log")) continue;
        EXPECT_TRUE(std::ranges::any_of(snapshot.files, [&](const FileEntry& file) { return file.path == path; }))
            << path;
    }
}

TEST_F(DataDirectoryTest, AHouseThatStandsStillIsKeptWithItsLog) {
    offer(0, 1000);
    close(std::move(store));
    ASSERT_TRUE(take_from(gather(*disk, data()).value()));
    ASSERT_TRUE(restore(*make(), *disk, "latest", root + "/new", progress));
    EXPECT_EQ(rows_in(root + "/new"), 1000u);
    EXPECT_FALSE(disk->exists(root + "/new/run.json"));
}

TEST_F(DataDirectoryTest, OnlyNewSegmentsAreRead) {
    offer(0, 50'000);
    const auto first = take_from(gather(*disk, data(), pins()).value()).value();
    offer(50'000, 10);
    progress.added_bytes = 0;
    const auto second = take_from(gather(*disk, data(), pins()).value()).value();
    EXPECT_LT(second.added_bytes, first.bytes);
    const auto is_old = [](const FileEntry& file) { return file.immutable; };
    const Snapshot one = make()->snapshot(first.id).value(), two = make()->snapshot(second.id).value();
    for (const FileEntry& file : one.files) {
        if (is_old(file)) EXPECT_NE(std::ranges::find(two.files, file), two.files.end()) << file.path;
    }
}

TEST_F(DataDirectoryTest, DamageIsNamed) {
    offer(0, 10'000);
    (void)pins();
    close(std::move(store));
    database.reset();
    EXPECT_TRUE(verify_data(*disk, data(), progress).value().ok());
    const auto flip = [&](const std::string& path, std::size_t from_end) {
        Bytes bytes = disk->read(path).value();
        bytes[bytes.size() - from_end] ^= std::byte{0x40};
        ASSERT_TRUE(disk->replace(path, bytes));
    };
    std::size_t damaged = 0;
    for (const std::string& path : files_of(data())) {
        const bool is_checked = path.ends_with(".seg") || path.find("/MANIFEST") != std::string::npos ||
                                path.ends_with("CATALOG") || path.ends_with("audit-00000001.log");
        if (!is_checked) continue;
        const std::size_t bytes = disk->read(data() + "/" + path).value().size();
        for (std::size_t place = path.ends_with(".seg") ? 1 : 8; place < 16;
             place += path.ends_with(".seg") ? 1 : 8) {
            const std::size_t from_end = std::max<std::size_t>(bytes * place / 16, 1);
            flip(data() + "/" + path, from_end);
            const Verdict verdict = verify_data(*disk, data(), progress).value();
            ASSERT_FALSE(verdict.ok()) << path;
            EXPECT_TRUE(std::ranges::any_of(verdict.findings,
                                            [&](const Finding& finding) { return path.starts_with(finding.path); }))
                << path << ": " << verdict.findings.front().path;
            flip(data() + "/" + path, from_end);
            ++damaged;
        }
    }
    EXPECT_GE(damaged, 3u);
}

}  // namespace
}  // namespace lineshaft::backup
