#include <algorithm>

#include <fmt/format.h>

#include "wire/dump/forms.h"

namespace lineshaft::wire::dump {
namespace {

/// A cell, or NULL.
struct Cell {
    std::string_view text;
    bool is_null = false;
};

/// `COPY … TO`: text (tabs, \N, backslashes), CSV with a header, and the COPY blocks of pg_dump.
///
/// One column is the time, some name the device (those that hold text, or as told), the others are values.
/// Wide: device = cells of the naming columns joined by '/', address = the value's column.
/// Narrow (the only value column is called value, val or reading): the last naming cell is the address; when it is the only
/// one it is split as a tag's path.
class Postgres final : public Reader::Form {
public:
    Postgres(const Options& options, bool is_csv, bool is_dump)
        : options_(options), is_csv_(is_csv), is_dump_(is_dump) {}

    Result<void> feed(std::string_view piece, Sink& sink) override {
        if (is_csv_)
            rows_.feed(piece, sink, [&](const auto& row, std::uint64_t line) { take_csv(row, line, sink); });
        else
            lines_.feed(piece, sink,
                        [&](std::string_view line, std::uint64_t number) { take_line(line, number, sink); });
        return std::exchange(result_, {});
    }
    Result<void> finish(Sink& sink) override {
        if (is_csv_)
            rows_.finish([&](const auto& row, std::uint64_t line) { take_csv(row, line, sink); });
        else
            lines_.finish([&](std::string_view line, std::uint64_t number) { take_line(line, number, sink); });
        return std::exchange(result_, {});
    }
    std::uint64_t lines() const override { return is_csv_ ? rows_.count() : lines_.count(); }

private:
    void take_csv(const std::vector<CsvField>& row, std::uint64_t line, Sink& sink) {
        if (row.size() == 1 && row[0].text.empty()) return;
        cells_.clear();
        // COPY's CSV: an empty field without quotes is NULL.
        for (const CsvField& field : row) cells_.push_back({field.text, field.text.empty() && !field.quoted});
        take_cells(line, sink);
    }
    void take_line(std::string_view line, std::uint64_t number, Sink& sink) {
        if (!in_copy_ && line.starts_with("COPY ") && line.find("FROM stdin") != std::string_view::npos)
            return begin_copy(line);
        if (is_dump_ && !in_copy_) return;  // Statements between the tables.
        if (line == "\\.") {
            in_copy_ = false;
            return;
        }
        if (line.empty() && !in_copy_) return;
        split(line);
        take_cells(number, sink);
    }
    /// COPY public.conditions (time, location, temperature) FROM stdin;
    void begin_copy(std::string_view line) {
        is_dump_ = in_copy_ = true;
        columns_.clear();
        roles_.clear();
        names_.clear();
        narrow_ = false;
        std::string_view table = line.substr(5, line.find('(') == std::string_view::npos ? 0 : line.find('(') - 5);
        while (table.ends_with(' ')) table.remove_suffix(1);
        if (const auto dot = table.rfind('.'); dot != std::string_view::npos) table.remove_prefix(dot + 1);
        // Chunks of TimescaleDB are named _hyper_1_2_chunk: that is nobody's device.
        table_ = table.starts_with("_hyper_") ? std::string() : unquoted(table);
        const auto open = line.find('('), close = line.find(')');
        if (open == std::string_view::npos || close == std::string_view::npos || close < open) return;
        std::string_view list = line.substr(open + 1, close - open - 1);
        while (!list.empty()) {
            const auto comma = std::min(list.find(','), list.size());
            std::string_view name = list.substr(0, comma);
            while (name.starts_with(' ')) name.remove_prefix(1);
            columns_.push_back(unquoted(name));
            list.remove_prefix(std::min(comma + 1, list.size()));
        }
    }
    static std::string unquoted(std::string_view name) {
        if (name.size() >= 2 && name.starts_with('"') && name.ends_with('"')) name = name.substr(1, name.size() - 2);
        return std::string(name);
    }
    void split(std::string_view line) {
        cells_.clear();
        unescaped_.clear();
        unescaped_.reserve(line.size());  // So that views into it stay.
        for (;;) {
            const auto end = std::min(line.find('\t'), line.size());
            const std::string_view cell = line.substr(0, end);
            if (cell == "\\N")
                cells_.push_back({{}, true});
            else if (cell.find('\\') == std::string_view::npos)
                cells_.push_back({cell, false});
            else
                cells_.push_back({unescape(cell), false});
            if (end == line.size()) return;
            line.remove_prefix(end + 1);
        }
    }
    std::string_view unescape(std::string_view cell) {
        const std::size_t begin = unescaped_.size();
        for (std::size_t i = 0; i < cell.size(); ++i) {
            if (cell[i] != '\\' || i + 1 == cell.size()) {
                unescaped_ += cell[i];
                continue;
            }
            switch (const char c = cell[++i]) {
                case 'n': unescaped_ += '\n'; break;
                case 't': unescaped_ += '\t'; break;
                case 'r': unescaped_ += '\r'; break;
                case 'b': unescaped_ += '\b'; break;
                case 'f': unescaped_ += '\f'; break;
                case 'v': unescaped_ += '\v'; break;
                default: unescaped_ += c;
            }
        }
        return std::string_view(unescaped_).substr(begin);
    }

    enum class Role : std::uint8_t { Unknown, Time, Name, Value, Skip };

