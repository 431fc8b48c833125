/// A worker pool whose jobs a test runs one by one, whenever it likes: what threads would do in any order.
#pragma once

#include <deque>

#include "runtime/worker_pool.h"

namespace lineshaft::testing {

class ManualPool final : public WorkerPool {
public:
    void post(Task work) override { jobs_.push_back(std::move(work)); }

    /// The oldest job; false when there is none.
    bool run_one() {
        if (jobs_.empty()) return false;
        Task job = std::move(jobs_.front());
        jobs_.pop_front();
        job();
        return true;
    }
    std::size_t waiting() const { return jobs_.size(); }
    /// The process died.
    void drop() { jobs_.clear(); }

private:
    std::deque<Task> jobs_;
};

}  // namespace lineshaft::testing
