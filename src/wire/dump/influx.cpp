#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "wire/dump/forms.h"

namespace lineshaft::wire::dump {
namespace {

namespace lp = line_protocol;

constexpr std::size_t block_bytes = 64 * 1024;

/// `influx_inspect export` and bare line protocol. The first is the second with a head of statements and comments.
class LineProtocol final : public Reader::Form {
public:
    explicit LineProtocol(const Options& options) : options_(options) {}

    Result<void> feed(std::string_view piece, Sink& sink) override {
        rest_ += piece;
        if (rest_.size() < block_bytes) return {};
        const auto end = rest_.rfind('\n');
        if (end == std::string::npos) {
            if (rest_.size() > line_bytes_max) {
                sink.on_refused(number_, fmt::format("the line is longer than {} bytes", line_bytes_max));
                rest_.clear();
            }
            return {};
        }
        take(std::string_view(rest_).substr(0, end + 1), sink);
        rest_.erase(0, end + 1);
        return {};
    }
    Result<void> finish(Sink& sink) override {
        take(rest_, sink);
        rest_.clear();
        return {};
    }
    std::uint64_t lines() const override { return number_ - 1; }

private:
    /// Statements that make databases; they end where the points begin.
    void skip_statements(std::string_view& block) {
        while (!block.empty() && !in_points_) {
            const auto end = std::min(block.find('\n'), block.size() - 1);
            const std::string_view line = block.substr(0, end);
            const bool is_statement = line.empty() || line[0] == '#' || line == "\r" || line.starts_with("CREATE ");
            in_points_ = !is_statement || line.starts_with("# DML");
            if (!is_statement) return;
            block.remove_prefix(end + 1);
            ++number_;
        }
    }
    void take(std::string_view block, Sink& sink) {
        skip_statements(block);
        if (block.empty()) return;
        lp::Parser parser(block, options_.precision, number_);
        while (const lp::Line* line = parser.next()) take_line(*line, sink);
        for (const lp::LineError& error : parser.errors()) sink.on_refused(error.number, error.message);
        for (std::uint64_t i = parser.errors().size(); i < parser.refused_count(); ++i)
            sink.on_refused(0, "not line protocol");
        number_ = parser.next_number();
    }
    void take_line(const lp::Line& line, Sink& sink) {
        if (line.time.is_none()) return sink.on_refused(line.number, "the line has no timestamp");
        if (line.key != key_) {
            key_ = line.key;
            const auto name = lp::device_name(line.key);
            device_ = name ? options_.device + *name : std::string();
            why_ = name ? std::string() : name.error().detail();
        }
        if (device_.empty()) return sink.on_refused(line.number, why_);
        for (const lp::Field& field : line.fields) {
            Point point;
            point.device = device_;
            point.line = line.number;
            point.time = line.time;
            point.type = field.type;
            point.bits = field.bits;
            name_ = field.name_escaped ? lp::unescape_name(field.name) : std::string(field.name);
            point.address = name_;
            if (field.type == ValueType::String) {
                text_ = field.text_escaped ? lp::unescape_text(field.text) : std::string(field.text);
                point.text = text_;
            }
            sink.on_point(point);
        }
    }

    const Options options_;
    std::string rest_, key_, device_, why_, name_, text_;
    std::uint64_t number_ = 1;
    bool in_points_ = false;
};

/// Annotated CSV: #datatype, #group and #default rows, a header, rows; a blank line, and the next table.
class InfluxCsv final : public Reader::Form {
public:
    explicit InfluxCsv(const Options& options) : options_(options) {}

    Result<void> feed(std::string_view piece, Sink& sink) override {
        rows_.feed(piece, sink, [&](const auto& row, std::uint64_t line) { take(row, line, sink); });
        return {};
    }
    Result<void> finish(Sink& sink) override {
        rows_.finish([&](const auto& row, std::uint64_t line) { take(row, line, sink); });
        return {};
    }
    std::uint64_t lines() const override { return rows_.count(); }

private:
    struct Column {
        std::string name, type, standard;
        bool is_group = false;
    };

