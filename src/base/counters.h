/// Counters and gauges for /metrics and the system page.
///
/// Declare at namespace scope: `Counter refused{"lineshaft_mqtt_refused_total", "reason=\"acl\"", "Publishes
/// refused"};` Threads: any; one relaxed atomic add.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lineshaft {

enum class MetricKind : std::uint8_t { Counter, Gauge };

struct MetricValue;

/// A number under a name. Registers itself for the life of the program; must have static storage.
class Metric {
public:
    Metric(MetricKind kind, const char* name, const char* labels, const char* help);
    Metric(const Metric&) = delete;
    Metric& operator=(const Metric&) = delete;

    std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

protected:
    std::atomic<std::int64_t> value_{0};

private:
    friend std::string metrics_text();
    friend std::vector<MetricValue> counters_named(std::string_view part);
    const MetricKind kind_;
    const char* const name_;
    const char* const labels_;
    const char* const help_;
    Metric* next_ = nullptr;
};

class Counter : public Metric {
public:
    /// `name` ends in _total; `labels` as in `protocol="mqtt"`, or "".
    Counter(const char* name, const char* labels, const char* help)
        : Metric(MetricKind::Counter, name, labels, help) {}
    void add(std::int64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
};

class Gauge : public Metric {
public:
    Gauge(const char* name, const char* labels, const char* help) : Metric(MetricKind::Gauge, name, labels, help) {}
    void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
    void add(std::int64_t count) { value_.fetch_add(count, std::memory_order_relaxed); }
};

/// One metric, for pages that show some of them.
struct MetricValue {
    std::string_view name, labels, help;
    std::int64_t value = 0;
};
/// Every counter that is not zero and whose name holds `part`.
std::vector<MetricValue> counters_named(std::string_view part);

/// All of them in the Prometheus text format 0.0.4, families together, final newline.
std::string metrics_text();

}  // namespace lineshaft
