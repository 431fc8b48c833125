#include "north/rest/internal/history.h"

#include <algorithm>

#include <fmt/format.h>

#include "north/rest/internal/completeness.h"

namespace lineshaft::rest {
namespace {

constexpr std::size_t width_default = 1000;
constexpr std::size_t width_max = 20'000;

/// Asks every series' home shard, waits for all, answers. One object a request, which ends itself.
class HistoryQuestion {
public:
    static void ask(Call call);

private:
    enum class Form : std::uint8_t { Json, Csv, Columns };
    enum class Resolution : std::uint8_t { Auto, Raw, Fixed };

    explicit HistoryQuestion(Call call) : call_(std::move(call)) {}

    Result<void> read_parameters();
    Result<void> read_tags();
    Result<void> read_resolution();
    Result<void> read_aggregates();
    Result<void> read_interpolation();
    void ask_reduced();
    void ask_raw();
    void ask_points();
    void reduced_arrived();
    void arrived();
    void answer();
    void finish();
    ShardId home(std::size_t i) const { return home_of(call_, *answer_.series[i].tag); }
    /// So many samples of one series are given at most.
    std::size_t samples_each() const {
        return std::max<std::size_t>(1, std::min(limit_, history_points_max / answer_.series.size()));
    }

    Call call_;
    HistoryAnswer answer_;
    Form form_ = Form::Json;
    Resolution mode_ = Resolution::Auto;
    Duration resolution_{0};
    std::size_t width_ = width_default;
    std::size_t limit_ = 100'000;
    std::size_t left_ = 0;
    std::optional<Error> error_;
    std::optional<store::Between> between_;
    UtcTime now_;
};

void HistoryQuestion::ask(Call call) {
    auto* self = new HistoryQuestion(std::move(call));
    if (const auto read = self->read_parameters(); !read) {
        self->call_.answer(read.error());
        delete self;
        return;
    }
    if (self->between_)
        self->ask_points();
    else if (self->mode_ == Resolution::Raw)
        self->ask_raw();
    else
        self->ask_reduced();
}

Result<void> HistoryQuestion::read_parameters() {
    answer_.snapshot = call_.services->registry.snapshot(call_.services->shard);
    now_ = call_.services->shard.utc_now();
    answer_.from = TRY(call_.time("from", now_ - 1h));
    answer_.to = TRY(call_.time("to", now_ + 1ns));
    if (call_.request.parameter("known_at")) answer_.known_at = TRY(call_.time("known_at", now_));
    TRY_VOID(Call::check_span(answer_.from, answer_.to));
    limit_ = TRY(call_.limit(limit_));
    if (call_.accepts("application/vnd.lineshaft.columns"))
        form_ = Form::Columns;
    else if (call_.accepts("text/csv") || call_.parameter("format") == "csv")
        form_ = Form::Csv;
    TRY_VOID(read_tags());
    TRY_VOID(read_resolution());
    TRY_VOID(read_aggregates());
    return read_interpolation();
}

Result<void> HistoryQuestion::read_aggregates() {
    Aggregates& aggregates = answer_.aggregates;
    aggregates = TRY(aggregates_named(call_.parameter("aggregates")));
    if (const auto modulus = call_.request.parameter("modulus")) {
        aggregates.modulus = std::atof(std::string(*modulus).c_str());
        if (!(aggregates.modulus > 0))
            return fail(ErrorCode::InvalidArgument,
                        "modulus must be a number above 0: where the counter begins anew");
    }
    const std::string fill = call_.parameter("fill", "none");
    if (fill == "null")
        aggregates.fill = Fill::Null;
    else if (fill == "previous")
        aggregates.fill = Fill::Previous;
    else if (fill == "linear")
        aggregates.fill = Fill::Linear;
    else if (fill != "none")
        return fail(ErrorCode::InvalidArgument, "fill must be none, null, previous or linear");
    const bool reduces = aggregates.is_asked() || aggregates.fill != Fill::None;
    if (reduces && mode_ == Resolution::Raw)
        return fail(ErrorCode::InvalidArgument,
                    "aggregates and fill need buckets: take resolution=auto or a duration");
    if (reduces) mode_ = Resolution::Fixed;
    return {};
}

Result<void> HistoryQuestion::read_interpolation() {
    const std::string text = call_.parameter("interpolate");
    if (text.empty()) return {};
    if (text != "step" && text != "linear")
        return fail(ErrorCode::InvalidArgument, "interpolate must be step or linear");
    if (mode_ == Resolution::Raw)
        return fail(ErrorCode::InvalidArgument, "interpolate needs a resolution: auto or a duration");
    const auto span = static_cast<std::uint64_t>(answer_.to.ns()) - static_cast<std::uint64_t>(answer_.from.ns());
    if (span / static_cast<std::uint64_t>(resolution_.count()) >=
        std::min(store::points_max, history_points_max / answer_.series.size()))
        return fail(ErrorCode::InvalidArgument, "too many points: ask for a coarser resolution");
    between_ = text == "step" ? store::Between::Step : store::Between::Linear;
    return {};
}

Result<void> HistoryQuestion::read_tags() {
    for (const registry::Tag* tag : TRY(tags_named(call_, *answer_.snapshot)))
        answer_.series.emplace_back().tag = tag;
    if (answer_.series.empty()) {
        return fail(ErrorCode::InvalidArgument, "'tags' is missing: name one or more tag paths");
    }
    if (answer_.series.size() > tags_per_request_max) {
        return fail(ErrorCode::LimitExceeded, fmt::format("at most {} tags at a time", tags_per_request_max));
    }
    return {};
}

Result<void> HistoryQuestion::read_resolution() {
    if (const auto width = call_.request.parameter("width")) {
        width_ = static_cast<std::size_t>(std::atoi(std::string(*width).c_str()));
        if (width_ < 1 || width_ > width_max) {
            return fail(ErrorCode::InvalidArgument, fmt::format("width must be 1 to {} pixels", width_max));
        }
    }
    const std::string text = call_.parameter("resolution", "auto");
    if (text == "raw") mode_ = Resolution::Raw;
    if (text == "raw" || text == "auto") {
        resolution_ = store::resolution_for(answer_.from, answer_.to, width_);
        return {};
    }
    mode_ = Resolution::Fixed;
    auto duration = parse_duration(text);
    if (!duration || *duration <= Duration::zero()) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("resolution '{}' is none of raw, auto or a duration like 10s", text));
    }
    resolution_ = *duration;
    return {};
}

