/// Lets a room close without pulling the floor from under work that is still running.
///
///   enter() --> Pass held by the operation --> Pass dies
///   close(done): no new passes; `done` runs when the last pass has died.
///
/// Threads: own shard only.
#pragma once

#include <functional>
#include <utility>

#include "base/assert.h"
#include "base/result.h"

namespace lineshaft {

class Gate {
public:
    class Pass {
    public:
        Pass() = default;
        explicit Pass(Gate* gate) : gate_(gate) { ++gate_->inside_; }
        Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
        Pass& operator=(Pass&& other) noexcept {
            std::swap(gate_, other.gate_);
            return *this;
        }
        ~Pass() {
            if (gate_) gate_->leave();
        }

    private:
        Gate* gate_ = nullptr;
    };

    Gate() = default;
    Gate(const Gate&) = delete;
    ~Gate() { ASSERT(inside_ == 0); }

    /// Errors: Closed.
    Result<Pass> enter() {
        if (closing_) return fail(ErrorCode::Closed);
        return Pass(this);
    }
    bool is_closing() const { return closing_; }
    void close(std::move_only_function<void()> done) {
        ASSERT(!closing_);
        closing_ = true;
        done_ = std::move(done);
        if (inside_ == 0) std::exchange(done_, nullptr)();
    }

private:
    void leave() {
        ASSERT(inside_ > 0);
        if (--inside_ == 0 && closing_ && done_) std::exchange(done_, nullptr)();
    }

    int inside_ = 0;
    bool closing_ = false;
    std::move_only_function<void()> done_;
};

}  // namespace lineshaft