    void take_cells(std::uint64_t line, Sink& sink) {
        if (failed_) return;
        if (columns_.empty()) {
            // With a time in it, it is data already: columns are called by their numbers then.
            const bool is_data = std::ranges::any_of(cells_, [&](const Cell& cell) {
                return cell.text.size() >= 10 && to_time(cell.text, options_.table);
            });
            for (std::size_t i = 0; i < cells_.size(); ++i)
                columns_.push_back(is_data ? fmt::format("V{}", i + 1) : std::string(cells_[i].text));
            if (!is_data) return;
        }
        if (cells_.size() != columns_.size())
            return sink.on_refused(line, fmt::format("has {} values, expected {}", cells_.size(), columns_.size()));
        if (roles_.empty() && !choose_roles()) {
            failed_ = true;
            return;
        }
        take_row(line, sink);
    }
    bool choose_roles() {
        roles_.assign(columns_.size(), Role::Unknown);
        const auto index = [&](std::string_view name) {
            const auto found = std::ranges::find(columns_, name);
            return static_cast<std::size_t>(found - columns_.begin());
        };
        time_ = columns_.size();
        if (!options_.table.time_column.empty()) {
            time_ = index(options_.table.time_column);
        } else {
            for (const char* name : {"time", "timestamp", "ts", "at", "datetime"})
                if (time_ == columns_.size()) time_ = index(name);
            for (std::size_t i = 0; i < cells_.size() && time_ == columns_.size(); ++i)
                if (cells_[i].text.size() >= 10 && to_time(cells_[i].text, options_.table)) time_ = i;
        }
        if (time_ == columns_.size()) {
            result_ = fail(ErrorCode::InvalidArgument, "no column holds times: say which with the time column");
            return false;
        }
        roles_[time_] = Role::Time;
        for (const std::string& name : options_.tag_columns) {
            const std::size_t at = index(name);
            if (at == columns_.size()) {
                result_ = fail(ErrorCode::InvalidArgument, fmt::format("there is no column '{}'", name));
                return false;
            }
            roles_[at] = Role::Name;
            names_.push_back(at);
        }
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (options_.skipped.contains(columns_[i])) roles_[i] = Role::Skip;
            // NULL tells nothing; an identifier names, also when it is a number.
            const bool is_id = columns_[i].ends_with("_id") || columns_[i] == "id";
            const bool looks_text = !cells_[i].is_null && !to_number(cells_[i].text) && cells_[i].text != "t" &&
                                    cells_[i].text != "f" && cells_[i].text != "true" && cells_[i].text != "false";
            if (roles_[i] != Role::Unknown) continue;
            roles_[i] = options_.tag_columns.empty() && (is_id || looks_text) ? Role::Name : Role::Value;
            if (roles_[i] == Role::Name) names_.push_back(i);
        }
        std::size_t values = 0;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (roles_[i] != Role::Value) continue;
            ++values;
            const std::string& name = columns_[i];
            narrow_ = name == "value" || name == "val" || name == "reading" || name == "_value";
        }
        narrow_ = narrow_ && values == 1 && !names_.empty();
        return true;
    }
    void take_row(std::uint64_t line, Sink& sink) {
        const auto time = to_time(cells_[time_].text, options_.table);
        if (!time || cells_[time_].is_null)
            return sink.on_refused(line, fmt::format("'{}' is not a time", cells_[time_].text.substr(0, 40)));
        Point point;
        point.line = line;
        point.time = *time;
        device_ = options_.device;
        const std::size_t prefix = device_.size();
        const auto add = [&](std::string_view part) {
            if (part.empty()) return;
            if (device_.size() > prefix) device_ += '/';
            device_ += part;
        };
        std::string_view address;
        if (narrow_ && names_.size() == 1) {
            const auto [name, last] = split_tag(cells_[names_[0]].text, {});
            add(name);
            address = last;
        } else {
            if (!narrow_) add(table_);
            for (std::size_t i = 0; i + (narrow_ ? 1 : 0) < names_.size(); ++i) add(cells_[names_[i]].text);
            if (narrow_) address = cells_[names_.back()].text;
        }
        if (device_.size() == prefix) {
            add(table_.empty() ? std::string_view("postgres") : std::string_view(table_));
        }
        point.device = device_;
        for (std::size_t i = 0; i < cells_.size(); ++i) {
            if (roles_[i] != Role::Value || cells_[i].is_null) continue;
            point.address = narrow_ ? address : std::string_view(columns_[i]);
            if (point.address.empty()) return sink.on_refused(line, "the row names no value");
            set_value_by_look(point, cells_[i].text);
            sink.on_point(point);
        }
    }

    const Options options_;
    const bool is_csv_;
    bool is_dump_;  // Of pg_dump: only what stands between COPY and \\. is data.
    CsvRows rows_;
    Lines lines_;
    Result<void> result_;
    std::vector<Cell> cells_;
    std::string unescaped_, table_, device_;
    std::vector<std::string> columns_;
    std::vector<Role> roles_;
    std::vector<std::size_t> names_;
    std::size_t time_ = 0;
    bool narrow_ = false, in_copy_ = false;
    bool failed_ = false;  // The columns make no sense: nothing more is read.
};

}  // namespace

std::unique_ptr<Reader::Form> make_postgres(const Options& options, bool is_csv, bool is_dump) {
    return std::make_unique<Postgres>(options, is_csv, is_dump);
}

}  // namespace lineshaft::wire::dump
