#include "backup/repository.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "backup/internal/seal.h"
#include "backup/internal/snapshot_codec.h"
#include "backup/restore.h"
#include "backup/take.h"
#include "base/random.h"
#include "support/forgetful_disk.h"
#include "support/manual_clock.h"

namespace lineshaft::backup {
namespace {

using testing::ForgetfulDisk;
using testing::ManualClock;

const std::optional<std::string> secret = "correct horse";

Bytes noise(std::size_t bytes, std::uint64_t seed) {
    Random random(seed);
    Bytes out(bytes);
    for (std::byte& byte : out) byte = static_cast<std::byte>(random.next());
    return out;
}

class RepositoryTest : public ::testing::Test {
protected:
    ForgetfulDisk disk;
    ManualClock clock;
    Progress progress;
    std::map<std::string, Bytes> house;  // What there is to be kept.
    std::set<std::string> immutable;

    std::unique_ptr<Repository> make(const std::optional<std::string>& passphrase = secret) {
        if (Repository::is_at(disk, "/backup")) return Repository::open(disk, "/backup", passphrase).value();
        return Repository::create(disk, "/backup", passphrase, {.kib = 64, .passes = 1}).value();
    }

    Result<SnapshotInfo> take_one(Repository& repository) {
        Sources sources;
        for (const auto& [path, bytes] : house) {
            SourceFile& file = sources.files.emplace_back();
            file.path = path;
            file.bytes = bytes.size();
            file.view = bytes;
            file.immutable = immutable.contains(path);
        }
        for (auto* number : {&progress.files, &progress.bytes, &progress.added_bytes, &progress.stored_bytes})
            number->store(0);
        Throttle throttle(clock, 0, [](Duration) {});
        clock.advance(1h);
        return take(disk, repository, sources, clock, "0.1.0", throttle, progress);
    }

    void expect_restored(Repository& repository, const std::string& snapshot, const std::string& directory) {
        const auto restored = restore(repository, disk, snapshot, directory, progress);
        ASSERT_TRUE(restored) << restored.error().message();
        for (const auto& [path, bytes] : house) EXPECT_EQ(disk.read(directory + "/" + path).value(), bytes) << path;
        EXPECT_FALSE(disk.exists(directory + "/" + unfinished_mark));
    }

