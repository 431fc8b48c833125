#include "runtime/disk.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace lineshaft {
namespace {

std::unexpected<Error> io_error(const std::string& path, const char* what) {
    const int number = errno;
    const std::string detail = fmt::format("{}: cannot {}: {}", path, what, std::strerror(number));
    if (number == ENOENT) return fail(ErrorCode::NotFound, detail);
    if (number == ENOSPC || number == EDQUOT) return fail(ErrorCode::DiskFull, detail);
    if (number == EEXIST) return fail(ErrorCode::Conflict, detail);
    if (number == EACCES || number == EPERM) return fail(ErrorCode::Io, detail + " (check the owner and mode)");
    return fail(ErrorCode::Io, detail);
}

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }

private:
    const int fd_;
};

class SystemAppendFile final : public AppendFile {
public:
    SystemAppendFile(int fd, std::string path, std::uint64_t size) : fd_(fd), path_(std::move(path)), size_(size) {}

    Result<void> append(ByteView bytes) override {
        if (failed_) return fail(ErrorCode::Io, path_ + ": an earlier write or sync failed");
        while (!bytes.empty()) {
            const ssize_t written = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) return io_error(path_, "write");
            size_ += static_cast<std::uint64_t>(written);
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        }
        return {};
    }

    Result<void> sync() override {
        if (failed_) return fail(ErrorCode::Io, path_ + ": an earlier write or sync failed");
        if (::fdatasync(fd_.get()) == 0) return {};
        failed_ = true;
        return io_error(path_, "sync");
    }

    std::uint64_t size() const override { return size_; }

    // Zeros and not fallocate(): blocks that were never written are marked in metadata when they are, at every sync.
    Result<void> reserve(std::uint64_t bytes) override {
        static constexpr std::array<std::byte, 64 * 1024> zeros{};
        if (failed_) return fail(ErrorCode::Io, path_ + ": an earlier write or sync failed");
        reserved_ = std::max(reserved_, size_);
        while (reserved_ < bytes) {
            const std::size_t part = std::min<std::uint64_t>(zeros.size(), bytes - reserved_);
            const ssize_t written = ::pwrite(fd_.get(), zeros.data(), part, static_cast<off_t>(reserved_));
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) return io_error(path_, "reserve room");
            reserved_ += static_cast<std::uint64_t>(written);
        }
        return {};
    }

private:
    const Descriptor fd_;
    const std::string path_;
    std::uint64_t size_;
    std::uint64_t reserved_ = 0;  // The file's length, when it is longer than what was appended.
    bool failed_ = false;
};

class SystemReadFile final : public ReadFile {
public:
    SystemReadFile(int fd, std::string path, std::uint64_t size, void* map)
        : fd_(fd), path_(std::move(path)), size_(size), map_(map) {}
    ~SystemReadFile() override {
        if (map_) ::munmap(map_, size_);
    }

    std::uint64_t size() const override { return size_; }

    Result<void> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
        while (!into.empty()) {
            const ssize_t got = ::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return io_error(path_, "read");
            if (got == 0)
                return fail(ErrorCode::Corrupt, fmt::format("{} ends before offset {}", path_, offset + into.size()));
            offset += static_cast<std::uint64_t>(got);
            into = into.subspan(static_cast<std::size_t>(got));
        }
        return {};
    }

    ByteView map() const override { return {static_cast<const std::byte*>(map_), map_ ? size_ : 0}; }

private:
    const Descriptor fd_;
    const std::string path_;
    const std::uint64_t size_;
    void* const map_;
};

class SystemLock final : public DiskLock {
public:
    explicit SystemLock(int fd) : fd_(fd) {}

private:
    const Descriptor fd_;  // Closing it unlocks.
};

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

