#include "runtime/shard.h"

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include <boost/asio/defer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <pthread.h>

#include "base/assert.h"

namespace lineshaft {
namespace {

namespace asio = boost::asio;

/// Owned by the Timer; the pending wait inside Asio only knows `alive`, which outlives both.
class AsioTimer final : public Timer::Handle {
public:
    AsioTimer(asio::io_context& io, Duration period, Task task)
        : timer_(io), period_(period), task_(std::move(task)), alive_(std::make_shared<const Alive>(this)) {}
    ~AsioTimer() override { alive_->timer = nullptr; }

    void start(Duration delay) {
        timer_.expires_after(delay);
        wait();
    }

private:
    struct Alive {
        explicit Alive(AsioTimer* t) : timer(t) {}
        mutable AsioTimer* timer;
    };

    void wait() {
        timer_.async_wait([alive = alive_](const boost::system::error_code& code) {
            if (code || !alive->timer) return;
            AsioTimer& self = *alive->timer;
            if (self.period_ == Duration::zero()) {
                Task task = std::move(self.task_);
                return task();  // May destroy `self`.
            }
            Task task = std::move(self.task_);  // On the stack: it may destroy its own timer.
            task();
            if (!alive->timer) return;
            self.task_ = std::move(task);
            self.timer_.expires_after(self.period_);
            self.wait();
        });
    }

    asio::steady_timer timer_;
    const Duration period_;
    Task task_;
    std::shared_ptr<const Alive> alive_;
};

class AsioShard final : public Shard {
public:
    AsioShard(ShardId id, const Clock& clock) : id_(id), clock_(clock), guard_(asio::make_work_guard(io_)) {}

    ShardId id() const override { return id_; }
    const Clock& clock() const override { return clock_; }

    void post(Task task) override { asio::post(io_, std::move(task)); }

    bool try_post(Task& task) override {
        if (waiting_.fetch_add(1, std::memory_order_relaxed) >=
            static_cast<std::int64_t>(limits::mailbox_tasks_max)) {
            waiting_.fetch_sub(1, std::memory_order_relaxed);
            return false;
        }
        asio::post(io_, [this, task = std::move(task)]() mutable {
            waiting_.fetch_sub(1, std::memory_order_relaxed);
            task();
        });
        return true;
    }

    void defer(Task task) override { asio::defer(io_, std::move(task)); }

    Timer after(Duration delay, Task task) override { return start_timer(delay, Duration::zero(), std::move(task)); }
    Timer every(Duration period, Task task) override {
        ASSERT(period > Duration::zero());
        return start_timer(period, period, std::move(task));
    }

    bool is_current() const override { return own_.load() == std::this_thread::get_id(); }
    asio::io_context& io() override { return io_; }

    void start() {
        thread_ = std::thread([this] {
            ::pthread_setname_np(::pthread_self(), fmt::format("shard-{}", id_.value()).c_str());
            own_ = std::this_thread::get_id();
            io_.run();
        });
    }

    void stop() {
        guard_.reset();
        if (!thread_.joinable()) return;
        asio::post(io_, [this] { io_.stop(); });
        thread_.join();
    }

private:
    Timer start_timer(Duration delay, Duration period, Task task) {
        auto timer = std::make_unique<AsioTimer>(io_, period, std::move(task));
        timer->start(delay);
        return Timer(std::move(timer));
    }

    const ShardId id_;
    const Clock& clock_;
    asio::io_context io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard_;
    std::atomic<std::int64_t> waiting_{0};
    std::thread thread_;
    std::atomic<std::thread::id>
        own_;  // Set by the thread itself: `thread_` may be written when its first task runs.
};

class AsioShards final : public Shards {
public:
    AsioShards(std::size_t count, const Clock& clock) {
        ASSERT(count >= 1 && count <= 1024);
        for (std::size_t i = 0; i < count; ++i) {
            shards_.push_back(std::make_unique<AsioShard>(ShardId(static_cast<std::uint16_t>(i)), clock));
        }
    }
    ~AsioShards() override { stop(); }

    std::size_t count() const override { return shards_.size(); }
    Shard& at(std::size_t index) override { return *shards_[index]; }
    void start() override {
        for (auto& shard : shards_) shard->start();
    }
    void stop() override {
        for (auto& shard : shards_) shard->stop();
    }

private:
    std::vector<std::unique_ptr<AsioShard>> shards_;
};

}  // namespace

std::unique_ptr<Shards> Shards::create(std::size_t count, const Clock& clock) {
    return std::make_unique<AsioShards>(count, clock);
}

void Shards::must_run(std::size_t index, Task task) {
    ASSERT(!at(index).is_current());
    std::promise<void> ended;
    at(index).post([&] {
        task();
        ended.set_value();
    });
    ended.get_future().wait();
}

ShardId home_shard(TenantId tenant, std::string_view device, std::size_t shard_count) {
    std::uint64_t hash = 0xCBF29CE484222325 ^ tenant.value();  // FNV-1a, then mixed: low bits of FNV are weak.
    for (const char c : device) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
    hash ^= hash >> 32;
    return ShardId(static_cast<std::uint16_t>(hash % shard_count));
}

}  // namespace lineshaft
