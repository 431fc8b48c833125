#include "runtime/worker_pool.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include <pthread.h>

#include "base/assert.h"

namespace lineshaft {
namespace {

class ThreadPool final : public WorkerPool {
public:
    ThreadPool(const std::string& name, std::size_t threads) {
        ASSERT(threads >= 1);
        for (std::size_t i = 0; i < threads; ++i) {
            threads_.emplace_back([this, name] {
                ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
                run_until_closed();
            });
        }
    }
    ~ThreadPool() override {
        {
            const std::lock_guard lock(mutex_);
            closing_ = true;
        }
        ready_.notify_all();
        for (auto& thread : threads_) thread.join();
    }

    void post(Task work) override {
        {
            const std::lock_guard lock(mutex_);
            queue_.push_back(std::move(work));
        }
        ready_.notify_one();
    }

private:
    void run_until_closed() {
        for (;;) {
            Task work;
            {
                std::unique_lock lock(mutex_);
                ready_.wait(lock, [this] { return closing_ || !queue_.empty(); });
                if (queue_.empty()) return;
                work = std::move(queue_.front());
                queue_.pop_front();
            }
            work();
        }
    }

    std::mutex mutex_;  // A leaf: nothing is locked under it.
    std::condition_variable ready_;
    std::deque<Task> queue_;
    bool closing_ = false;
    std::vector<std::thread> threads_;
};

class InlinePool final : public WorkerPool {
public:
    void post(Task work) override { work(); }
};

}  // namespace

std::unique_ptr<WorkerPool> WorkerPool::create(std::string name, std::size_t threads) {
    return std::make_unique<ThreadPool>(std::move(name), threads);
}

std::unique_ptr<WorkerPool> make_inline_pool() { return std::make_unique<InlinePool>(); }

}  // namespace lineshaft
