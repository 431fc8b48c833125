#include "runtime/disk.h"

#include <csignal>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lineshaft {
namespace {

class SystemDiskTest : public ::testing::Test {
protected:
    SystemDiskTest() {
        const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
        directory = std::string(::testing::TempDir()) + "disk-" + info->name() + "-" + std::to_string(::getpid());
        std::filesystem::remove_all(directory);
        std::filesystem::create_directories(directory);
    }
    ~SystemDiskTest() override { std::filesystem::remove_all(directory); }

    std::string in(const std::string& name) const { return directory + "/" + name; }
    std::string text(const std::string& name) {
        const auto bytes = disk->read(in(name));
        return bytes ? std::string(as_text(*bytes)) : "error: " + bytes.error().detail();
    }
    static mode_t mode(const std::string& path) {
        struct stat info{};
        return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
    }

    std::string directory;
    std::unique_ptr<Disk> disk = make_system_disk();
};

TEST_F(SystemDiskTest, WhatIsAppendedIsReadBackAndOnlyItsOwnerMayReadIt) {
    const auto file = disk->create(in("log"));
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->append(as_bytes("one ")));
    ASSERT_TRUE((*file)->append(as_bytes("two")));
    ASSERT_TRUE((*file)->sync());
    EXPECT_EQ((*file)->size(), 7u);
    EXPECT_EQ(text("log"), "one two");
    EXPECT_EQ(mode(in("log")), 0600u);
    EXPECT_EQ(disk->create(in("log")).error().code(), ErrorCode::Conflict);
}

TEST_F(SystemDiskTest, AFileOpenedAgainIsCutAndGoesOnAtItsEnd) {
    ASSERT_TRUE((*disk->create(in("log")))->append(as_bytes("whole torn")));
    {
        const auto file = disk->reopen(in("log"), 6);
        ASSERT_TRUE(file);
        EXPECT_EQ((*file)->size(), 6u);
        ASSERT_TRUE((*file)->append(as_bytes("again")));
    }
    EXPECT_EQ(text("log"), "whole again");
    EXPECT_EQ(disk->reopen(in("none"), 0).error().code(), ErrorCode::NotFound);
}

TEST_F(SystemDiskTest, ReplacingLeavesTheNewContentAndNothingElse) {
    ASSERT_TRUE(disk->replace(in("state"), as_bytes("old")));
    // What a power cut in the middle of an earlier replacement has left does not matter.
    ASSERT_TRUE((*disk->create(in("state.new")))->append(as_bytes("torn")));
    ASSERT_TRUE(disk->replace(in("state"), as_bytes("new")));
    EXPECT_EQ(text("state"), "new");
    EXPECT_EQ(*disk->list(directory), std::vector<std::string>{"state"});
    EXPECT_EQ(mode(in("state")), 0600u);
}

TEST_F(SystemDiskTest, AReplacementThatCannotBeWrittenLeavesTheOldContent) {
    ASSERT_TRUE(disk->replace(in("state"), as_bytes("old")));
    // A file size limit stands in for a full disk; in a child, as it cannot be lifted for the rest of the tests.
    const pid_t child = ::fork();
    if (child == 0) {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{16, 16};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        ::_exit(disk->replace(in("state"), Bytes(1000)) ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT_EQ(text("state"), "old");
    ASSERT_TRUE(disk->replace(in("state"), as_bytes("newer")));
    EXPECT_EQ(text("state"), "newer");
}

TEST_F(SystemDiskTest, ReadersSeeTheFileAsItWasWhenTheyOpenedIt) {
    ASSERT_TRUE(disk->replace(in("block"), as_bytes("0123456789")));
    const auto file = disk->open(in("block"));
    ASSERT_TRUE(file);
    ASSERT_TRUE(disk->replace(in("block"), as_bytes("other")));
    EXPECT_EQ(as_text((*file)->map()), "0123456789");
    Bytes part(3);
    ASSERT_TRUE((*file)->read_at(4, part));
    EXPECT_EQ(as_text(part), "456");
    EXPECT_EQ((*file)->read_at(8, part).error().code(), ErrorCode::Corrupt);
}

TEST_F(SystemDiskTest, AnEmptyFileIsEmptyAndNoError) {
    ASSERT_TRUE(disk->create(in("empty")));
    const auto file = disk->open(in("empty"));
    ASSERT_TRUE(file);
    EXPECT_TRUE((*file)->map().empty());
    EXPECT_TRUE(disk->read(in("empty"))->empty());
}

TEST_F(SystemDiskTest, DirectoriesAreMadeWithTheirParentsForTheirOwnerOnly) {
    ASSERT_TRUE(disk->make_directory(in("a/b/c")));
    ASSERT_TRUE(disk->make_directory(in("a/b/c")));
    EXPECT_EQ(mode(in("a/b/c")), 0700u);
    ASSERT_TRUE(disk->create(in("a/file")));
    EXPECT_FALSE(disk->make_directory(in("a/file")));
    EXPECT_FALSE(disk->make_directory(in("a/file/below")));
}

TEST_F(SystemDiskTest, ARelativeDirectoryIsMadeHoweverShortItsFirstName) {
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(directory);
    const auto made = disk->make_directory("d/below/that");
    std::filesystem::current_path(before);
    ASSERT_TRUE(made) << made.error().detail();
    EXPECT_TRUE(disk->exists(in("d/below/that")));
}

TEST_F(SystemDiskTest, ListsNamesInOrderAndRemovesFilesAndEmptyDirectories) {
    ASSERT_TRUE(disk->create(in("b")));
    ASSERT_TRUE(disk->create(in("a")));
    ASSERT_TRUE(disk->make_directory(in("c/d")));
    EXPECT_EQ(*disk->list(directory), (std::vector<std::string>{"a", "b", "c"}));
    ASSERT_TRUE(disk->remove(in("a")));
    EXPECT_FALSE(disk->remove(in("c")));
    ASSERT_TRUE(disk->remove(in("c/d")));
    ASSERT_TRUE(disk->remove(in("c")));
    ASSERT_TRUE(disk->rename(in("b"), in("z")));
    ASSERT_TRUE(disk->sync_directory(directory));
    EXPECT_EQ(*disk->list(directory), std::vector<std::string>{"z"});
    EXPECT_EQ(disk->list(in("none")).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(disk->remove(in("none")).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(disk->open(in("none")).error().code(), ErrorCode::NotFound);
    EXPECT_GT(*disk->free_bytes(directory), 0u);
}

TEST_F(SystemDiskTest, ALockKeepsOtherProcessesOutAndNamesItsHolder) {
    auto lock = disk->lock(in("lock"));
    ASSERT_TRUE(lock);
    const std::string holder = std::to_string(::getpid());
    const auto try_in_child = [&] {
        const pid_t child = ::fork();
        if (child == 0) {
            const auto other = make_system_disk()->lock(in("lock"));
            if (other) ::_exit(1);
            const bool named = other.error().detail().find(holder) != std::string::npos;
            ::_exit(other.error().code() == ErrorCode::Locked && named ? 2 : 3);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        return WEXITSTATUS(status);
    };
    EXPECT_EQ(try_in_child(), 2);
    EXPECT_EQ(disk->lock(in("lock")).error().code(), ErrorCode::Locked);
    lock->reset();
    EXPECT_EQ(try_in_child(), 1);
    // The child that had it has died: the lock died with it.
    EXPECT_TRUE(disk->lock(in("lock")));
}

}  // namespace
}  // namespace lineshaft
