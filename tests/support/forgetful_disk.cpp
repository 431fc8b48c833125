#include "forgetful_disk.h"

#include <algorithm>
#include <cstring>

namespace lineshaft::testing {
namespace {

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace

class ForgetfulFile final : public AppendFile, public ReadFile {
public:
    enum class For : std::uint8_t { Appending, Reading };
    ForgetfulFile(ForgetfulDisk& disk, std::shared_ptr<ForgetfulDisk::Content> content, For purpose)
        : disk_(disk), epoch_(disk.epoch_), content_(std::move(content)), purpose_(purpose) {}

    Result<void> append(ByteView bytes) override {
        TRY_VOID(check());
        TRY_VOID(disk_.count_call());
        // What was reserved is overwritten; only what goes beyond needs space.
        const std::size_t reserved = std::min(content_->zeros, bytes.size());
        if (disk_.free_bytes_) {
            if (*disk_.free_bytes_ < bytes.size() - reserved) {
                // As a real one: what fits is written, the rest is not.
                put(bytes.first(reserved + *disk_.free_bytes_));
                *disk_.free_bytes_ = 0;
                return lineshaft::fail(ErrorCode::DiskFull, "the disk in memory is full");
            }
            *disk_.free_bytes_ -= bytes.size() - reserved;
        }
        put(bytes);
        return {};
    }
    Result<void> reserve(std::uint64_t bytes) override {
        TRY_VOID(check());
        if (!disk_.reserves_ || bytes <= content_->bytes.size()) return {};
        std::uint64_t more = bytes - content_->bytes.size();
        const bool is_full = disk_.free_bytes_ && *disk_.free_bytes_ < more;
        if (is_full) more = *disk_.free_bytes_;
        if (disk_.free_bytes_) *disk_.free_bytes_ -= more;
        content_->bytes.resize(content_->bytes.size() + more);
        content_->zeros += more;
        if (is_full) return lineshaft::fail(ErrorCode::DiskFull, "the disk in memory is full");
        return {};
    }
    Result<void> sync() override {
        TRY_VOID(check());
        const auto counted = disk_.count_sync();
        if (!counted) {
            failed_ = true;
            return counted;
        }
        content_->synced_bytes = content_->bytes.size() - content_->zeros;
        content_->synced_zeros = content_->bytes.size();
        return {};
    }
    std::uint64_t size() const override {
        return content_->bytes.size() - (purpose_ == For::Appending ? content_->zeros : 0);
    }

    Result<void> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
        if (offset + into.size() > content_->bytes.size())
            return lineshaft::fail(ErrorCode::Corrupt, "the file ends before");
        std::memcpy(into.data(), content_->bytes.data() + offset, into.size());
        return {};
    }
    ByteView map() const override { return content_->bytes; }

private:
    void put(ByteView bytes) {
        Bytes& all = content_->bytes;
        const std::size_t over = std::min(content_->zeros, bytes.size());
        std::copy_n(bytes.begin(), over, all.end() - static_cast<std::ptrdiff_t>(content_->zeros));
        content_->zeros -= over;
        all.insert(all.end(), bytes.begin() + static_cast<std::ptrdiff_t>(over), bytes.end());
    }
    Result<void> check() {
        if (failed_ || epoch_ != disk_.epoch_ || disk_.dark_)
            return lineshaft::fail(ErrorCode::Io, "this file is dead");
        return {};
    }

