#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "wire/dump/forms.h"

namespace lineshaft::wire::dump {
namespace {

constexpr std::size_t labels_max = 256;

/// name{label="value",…} value [time] of the exposition format and OpenMetrics; {__name__="name",…} of promtool.
///
/// Device: job/instance where there are such labels, else "prometheus". Address: the metric's name and the values of the
/// other labels in the order of their names, joined by '/'.
class Prometheus final : public LineForm {
public:
    explicit Prometheus(const Options& options) : options_(options) {}

private:
    struct Label {
        std::string_view name;
        std::string value;
    };

    void take(std::string_view line, std::uint64_t number, Sink& sink) override {
        while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
        // Comments: even "# EOF", which tells OpenMetrics and its seconds, comes too late to be of use.
        if (line.empty() || line[0] == '#') return;
        std::string_view rest = line;
        const auto name_end = rest.find_first_of("{ \t");
        if (name_end == std::string_view::npos) return sink.on_refused(number, "the line has no value");
        std::string_view name = rest.substr(0, name_end);
        rest.remove_prefix(name_end);
        labels_.clear();
        if (rest[0] == '{' && !take_labels(rest)) return sink.on_refused(number, "the labels are not closed");
        // An exemplar of OpenMetrics belongs to the line, not to the sample.
        rest = rest.substr(0, rest.find(" # "));
        const std::string_view value = word(rest), time = word(rest);
        if (!word(rest).empty()) return sink.on_refused(number, "there is more than value and time");
        Point point;
        point.line = number;
        if (!take_value(point, value))
            return sink.on_refused(number, fmt::format("'{}' is no number", value.substr(0, 40)));
        if (!take_time(point, time)) return sink.on_refused(number, "the sample has no time");
        if (!name_point(point, name)) return sink.on_refused(number, "the sample has no name");
        sink.on_point(point);
    }
    /// From '{' to behind '}'.
    bool take_labels(std::string_view& rest) {
        rest.remove_prefix(1);
        for (;;) {
            while (rest.starts_with(' ') || rest.starts_with(',')) rest.remove_prefix(1);
            if (rest.starts_with('}')) {
                rest.remove_prefix(1);
                return true;
            }
            const auto equals = rest.find('=');
            if (equals == std::string_view::npos || equals + 1 >= rest.size() || rest[equals + 1] != '"' ||
                labels_.size() == labels_max)
                return false;
            Label label{rest.substr(0, equals), {}};
            while (label.name.ends_with(' ')) label.name.remove_suffix(1);
            rest.remove_prefix(equals + 2);
            bool is_closed = false;
            while (!rest.empty()) {
                const char c = rest[0];
                rest.remove_prefix(1);
                if (c == '"') {
                    is_closed = true;
                    break;
                }
                if (c == '\\' && !rest.empty()) {
                    label.value += rest[0] == 'n' ? '\n' : rest[0];
                    rest.remove_prefix(1);
                } else {
                    label.value += c;
                }
            }
            if (!is_closed) return false;
            labels_.push_back(std::move(label));
        }
    }
    static std::string_view word(std::string_view& rest) {
        const auto begin = std::min(rest.find_first_not_of(" \t"), rest.size());
        rest.remove_prefix(begin);
        const auto end = std::min(rest.find_first_of(" \t"), rest.size());
        const std::string_view word = rest.substr(0, end);
        rest.remove_prefix(end);
        return word;
    }
    static bool take_value(Point& point, std::string_view text) {
        const auto value = text == "+Inf" ? to_number("inf") : text == "-Inf" ? to_number("-inf") : to_number(text);
        if (!value) return false;
        set_number(point, *value);
        // NaN is how Prometheus says that a series has ended.
        if (std::isnan(*value)) point.quality = Quality::bad_no_communication;
        return true;
    }
    /// Milliseconds, or seconds in OpenMetrics: told apart by the point and by size.
    bool take_time(Point& point, std::string_view text) const {
        point.time = options_.time;
        if (text.empty()) return !point.time.is_none();
        const auto value = to_number(text);
        if (!value || !std::isfinite(*value)) return false;
        const bool is_seconds = text.find('.') != std::string_view::npos || std::abs(*value) < 1e11;
        if (const auto whole = to_int(text); whole && !is_seconds) {
            if (std::abs(*value) > 9e12) return false;
            point.time = UtcTime(*whole * 1'000'000);
            return true;
        }
        const double ns = *value * (is_seconds ? 1e9 : 1e6);
        if (std::abs(ns) > 9e18) return false;
        point.time = UtcTime(is_seconds ? std::llround(*value * 1e6) * 1'000 : std::llround(ns));
        return true;
    }
    bool name_point(Point& point, std::string_view name) {
        std::ranges::sort(labels_, {}, &Label::name);
        std::string_view job, instance;
        address_.clear();
        for (const Label& label : labels_) {
            if (label.name == "__name__") name = label.value;
            if (label.name == "job") job = label.value;
            if (label.name == "instance") instance = label.value;
        }
        if (name.empty()) return false;
        address_ = name;
        for (const Label& label : labels_) {
            if (label.name == "__name__" || label.name == "job" || label.name == "instance" || label.value.empty())
                continue;
            address_ += '/';
            address_ += label.value;
        }
        device_ = options_.device;
        device_ += job;
        if (!job.empty() && !instance.empty()) device_ += '/';
        device_ += instance;
        if (device_.empty()) device_ = "prometheus";
        if (device_.ends_with('/')) device_.pop_back();
        point.device = device_;
        point.address = address_;
        return true;
    }

    const Options options_;
    std::vector<Label> labels_;
    std::string device_, address_;
};

}  // namespace

std::unique_ptr<Reader::Form> make_prometheus(const Options& options) {
    return std::make_unique<Prometheus>(options);
}

}  // namespace lineshaft::wire::dump
