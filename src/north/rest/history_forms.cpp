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
        mean.push_back(number_json(bucket.mean()));
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
                    {"kind", series.is_raw ? "raw" : "reduced"},
                    {"resolution", resolution_text(series)},
                    {"completeness", completeness_json(series)}};
        if (series.is_raw)
            add_raw(series, out);
        else
            add_reduced(series, out);
        list.push_back(std::move(out));
    }
    return {{"from", to_rfc3339(answer.from)},
            {"to", to_rfc3339(answer.to)},
            {"resolution", answer.series.empty() ? "raw" : resolution_text(answer.series[0])},
            {"series", std::move(list)}};
}

std::string history_csv(const HistoryAnswer& answer) {
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
        writer.add(static_cast<std::uint8_t>(series.is_raw ? 1 : 2));
        writer.add(static_cast<std::uint8_t>(series.tag->type));
        writer.add(std::uint16_t{0});
        writer.add(static_cast<std::uint32_t>(series.is_raw ? series.raw.size() : series.reduced.buckets.size()));
        writer.add(static_cast<std::int64_t>(series.is_raw ? 0 : series.reduced.resolution.count()));
        writer.pad();
        if (series.is_raw)
            write_raw(writer, series.raw);
        else
            write_reduced(writer, series.reduced.buckets);
    }
    return out;
}

}  // namespace lineshaft::rest
