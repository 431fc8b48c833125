#include "store/internal/points.h"

#include <algorithm>

namespace lineshaft::store {
namespace {

constexpr int bad_skipped_max = 64;
constexpr Quality uncertain_no_line{0x40A40000};  // OPC UA Uncertain_DataSubNormal.
constexpr Quality bad_no_data{0x809B0000};        // OPC UA Bad_NoData.

bool is_usable(const Chunk& row) {
    const double value = row.number_at(0);
    return value == value && !row.qualities[0].is_bad();
}

}  // namespace

Chunk PointFinder::Walk::at_or_before(UtcTime time) const {
    return sources_.before(time == utc_time_max ? time : time + Duration(1));
}

Point PointFinder::Walk::step_at(UtcTime time) {
    const Chunk row = at_or_before(time);
    if (row.empty()) return {time, std::nullopt, bad_no_data, {}};
    return {time, row.value_at(0), row.qualities[0], row.source_times[0]};
}

Point PointFinder::Walk::line_at(UtcTime time) {
    const bool is_between =
        !left_.empty() && !right_.empty() && left_.source_times[0] <= time && time < right_.source_times[0];
    if (!is_between) {
        is_bad_between_ = false;
        left_ = at_or_before(time);
        for (int skipped = 0; !left_.empty() && !is_usable(left_) && skipped < bad_skipped_max; ++skipped) {
            is_bad_between_ = true;
            left_ = sources_.before(left_.source_times[0]);
        }
        right_ = left_.empty() ? Chunk() : sources_.after(time);
        for (int skipped = 0; !right_.empty() && !is_usable(right_) && skipped < bad_skipped_max; ++skipped) {
            is_bad_between_ = true;
            right_ = sources_.after(right_.source_times[0]);
        }
    }
    if (left_.empty() || !is_usable(left_)) return {time, std::nullopt, bad_no_data, {}};
    const UtcTime since = left_.source_times[0];
    const double from = left_.number_at(0);
    if (since == time) return {time, from, left_.qualities[0], since};
    if (right_.empty() || !is_usable(right_)) return {time, from, uncertain_no_line, since};
    const double whole = static_cast<double>(span_between(since, right_.source_times[0]).count());
    const double part = static_cast<double>(span_between(since, time).count()) / whole;
    Quality quality = std::max(left_.qualities[0], right_.qualities[0]);
    if (is_bad_between_) quality = std::max(quality, uncertain_no_line);
    return {time, from + (right_.number_at(0) - from) * part, quality, since};
}

std::vector<Point> PointFinder::Walk::take() {
    std::vector<Point> points;
    points.reserve(query_.times.size());
    for (const UtcTime time : query_.times)
        points.push_back(query_.between == Between::Step ? step_at(time) : line_at(time));
    return points;
}

PointFinder::PointFinder(std::unique_ptr<Walk> walk) : walk_(std::move(walk)) {}
PointFinder::PointFinder(PointFinder&&) noexcept = default;
PointFinder& PointFinder::operator=(PointFinder&&) noexcept = default;
PointFinder::~PointFinder() = default;
std::vector<Point> PointFinder::take() { return walk_->take(); }

}  // namespace lineshaft::store