    void take(const std::vector<CsvField>& row, std::uint64_t line, Sink& sink) {
        if (row.size() == 1 && row[0].text.empty()) return;
        const std::string_view first = row[0].text;
        if (first.starts_with("#")) {
            if (has_header_) {
                columns_.clear();
                has_header_ = false;
            }
            columns_.resize(std::max(columns_.size(), row.size()));
            for (std::size_t i = 0; i < row.size(); ++i) {
                if (first == "#datatype") columns_[i].type = row[i].text;
                if (first == "#group") columns_[i].is_group = row[i].text == "true";
                if (first == "#default") columns_[i].standard = row[i].text;
            }
            return;
        }
        if (!has_header_) return take_header(row, line, sink);
        if (row.size() != columns_.size())
            return sink.on_refused(line, fmt::format("has {} values, expected {}", row.size(), columns_.size()));
        take_row(row, line, sink);
    }
    void take_header(const std::vector<CsvField>& row, std::uint64_t line, Sink& sink) {
        has_header_ = true;
        columns_.resize(row.size());
        for (std::size_t i = 0; i < row.size(); ++i) columns_[i].name = row[i].text;
        const auto at = [&](std::string_view name) {
            const auto found = std::ranges::find(columns_, name, &Column::name);
            return found == columns_.end() ? columns_.size() : static_cast<std::size_t>(found - columns_.begin());
        };
        time_ = at("_time");
        field_ = at("_field");
        value_ = at("_value");
        measurement_ = at("_measurement");
        by_name_.clear();
        values_.clear();
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const std::string& name = columns_[i].name;
            const bool is_system = name.empty() || name[0] == '_' || name == "result" || name == "table";
            if (is_system) continue;
            // Pivoted: what is not in the group key is a field.
            if (field_ == columns_.size() && !columns_[i].is_group)
                values_.push_back(i);
            else
                by_name_[name] = i;
        }
        if (time_ == columns_.size()) sink.on_refused(line, "the table has no column _time");
    }
    std::string_view cell(const std::vector<CsvField>& row, std::size_t column) const {
        if (column >= row.size()) return {};
        return row[column].text.empty() ? std::string_view(columns_[column].standard) : row[column].text;
    }
    void take_row(const std::vector<CsvField>& row, std::uint64_t line, Sink& sink) {
        if (time_ == columns_.size()) return;
        const auto time = to_time(cell(row, time_), options_.table);
        if (!time) return sink.on_refused(line, fmt::format("'{}' is not a time", cell(row, time_).substr(0, 40)));
        device_ = options_.device;
        device_ += cell(row, measurement_);
        for (const auto& [name, column] : by_name_) {
            const std::string_view value = cell(row, column);
            if (value.empty()) continue;
            if (device_.size() > options_.device.size()) device_ += '/';
            device_ += value;
        }
        if (device_.empty()) device_ = "influx";
        Point point;
        point.device = device_;
        point.line = line;
        point.time = *time;
        if (field_ < columns_.size()) {
            point.address = cell(row, field_);
            return take_value(point, row, value_, sink);
        }
        for (const std::size_t column : values_) {
            point.address = columns_[column].name;
            take_value(point, row, column, sink);
        }
    }
    void take_value(Point& point, const std::vector<CsvField>& row, std::size_t column, Sink& sink) const {
        const std::string_view text = cell(row, column);
        const std::string_view type = column < columns_.size() ? std::string_view(columns_[column].type) : "";
        if (text.empty() && type != "string") return;  // Null.
        if (point.address.empty()) return sink.on_refused(point.line, "the row names no field");
        bool is_good = true;
        if (type == "double")
            is_good = set_value(point, ValueType::Double, text);
        else if (type == "long" || type == "unsignedLong")
            is_good = set_value(point, ValueType::Int, text);
        else if (type == "boolean")
            is_good = set_value(point, ValueType::Bool, text);
        else if (type.empty())
            set_value_by_look(point, text);
        else
            is_good = set_value(point, ValueType::String, text);
        if (!is_good) return sink.on_refused(point.line, fmt::format("'{}' is no {}", text.substr(0, 40), type));
        sink.on_point(point);
    }

    const Options options_;
    CsvRows rows_;
    std::vector<Column> columns_;
    bool has_header_ = false;
    std::size_t time_ = 0, field_ = 0, value_ = 0, measurement_ = 0;
    std::map<std::string, std::size_t> by_name_;  // Tags, in the order of their names.
    std::vector<std::size_t> values_;
    std::string device_;
};

}  // namespace

std::unique_ptr<Reader::Form> make_line_protocol(const Options& options) {
    return std::make_unique<LineProtocol>(options);
}
std::unique_ptr<Reader::Form> make_influx_csv(const Options& options) { return std::make_unique<InfluxCsv>(options); }

}  // namespace lineshaft::wire::dump
