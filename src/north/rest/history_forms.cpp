#include <bit>
#include <cmath>
#include <cstring>
#include <functional>

#include <fmt/format.h>

#include "base/bytes.h"
#include "north/rest/internal/completeness.h"
#include "north/rest/internal/history.h"

namespace lineshaft::rest {
namespace {

double to_ms(UtcTime time) { return static_cast<double>(time.ns()) / 1e6; }
std::int64_t to_whole_ms(UtcTime time) { return time.ns() / 1'000'000; }

std::string resolution_text(const HistorySeries& series) {
    if (series.is_raw) return "raw";
    const auto ns = series.reduced.resolution.count();
    if (ns % 1'000'000'000 == 0) return fmt::format("{}s", ns / 1'000'000'000);
    if (ns % 1'000'000 == 0) return fmt::format("{}ms", ns / 1'000'000);
    return ns % 1'000 == 0 ? fmt::format("{}us", ns / 1'000) : fmt::format("{}ns", ns);
}

struct Share {
    std::uint64_t samples = 0, good = 0, uncertain = 0, damaged = 0;
};

Share share_of(const HistorySeries& series) {
    Share share;
    if (series.is_raw) {
        share.samples = series.raw.size();
        for (const Quality quality : series.raw.qualities) {
            share.good += quality.is_good();
            share.uncertain += quality.is_uncertain();
        }
        return share;
    }
    for (const store::Bucket& bucket : series.reduced.buckets) {
        share.samples += bucket.count;
        share.good += bucket.good;
        share.uncertain += bucket.uncertain;
    }
    share.damaged = series.reduced.damaged_blocks;
    return share;
}

Json completeness_json(const HistorySeries& series) {
    const Share share = share_of(series);
    const auto part = [&](std::uint64_t count) {
        return share.samples ? Json(static_cast<double>(count) / static_cast<double>(share.samples)) : Json();
    };
    Json json = {{"samples", share.samples},
                 {"good", part(share.good)},
                 {"uncertain", part(share.uncertain)},
                 {"bad", part(share.samples - share.good - share.uncertain)},
                 {"damaged_blocks", share.damaged}};
    if (series.completeness) add_completeness(*series.completeness, json);
    return json;
}

void add_raw(const HistorySeries& series, Json& out) {
    Json times = Json::array(), values = Json::array(), qualities = Json::array();
    for (std::size_t i = 0; i < series.raw.size(); ++i) {
        times.push_back(to_whole_ms(series.raw.source_times[i]));
        values.push_back(value_json(series.raw.value_at(i)));
        qualities.push_back(series.raw.qualities[i].code());
    }
    out["times"] = std::move(times);
    out["values"] = std::move(values);
    out["qualities"] = std::move(qualities);
    out["more"] = series.raw.more;
}

void add_reduced(const HistorySeries& series, Json& out) {
    Json times = Json::array(), min = Json::array(), max = Json::array(), first = Json::array(), last = Json::array(),
         mean = Json::array(), count = Json::array(), good = Json::array();
    for (const store::Bucket& bucket : series.reduced.buckets) {
        times.push_back(to_whole_ms(bucket.start));
        min.push_back(number_json(bucket.min));
        max.push_back(number_json(bucket.max));
        first.push_back(number_json(bucket.first));
        last.push_back(number_json(bucket.last));
        mean.push_back(number_json(bucket.count ? bucket.mean() : bucket.last));
        count.push_back(bucket.count);
        good.push_back(bucket.good);
    }
    out.update({{"times", std::move(times)},
                {"min", std::move(min)},
                {"max", std::move(max)},
                {"first", std::move(first)},
                {"last", std::move(last)},
                {"mean", std::move(mean)},
                {"count", std::move(count)},
                {"good", std::move(good)}});
}

Json times_json(const std::vector<store::Bucket>& buckets) {
    Json times = Json::array();
    for (const store::Bucket& bucket : buckets) times.push_back(to_whole_ms(bucket.start));
    return times;
}

Json states_json(const store::BucketRows& rows) {
    Json states = Json::array();
    for (const store::StateTime& state : rows.states)
        states.push_back({{"value", value_json(state.value)},
                          {"seconds", static_cast<double>(state.time.count()) / 1e9},
                          {"count", state.count}});
    return states;
}

/// The aggregates that were asked for, each under its name.
void add_aggregates(const HistoryAnswer& answer, const HistorySeries& series, Json& out) {
    const store::Reduction& reduced = series.reduced;
    out["times"] = times_json(reduced.buckets);
    for (const Aggregate& aggregate : answer.aggregates.list) {
        Json values = Json::array();
        for (std::size_t i = 0; i < reduced.buckets.size(); ++i) {
            const double value = value_of(answer.aggregates, aggregate, reduced, i, answer.from, answer.to);
            values.push_back(aggregate.is_count ? Json(static_cast<std::uint64_t>(value)) : number_json(value));
        }
        out[aggregate.name] = std::move(values);
    }
    if (!answer.aggregates.percentiles.empty()) out["percentile_error"] = reduced.percentile_error;
    if (!answer.aggregates.states) return;
    Json states = Json::array();
    for (const store::BucketRows& rows : reduced.rows) states.push_back(states_json(rows));
    out["states"] = std::move(states);
}

void add_points(const HistorySeries& series, Json& out) {
    Json times = Json::array(), values = Json::array(), qualities = Json::array();
    for (const store::Point& point : series.points) {
        times.push_back(to_whole_ms(point.time));
        values.push_back(point.value ? value_json(*point.value) : Json());
        qualities.push_back(point.quality.code());
    }
    out.update({{"times", std::move(times)}, {"values", std::move(values)}, {"qualities", std::move(qualities)}});
}

Json ranges_json(const std::vector<store::TimeRange>& ranges) {
    Json list = Json::array();
    for (const store::TimeRange& range : ranges)
        list.push_back({{"from", to_rfc3339(range.from)}, {"last", to_rfc3339(range.last)}});
    return list;
}

std::string csv_field(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

std::string csv_number(double value) { return std::isnan(value) ? std::string() : to_text(Value(value)); }

/// Appends to the columns format; arrays begin at multiples of 8.
class ColumnWriter {
public:
    explicit ColumnWriter(std::string& out) : out_(out) {}
    template <class T>
    void add(T value) {
        const std::size_t at = out_.size();
        out_.resize(at + sizeof value);
        std::memcpy(out_.data() + at, &value, sizeof value);
    }
    void text(std::string_view text) { out_ += text; }
    void pad() { out_.resize((out_.size() + 7) / 8 * 8); }

private:
    std::string& out_;
};

template <class T, class Rows, class Get>
void write_column(ColumnWriter& writer, const Rows& rows, Get get) {
    writer.pad();
    for (const auto& row : rows) writer.add(static_cast<T>(std::invoke(get, row)));
}

void write_raw(ColumnWriter& writer, const store::Chunk& raw) {
    write_column<double>(writer, raw.source_times, to_ms);
    for (std::size_t i = 0; i < raw.size(); ++i) writer.add(raw.number_at(i));
    write_column<std::uint32_t>(writer, raw.qualities, &Quality::code);
    writer.pad();
}

void write_points(ColumnWriter& writer, const std::vector<store::Point>& points) {
    write_column<double>(writer, points, [](const store::Point& p) { return to_ms(p.time); });
    write_column<double>(writer, points, [](const store::Point& p) {
        if (!p.value) return std::nan("");
        if (const auto* number = std::get_if<double>(&*p.value)) return *number;
        if (const auto* whole = std::get_if<std::int64_t>(&*p.value)) return static_cast<double>(*whole);
        if (const auto* on = std::get_if<bool>(&*p.value)) return *on ? 1.0 : 0.0;
        return std::nan("");
    });
    write_column<std::uint32_t>(writer, points, [](const store::Point& p) { return p.quality.code(); });
    writer.pad();
}

/// Names, then times, then a column for each name.
void write_aggregates(ColumnWriter& writer, const HistoryAnswer& answer, const store::Reduction& reduced) {
    writer.add(static_cast<std::uint32_t>(answer.aggregates.list.size()));
    for (const Aggregate& aggregate : answer.aggregates.list) {
        writer.add(static_cast<std::uint32_t>(aggregate.name.size()));
        writer.text(aggregate.name);
    }
    write_column<double>(writer, reduced.buckets, [](const store::Bucket& b) { return to_ms(b.start); });
    for (const Aggregate& aggregate : answer.aggregates.list) {
        for (std::size_t i = 0; i < reduced.buckets.size(); ++i)
            writer.add(value_of(answer.aggregates, aggregate, reduced, i, answer.from, answer.to));
    }
}

void write_reduced(ColumnWriter& writer, const std::vector<store::Bucket>& buckets) {
    write_column<double>(writer, buckets, [](const store::Bucket& b) { return to_ms(b.start); });
    write_column<double>(writer, buckets, &store::Bucket::min);
    write_column<double>(writer, buckets, &store::Bucket::max);
    write_column<double>(writer, buckets, &store::Bucket::first);
    write_column<double>(writer, buckets, &store::Bucket::last);
    write_column<double>(writer, buckets, &store::Bucket::mean);
    write_column<std::uint32_t>(writer, buckets, &store::Bucket::count);
    write_column<std::uint32_t>(writer, buckets, &store::Bucket::good);
    writer.pad();
}

}  // namespace

Json history_json(const HistoryAnswer& answer) {
    Json list = Json::array();
    for (const HistorySeries& series : answer.series) {
        Json out = {{"path", series.tag->path},
                    {"id", id_text(series.tag->id.value())},
                    {"unit", series.tag->unit},
                    {"type", to_text(series.tag->type)},
                    {"kind", series.is_points ? "points"
                             : series.is_raw  ? "raw"
                                              : "reduced"},
                    {"resolution", resolution_text(series)},
                    {"completeness", completeness_json(series)}};
        if (!series.reduced.damaged.empty()) out["damaged"] = ranges_json(series.reduced.damaged);
        if (!series.reduced.expired.empty()) out["expired"] = ranges_json(series.reduced.expired);
        if (series.is_points)
            add_points(series, out);
        else if (series.is_raw)
            add_raw(series, out);
        else if (answer.aggregates.is_asked())
            add_aggregates(answer, series, out);
        else
            add_reduced(series, out);
        list.push_back(std::move(out));
    }
    return {{"from", to_rfc3339(answer.from)},
            {"to", to_rfc3339(answer.to)},
            {"resolution", answer.series.empty() ? "raw" : resolution_text(answer.series[0])},
            {"series", std::move(list)}};
}

/// One column for each aggregate that was asked for; states as `value=seconds`, parted by blanks.
std::string aggregates_csv(const HistoryAnswer& answer) {
    std::string out = "time,tag";
    for (const Aggregate& aggregate : answer.aggregates.list) out += "," + aggregate.name;
    out += answer.aggregates.states ? ",states\r\n" : "\r\n";
    for (const HistorySeries& series : answer.series) {
        const std::string path = csv_field(series.tag->path);
        for (std::size_t i = 0; i < series.reduced.buckets.size(); ++i) {
            out += to_rfc3339(series.reduced.buckets[i].start) + "," + path;
            for (const Aggregate& aggregate : answer.aggregates.list)
                out += "," +
                       csv_number(value_of(answer.aggregates, aggregate, series.reduced, i, answer.from, answer.to));
            std::string states;
            if (answer.aggregates.states) {
                for (const store::StateTime& state : series.reduced.rows[i].states)
                    states += fmt::format("{}{}={}", states.empty() ? "" : " ", to_text(state.value),
                                          static_cast<double>(state.time.count()) / 1e9);
                out += "," + csv_field(states);
            }
            out += "\r\n";
        }
    }
    return out;
}

std::string points_csv(const HistoryAnswer& answer) {
    std::string out = "time,tag,value,quality\r\n";
    for (const HistorySeries& series : answer.series) {
        const std::string path = csv_field(series.tag->path);
        for (const store::Point& point : series.points)
            out +=
                fmt::format("{},{},{},{}\r\n", to_rfc3339(point.time), path,
                            point.value ? csv_field(to_text(*point.value)) : std::string(), to_text(point.quality));
    }
    return out;
}

std::string history_csv(const HistoryAnswer& answer) {
    if (!answer.series.empty() && answer.series[0].is_points) return points_csv(answer);
    if (answer.aggregates.is_asked()) return aggregates_csv(answer);
    const bool raw = answer.series.empty() || answer.series[0].is_raw;
    std::string out = raw ? "time,tag,value,quality\r\n" : "time,tag,min,max,first,last,mean,count\r\n";
    for (const HistorySeries& series : answer.series) {
        const std::string path = csv_field(series.tag->path);
        for (std::size_t i = 0; series.is_raw && i < series.raw.size(); ++i) {
            const Value value = series.raw.value_at(i);
            const bool is_nan = std::holds_alternative<double>(value) && std::isnan(std::get<double>(value));
            out += fmt::format("{},{},{},{}\r\n", to_rfc3339(series.raw.source_times[i]), path,
                               is_nan ? std::string() : csv_field(to_text(value)), to_text(series.raw.qualities[i]));
        }
        for (const store::Bucket& b : series.reduced.buckets) {
            out += fmt::format("{},{},{},{},{},{},{},{}\r\n", to_rfc3339(b.start), path, csv_number(b.min),
                               csv_number(b.max), csv_number(b.first), csv_number(b.last), csv_number(b.mean()),
                               b.count);
        }
    }
    return out;
}

std::string history_columns(const HistoryAnswer& answer) {
    std::string out;
    ColumnWriter writer(out);
    writer.text("LSC1");
    writer.add(static_cast<std::uint32_t>(answer.series.size()));
    for (const HistorySeries& series : answer.series) {
        writer.add(static_cast<std::uint32_t>(series.tag->path.size()));
        writer.text(series.tag->path);
        const bool asked = answer.aggregates.is_asked();
        const std::size_t rows = series.is_points ? series.points.size()
                                 : series.is_raw  ? series.raw.size()
                                                  : series.reduced.buckets.size();
        writer.add(static_cast<std::uint8_t>(series.is_points || series.is_raw ? 1 : asked ? 3 : 2));
        writer.add(static_cast<std::uint8_t>(series.tag->type));
        writer.add(std::uint16_t{0});
        writer.add(static_cast<std::uint32_t>(rows));
        writer.add(static_cast<std::int64_t>(series.is_raw ? 0 : series.reduced.resolution.count()));
        writer.pad();
        if (series.is_points)
            write_points(writer, series.points);
        else if (series.is_raw)
            write_raw(writer, series.raw);
        else if (asked)
            write_aggregates(writer, answer, series.reduced);
        else
            write_reduced(writer, series.reduced.buckets);
    }
    return out;
}

}  // namespace lineshaft::rest
