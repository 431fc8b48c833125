/// Walks over the tags of a question and gives bytes, step by step.
///
///   own shard --post--> tag's home: makes a Scan --post--> own shard --> pool: reads, encodes --post--> own shard: Step
///
/// The home shard only opens walks; blocks are read and encoded on the pool. One step at a time, so memory is bounded by
/// a step's bytes, and whoever takes the bytes slowly is read for slowly.
///
/// Threads: own shard only. May die while a step is under way, which then ends without a word.
/// Errors:  those of the store; Corrupt from resume.
#pragma once

#include <memory>

#include "runtime/worker_pool.h"
#include "store/historians.h"
#include "transfer/internal/encoder.h"

namespace lineshaft::transfer {

/// How far a walk has come. Rows before it are in the bytes given so far.
struct Place {
    std::size_t tag = 0;
    UtcTime time;  // Of the tag, what is before this is done.
    friend bool operator==(const Place&, const Place&) = default;
};

struct Step {
    Bytes bytes;
    std::uint64_t rows = 0;
    bool ended = false;  // These bytes are the last.
};

class Exporter {
public:
    using Done = std::move_only_function<void(Result<Step>)>;
    struct Rooms {
        Shard& shard;
        Shards& shards;
        store::Historians& store;
        WorkerPool& pool;
    };

    Exporter(Rooms rooms, Question question);
    ~Exporter();
    /// Before the first step: goes on at `place` with a file of `file_bytes`. Errors: Corrupt.
    Result<void> resume(const Mark& mark, Place place, std::uint64_t file_bytes);

    /// About `bytes` more; `done` later. One at a time, and nothing else is asked meanwhile.
    void step(std::size_t bytes, Done done);
    /// Between steps: ends group or member; what comes belongs behind the last step's bytes.
    Mark mark(Bytes& out);
    Place place() const;
    /// 0 … 1, by tags and time.
    double share() const;
    std::uint64_t damaged_blocks() const;

private:
    struct Work;
    class Run;
    std::unique_ptr<Work> work_;  // Away with the step while one is under way.
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

}  // namespace lineshaft::transfer