    Verdict verify(const std::optional<std::string>& passphrase = secret, Damaged damaged = Damaged::Leave) {
        return verify_repository(disk, "/backup", passphrase, damaged, progress).value();
    }
};

TEST_F(RepositoryTest, WhatWasKeptComesBack) {
    house = {{"house.json", noise(12, 1)},
             {"history/shard-0/1.seg", noise(3 * piece_bytes_max / 2, 2)},
             {"empty", {}},
             {"pki/authority.pem", Bytes(100'000, std::byte{'a'})}};
    for (const auto& passphrase : {secret, std::optional<std::string>()}) {
        disk = ForgetfulDisk();
        const auto repository = make(passphrase);
        EXPECT_EQ(repository->is_encrypted(), passphrase.has_value());
        const SnapshotInfo info = take_one(*repository).value();
        EXPECT_EQ(info.files, 4);
        EXPECT_LT(info.stored_bytes, info.bytes);  // Text shrinks.
        expect_restored(*repository, "latest", "/new/house");
        EXPECT_TRUE(verify(passphrase).ok());
        const auto again = Repository::open(disk, "/backup", passphrase).value();
        EXPECT_EQ(again->snapshots().value().at(0).id, info.id);
        EXPECT_EQ(again->snapshot(info.id.substr(0, 24)).value().info.files, 4);
        EXPECT_EQ(again->snapshot("1999").error().code(), ErrorCode::NotFound);
    }
}

TEST_F(RepositoryTest, OnlyWhatIsNewIsReadAndStored) {
    house = {{"history/shard-0/1.seg", noise(5'000'000, 1)}, {"audit/1.log", noise(5'000'000, 2)}};
    immutable = {"history/shard-0/1.seg"};
    const auto repository = make();
    EXPECT_EQ(take_one(*repository).value().added_bytes, 10'000'000);
    EXPECT_EQ(take_one(*repository).value().added_bytes, 0);
    house["history/shard-0/2.seg"] = noise(7'000, 3);
    // A log grows at its end: the piece that is full stays as it is.
    Bytes& log = house["audit/1.log"];
    const Bytes more = noise(1'000, 4);
    log.insert(log.end(), more.begin(), more.end());
    const SnapshotInfo third = take_one(*repository).value();
    EXPECT_EQ(third.added_bytes, 7'000 + 5'001'000 - piece_bytes_max);
    EXPECT_LT(third.stored_bytes, third.added_bytes + 1'000);
    expect_restored(*repository, "latest", "/new");
}

TEST_F(RepositoryTest, AnImmutableFileOfTheSameNameWithOtherBytesIsSeen) {
    house = {{"history/shard-0/1.seg", noise(200'000, 1)}};
    immutable = {"history/shard-0/1.seg"};
    const auto repository = make();
    ASSERT_TRUE(take_one(*repository));
    // As after a restore into another house, which counts its own segments from there on.
    house["history/shard-0/1.seg"] = noise(200'000, 2);
    EXPECT_EQ(take_one(*repository).value().added_bytes, 200'000);
    expect_restored(*repository, "latest", "/new");
}

TEST_F(RepositoryTest, AWrongPassphraseIsToldFromDamage) {
    make();
    const auto code = [&](const std::optional<std::string>& passphrase) {
        return Repository::open(disk, "/backup", passphrase).error().code();
    };
    EXPECT_EQ(code("wrong"), ErrorCode::BackupPassphrase);
    EXPECT_EQ(code(std::nullopt), ErrorCode::BackupPassphrase);
    disk = ForgetfulDisk();
    make(std::nullopt);
    EXPECT_EQ(code("needless"), ErrorCode::BackupPassphrase);
    EXPECT_EQ(Repository::open(disk, "/elsewhere", secret).error().code(), ErrorCode::NotFound);
}

TEST_F(RepositoryTest, NothingIsUnencryptedByAccident) {
    EXPECT_EQ(Repository::ensure(disk, "/backup", std::nullopt, Repository::Unencrypted::No).error().code(),
              ErrorCode::InvalidArgument);
    EXPECT_EQ(Repository::create(disk, "/backup", "").error().code(), ErrorCode::BackupPassphrase);
    ASSERT_TRUE(disk.make_directory("/photos"));
    ASSERT_TRUE(disk.replace("/photos/cat.jpg", noise(10, 1)));
    EXPECT_EQ(Repository::create(disk, "/photos", secret).error().code(), ErrorCode::Conflict);
    house = {{"pki/authority.pem", Bytes(1000, std::byte{'S'})}};
    const auto repository = make();
    ASSERT_TRUE(take_one(*repository));
    const Bytes name(9, std::byte{'S'});
    for (const std::string& file : disk.files()) {
        if (!file.starts_with("/backup/")) continue;
        EXPECT_TRUE(std::ranges::search(*disk.bytes_of(file), name).empty()) << file;
        EXPECT_EQ(as_text(*disk.bytes_of(file)).find("authority"), std::string_view::npos) << file;
    }
}

TEST_F(RepositoryTest, AFlippedByteInAnyFileIsNamed) {
    house = {{"a", noise(30, 1)}, {"b", noise(5'000, 2)}, {"c", Bytes(9'000, std::byte{7})}};
    for (const auto& passphrase : {secret, std::optional<std::string>()}) {
        disk = ForgetfulDisk();
        ASSERT_TRUE(take_one(*make(passphrase)));
        Random random(7);
        std::size_t flipped = 0;
        for (const std::string& file : disk.files()) {
            if (!file.starts_with("/backup/") || file.ends_with("/lock")) continue;
            Bytes& bytes = *disk.bytes_of(file);
            const std::size_t at = random.below(bytes.size());
            bytes[at] ^= std::byte{0x10};
            const auto verdict = verify_repository(disk, "/backup", passphrase, Damaged::Leave, progress);
            ASSERT_TRUE(verdict) << verdict.error().message();
            ASSERT_FALSE(verdict->ok()) << file << " at " << at;
            EXPECT_EQ("/backup/" + verdict->findings.front().path, file);
            bytes[at] ^= std::byte{0x10};
            ++flipped;
        }
        EXPECT_EQ(flipped, 6);  // REPOSITORY and its copy, three pieces, a snapshot.
        EXPECT_TRUE(verify(passphrase).ok());
    }
}

TEST_F(RepositoryTest, OneOfTheTwoHeadsIsEnough) {
    house = {{"a", noise(30, 1)}};
    ASSERT_TRUE(take_one(*make()));
    ASSERT_TRUE(disk.remove("/backup/REPOSITORY"));
    expect_restored(*Repository::open(disk, "/backup", secret).value(), "latest", "/new");
}

TEST_F(RepositoryTest, ADamagedPieceThatIsSetAsideIsWrittenAnew) {
    house = {{"a", noise(30, 1)}, {"b", noise(40, 2)}};
    const auto repository = make();
    ASSERT_TRUE(take_one(*repository));
    const std::string file = "/backup/" + Repository::file_of(repository->id_of(house["a"]));
    (*disk.bytes_of(file))[50] ^= std::byte{1};
    EXPECT_EQ(restore(*repository, disk, "latest", "/broken", progress).error().code(), ErrorCode::Corrupt);
    EXPECT_FALSE(verify(secret, Damaged::SetAside).ok());
    ASSERT_TRUE(take_one(*make()));
    EXPECT_TRUE(verify().ok());
    expect_restored(*make(), "latest", "/new");
    // The old one is whole again too: it named the same piece.
    expect_restored(*make(), make()->snapshots().value().front().id, "/newer");
}

TEST_F(RepositoryTest, PruningKeepsWhatIsNeeded) {
    house = {{"shared", noise(3'000, 1)}, {"old", noise(3'000, 2)}};
    const auto repository = make();
    const std::string first = take_one(*repository).value().id;
    house.erase("old");
    house["new"] = noise(3'000, 3);
    const std::string second = take_one(*repository).value().id;
    const Repository::Pruned pruned = repository->prune({.last = 1}).value();
    EXPECT_EQ(pruned.removed, std::vector<std::string>{first});
    EXPECT_EQ(pruned.pieces, 1);
    EXPECT_GT(pruned.bytes, 3'000);
    expect_restored(*repository, second, "/new");
    EXPECT_TRUE(verify().ok());
    EXPECT_EQ(repository->prune({.last = 1}).value().pieces, 0);
}

TEST_F(RepositoryTest, NothingIsPrunedWhileASnapshotCannotBeRead) {
    house = {{"a", noise(300, 1)}};
    const auto repository = make();
    const std::string first = take_one(*repository).value().id;
    house["a"] = noise(300, 2);
    ASSERT_TRUE(take_one(*repository));
    (*disk.bytes_of("/backup/snapshots/" + first))[60] ^= std::byte{1};
    EXPECT_EQ(repository->prune({.last = 1}).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(repository->files().value().size(), 2 + 2 + 2);
}

TEST_F(RepositoryTest, AFullDiskEndsItCleanlyAndTheNextRunGoesOn) {
    for (int i = 0; i < 10; ++i) house[fmt::format("f{}", i)] = noise(100'000, static_cast<std::uint64_t>(i));
    const auto repository = make();
    disk.set_free_bytes(450'000);
    EXPECT_EQ(take_one(*repository).error().code(), ErrorCode::DiskFull);
    EXPECT_TRUE(repository->snapshots().value().empty());
    EXPECT_TRUE(verify().ok());
    disk.set_free_bytes(10'000'000);
    const SnapshotInfo info = take_one(*repository).value();
    EXPECT_EQ(info.bytes, 1'000'000);
    EXPECT_EQ(info.added_bytes, 600'000);  // Four were there already.
    expect_restored(*repository, "latest", "/new");
}

TEST_F(RepositoryTest, ToldToStopItStopsAndGoesOnLater) {
    house = {{"a", noise(3 * piece_bytes_max, 1)}};
    const auto repository = make();
    progress.stop = true;
    EXPECT_EQ(take_one(*repository).error().code(), ErrorCode::Closed);
    progress.stop = false;
    ASSERT_TRUE(take_one(*repository));
}

TEST_F(RepositoryTest, PowerMayGoAtAnyMomentOfABackup) {
    for (int i = 0; i < 4; ++i) house[fmt::format("f{}", i)] = noise(1'000, static_cast<std::uint64_t>(i));
    make(std::nullopt);
    ASSERT_TRUE(take_one(*make(std::nullopt)));
    house["f0"] = noise(1'000, 99);
    house["f9"] = noise(1'000, 100);
    bool finished = false;
    for (std::uint64_t cut = 1; !finished; ++cut) {
        ASSERT_LT(cut, 2000u);
        disk.lose_power_at_sync(cut);
        const auto taken = take_one(*make(std::nullopt));
        finished = taken.has_value() && !disk.is_dark();
        disk.lose_power();
        const auto repository = make(std::nullopt);
        EXPECT_TRUE(verify(std::nullopt).ok()) << cut;
        const auto snapshots = repository->snapshots().value();
        ASSERT_GE(snapshots.size(), taken ? 2u : 1u);
        for (const SnapshotInfo& info : snapshots) {
            const std::string to = fmt::format("/r{}-{}", cut, info.id);
            EXPECT_TRUE(restore(*repository, disk, info.id, to, progress)) << cut;
        }
        cut += cut / 8;
    }
}

TEST_F(RepositoryTest, ARestoreGoesOnWhereItEnded) {
    for (int i = 0; i < 5; ++i) house[fmt::format("d/f{}", i)] = noise(1'000, static_cast<std::uint64_t>(i));
    const auto repository = make();
    const std::string first = take_one(*repository).value().id;
    const std::string second = take_one(*repository).value().id;
    disk.set_free_bytes(2'500);
    EXPECT_EQ(restore(*repository, disk, first, "/new", progress).error().code(), ErrorCode::DiskFull);
    EXPECT_TRUE(disk.exists(std::string("/new/") + unfinished_mark));
    disk.set_free_bytes(1'000'000);
    EXPECT_EQ(restore(*repository, disk, second, "/new", progress).error().code(), ErrorCode::Conflict);
    progress.added_bytes = 0;
    expect_restored(*repository, first, "/new");
    EXPECT_LT(progress.added_bytes, 5'000);
    // A data directory is never written over.
    EXPECT_EQ(restore(*repository, disk, first, "/new", progress).error().code(), ErrorCode::Conflict);
}

TEST_F(RepositoryTest, TwoRunsAtOnceAreRefused) {
    const auto repository = make();
    const auto lock = repository->lock().value();
    EXPECT_EQ(repository->lock().error().code(), ErrorCode::Conflict);
}

TEST(SnapshotCodec, PathsThatLeaveTheDirectoryAreRefused) {
    for (const char* bad : {"", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a"}) {
        EXPECT_FALSE(is_safe_path(bad)) << bad;
        Snapshot snapshot;
        snapshot.files = {{bad, 0, {}, false, {}}};
        EXPECT_EQ(decode_snapshot(encode_snapshot(snapshot)).error().code(), ErrorCode::Corrupt) << bad;
    }
    EXPECT_TRUE(is_safe_path("history/shard-0/a.seg"));
}

TEST(Throttle, ReadsNoFasterThanAsked) {
    ManualClock clock;
    Duration slept{};
    Throttle throttle(clock, 1'000'000, [&](Duration duration) {
        slept += duration;
        clock.advance(duration);
    });
    for (int i = 0; i < 10; ++i) throttle.took(500'000);
    EXPECT_EQ(slept, 5s);
    clock.advance(1h);
    slept = {};
    throttle.took(1'000'000);
    EXPECT_EQ(slept, 1s);
}

}  // namespace
}  // namespace lineshaft::backup
