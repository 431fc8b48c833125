/// A shard without a thread: a test runs its tasks and turns its time.
///
///   ManualClock clock; ManualShard shard(clock);
///   shard.post(…);  shard.run();            // everything that is ready
///   shard.advance(10s);                     // time passes, timers fire in order
///
/// Threads: one. `ManualShards` holds several on one clock; run() and advance() there drive all of them.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "manual_clock.h"
#include "runtime/shard.h"

namespace lineshaft::testing {

class ManualShard final : public Shard {
public:
    explicit ManualShard(ManualClock& clock, ShardId id = ShardId(0)) : clock_(clock), id_(id) {}
    ~ManualShard() override;

    ShardId id() const override { return id_; }
    const Clock& clock() const override { return clock_; }
    void post(Task task) override { tasks_.push_back(std::move(task)); }
    bool try_post(Task& task) override;
    void defer(Task task) override { tasks_.push_back(std::move(task)); }
    [[nodiscard]] Timer after(Duration delay, Task task) override;
    [[nodiscard]] Timer every(Duration period, Task task) override;
    bool is_current() const override { return true; }
    boost::asio::io_context& io() override;

    /// Runs tasks until none is ready; returns how many ran.
    std::size_t run();
    /// Moves the clock forward in steps to each timer that is due, running what becomes ready.
    void advance(Duration by);
    std::size_t waiting() const { return tasks_.size(); }

    /// For ManualShards: the next timer's time (max when none), and firing all that are due.
    Instant next_timer() const;
    bool fire_due();

private:
    class TimerHandle;
    struct Pending {
        Duration period;
        Task task;
    };
    Timer add(Duration delay, Duration period, Task task);

    ManualClock& clock_;
    const ShardId id_;
    std::deque<Task> tasks_;
    // (due, id) -> what to run; ids rise, so equal times fire in the order of setting.
    std::map<std::pair<Instant, std::uint64_t>, Pending> timers_;
    std::map<std::uint64_t, Instant> due_of_;
    std::uint64_t next_id_ = 1;
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);  // Handles may outlive the shard.
};

class ManualShards final : public Shards {
public:
    ManualShards(std::size_t count, ManualClock& clock);
    std::size_t count() const override { return shards_.size(); }
    ManualShard& at(std::size_t index) override { return *shards_[index]; }
    void start() override {}
    void stop() override { run(); }

    void run();
    void advance(Duration by);

private:
    ManualClock& clock_;
    std::vector<std::unique_ptr<ManualShard>> shards_;
};

}  // namespace lineshaft::testing
