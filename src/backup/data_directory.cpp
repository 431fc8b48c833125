#include "backup/data_directory.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "backup/restore.h"
#include "registry/database.h"
#include "store/inspect.h"

namespace lineshaft::backup {
namespace {

struct Row {
    std::string_view pattern;  // '*' stands for any text without '/'.
    Kind kind;
};

// The first row that fits counts.
constexpr std::array table = {
    Row{"*.new", {Treatment::LeaveOut, "begun and not finished: its old version is there"}},
    Row{"*/*.new", {Treatment::LeaveOut, "begun and not finished: its old version is there"}},
    Row{"*/*/*.new", {Treatment::LeaveOut, "begun and not finished: its old version is there"}},
    Row{"lock", {Treatment::LeaveOut, "says which process has the directory"}},
    Row{"run.json", {Treatment::LeaveOut, "says where the running process listens"}},
    Row{"command-line.token", {Treatment::LeaveOut, "an administrator's secret; the command line makes a new one"}},
    Row{"registry.db.backup*", {Treatment::LeaveOut, "a backup's own copy of the registry"}},
    Row{unfinished_mark, {Treatment::LeaveOut, "says that a restore has not come to its end"}},
    Row{"exports/*", {Treatment::LeaveOut, "results of exports: made again on request"}},
    Row{"exports/*/*", {Treatment::LeaveOut, "results of exports: made again on request"}},
    Row{"imports/*", {Treatment::LeaveOut, "files on their way in: what was taken of them is history"}},
    Row{"imports/*/*", {Treatment::LeaveOut, "files on their way in: what was taken of them is history"}},
    Row{"registry.db-wal", {Treatment::LeaveOut, "part of the registry, which copies itself"}},
    Row{"registry.db-shm", {Treatment::LeaveOut, "part of the registry, which copies itself"}},
    Row{"registry.db", {Treatment::Database, "people, tokens, devices, tags, rules, alarms"}},
    Row{"house.json", {Treatment::Copy, "number of shards"}},
    Row{"configuration.yaml", {Treatment::Copy, "the settings with which the house ran at the backup"}},
    Row{"pki/*", {Treatment::Copy, "authority, certificate and keys"}},
    Row{"audit/*", {Treatment::Copy, "audit log"}},
    Row{"broker/*", {Treatment::Copy, "MQTT sessions, retained messages"}},
    Row{"history/*/LOCK", {Treatment::LeaveOut, "says which process has the store"}},
    Row{"history/*/*.corrupt", {Treatment::Copy, "a damaged file, kept for whoever wants to look into it"}},
    Row{"history/*/*", {Treatment::History, "samples"}},
};

bool fits(std::string_view pattern, std::string_view path) {
    const auto star = pattern.find('*');
    if (star == std::string_view::npos) return pattern == path;
    if (!path.starts_with(pattern.substr(0, star))) return false;
    path.remove_prefix(star);
    pattern.remove_prefix(star + 1);
    // The shortest text for the star that lets the rest fit.
    for (std::size_t i = 0;; ++i) {
        if (fits(pattern, path.substr(i))) return true;
        if (i >= path.size() || path[i] == '/') return false;
    }
}

const Row* row_of(std::string_view path) {
    const auto row = std::ranges::find_if(table, [path](const Row& one) { return fits(one.pattern, path); });
    return row == table.end() ? nullptr : &*row;
}

class Gatherer {
public:
    enum class House : std::uint8_t { Stopped, Running };
    Gatherer(Disk& disk, const std::string& directory, House house)
        : disk_(disk), directory_(directory), house_(house) {}

    Result<void> walk(const std::string& below) {
        std::vector<std::string> names = TRY(disk_.list(below.empty() ? directory_ : directory_ + "/" + below));
        // What the audit log's head counts must be in the segments, so it is read before they are.
        if (below == "audit") std::ranges::partition(names, [](const std::string& name) { return name == "head"; });
        for (const std::string& name : names) {
            const std::string path = below.empty() ? name : below + "/" + name;
            if (disk_.list(directory_ + "/" + path)) {
                if (below == "history" && house_ == House::Stopped) TRY_VOID(check_history(path));
                TRY_VOID(walk(path));
                continue;
            }
            TRY_VOID(add(path));
        }
        return {};
    }

