#include "store/internal/replay.h"

#include <cstring>

#include "base/log.h"

namespace lineshaft::store {
namespace {

/// The offset of the next commit record at or after `from` with a number of at least `least`; none: SIZE_MAX.
std::size_t find_commit(ByteView file, std::size_t from, std::uint64_t least) {
    for (std::size_t at = from; at + commit_record_bytes <= file.size(); ++at) {
        // Cheap tests first: nearly every offset fails them.
        if (load_le<std::uint32_t>(file.data() + at + 4) != 8) continue;
        if (file[at + 8] != static_cast<std::byte>(RecordKind::Commit)) continue;
        const auto record = read_record(file.subspan(at));
        if (record && load_le<std::uint64_t>(record->body.data()) >= least) return at;
    }
    return SIZE_MAX;
}

bool is_zero(ByteView bytes) {
    // The first byte is looked at, the others compared with their neighbours: as fast as memory.
    return bytes.empty() ||
           (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

class Replay {
public:
    Replay(const std::string& directory, const LogVisitor& visitor) : directory_(directory), visitor_(visitor) {}

    Result<void> run(std::uint64_t number, ByteView file) {
        name_ = log_name(number);
        LogFile entry{number, file.size(), false};
        visitor_.file(number);
        std::size_t at = log_header_bytes;
        const auto header = decode_log_header(file);
        if (!header && header.error().code() == ErrorCode::VersionUnknown) return std::unexpected(header.error());
        if (header) {
            begin(*header);
        } else if (at = find_commit(file, 0, commit_ + 1); at == SIZE_MAX) {
            // A file that was being made when the power went: nothing in it was acknowledged, if the next one goes on
            // from here; that is seen there.
            done_.files.push_back(entry);
            return {};
        } else {
            report("the header is damaged");
            entry.damaged = true;
        }
        TRY_VOID(read_records(file, at, entry));
        done_.files.push_back(entry);
        return {};
    }

    Replayed take() {
        done_.next_commit = commit_ + 1;
        return std::move(done_);
    }

private:
    void begin(const LogHeader& header) {
        // The first file of what is needed begins anywhere; the others where the one before ended.
        if (started_ && header.first_commit > commit_ + 1)
            report(fmt::format("commits {} to {} are missing before it", commit_ + 1, header.first_commit - 1));
        if (!started_ || header.first_commit > commit_) commit_ = std::max<std::uint64_t>(header.first_commit, 1) - 1;
        started_ = true;
    }

    Result<void> read_records(ByteView file, std::size_t at, LogFile& entry) {
        while (at < file.size()) {
            const auto record = read_record(file.subspan(at));
            const auto applied = record ? apply(*record) : Result<bool>(false);
            if (!applied) return std::unexpected(applied.error());
            if (*applied) {
                at += record->bytes;
                continue;
            }
            if (is_zero(file.subspan(at))) {
                entry.bytes = at;  // Room made ahead that was never used.
                return {};
            }
            const std::size_t next = find_commit(file, at + 1, commit_ + 1);
            if (next == SIZE_MAX) {
                entry.bytes = at;
                log_info("{}/{}: ends with a torn record at {}; {} bytes were never acknowledged", directory_, name_,
                         at, file.size() - at);
                return {};
            }
            report(fmt::format("bytes {} to {} are damaged; what follows was read", at, next));
            entry.damaged = true;
            at = next;
        }
        return {};
    }

    /// False when the body does not follow the format: then it is no record.
    Result<bool> apply(const Record& record) {
        switch (record.kind) {
            case RecordKind::Commit: {
                const auto number = decode_commit(record.body);
                if (!number) return false;
                commit_ = *number;
                started_ = true;
                return true;
            }
            case RecordKind::Series: {
                const auto series = decode_series(record.body);
                if (!series) return false;
                visitor_.series(*series);
                return true;
            }
            case RecordKind::Source: {
                const auto source = decode_source(record.body);
                if (!source) return false;
                visitor_.source(source->first, source->second);
                return true;
            }
            case RecordKind::Ledger:
                if (visitor_.ledger) visitor_.ledger(record.body);
                return true;
            case RecordKind::Erasure:
                if (visitor_.erased) TRY_VOID(visitor_.erased(record.body));
                return true;
            case RecordKind::Samples:
                if (!decode_samples(record.body, batch_)) return false;
                TRY_VOID(visitor_.samples(batch_));
                ++done_.batches;
                return true;
        }
        return fail(ErrorCode::VersionUnknown,
                    fmt::format("{}/{}: record kind {}", directory_, name_, static_cast<int>(record.kind)));
    }

    void report(const std::string& what) {
        done_.reports.push_back(fmt::format("{}/{}: {}", directory_, name_, what));
        log_error("{}", done_.reports.back());
    }

    const std::string& directory_;
    const LogVisitor& visitor_;
    std::string name_;
    std::uint64_t commit_ = 0;  // The last that was read.
    bool started_ = false;
    Batch batch_;
    Replayed done_;
};

}  // namespace

Result<Replayed> replay(Disk& disk, const std::string& directory, const std::vector<std::uint64_t>& numbers,
                        const LogVisitor& visitor) {
    Replay run(directory, visitor);
    for (const std::uint64_t number : numbers) {
        const auto file = TRY(disk.open(directory + "/" + log_name(number)));
        TRY_VOID(run.run(number, file->map()));
    }
    return run.take();
}

}  // namespace lineshaft::store