    ForgetfulDisk& disk_;
    const std::uint64_t epoch_;
    std::shared_ptr<ForgetfulDisk::Content> content_;
    const For purpose_;
    bool failed_ = false;
};

class ForgetfulDisk::Lock final : public DiskLock {
public:
    Lock(ForgetfulDisk& disk, std::string path) : disk_(disk), path_(std::move(path)), epoch_(disk.epoch_) {}
    ~Lock() override {
        if (epoch_ == disk_.epoch_) disk_.locks_.erase(path_);
    }

private:
    ForgetfulDisk& disk_;
    const std::string path_;
    const std::uint64_t epoch_;
};

ForgetfulDisk::ForgetfulDisk() = default;
ForgetfulDisk::~ForgetfulDisk() = default;

void ForgetfulDisk::lose_power(Tear tear, Random* random) {
    const bool names_survive = tear == Tear::Random && random && random->below(2) == 0;
    if (!names_survive) names_ = names_synced_;
    for (auto& [path, content] : names_) {
        std::size_t keep = content->synced_bytes;
        const std::size_t appended = content->bytes.size() - content->zeros;
        const std::size_t unsynced = appended - std::min(keep, appended);
        if (tear == Tear::Random && random && unsynced > 0) {
            keep += random->below(unsynced + 1);
            if (keep > content->synced_bytes && random->below(2) == 0) content->bytes[keep - 1] ^= std::byte{0x5A};
        }
        // A new object: files opened before must not see what the reopened system writes.
        auto reborn = std::make_shared<Content>();
        reborn->bytes.assign(content->bytes.begin(), content->bytes.begin() + static_cast<std::ptrdiff_t>(keep));
        // Where room was on disk already, what was not written to it is zeros.
        reborn->bytes.resize(std::max(keep, content->synced_zeros));
        reborn->synced_bytes = reborn->bytes.size();
        reborn->synced_zeros = reborn->bytes.size();
        content = std::move(reborn);
    }
    names_synced_ = names_;
    locks_.clear();
    ++epoch_;
    dark_ = false;
    heal();
}

void ForgetfulDisk::heal() {
    free_bytes_.reset();
    dark_in_.reset();
    dark_at_call_.reset();
    sync_fails_in_.reset();
    call_fails_in_.reset();
}

void ForgetfulDisk::kill_process() {
    locks_.clear();
    ++epoch_;
}

Bytes* ForgetfulDisk::bytes_of(const std::string& path) {
    const auto at = names_.find(path);
    return at == names_.end() ? nullptr : &at->second->bytes;
}

std::vector<std::string> ForgetfulDisk::files() const {
    std::vector<std::string> paths;
    for (const auto& [path, content] : names_) paths.push_back(path);
    return paths;
}

Result<void> ForgetfulDisk::check_power() {
    if (dark_) return lineshaft::fail(ErrorCode::Io, "the power is off");
    return {};
}

Result<void> ForgetfulDisk::count_call() {
    TRY_VOID(check_power());
    if (dark_at_call_ && (*dark_at_call_)-- == 0) {
        dark_ = true;
        return lineshaft::fail(ErrorCode::Io, "the power went off");
    }
    if (call_fails_in_ && call_fails_in_->first-- == 0) {
        const ErrorCode why = call_fails_in_->second;
        call_fails_in_.reset();
        return lineshaft::fail(why, "the disk refused this call");
    }
    ++calls_;
    return {};
}

Result<void> ForgetfulDisk::count_sync() {
    TRY_VOID(count_call());
    if (dark_in_ && (*dark_in_)-- == 0) {
        dark_ = true;
        return lineshaft::fail(ErrorCode::Io, "the power went off");
    }
    if (sync_fails_in_ && (*sync_fails_in_)-- == 0) {
        sync_fails_in_.reset();
        return lineshaft::fail(ErrorCode::Io, "the sync failed");
    }
    ++syncs_;
    return {};
}

Result<std::unique_ptr<AppendFile>> ForgetfulDisk::create(const std::string& path) {
    TRY_VOID(count_call());
    if (names_.contains(path)) return lineshaft::fail(ErrorCode::Conflict, path + " exists");
    if (free_bytes_ && *free_bytes_ == 0) return lineshaft::fail(ErrorCode::DiskFull, "the disk in memory is full");
    names_[path] = std::make_shared<Content>();
    return std::make_unique<ForgetfulFile>(*this, names_[path], ForgetfulFile::For::Appending);
}

Result<std::unique_ptr<AppendFile>> ForgetfulDisk::reopen(const std::string& path, std::uint64_t size) {
    TRY_VOID(check_power());
    const auto at = names_.find(path);
    if (at == names_.end()) return lineshaft::fail(ErrorCode::NotFound, path);
    Content& content = *at->second;
    content.bytes.resize(size);
    content.synced_bytes = std::min<std::size_t>(content.synced_bytes, size);
    content.synced_zeros = std::min<std::size_t>(content.synced_zeros, size);
    content.zeros = 0;
    return std::make_unique<ForgetfulFile>(*this, at->second, ForgetfulFile::For::Appending);
}

Result<std::unique_ptr<ReadFile>> ForgetfulDisk::open(const std::string& path) {
    TRY_VOID(check_power());
    const auto at = names_.find(path);
    if (at == names_.end()) return lineshaft::fail(ErrorCode::NotFound, path);
    return std::make_unique<ForgetfulFile>(*this, at->second, ForgetfulFile::For::Reading);
}

Result<Bytes> ForgetfulDisk::read(const std::string& path) {
    TRY_VOID(check_power());
    const auto at = names_.find(path);
    if (at == names_.end()) return lineshaft::fail(ErrorCode::NotFound, path);
    return at->second->bytes;
}

Result<void> ForgetfulDisk::replace(const std::string& path, ByteView bytes) {
    const std::string fresh = path + ".new";
    names_.erase(fresh);
    {
        const auto file = TRY(create(fresh));
        TRY_VOID(file->append(bytes));
        TRY_VOID(file->sync());
    }
    TRY_VOID(rename(fresh, path));
    return sync_directory(parent_of(path));
}

Result<void> ForgetfulDisk::rename(const std::string& from, const std::string& to) {
    TRY_VOID(count_call());
    const auto at = names_.find(from);
    if (at == names_.end()) return lineshaft::fail(ErrorCode::NotFound, from);
    auto content = at->second;
    names_.erase(at);
    names_[to] = std::move(content);
    return {};
}

Result<void> ForgetfulDisk::remove(const std::string& path) {
    TRY_VOID(count_call());
    if (names_.erase(path) == 0 && directories_.erase(path) == 0) return lineshaft::fail(ErrorCode::NotFound, path);
    return {};
}

Result<void> ForgetfulDisk::sync_directory(const std::string& directory) {
    TRY_VOID(count_sync());
    std::erase_if(names_synced_, [&](const auto& entry) { return parent_of(entry.first) == directory; });
    for (const auto& [path, content] : names_) {
        if (parent_of(path) == directory) names_synced_[path] = content;
    }
    return {};
}

Result<void> ForgetfulDisk::make_directory(const std::string& path) {
    TRY_VOID(check_power());
    for (std::string level = path; !level.empty(); level = parent_of(level)) directories_.insert(level);
    return {};
}

Result<std::vector<std::string>> ForgetfulDisk::list(const std::string& directory) {
    TRY_VOID(check_power());
    if (!directories_.contains(directory)) return lineshaft::fail(ErrorCode::NotFound, directory);
    std::vector<std::string> found;
    for (const auto& [path, content] : names_) {
        if (parent_of(path) == directory) found.push_back(path.substr(directory.size() + 1));
    }
    for (const auto& path : directories_) {
        if (!path.empty() && path != "/" && parent_of(path) == directory)
            found.push_back(path.substr(directory.size() + 1));
    }
    std::ranges::sort(found);
    return found;
}

bool ForgetfulDisk::exists(const std::string& path) { return names_.contains(path) || directories_.contains(path); }

Result<std::unique_ptr<DiskLock>> ForgetfulDisk::lock(const std::string& path) {
    TRY_VOID(check_power());
    if (!locks_.insert(path).second) return lineshaft::fail(ErrorCode::Locked, path + " is held by another");
    return std::make_unique<Lock>(*this, path);
}

Result<std::uint64_t> ForgetfulDisk::free_bytes(const std::string&) {
    return free_bytes_.value_or(std::uint64_t{1} << 40);
}

}  // namespace lineshaft::testing
