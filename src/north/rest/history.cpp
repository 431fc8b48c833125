#include <algorithm>

#include <fmt/format.h>

#include "north/rest/internal/completeness.h"
#include "north/rest/internal/history.h"

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
    void ask_reduced();
    void ask_raw();
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
};

void HistoryQuestion::ask(Call call) {
    auto* self = new HistoryQuestion(std::move(call));
    if (const auto read = self->read_parameters(); !read) {
        self->call_.answer(read.error());
        delete self;
        return;
    }
    if (self->mode_ == Resolution::Raw)
        self->ask_raw();
    else
        self->ask_reduced();
}

Result<void> HistoryQuestion::read_parameters() {
    answer_.snapshot = call_.services->registry.snapshot(call_.services->shard);
    const UtcTime now = call_.services->shard.utc_now();
    answer_.from = TRY(call_.time("from", now - 1h));
    answer_.to = TRY(call_.time("to", now + 1ns));
    TRY_VOID(Call::check_span(answer_.from, answer_.to));
    limit_ = TRY(call_.limit(limit_));
    if (call_.accepts("application/vnd.lineshaft.columns"))
        form_ = Form::Columns;
    else if (call_.accepts("text/csv") || call_.parameter("format") == "csv")
        form_ = Form::Csv;
    TRY_VOID(read_tags());
    return read_resolution();
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
        call_.services->store.post_reduce(call_.services->shard, home(i), answer_.series[i].tag->id, answer_.from,
                                          answer_.to, resolution_, [this, i](Result<store::Reduction> reduction) {
                                              // A tag that has no samples yet is an empty series, not an error.
                                              if (reduction)
                                                  answer_.series[i].reduced = *std::move(reduction);
                                              else if (reduction.error().code() != ErrorCode::NotFound)
                                                  error_ = reduction.error();
                                              answer_.series[i].reduced.resolution = resolution_;
                                              reduced_arrived();
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
        call_.services->store.post_scan(call_.services->shard, home(i), answer_.series[i].tag->id, answer_.from,
                                        answer_.to, samples_each(), [this, i](Result<store::Chunk> chunk) {
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
