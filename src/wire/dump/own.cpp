#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <simdjson.h>

#include "wire/dump/forms.h"

namespace lineshaft::wire::dump {
namespace {

/// As exports write it: a name, or 0x… . None: neither.
Quality to_quality(std::string_view text) {
    if (text.empty()) return Quality::good;
    if (text.starts_with("0x")) {
        std::uint32_t code = 0;
        const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), code, 16);
        return error == std::errc{} && end == text.data() + text.size() ? Quality(code) : Quality::bad;
    }
    return quality_from_text(text);
}

/// What CSV and JSON lines say alike.
struct Row {
    std::string_view time, tag, value, quality, unit, type, device;
};

void take_row(const Row& row, std::uint64_t line, const Options& options, std::string& device, Sink& sink) {
    Point point;
    point.line = line;
    const auto time = to_time(row.time, options.table);
    if (!time) return sink.on_refused(line, fmt::format("'{}' is not a time", row.time.substr(0, 40)));
    if (row.tag.empty()) return sink.on_refused(line, "the row names no tag");
    point.time = *time;
    const auto [name, address] = split_tag(row.tag, row.device);
    device = options.device;
    device += name;
    point.device = device;
    point.address = address;
    point.unit = row.unit;
    point.quality = to_quality(row.quality);
    if (row.type.empty()) {
        set_value_by_look(point, row.value);
    } else {
        const auto type = value_type_from_text(row.type);
        if (!type) return sink.on_refused(line, type.error().detail());
        if (!set_value(point, *type, row.value))
            return sink.on_refused(line, fmt::format("'{}' is no {}", row.value.substr(0, 40), row.type));
    }
    sink.on_point(point);
}

class OwnCsv final : public Reader::Form {
public:
    explicit OwnCsv(const Options& options) : options_(options) {}
    Result<void> feed(std::string_view piece, Sink& sink) override {
        rows_.feed(piece, sink, [&](const auto& row, std::uint64_t line) { take(row, line, sink); });
        return std::exchange(result_, {});
    }
    Result<void> finish(Sink& sink) override {
        rows_.finish([&](const auto& row, std::uint64_t line) { take(row, line, sink); });
        return std::exchange(result_, {});
    }
    std::uint64_t lines() const override { return rows_.count(); }

private:
    void take(const std::vector<CsvField>& row, std::uint64_t line, Sink& sink) {
        if (row.size() == 1 && row[0].text.empty()) return;
        if (columns_.empty()) return take_header(row);
        if (row.size() != columns_.size())
            return sink.on_refused(line, fmt::format("has {} values, expected {}", row.size(), columns_.size()));
        Row known;
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (columns_[i]) known.*columns_[i] = row[i].text;
        }
        take_row(known, line, options_, device_, sink);
    }
    void take_header(const std::vector<CsvField>& row) {
        static constexpr std::pair<std::string_view, std::string_view Row::*> names[] = {
            {"time", &Row::time}, {"tag", &Row::tag},   {"value", &Row::value},  {"quality", &Row::quality},
            {"unit", &Row::unit}, {"type", &Row::type}, {"device", &Row::device}};
        std::size_t needed = 0;
        for (const CsvField& field : row) {
            std::string_view name = field.text;
            if (name.starts_with("\xEF\xBB\xBF")) name.remove_prefix(3);
            const auto found = std::ranges::find(names, name, [](const auto& pair) { return pair.first; });
            columns_.push_back(found == std::end(names) ? nullptr : found->second);
            needed += name == "time" || name == "tag" || name == "value";
        }
        if (needed < 3) result_ = fail(ErrorCode::Malformed, "the header has no columns time, tag and value");
    }

    const Options options_;
    CsvRows rows_;
    std::vector<std::string_view Row::*> columns_;
    std::string device_;
    Result<void> result_;
};

