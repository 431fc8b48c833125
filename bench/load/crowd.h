/// Connections that send requests and read their answers, one at a time on each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "load/report.h"

namespace lineshaft::bench {

class Requests {
public:
    virtual ~Requests() = default;
    /// The next request, kept here or in `own`; null at the end. `due_ns` is when it is meant to be sent; 0: at once.
    virtual const std::string* next(std::string& own, std::int64_t& due_ns) = 0;
};

/// All made beforehand.
class HeldRequests final : public Requests {
public:
    explicit HeldRequests(const std::vector<std::string>& all) : all_(all) {}
    const std::string* next(std::string&, std::int64_t&) override {
        return next_ < all_.size() ? &all_[next_++] : nullptr;
    }

private:
    const std::vector<std::string>& all_;
    std::size_t next_ = 0;
};

/// Sends all; fills in seconds, CPU, latencies (from when a request was due) and how many were refused.
void send_requests(std::uint16_t port, std::size_t connections, Requests& requests, Run& run);

}  // namespace lineshaft::bench
