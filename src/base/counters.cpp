#include "base/counters.h"

#include <map>
#include <vector>

#include <fmt/format.h>

namespace lineshaft {
namespace {
std::atomic<Metric*> first_metric{nullptr};
}

Metric::Metric(MetricKind kind, const char* name, const char* labels, const char* help)
    : kind_(kind), name_(name), labels_(labels), help_(help) {
    next_ = first_metric.load();
    while (!first_metric.compare_exchange_weak(next_, this)) {
    }
}

std::vector<MetricValue> counters_named(std::string_view part) {
    std::vector<MetricValue> found;
    for (const Metric* m = first_metric.load(); m; m = m->next_) {
        const std::string_view name(m->name_);
        if (m->kind_ != MetricKind::Counter || m->value() == 0 || name.find(part) == std::string_view::npos) continue;
        found.push_back({name, m->labels_, m->help_, m->value()});
    }
    return found;
}

std::string metrics_text() {
    std::map<std::string_view, std::vector<const Metric*>> families;
    for (const Metric* m = first_metric.load(); m; m = m->next_) families[m->name_].push_back(m);
    std::string out;
    for (const auto& [name, metrics] : families) {
        const char* kind = metrics[0]->kind_ == MetricKind::Counter ? "counter" : "gauge";
        out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, metrics[0]->help_, name, kind);
        for (const Metric* m : metrics) {
            if (*m->labels_)
                out += fmt::format("{}{{{}}} {}\n", name, m->labels_, m->value());
            else
                out += fmt::format("{} {}\n", name, m->value());
        }
    }
    return out;
}

}  // namespace lineshaft
