/// Threads for work that blocks: fdatasync, SQL, password hashing, DNS.
///
/// Threads: post from any thread; `work` runs on a pool thread, `done` back on the shard it was given with.
#pragma once

#include <memory>
#include <string>

#include "runtime/shard.h"

namespace lineshaft {

class WorkerPool {
public:
    /// `threads` ≥ 1; with one thread work is done in the order of posting. `name` shows in top -H (≤ 15 bytes).
    static std::unique_ptr<WorkerPool> create(std::string name, std::size_t threads);
    virtual ~WorkerPool() = default;  // Finishes what was posted, then joins.

    virtual void post(Task work) = 0;

    /// Runs `work` (returns a T) on the pool, then `done(T)` on `shard`.
    template <class Work, class Done>
    void run(Shard& shard, Work work, Done done) {
        post([&shard, work = std::move(work), done = std::move(done)]() mutable {
            shard.post([result = work(), done = std::move(done)]() mutable { done(std::move(result)); });
        });
    }
};

/// A pool that does everything at once on the caller's thread: for tests.
std::unique_ptr<WorkerPool> make_inline_pool();

}  // namespace lineshaft
