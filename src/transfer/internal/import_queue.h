/// All imports of a house: their list on disk, and the one that runs.
///
///   created ─► uploaded in pieces ─► waits ─► reads a stretch on the pool ─► offers it ─► durable ─► the next stretch
///
/// Threads: one shard of its own; files are read and written on the pool. Errors: as Imports.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "transfer/imports.h"
#include "transfer/internal/import_job.h"

namespace lineshaft::transfer {

struct ImportJob {
    Import info;
    bool removed = false;
    bool appending = false;

    // While it runs.
    std::unique_ptr<ImportReader> reader;  // Both are away on the pool while it reads.
    std::unique_ptr<AppendFile> refused_file;
    std::deque<ReadingBatch> batches;
    std::uint64_t stretch_points = 0, kept_refused = 0;
    std::size_t unsettled = 0;
    bool last_stretch = false;
    bool waits = false;  // For room in the house.
    std::optional<Error> error;
    std::uint64_t saved_points = 0;
    int looks_left = 0;
    Timer look;
};

class Imports::Impl {
public:
    using Answer = Done<Result<Import>>;

    Impl(Disk& disk, WorkerPool& pool, Shard& own, flow::ReadingSink& readings, Options given)
        : disk_(disk), pool_(pool), shard_(own), readings_(readings), options_(std::move(given)) {}

    Result<void> open();
    void begin();
    void create(Import wanted, Shard& caller, Answer done);
    void append(TenantId tenant, std::uint64_t id, std::uint64_t offset, std::string bytes, Shard& caller,
                Answer done);
    void start(TenantId tenant, std::uint64_t id, bool dry_run, Shard& caller, Answer done);
    void remove(TenantId tenant, std::uint64_t id, Shard& caller, Answer done);
    Result<Import> get(TenantId tenant, std::uint64_t id);
    std::vector<Import> list(TenantId tenant) const;
    void close(Task done);

    Shard& shard() { return shard_; }
    WorkerPool& pool() { return pool_; }
    Disk& disk() { return disk_; }
    std::string folder_of(std::uint64_t id) const { return fmt::format("{}/{}", options_.directory, id); }

private:
    template <class Work>
    auto guarded(Work work) {
        return [life = std::weak_ptr(life_), work = std::move(work)](auto&&... args) mutable {
            if (life.lock()) work(std::forward<decltype(args)>(args)...);
        };
    }
    ImportJob* find(TenantId tenant, std::uint64_t id);
    static Error unknown(std::uint64_t id) {
        return Error(ErrorCode::NotFound, fmt::format("there is no import {}", id));
    }
    void save(const Import& info);
    void forget(std::uint64_t id);
    void sweep();
    std::uint64_t total_bytes() const;
    Result<void> check_append(const ImportJob& job, std::uint64_t offset, std::size_t size) const;

    void run_next();
    void read(ImportJob& job);
    struct WasRead;
    void was_read(ImportJob& job, WasRead read);
    void give(ImportJob& job);
    void wait_for_room(ImportJob& job);
    void settled(ImportJob& job, Result<void> result);
    void stretch_done(ImportJob& job);
    void count_refused(ImportJob& job, std::uint64_t count);
    void wait_for_names(ImportJob& job);
    void ended(ImportJob& job, std::optional<Error> error);
    bool may_go_on(ImportJob& job);

    Disk& disk_;
    WorkerPool& pool_;
    Shard& shard_;
    flow::ReadingSink& readings_;
    const Options options_;
    std::map<std::uint64_t, std::unique_ptr<ImportJob>> jobs_;
    ImportJob* running_ = nullptr;
    std::uint64_t last_id_ = 0;
    Timer sweep_timer_;
    bool is_closing_ = false;
    Task closed_;
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

}  // namespace lineshaft::transfer
