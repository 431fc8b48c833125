#include "manual_shard.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace lineshaft::testing {

/// Cancels on destruction, unless the shard is gone already.
class ManualShard::TimerHandle final : public Timer::Handle {
public:
    TimerHandle(ManualShard& shard, std::uint64_t id) : shard_(&shard), life_(shard.life_), id_(id) {}
    ~TimerHandle() override {
        if (life_.expired()) return;
        const auto due = shard_->due_of_.find(id_);
        if (due == shard_->due_of_.end()) return;
        shard_->timers_.erase({due->second, id_});
        shard_->due_of_.erase(due);
    }

private:
    ManualShard* shard_;
    std::weak_ptr<const int> life_;
    const std::uint64_t id_;
};

ManualShard::~ManualShard() { life_.reset(); }

bool ManualShard::try_post(Task& task) {
    if (tasks_.size() >= limits::mailbox_tasks_max) return false;
    tasks_.push_back(std::move(task));
    return true;
}

Timer ManualShard::after(Duration delay, Task task) { return add(delay, Duration::zero(), std::move(task)); }

Timer ManualShard::every(Duration period, Task task) {
    ASSERT(period > Duration::zero());
    return add(period, period, std::move(task));
}

Timer ManualShard::add(Duration delay, Duration period, Task task) {
    const std::uint64_t id = next_id_++;
    const Instant due = clock_.now() + std::max(delay, Duration::zero());
    timers_[{due, id}] = {period, std::move(task)};
    due_of_[id] = due;
    return Timer(std::make_unique<TimerHandle>(*this, id));
}

boost::asio::io_context& ManualShard::io() {
    ASSERT(!"a simulated shard has no sockets");
    std::abort();
}

std::size_t ManualShard::run() {
    std::size_t ran = 0;
    while (!tasks_.empty()) {
        Task task = std::move(tasks_.front());
        tasks_.pop_front();
        task();
        ++ran;
    }
    return ran;
}

Instant ManualShard::next_timer() const {
    return timers_.empty() ? Instant(std::numeric_limits<std::int64_t>::max()) : timers_.begin()->first.first;
}

bool ManualShard::fire_due() {
    bool fired = false;
    while (!timers_.empty() && timers_.begin()->first.first <= clock_.now()) {
        const auto [due, id] = timers_.begin()->first;
        Pending pending = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        fired = true;
        if (pending.period == Duration::zero()) {
            due_of_.erase(id);
            pending.task();
            continue;
        }
        due_of_[id] = due + pending.period;
        pending.task();
        // The task may have cancelled its own timer.
        if (due_of_.contains(id)) timers_[{due_of_[id], id}] = std::move(pending);
    }
    return fired;
}

void ManualShard::advance(Duration by) {
    const Instant end = clock_.now() + by;
    run();
    while (next_timer() <= end) {
        clock_.advance(std::max(next_timer() - clock_.now(), Duration::zero()));
        fire_due();
        run();
    }
    clock_.advance(end - clock_.now());
}

ManualShards::ManualShards(std::size_t count, ManualClock& clock) : clock_(clock) {
    for (std::size_t i = 0; i < count; ++i) {
        shards_.push_back(std::make_unique<ManualShard>(clock, ShardId(static_cast<std::uint16_t>(i))));
    }
}

void ManualShards::run() {
    for (bool ran = true; ran;) {
        ran = false;
        for (auto& shard : shards_) ran |= shard->run() > 0;
    }
}

void ManualShards::advance(Duration by) {
    const Instant end = clock_.now() + by;
    run();
    for (;;) {
        Instant next = end + 1ns;
        for (auto& shard : shards_) next = std::min(next, shard->next_timer());
        if (next > end) break;
        clock_.advance(std::max(next - clock_.now(), Duration::zero()));
        for (auto& shard : shards_) shard->fire_due();
        run();
    }
    clock_.advance(end - clock_.now());
}

}  // namespace lineshaft::testing
