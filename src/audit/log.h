/// Who did what, when, from where, and how it ended: append-only, each entry holding the hash of the one before.
///
/// Flow:    takes entries from whoever changes something (registry, access, alarms, north); gives pages, newest first.
/// Threads: any. `record` blocks on the disk: worker threads only. `post_…` answer on the caller's shard.
/// Errors:  DiskFull, Io, Closed. Whoever cannot have its entry kept must refuse the action.
/// Limits:  limits below; entries that come together share one fsync.
/// Formats: docs/formats/audit.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/strong.h"
#include "base/time.h"
#include "runtime/disk.h"
#include "runtime/shard.h"
#include "runtime/worker_pool.h"

namespace lineshaft::audit {

inline constexpr std::size_t entry_bytes_max = 1024 * 1024;
inline constexpr std::size_t page_entries_max = 1000;

enum class Outcome : std::uint8_t { Done = 1, Refused = 2, Failed = 3 };  // On disk. Append only.
std::string_view to_text(Outcome outcome);

struct Entry {
    UtcTime time;  // None: the time of recording.
    TenantId tenant{1};
    std::string actor;    // "user anna", "token telegraf", "local".
    std::string address;  // Where the request came from; empty for what the program does by itself.
    std::string action;   // "device.update", "session.create", "command.write": noun dot verb.
    std::string target;   // "device 42 Line3/Filler".
    std::string detail;   // JSON, mostly {"before":…,"after":…}. Never a secret.
    Outcome outcome = Outcome::Done;
    friend bool operator==(const Entry&, const Entry&) = default;
};

/// An entry as kept: its number counts from 1 without a gap.
struct Kept {
    std::uint64_t number = 0;
    Entry entry;
};

/// What a list shall hold; empty fields let everything through.
struct Filter {
    std::optional<TenantId> tenant;
    std::string actor;          // Whole.
    std::string action_prefix;  // "device." finds device.create and device.update.
    std::string target_part;    // Anywhere in the target.
    UtcTime from = utc_time_min;
    UtcTime to = utc_time_max;  // Not included.
};

struct Page {
    std::vector<Kept> items;            // Newest first; may be fewer than asked for although there is a next page.
    std::optional<std::uint64_t> next;  // Cursor of the following page.
};

/// What a walk over the whole chain found.
struct Verdict {
    bool ok = true;
    std::uint64_t entries = 0;  // Good ones.
    std::string head;    // Hash of the newest, hex: keep it elsewhere to prove later that nothing was rewritten.
    std::string detail;  // What is wrong and where; empty when ok.
};

template <class T>
using Done = std::move_only_function<void(Result<T>)>;

class Log {
public:
    struct Options {
        std::string directory;
        std::uint64_t segment_bytes_max = 16 * 1024 * 1024;
    };

    /// Opens or creates the log. A torn tail (an entry that nobody was told of) is cut off. Damage anywhere else leaves
    /// the damaged file as it is, for verify() to report, and goes on in a new one whose first entry says so.
    /// `disk`, `clock` and `pool` outlive the log. Errors: Io, DiskFull, VersionUnknown.
    static Result<std::unique_ptr<Log>> open(Disk& disk, const Clock& clock, WorkerPool& pool, Options options);
    ~Log();

    /// Returns the entry's number once it survives a power cut. Blocks: worker threads and start-up only.
    Result<std::uint64_t> record(Entry entry);
    /// As record; `done` runs on `caller`. Any thread.
    void post_record(Shard& caller, Entry entry, Done<std::uint64_t> done);
    /// At most `limit` matching entries older than `cursor` (none: from the newest). Any thread.
    void post_list(Shard& caller, Filter filter, std::optional<std::uint64_t> cursor, std::size_t limit,
                   Done<Page> done);
    /// Walks the whole chain. Any thread.
    void post_verify(Shard& caller, Done<Verdict> done);

    /// The same, blocking; worker threads and tests.
    Result<Page> list(const Filter& filter, std::optional<std::uint64_t> cursor, std::size_t limit);
    std::uint64_t entries() const;

    /// The walk without a running program. Errors: Io, NotFound when there is no log.
    static Result<Verdict> verify(Disk& disk, const std::string& directory);

private:
    struct State;
    explicit Log(std::unique_ptr<State> state);
    void add(Entry entry, std::move_only_function<void(Result<std::uint64_t>)> answer);
    void keep_waiting();

    std::unique_ptr<State> state_;
};

}  // namespace lineshaft::audit