class SystemDisk final : public Disk {
public:
    Result<std::unique_ptr<AppendFile>> create(const std::string& path) override {
        const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) return io_error(path, "create");
        return std::make_unique<SystemAppendFile>(fd, path, 0);
    }

    Result<std::unique_ptr<AppendFile>> reopen(const std::string& path, std::uint64_t size) override {
        const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
        if (fd < 0) return io_error(path, "open");
        auto file = std::make_unique<SystemAppendFile>(fd, path, size);
        if (::ftruncate(fd, static_cast<off_t>(size)) != 0) return io_error(path, "cut");
        return file;
    }

    Result<std::unique_ptr<ReadFile>> open(const std::string& path) override {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) return io_error(path, "open");
        struct stat info{};
        if (::fstat(fd, &info) != 0) {
            const auto error = io_error(path, "examine");
            ::close(fd);
            return error;
        }
        const auto size = static_cast<std::uint64_t>(info.st_size);
        void* map = size > 0 ? ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0) : nullptr;
        if (map == MAP_FAILED) {
            const auto error = io_error(path, "map");
            ::close(fd);
            return error;
        }
        return std::make_unique<SystemReadFile>(fd, path, size, map);
    }

    Result<Bytes> read(const std::string& path) override {
        const auto file = TRY(open(path));
        Bytes bytes(file->size());
        TRY_VOID(file->read_at(0, bytes));
        return bytes;
    }

    Result<void> replace(const std::string& path, ByteView bytes) override {
        const std::string fresh = path + ".new";
        if (::unlink(fresh.c_str()) != 0 && errno != ENOENT) return io_error(fresh, "remove");
        {
            const auto file = TRY(create(fresh));
            TRY_VOID(file->append(bytes));
            TRY_VOID(file->sync());
        }
        TRY_VOID(rename(fresh, path));
        return sync_directory(parent_of(path));
    }

    Result<void> rename(const std::string& from, const std::string& to) override {
        if (::rename(from.c_str(), to.c_str()) != 0) return io_error(from, "rename");
        return {};
    }

    Result<void> remove(const std::string& path) override {
        if (::unlink(path.c_str()) == 0) return {};
        if (errno == EISDIR || errno == EPERM) {
            if (::rmdir(path.c_str()) == 0) return {};
        }
        return io_error(path, "remove");
    }

    Result<void> sync_directory(const std::string& directory) override {
        const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (fd.get() < 0) return io_error(directory, "open");
        if (::fsync(fd.get()) != 0) return io_error(directory, "sync");
        return {};
    }

    Result<void> make_directory(const std::string& path) override {
        for (std::size_t at = 0; at != std::string::npos;) {
            at = path.find('/', at + 1);
            const std::string level = path.substr(0, at);
            if (::mkdir(level.c_str(), 0700) != 0 && errno != EEXIST) return io_error(level, "create directory");
        }
        struct stat info{};
        if (::stat(path.c_str(), &info) != 0) return io_error(path, "examine");
        if (!S_ISDIR(info.st_mode)) return fail(ErrorCode::Io, path + " is not a directory");
        return {};
    }

    Result<std::vector<std::string>> list(const std::string& directory) override {
        DIR* dir = ::opendir(directory.c_str());
        if (!dir) return io_error(directory, "list");
        std::vector<std::string> names;
        while (const dirent* entry = ::readdir(dir)) {
            const std::string name = entry->d_name;
            if (name != "." && name != "..") names.push_back(name);
        }
        ::closedir(dir);
        std::ranges::sort(names);
        return names;
    }

    bool exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }

    Result<std::unique_ptr<DiskLock>> lock(const std::string& path) override {
        const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) return io_error(path, "create");
        if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
            char pid[32] = {};
            const ssize_t got = ::pread(fd, pid, sizeof pid - 1, 0);
            ::close(fd);
            return fail(ErrorCode::Locked,
                        fmt::format("{} is held by process {}", path, got > 0 ? pid : "(unknown)"));
        }
        const std::string pid = std::to_string(::getpid());
        if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
            const auto error = io_error(path, "write");
            ::close(fd);
            return error;
        }
        return std::make_unique<SystemLock>(fd);
    }

    Result<std::uint64_t> free_bytes(const std::string& path) override {
        struct statvfs info{};
        if (::statvfs(path.c_str(), &info) != 0) return io_error(path, "examine");
        return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
    }
};

}  // namespace

std::unique_ptr<Disk> make_system_disk() { return std::make_unique<SystemDisk>(); }

}  // namespace lineshaft
