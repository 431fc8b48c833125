/// The disk as Lineshaft sees it. No other room opens a data file, so a simulator can stand in.
///
/// Threads: a Disk may be used from any thread; one file from one thread at a time. Calls block: on a worker
/// pool only,
///          except at start.
/// Errors:  NotFound, DiskFull, Io, Locked. After a failed sync() a file refuses everything (Io): the kernel may have
///          dropped what it could not write, so no later success may be believed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace lineshaft {

class AppendFile {
public:
    virtual ~AppendFile() = default;
    /// Adds `bytes` at the end. They may be lost, or torn, in a power cut until sync() has returned.
    virtual Result<void> append(ByteView bytes) = 0;
    /// Returns once everything appended before this call survives a power cut (fdatasync).
    virtual Result<void> sync() = 0;
    /// What was appended.
    virtual std::uint64_t size() const = 0;
    /// Lets the file take `bytes` in all: zeros are written behind its end, so that a later sync of what is appended
    /// there has no metadata to write. A reader sees the zeros. Without room nothing is lost: appends go on as before.
    /// Errors: DiskFull, Io.
    virtual Result<void> reserve(std::uint64_t bytes) {
        (void)bytes;
        return {};
    }
};

class ReadFile {
public:
    virtual ~ReadFile() = default;
    virtual std::uint64_t size() const = 0;
    /// Fills `into` whole. Errors: Corrupt when the file ends before.
    virtual Result<void> read_at(std::uint64_t offset, std::span<std::byte> into) const = 0;
    /// The whole file, mapped or held; good as long as this object lives.
    virtual ByteView map() const = 0;
};

class DiskLock {
public:
    virtual ~DiskLock() = default;  // Unlocks.
};

class Disk {
public:
    virtual ~Disk() = default;
    /// Errors: Conflict when it exists.
    virtual Result<std::unique_ptr<AppendFile>> create(const std::string& path) = 0;
    /// Opens to append, cutting it to `size` bytes first.
    virtual Result<std::unique_ptr<AppendFile>> reopen(const std::string& path, std::uint64_t size) = 0;
    virtual Result<std::unique_ptr<ReadFile>> open(const std::string& path) = 0;
    /// The whole file.
    virtual Result<Bytes> read(const std::string& path) = 0;
    /// Replaces `path` by `bytes` so that a power cut leaves the old or the new content, never a mixture:
    /// writes path + ".new", syncs, renames, syncs the directory.
    virtual Result<void> replace(const std::string& path, ByteView bytes) = 0;
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    virtual Result<void> remove(const std::string& path) = 0;
    /// Makes creations, renames and removals in `directory` survive a power cut.
    virtual Result<void> sync_directory(const std::string& directory) = 0;
    /// With parents; mode 0700.
    virtual Result<void> make_directory(const std::string& path) = 0;
    /// Names (not paths) of files and directories, sorted. Errors: NotFound.
    virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
    virtual bool exists(const std::string& path) = 0;
    /// Errors: Locked (names the other process where known).
    virtual Result<std::unique_ptr<DiskLock>> lock(const std::string& path) = 0;
    /// Bytes that may still be written to the file system of `path`.
    virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
};

/// The machine's file system. Files are created with mode 0600.
std::unique_ptr<Disk> make_system_disk();

}  // namespace lineshaft