class JsonLines final : public LineForm {
public:
    explicit JsonLines(const Options& options) : options_(options) {}

private:
    static std::string_view text_of(simdjson::dom::object& object, std::string_view key) {
        std::string_view text;
        return object[key].get_string().get(text) == simdjson::SUCCESS ? text : std::string_view();
    }
    void take(std::string_view line, std::uint64_t number, Sink& sink) override {
        if (number == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
        if (line.find_first_not_of(" \t") == std::string_view::npos) return;
        simdjson::dom::element element;
        simdjson::dom::object object;
        if (parser_.parse(line.data(), line.size()).get(element) != simdjson::SUCCESS ||
            element.get_object().get(object) != simdjson::SUCCESS)
            return sink.on_refused(number, "not a JSON object");
        Row row;
        row.tag = text_of(object, "tag");
        row.device = text_of(object, "device");
        row.unit = text_of(object, "unit");
        row.quality = text_of(object, "quality");
        row.type = text_of(object, "type");
        row.time = text_of(object, "time");
        std::int64_t epoch = 0;
        if (row.time.empty() && object["time"].get_int64().get(epoch) == simdjson::SUCCESS) {
            time_ = fmt::format("{}", epoch);
            row.time = time_;
        }
        simdjson::dom::element value;
        if (object["value"].get(value) != simdjson::SUCCESS) return sink.on_refused(number, "the line has no value");
        if (value.is_object() || value.is_array() || value.is_null())
            return sink.on_refused(number, "the value is neither number, text nor true or false");
        if (value.is_string()) {
            row.value = value.get_string().value_unsafe();
            if (row.type.empty()) row.type = "string";
        } else {
            value_ = simdjson::minify(value);
            row.value = value_;
            if (row.type.empty() && !value.is_bool()) row.type = "double";
        }
        take_row(row, number, options_, device_, sink);
    }

    const Options options_;
    simdjson::dom::parser parser_;
    std::string device_, time_, value_;
};

/// Any other table: a row is a time, a column a tag of the one device.
class TableForm final : public Reader::Form, table::RowSink {
public:
    TableForm(const Options& options, table::Layout layout) : options_(options), parser_(std::move(layout)) {
        if (options_.device.empty()) options_.device = "import";
        if (options_.device.ends_with('/')) options_.device.pop_back();
    }
    Result<void> feed(std::string_view piece, Sink& sink) override {
        sink_ = &sink;
        parser_.feed(piece, *this);
        return {};
    }
    Result<void> finish(Sink& sink) override {
        sink_ = &sink;
        parser_.finish(*this);
        return {};
    }
    std::uint64_t lines() const override { return parser_.lines(); }

private:
    void on_row(const table::Row& row) override {
        const table::Layout& layout = parser_.layout();
        Point point;
        point.device = options_.device;
        point.line = row.line;
        point.time = row.time;
        for (std::size_t i = 0; i < row.cells.size(); ++i) {
            const table::Cell& cell = row.cells[i];
            if (layout.time_column == i || cell.kind == table::ColumnKind::Empty) continue;
            if (options_.skipped.contains(layout.columns[i])) continue;
            point.address = layout.columns[i];
            const auto kind = layout.kinds[i];
            if (kind == table::ColumnKind::Text)
                set_value(point, ValueType::String, cell.text);
            else if (cell.kind == table::ColumnKind::Text)
                sink_->on_refused(row.line, fmt::format("'{}' is not a number, as the column '{}' has",
                                                        cell.text.substr(0, 40), layout.columns[i]));
            else if (kind == table::ColumnKind::Bool && cell.kind == table::ColumnKind::Bool)
                set_value(point, ValueType::Bool, cell.integer ? "1" : "0");
            else
                set_number(point,
                           cell.kind == table::ColumnKind::Bool ? static_cast<double>(cell.integer) : cell.number);
            const bool is_refused = kind != table::ColumnKind::Text && cell.kind == table::ColumnKind::Text;
            if (!is_refused) sink_->on_point(point);
        }
    }
    void on_refused(const table::Refused& refused) override { sink_->on_refused(refused.line, refused.reason); }

    Options options_;
    table::Parser parser_;
    Sink* sink_ = nullptr;
};

}  // namespace

std::unique_ptr<Reader::Form> make_own_csv(const Options& options) { return std::make_unique<OwnCsv>(options); }
std::unique_ptr<Reader::Form> make_json_lines(const Options& options) { return std::make_unique<JsonLines>(options); }

Result<std::unique_ptr<Reader::Form>> make_table(const Options& options, std::string_view head) {
    table::Layout layout = TRY(table::detect(head, options.table));
    if (!layout.time_column)
        return fail(ErrorCode::InvalidArgument, "the table has no column of times: say which with the time column");
    return std::make_unique<TableForm>(options, std::move(layout));
}

}  // namespace lineshaft::wire::dump
