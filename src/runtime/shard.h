/// A shard: one thread with one event loop and its own objects. Nothing on a shard needs a lock.
///
/// Flow:    work enters by post (any thread), timers and sockets; each task runs to its end.
/// Threads: everything is for the own thread, except post and try_post.
/// Limits:  limits::mailbox_tasks_max for try_post.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/limits.h"
#include "base/strong.h"
#include "runtime/clock.h"

// The one third-party name that net/ needs from here; opaque to everybody else.
namespace boost::asio {
class io_context;
}

namespace lineshaft {

using Task = std::move_only_function<void()>;

/// A timer that is cancelled when it dies. Movable.
class Timer {
public:
    /// What a shard keeps of a timer. Destroying it cancels.
    class Handle {
    public:
        virtual ~Handle() = default;
    };
    Timer() = default;
    explicit Timer(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
    void cancel() { handle_.reset(); }
    /// True after it was started and until cancel; stays true when a one-shot timer has run.
    bool is_set() const { return handle_ != nullptr; }

private:
    std::unique_ptr<Handle> handle_;
};

class Shard {
public:
    virtual ~Shard() = default;

    virtual ShardId id() const = 0;
    virtual const Clock& clock() const = 0;
    Instant now() const { return clock().now(); }
    UtcTime utc_now() const { return clock().utc_now(); }

    /// Runs `task` on this shard, soon, in the order of posting. Any thread. For answers and control, which
    /// must arrive; data goes through try_post.
    virtual void post(Task task) = 0;
    /// As post, but false (and the task untouched) when limits::mailbox_tasks_max tasks wait. Any thread.
    virtual bool try_post(Task& task) = 0;
    /// Runs `task` after the current task and what else is ready, before the shard sleeps: the place to write
    /// out what many small tasks have gathered. Own thread.
    virtual void defer(Task task) = 0;
    /// Runs `task` once after `delay`, unless the timer is cancelled or dies first. Own thread.
    [[nodiscard]] virtual Timer after(Duration delay, Task task) = 0;
    /// Runs `task` every `period`, first after one period. Own thread.
    [[nodiscard]] virtual Timer every(Duration period, Task task) = 0;
    /// True on this shard's thread.
    virtual bool is_current() const = 0;
    /// For net/ only; a simulated shard has none and ends the process.
    virtual boost::asio::io_context& io() = 0;
};

/// The shards of a process, each with a real thread.
class Shards {
public:
    /// `count` ≥ 1.
    static std::unique_ptr<Shards> create(std::size_t count, const Clock& clock);
    virtual ~Shards() = default;

    virtual std::size_t count() const = 0;
    virtual Shard& at(std::size_t index) = 0;
    Shard& at(ShardId id) { return at(id.value()); }
    /// Starts the threads. Tasks posted before wait until then.
    virtual void start() = 0;
    /// Lets every shard finish what is posted, then joins the threads. Any thread but a shard's.
    virtual void stop() = 0;
    /// Runs `task` on shard `index` and waits for its end. Any thread but a shard's; for start and stop.
    void must_run(std::size_t index, Task task);
};

/// Which shard a device of a tenant lives on: a hash that never changes, as stores on disk are cut by it.
ShardId home_shard(TenantId tenant, std::string_view device, std::size_t shard_count);

}  // namespace lineshaft
