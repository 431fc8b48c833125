/// A disk in memory that forgets, on request, whatever was not synced; it can also be full, sick or torn.
///
///   disk.lose_power();           // files shrink to what was synced; unsynced directory changes are undone
///   disk.fail_sync_after(3);     // the 4th sync from now fails with Io, once
///   disk.set_free_bytes(100);    // then appends answer DiskFull
///
/// A torn write: lose_power(Tear::Random, random) keeps a random part of what was not synced, and may garble
/// its end; directory changes that were not synced are all kept or all undone. Threads: one, or external locking. Open files of before lose_power() answer Io for ever.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/random.h"
#include "runtime/disk.h"

namespace lineshaft::testing {

class ForgetfulDisk final : public Disk {
public:
    enum class Tear : std::uint8_t { None, Random };

    struct Content {
        Bytes bytes;
        std::size_t synced_bytes = 0;
        std::size_t zeros = 0;         // Of `bytes`, at the end: reserved.
        std::size_t synced_zeros = 0;  // The length that a power cut leaves, filled with zeros.
    };

    ForgetfulDisk();
    ~ForgetfulDisk() override;

    void lose_power(Tear tear = Tear::None, Random* random = nullptr);
    /// The process dies, the machine does not: everything written stays, open files and locks are gone.
    void kill_process();
    /// From now on reserve() makes room, as the machine's disk does; otherwise it does nothing.
    void honour_reserve() { reserves_ = true; }
    void set_free_bytes(std::uint64_t bytes) { free_bytes_ = bytes; }
    void fail_sync_after(std::uint64_t syncs) { sync_fails_in_ = syncs; }
    /// Loses power by itself just before the n-th sync from now; is_dark() tells, and every call fails with Io then.
    void lose_power_at_sync(std::uint64_t syncs) { dark_in_ = syncs; }
    bool is_dark() const { return dark_; }
    std::uint64_t syncs() const { return syncs_; }
    /// Every call that changes the disk counts: append, sync, create, rename, remove, directory sync.
    std::uint64_t calls() const { return calls_; }
    /// Loses power by itself just before the n-th changing call from now; see lose_power_at_sync.
    void lose_power_at_call(std::uint64_t calls) { dark_at_call_ = calls; }
    /// The n-th changing call from now fails with `why` and does nothing, once.
    void fail_call_after(std::uint64_t calls, ErrorCode why) { call_fails_in_ = {calls, why}; }
    /// Takes back every fault that is set and has not happened, and gives all space back.
    void heal();
    /// Direct access, to corrupt. Null when there is no such file.
    Bytes* bytes_of(const std::string& path);
    std::vector<std::string> files() const;

    Result<std::unique_ptr<AppendFile>> create(const std::string& path) override;
    Result<std::unique_ptr<AppendFile>> reopen(const std::string& path, std::uint64_t size) override;
    Result<std::unique_ptr<ReadFile>> open(const std::string& path) override;
    Result<Bytes> read(const std::string& path) override;
    Result<void> replace(const std::string& path, ByteView bytes) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<void> sync_directory(const std::string& directory) override;
    Result<void> make_directory(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& directory) override;
    bool exists(const std::string& path) override;
    Result<std::unique_ptr<DiskLock>> lock(const std::string& path) override;
    Result<std::uint64_t> free_bytes(const std::string& path) override;

private:
    friend class ForgetfulFile;
    class Lock;
    using Names = std::map<std::string, std::shared_ptr<Content>>;

    Result<void> check_power();
    Result<void> count_sync();
    Result<void> count_call();

    Names names_;         // As the running system sees them.
    Names names_synced_;  // As they come back after a power cut.
    std::set<std::string> directories_{"", "/"};
    std::set<std::string> locks_;
    std::optional<std::uint64_t> free_bytes_;
    std::optional<std::uint64_t> sync_fails_in_;
    std::optional<std::uint64_t> dark_in_;
    std::optional<std::uint64_t> dark_at_call_;
    std::optional<std::pair<std::uint64_t, ErrorCode>> call_fails_in_;
    std::uint64_t syncs_ = 0;
    std::uint64_t calls_ = 0;
    std::uint64_t epoch_ = 0;  // Rises at each power cut: older files are dead.
    bool dark_ = false;
    bool reserves_ = false;
};

}  // namespace lineshaft::testing
