#include "app/cli/import_file.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "app/cli/import_sender.h"
#include "runtime/clock.h"
#include "wire/table/decompress.h"

namespace lineshaft::cli {
namespace {

namespace table = wire::table;

constexpr std::size_t piece_bytes = 2 * 1024 * 1024;
constexpr std::size_t read_bytes = 1024 * 1024;
constexpr std::size_t refused_shown_max = 20;
constexpr std::size_t sender_threads = 2;

void append_escaped(std::string& out, std::string_view text, std::string_view special) {
    for (const char c : text) {
        if (special.find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
}

std::string escaped(std::string_view text, std::string_view special) {
    std::string out;
    append_escaped(out, text, special);
    return out;
}

/// A number as it was written where the other side reads it the same, else shortest round trip.
void append_number(std::string& out, const table::Cell& cell) {
    const std::string_view text = cell.text;
    const bool as_written =
        !text.empty() && text.find_first_not_of("0123456789.-eE") == std::string_view::npos && text.back() != '.' &&
        (std::isdigit(static_cast<unsigned char>(text[0])) ||
         (text.size() > 1 && text[0] == '-' && std::isdigit(static_cast<unsigned char>(text[1]))));
    if (as_written) {
        out += text;
        return;
    }
    char buffer[32];
    const auto [end, code] = std::to_chars(buffer, buffer + sizeof buffer, cell.number);
    out.append(buffer, end);
}

std::string stem_of(const std::string& file) {
    std::string name = std::filesystem::path(file).filename();
    for (const char* ending : {".gz", ".zst", ".csv", ".txt", ".tsv", ".dat"}) {
        if (name.ends_with(ending)) name.resize(name.size() - std::string_view(ending).size());
    }
    return name;
}

/// Where the progress of an import of this very file into this device is kept.
std::string progress_path(const ImportOptions& options, const std::string& device) {
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    const std::string folder =
        (cache && *cache ? std::string(cache) : std::string(home ? home : ".") + "/.cache") + "/lineshaft";
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    const auto size = std::filesystem::file_size(options.file, error);
    const auto path = std::filesystem::absolute(options.file, error);
    return fmt::format("{}/import-{:016x}", folder,
                       std::hash<std::string>{}(fmt::format("{}|{}|{}", path.string(), size, device)));
}

class Importer final : public table::RowSink {
public:
    Importer(const Client& client, const ImportOptions& options, bool quiet, const std::atomic<bool>& interrupted)
        : client_(client), options_(options), quiet_(quiet), interrupted_(interrupted) {
        report_.device = options.device.empty() ? stem_of(options.file) : options.device;
        measurement_ = escaped(report_.device, ", ");
        progress_file_ = progress_path(options, report_.device);
    }

    Result<ImportReport> run();

    void on_row(const table::Row& row) override;
    void on_refused(const table::Refused& refused) override { refuse(refused.line, refused.reason); }

private:
    Result<void> read_file(std::ifstream& file);
    Result<void> take(std::string_view text);
    Result<void> begin();
    Result<void> check_times() const;
    void add_row(const table::Row& row, UtcTime time);
    void add_steps(const table::Row& row, const std::string& field, UtcTime time, Duration step);
    bool add_cell(std::size_t column, const table::Cell& cell, std::uint64_t line, bool first);
    bool add_value(const table::Cell& cell, table::ColumnKind kind, std::uint64_t line);
    void end_line(UtcTime time);
    void refuse(std::uint64_t line, const std::string& reason);
    void send_when_full(std::uint64_t line, bool all);
    void keep_progress(std::uint64_t line) const;
    void show_progress(bool last);

    const Client& client_;
    const ImportOptions& options_;
    const bool quiet_;
    const std::atomic<bool>& interrupted_;
    ImportReport report_;
    std::string measurement_, progress_file_;
    std::string head_;  // Until the layout is known.
    std::optional<table::Parser> parser_;
    std::vector<std::string> fields_;  // Escaped; empty: the column is left out.
    std::unique_ptr<ImportSender> sender_;
    std::string piece_;
    std::ofstream rejected_;
    std::optional<Error> error_;
    std::uint64_t row_number_ = 0;
    std::uint64_t file_bytes_ = 0, read_bytes_ = 0;
    Instant begun_, shown_;
};

Result<ImportReport> Importer::run() {
    std::error_code error;
    file_bytes_ = std::filesystem::file_size(options_.file, error);
    std::ifstream file(options_.file, std::ios::binary);
    if (error || !file) return fail(ErrorCode::NotFound, fmt::format("the file {} cannot be read", options_.file));
    if (!options_.rejected.empty()) {
        rejected_.open(options_.rejected);
        rejected_ << "line,reason\n";
    }
    if (options_.resume) {
        std::ifstream kept(progress_file_);
        kept >> report_.resumed_at_line;
    }
    begun_ = shown_ = system_clock().now();
    if (!options_.dry_run) {
        sender_ = std::make_unique<ImportSender>(client_, sender_threads,
                                                 [this](std::uint64_t line) { keep_progress(line); });
    }
    TRY_VOID(read_file(file));
    if (sender_) TRY_VOID(sender_->finish());
    if (!report_.interrupted && !options_.dry_run) std::filesystem::remove(progress_file_, error);
    report_.seconds = static_cast<double>((system_clock().now() - begun_).count()) / 1e9;
    show_progress(true);
    return std::move(report_);
}

Result<void> Importer::read_file(std::ifstream& file) {
    std::string buffer(read_bytes, '\0');
    std::unique_ptr<table::Decompressor> unpack;
    std::optional<Error> failed;
    const auto take_bytes = [&](ByteView bytes) {
        if (failed) return;
        if (const auto taken = take(as_text(bytes)); !taken) failed = taken.error();
    };
    while (file && !report_.interrupted) {
        file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        const std::string_view piece(buffer.data(), static_cast<std::size_t>(file.gcount()));
        if (piece.empty()) break;
        read_bytes_ += piece.size();
        if (!unpack) unpack = table::Decompressor::create(as_bytes(piece));
        TRY_VOID(unpack->feed(as_bytes(piece), take_bytes));
        if (failed) return std::unexpected(*failed);
        show_progress(false);
        report_.interrupted = interrupted_.load();
    }
    if (report_.interrupted) {
        send_when_full(parser_ ? parser_->lines() : 0, true);
        return {};
    }
    if (unpack) TRY_VOID(unpack->finish());
    if (!parser_) TRY_VOID(begin());
    parser_->finish(*this);
    send_when_full(parser_->lines(), true);
    if (error_) return std::unexpected(*error_);
    return {};
}

Result<void> Importer::take(std::string_view text) {
    if (!parser_) {
        head_ += text;
        if (head_.size() < table::detect_bytes) return {};
        return begin();
    }
    parser_->feed(text, *this);
    if (error_) return std::unexpected(*error_);
    return {};
}

/// Enough was seen to know what the table is like.
Result<void> Importer::begin() {
    table::Options as_told = options_.table;
    if (options_.shape != sim::Shape::Rows) {
        as_told.header = table::Header::Absent;
        as_told.time_column = "none";
    }
    report_.layout = TRY(table::detect(head_, as_told));
    TRY_VOID(check_times());
    for (std::size_t i = 0; i < report_.layout.columns.size(); ++i) {
        const std::string& name = report_.layout.columns[i];
        const auto renamed = options_.renamed.find(name);
        const bool skip = i == report_.layout.time_column || options_.skipped.contains(name);
        fields_.push_back(skip ? "" : escaped(renamed == options_.renamed.end() ? name : renamed->second, ",= "));
    }
    parser_.emplace(report_.layout);
    parser_->feed(std::exchange(head_, {}), *this);
    if (error_) return std::unexpected(*error_);
    return {};
}

Result<void> Importer::check_times() const {
    const bool has_times = options_.shape == sim::Shape::Rows && report_.layout.time_column;
    if (has_times || (!options_.start.is_none() && options_.period > Duration::zero())) return {};
    return fail(ErrorCode::InvalidArgument,
                "the table has no column of times: name it with --time-column, or give --start TIME and --period 1s");
}

void Importer::on_row(const table::Row& row) {
    if (error_) return;
    const std::uint64_t number = row_number_++;
    if (row.line <= report_.resumed_at_line) return;
    ++report_.rows;
    UtcTime time = row.time;
    if (time.is_none()) time = options_.start + options_.period * static_cast<std::int64_t>(number);
    switch (options_.shape) {
        case sim::Shape::Rows: add_row(row, time); break;
        case sim::Shape::Cycles: {
            const auto cells = static_cast<std::int64_t>(std::max<std::size_t>(row.cells.size(), 1));
            add_steps(row, escaped(stem_of(options_.file), ",= "), time, options_.period / cells);
            break;
        }
        case sim::Shape::Transposed:
            add_steps(row, fmt::format("V{}", number + 1), options_.start, options_.period);
            break;
    }
    send_when_full(row.line, false);
}

void Importer::add_row(const table::Row& row, UtcTime time) {
    const std::size_t begin = piece_.size();
    piece_ += measurement_;
    bool first = true;
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
        if (!fields_[i].empty() && add_cell(i, row.cells[i], row.line, first)) first = false;
    }
    if (first)
        piece_.resize(begin);
    else
        end_line(time);
}

void Importer::add_steps(const table::Row& row, const std::string& field, UtcTime time, Duration step) {
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
        const std::size_t begin = piece_.size();
        piece_ += measurement_ + " " + field + "=";
        if (add_value(row.cells[i], table::ColumnKind::Double, row.line))
            end_line(time + step * static_cast<std::int64_t>(i));
        else
            piece_.resize(begin);
    }
}

bool Importer::add_cell(std::size_t column, const table::Cell& cell, std::uint64_t line, bool first) {
    const std::size_t begin = piece_.size();
    piece_ += first ? ' ' : ',';
    piece_ += fields_[column];
    piece_ += '=';
    if (add_value(cell, report_.layout.kinds[column], line)) return true;
    piece_.resize(begin);
    return false;
}

/// False: there is nothing to send.
bool Importer::add_value(const table::Cell& cell, table::ColumnKind kind, std::uint64_t line) {
    using table::ColumnKind;
    if (cell.kind == ColumnKind::Empty) return false;
    if (kind == ColumnKind::Text || (kind == ColumnKind::Empty && cell.kind == ColumnKind::Text)) {
        if (cell.text.find_first_of("\r\n") != std::string_view::npos) {
            refuse(line, "a value holds a line break");
            return false;
        }
        piece_ += '"';
        append_escaped(piece_, cell.text, "\"\\");
        piece_ += '"';
    } else if (cell.kind == ColumnKind::Text) {
        refuse(line, fmt::format("'{}' is not a number, as the column has", cell.text.substr(0, 40)));
        return false;
    } else if (kind == ColumnKind::Bool && cell.kind == ColumnKind::Bool) {
        piece_ += cell.integer ? "true" : "false";
    } else if (cell.kind == ColumnKind::Bool) {
        piece_ += cell.integer ? '1' : '0';
    } else {
        if (!std::isfinite(cell.number)) return false;
        append_number(piece_, cell);
    }
    ++report_.values;
    return true;
}

void Importer::end_line(UtcTime time) {
    if (report_.first_time.is_none() || time < report_.first_time) report_.first_time = time;
    report_.last_time = std::max(report_.last_time, time);
    piece_ += ' ';
    char buffer[24];
    const auto [end, code] = std::to_chars(buffer, buffer + sizeof buffer, time.ns());
    piece_.append(buffer, end);
    piece_ += '\n';
}

void Importer::refuse(std::uint64_t line, const std::string& reason) {
    if (line <= report_.resumed_at_line) return;
    ++report_.refused;
    if (rejected_.is_open()) rejected_ << line << ",\"" << reason << "\"\n";
    if (report_.refused <= refused_shown_max)
        std::fprintf(stderr, "line %llu refused: %s\n", static_cast<unsigned long long>(line), reason.c_str());
}

void Importer::send_when_full(std::uint64_t line, bool all) {
    if (piece_.size() < piece_bytes && !(all && !piece_.empty())) return;
    std::string piece = std::exchange(piece_, {});
    piece_.reserve(piece_bytes + 64 * 1024);
    if (!sender_ || error_) return;
    if (const auto sent = sender_->send(std::move(piece), line); !sent) error_ = sent.error();
}

void Importer::keep_progress(std::uint64_t line) const { std::ofstream(progress_file_) << line; }

/// A bar on a terminal once it takes longer than a second; elsewhere a line every ten seconds.
void Importer::show_progress(bool last) {
    if (quiet_ || options_.dry_run) return;
    const Instant now = system_clock().now();
    const double seconds = static_cast<double>((now - begun_).count()) / 1e9;
    const bool terminal = is_interactive();
    if (last && shown_ == begun_) return;
    if (!last && (seconds < 1 || now - shown_ < (terminal ? Duration(200ms) : Duration(10s)))) return;
    shown_ = now;
    const double share = file_bytes_ ? static_cast<double>(read_bytes_) / static_cast<double>(file_bytes_) : 1;
    const double rate = static_cast<double>(report_.values) / seconds;
    std::fprintf(stderr, "%s%5.1f %%  %llu rows  %.2f M values/s  %.0f s left%s", terminal ? "\r" : "", share * 100,
                 static_cast<unsigned long long>(report_.rows), rate / 1e6, share > 0 ? seconds / share - seconds : 0,
                 terminal && !last ? "" : "\n");
}

}  // namespace

Result<ImportReport> import_file(const Client& client, const ImportOptions& options, bool quiet,
                                 const std::atomic<bool>& interrupted) {
    return Importer(client, options, quiet, interrupted).run();
}

}  // namespace lineshaft::cli