    void add_history(std::vector<store::Pinned> history) {
        for (std::size_t shard = 0; shard < history.size(); ++shard) {
            for (const store::Pinned::File& file : history[shard].files()) {
                SourceFile& source = sources_.files.emplace_back();
                source.path = fmt::format("history/shard-{}/{}", shard, file.name);
                source.bytes = file.bytes.size();
                source.immutable = file.immutable;
                source.view = file.bytes;
            }
        }
        sources_.history = std::move(history);
    }

    Sources take() { return std::move(sources_); }

private:
    /// A cold path lies outside: only the house knows where.
    Result<void> check_history(const std::string& path) {
        const auto missing = store::segments_elsewhere(disk_, directory_ + "/" + path);
        // Damage is kept as it is, for whoever can mend it.
        if (!missing || missing->empty()) return {};
        return fail(
            ErrorCode::NotFound,
            fmt::format("{} segments of {} are not in it, {} first: they lie on the cold path or are lost. Start "
                        "the house and take the backup then",
                        missing->size(), path, missing->front()));
    }

    Result<void> add(const std::string& path) {
        switch (kind_of(path).treatment) {
            case Treatment::LeaveOut: return {};
            case Treatment::Database: return add_database(path);
            case Treatment::History:
                if (house_ == House::Running) return {};
                break;
            case Treatment::Copy: break;
        }
        auto file = disk_.open(directory_ + "/" + path);
        // Removed since it was listed: a journal that a newer one has replaced.
        if (!file && file.error().code() == ErrorCode::NotFound && house_ == House::Running) return {};
        if (!file) return std::unexpected(file.error());
        SourceFile& source = sources_.files.emplace_back();
        source.path = path;
        source.bytes = (*file)->size();
        source.immutable = path.ends_with(".seg");
        if (path == "audit/head") {
            Bytes& head = sources_.memory.emplace_back(source.bytes);
            TRY_VOID((*file)->read_at(0, head));
            source.view = head;
        } else if (house_ == House::Running) {
            source.file = *std::move(file);
        } else {
            source.at = directory_ + "/" + path;
        }
        return {};
    }

    Result<void> add_database(const std::string& path) {
        const std::string copy = directory_ + "/" + path + ".backup";
        for (const char* part : {"", "-wal", "-shm", "-journal"}) {
            if (disk_.exists(copy + part)) TRY_VOID(disk_.remove(copy + part));
        }
        sources_.temporary.push_back(copy);
        TRY_VOID(registry::Database::copy(directory_ + "/" + path, copy));
        SourceFile& source = sources_.files.emplace_back();
        source.path = path;
        source.file = TRY(disk_.open(copy));
        source.bytes = source.file->size();
        return {};
    }

    Disk& disk_;
    const std::string& directory_;
    const House house_;
    Sources sources_;
};

}  // namespace

Kind kind_of(std::string_view path) {
    const Row* row = row_of(path);
    return row ? row->kind : Kind{Treatment::Copy, "not known"};
}

bool is_known(std::string_view path) { return row_of(path) != nullptr; }

Result<Sources> gather(Disk& disk, const std::string& directory) {
    Gatherer gatherer(disk, directory, Gatherer::House::Stopped);
    TRY_VOID(gatherer.walk(""));
    return gatherer.take();
}

Result<Sources> gather(Disk& disk, const std::string& directory, std::vector<store::Pinned> history) {
    // The history is of a moment before now: tags that the rest knows already do no harm there, tags that it would not
    // know would.
    Gatherer gatherer(disk, directory, Gatherer::House::Running);
    gatherer.add_history(std::move(history));
    TRY_VOID(gatherer.walk(""));
    return gatherer.take();
}

}  // namespace lineshaft::backup
