/// What the formats are made of: lines, rows of CSV, and a form for each format. Private to wire/dump.
#pragma once

#include <functional>
#include <optional>

#include "wire/dump/dump.h"

namespace lineshaft::wire::dump {

class Reader::Form {
public:
    virtual ~Form() = default;
    virtual Result<void> feed(std::string_view piece, Sink& sink) = 0;
    virtual Result<void> finish(Sink& sink) = 0;
    virtual std::uint64_t lines() const = 0;
};

std::unique_ptr<Reader::Form> make_line_protocol(const Options& options);
std::unique_ptr<Reader::Form> make_influx_csv(const Options& options);
std::unique_ptr<Reader::Form> make_own_csv(const Options& options);
std::unique_ptr<Reader::Form> make_json_lines(const Options& options);
std::unique_ptr<Reader::Form> make_prometheus(const Options& options);
/// `is_csv`: COPY … WITH CSV HEADER; else text with tabs. `is_dump`: of pg_dump, with statements around it.
std::unique_ptr<Reader::Form> make_postgres(const Options& options, bool is_csv, bool is_dump);
/// Errors: as table::detect.
Result<std::unique_ptr<Reader::Form>> make_table(const Options& options, std::string_view head);

/// Cuts text into lines, whatever the pieces. A line that is too long is refused and passed over.
class Lines {
public:
    using Take = std::function<void(std::string_view line, std::uint64_t number)>;
    void feed(std::string_view piece, Sink& sink, const Take& take);
    void finish(const Take& take);
    std::uint64_t count() const { return count_; }

private:
    std::string rest_;
    std::uint64_t count_ = 0;
    bool skipping_ = false;
};

/// A format whose every line stands for itself.
class LineForm : public Reader::Form {
public:
    Result<void> feed(std::string_view piece, Sink& sink) final {
        lines_.feed(piece, sink, [&](std::string_view line, std::uint64_t number) { take(line, number, sink); });
        return {};
    }
    Result<void> finish(Sink& sink) final {
        lines_.finish([&](std::string_view line, std::uint64_t number) { take(line, number, sink); });
        return {};
    }
    std::uint64_t lines() const final { return lines_.count(); }

private:
    virtual void take(std::string_view line, std::uint64_t number, Sink& sink) = 0;
    Lines lines_;
};

struct CsvField {
    std::string_view text;  // Without quotes.
    bool quoted = false;
};

/// Cuts RFC 4180 into rows, whatever the pieces; line ends within quotes belong to the field.
class CsvRows {
public:
    using Take = std::function<void(const std::vector<CsvField>& row, std::uint64_t line)>;
    explicit CsvRows(char delimiter = ',') : delimiter_(delimiter) {}
    void feed(std::string_view piece, Sink& sink, const Take& take);
    void finish(const Take& take);
    std::uint64_t count() const { return lines_; }

private:
    void end_row(std::string_view row, const Take& take);

    const char delimiter_;
    std::string rest_;
    std::size_t scanned_ = 0;  // Of rest_; with the state of the quotes there.
    bool quoted_ = false;
    bool skipping_ = false;
    std::uint64_t lines_ = 0;     // Ended.
    std::uint64_t row_line_ = 1;  // First line of the row that is open.
    std::vector<CsvField> fields_;
    std::string unquoted_;
};

/// Whether a base-10 integer, or a number, is all of `text`.
std::optional<std::int64_t> to_int(std::string_view text);
std::optional<double> to_number(std::string_view text);
/// RFC 3339, a calendar time of databases ("2024-01-02 03:04:05.678+00"), or an epoch.
std::optional<UtcTime> to_time(std::string_view text, const table::Options& table);
/// Sets value and type of `point` from its text. False: it is none of that type.
bool set_value(Point& point, ValueType type, std::string_view text);
/// From the look of the text: true/false, number, else text.
void set_value_by_look(Point& point, std::string_view text);
void set_number(Point& point, double value);

}  // namespace lineshaft::wire::dump