void HistoryQuestion::ask_reduced() {
    left_ = answer_.series.size();
    for (std::size_t i = 0; i < answer_.series.size(); ++i) {
        store::Query query{.tag = answer_.series[i].tag->id,
                           .from = answer_.from,
                           .to = answer_.to,
                           .resolution = resolution_,
                           .known_at = answer_.known_at,
                           .needs = answer_.aggregates.needs,
                           .hold_until = now_,
                           .percentiles = answer_.aggregates.percentiles,
                           .states = answer_.aggregates.states};
        call_.services->store.post_reduce(
            call_.services->shard, home(i), std::move(query), [this, i](Result<store::Reduction> reduction) {
                HistorySeries& series = answer_.series[i];
                series.reduced.resolution = resolution_;
                // A tag that has no samples yet is an empty series, not an error.
                if (reduction)
                    series.reduced = *std::move(reduction);
                else if (reduction.error().code() != ErrorCode::NotFound)
                    error_ = reduction.error();
                fill_gaps(series.reduced, answer_.from, answer_.to, answer_.aggregates.fill);
                reduced_arrived();
            });
    }
}

/// Values at whole multiples of the resolution.
void HistoryQuestion::ask_points() {
    std::vector<UtcTime> times;
    const std::int64_t step = resolution_.count();
    const std::int64_t over = ((answer_.from.ns() % step) + step) % step;
    for (UtcTime time = answer_.from + Duration(over == 0 ? 0 : step - over); time < answer_.to;
         time = time + resolution_)
        times.push_back(time);
    left_ = answer_.series.size();
    for (std::size_t i = 0; i < answer_.series.size(); ++i) {
        store::PointQuery query{answer_.series[i].tag->id, times, *between_, answer_.known_at};
        call_.services->store.post_points(call_.services->shard, home(i), std::move(query),
                                          [this, i](Result<std::vector<store::Point>> points) {
                                              HistorySeries& series = answer_.series[i];
                                              series.is_points = true;
                                              series.reduced.resolution = resolution_;
                                              if (points)
                                                  series.points = *std::move(points);
                                              else if (points.error().code() != ErrorCode::NotFound)
                                                  error_ = points.error();
                                              arrived();
                                          });
    }
}

/// With few enough samples the samples themselves are the better answer.
void HistoryQuestion::reduced_arrived() {
    if (--left_ > 0) return;
    if (error_ || mode_ == Resolution::Fixed) return answer();
    std::uint64_t most = 0;
    for (const HistorySeries& series : answer_.series) {
        std::uint64_t samples = 0;
        for (const store::Bucket& bucket : series.reduced.buckets) samples += bucket.count;
        if (series.tag->type == ValueType::String) samples = 0;
        most = std::max(most, samples);
    }
    if (most > std::min(2 * width_, samples_each())) return answer();
    ask_raw();
}

void HistoryQuestion::ask_raw() {
    left_ = answer_.series.size();
    for (std::size_t i = 0; i < answer_.series.size(); ++i) {
        store::Query query{
            .tag = answer_.series[i].tag->id, .from = answer_.from, .to = answer_.to, .known_at = answer_.known_at};
        call_.services->store.post_scan(call_.services->shard, home(i), std::move(query), samples_each(),
                                        [this, i](Result<store::Chunk> chunk) {
                                            HistorySeries& series = answer_.series[i];
                                            series.is_raw = true;
                                            series.reduced.buckets.clear();
                                            if (chunk)
                                                series.raw = *std::move(chunk);
                                            else if (chunk.error().code() != ErrorCode::NotFound)
                                                error_ = chunk.error();
                                            arrived();
                                        });
    }
}

void HistoryQuestion::arrived() {
    if (--left_ == 0) answer();
}

void HistoryQuestion::answer() {
    const bool counts =
        call_.parameter("completeness") == "counts" || answer_.series.size() > completeness_series_max;
    if (error_ || counts || form_ != Form::Json) return finish();
    gather_completeness(*call_.services, answer_, [this] { finish(); });
}

void HistoryQuestion::finish() {
    const std::unique_ptr<HistoryQuestion> self(this);
    if (error_) return call_.answer(*error_);
    if (form_ == Form::Json) return call_.answer(history_json(answer_));
    net::HttpResponse response;
    const bool csv = form_ == Form::Csv;
    response.headers = {{"Content-Type", csv ? "text/csv; charset=utf-8" : "application/vnd.lineshaft.columns"},
                        {"Cache-Control", "no-store"}};
    response.body = csv ? history_csv(answer_) : history_columns(answer_);
    call_.answer(std::move(response));
}

}  // namespace

std::vector<Route> history_routes() {
    return {{"GET", "/api/v1/history", access::Action::ReadData, HistoryQuestion::ask}};
}

}  // namespace lineshaft::rest
