#include "app/sim/recording.h"

#include <cmath>
#include <deque>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "wire/table/decompress.h"
#include "wire/table/table.h"

namespace lineshaft::sim {
namespace {

namespace table = wire::table;
namespace fs = std::filesystem;

constexpr std::size_t piece_bytes = 64 * 1024;
constexpr std::size_t reasons_max = 20;

std::string json_text(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            result += '\\';
            result += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            result += c;
        }
    }
    return result + '"';
}

/// Empty for a cell that says nothing.
std::string json_value(const table::Cell& cell) {
    switch (cell.kind) {
        case table::ColumnKind::Empty: return {};
        case table::ColumnKind::Bool: return cell.integer ? "true" : "false";
        case table::ColumnKind::Int: return fmt::format("{}", cell.integer);
        case table::ColumnKind::Double:
            return std::isfinite(cell.number) ? fmt::format("{}", cell.number) : std::string();
        case table::ColumnKind::Text: return json_text(cell.text);
    }
    std::unreachable();
}

/// Gathers `"name":value` pairs to a record.
class RecordBuilder {
public:
    void add(const std::string& json_name, const std::string& value) {
        if (value.empty()) return;
        record_.values += record_.value_count++ == 0 ? "{" : ",";
        record_.values += json_name;
        record_.values += ':';
        record_.values += value;
    }
    Record take(UtcTime time, std::uint64_t row) {
        record_.time = time;
        record_.row = row;
        record_.values += record_.value_count == 0 ? "{}" : "}";
        return std::move(record_);
    }

private:
    Record record_;
};

class FileRecording final : public Recording, private table::RowSink {
public:
    FileRecording(std::string path, const ReplayOptions& options) : path_(std::move(path)), options_(options) {
        const Duration usual = options.shape == Shape::Cycles ? Duration(60s) : Duration(1s);
        period_ = options.period > 0ns ? options.period : usual;
    }

    Result<void> open() {
        file_.open(path_, std::ios::binary);
        if (!file_) return fail(ErrorCode::NotFound, fmt::format("cannot open '{}'", path_));
        std::string packed = TRY(read_piece());
        unpacker_ = table::Decompressor::create(as_bytes(packed));
        // As much plain text as detection wants to see, or all there is.
        std::string head;
        while (true) {
            TRY_VOID(unpack(packed, head));
            if (head.size() >= table::detect_bytes || ended_) break;
            packed = TRY(read_piece());
        }
        table::Options table_options = options_.table;
        if (options_.shape != Shape::Rows) {
            table_options.header = table::Header::Absent;
            table_options.time_column = "none";
        }
        auto layout = table::detect(head, table_options);
        if (!layout) return fail(layout.error().code(), fmt::format("{}: {}", path_, layout.error().detail()));
        TRY_VOID(set_names(*layout));
        parser_.emplace(*std::move(layout));
        parser_->feed(head, *this);
        if (ended_) parser_->finish(*this);
        return {};
    }

    Result<std::optional<Record>> next() override {
        while (ready_.empty()) {
            if (ended_ || enough_) {
                if (options_.shape != Shape::Transposed || matrix_.empty()) return std::nullopt;
                emit_transposed();
                continue;
            }
            std::string text;
            const std::string piece = TRY(read_piece());
            TRY_VOID(unpack(piece, text));
            parser_->feed(text, *this);
            if (ended_) parser_->finish(*this);
        }
        Record record = std::move(ready_.front());
        ready_.pop_front();
        return record;
    }

    bool has_time() const override { return parser_->layout().time_column.has_value(); }
    std::uint64_t refused() const override { return refused_; }
    const std::vector<std::string>& reasons() const override { return reasons_; }

private:
    Result<std::string> read_piece() {
        std::string piece(piece_bytes, '\0');
        file_.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        if (file_.bad()) return fail(ErrorCode::Io, fmt::format("cannot read '{}'", path_));
        piece.resize(static_cast<std::size_t>(file_.gcount()));
        return piece;
    }

    /// An empty piece is the end of the file.
    Result<void> unpack(const std::string& piece, std::string& text) {
        const auto done =
            piece.empty() ? unpacker_->finish()
                          : unpacker_->feed(as_bytes(piece), [&](ByteView bytes) { text.append(as_text(bytes)); });
        if (!done) return fail(done.error().code(), fmt::format("{}: {}", path_, done.error().detail()));
        ended_ = piece.empty();
        return {};
    }

    Result<void> set_names(const table::Layout& layout) {
        std::vector<std::string> names = layout.columns;
        if (options_.shape == Shape::Cycles) names = {stem_of(path_)};
        if (!options_.columns.empty() && options_.shape != Shape::Transposed) {
            if (options_.columns.size() != names.size()) {
                return fail(ErrorCode::InvalidArgument, fmt::format("{} names were given, '{}' has {} columns",
                                                                    options_.columns.size(), path_, names.size()));
            }
            names = options_.columns;
        }
        for (const std::string& name : names) names_.push_back(json_text(name));
        return {};
    }

    void on_row(const table::Row& row) override {
        if (enough_) return;
        const std::uint64_t index = rows_++;
        switch (options_.shape) {
            case Shape::Rows: take_row(row, index); break;
            case Shape::Cycles: take_cycle(row, index); break;
            case Shape::Transposed: take_variable(row); break;
        }
        enough_ = options_.rows_max > 0 && rows_ >= options_.rows_max;
    }

    void on_refused(const table::Refused& refused) override {
        ++refused_;
        if (reasons_.size() < reasons_max)
            reasons_.push_back(fmt::format("{}: line {} {}", path_, refused.line, refused.reason));
    }

    void take_row(const table::Row& row, std::uint64_t index) {
        const auto time_column = parser_->layout().time_column;
        RecordBuilder builder;
        for (std::size_t i = 0; i < row.cells.size(); ++i) {
            if (time_column != i) builder.add(names_[i], json_value(row.cells[i]));
        }
        ready_.push_back(builder.take(
            time_column ? row.time : UtcTime(period_.count() * static_cast<std::int64_t>(index)), index + 1));
    }

    void take_cycle(const table::Row& row, std::uint64_t index) {
        const auto columns = static_cast<std::int64_t>(row.cells.size());
        const std::int64_t begin = period_.count() * static_cast<std::int64_t>(index);
        for (std::int64_t i = 0; i < columns; ++i) {
            RecordBuilder builder;
            builder.add(names_[0], json_value(row.cells[static_cast<std::size_t>(i)]));
            ready_.push_back(builder.take(UtcTime(begin + period_.count() * i / columns), index + 1));
        }
    }

    void take_variable(const table::Row& row) {
        if ((matrix_.size() + 1) * row.cells.size() > transposed_cells_max) {
            on_refused({row.line, "the transposed table is too large"});
            return;
        }
        std::vector<std::string>& values = matrix_.emplace_back();
        for (const table::Cell& cell : row.cells) values.push_back(json_value(cell));
    }

    void emit_transposed() {
        for (std::size_t column = 0; column < matrix_[0].size(); ++column) {
            RecordBuilder builder;
            for (std::size_t i = 0; i < matrix_.size(); ++i) {
                const bool named = i < options_.columns.size();
                builder.add(json_text(named ? options_.columns[i] : fmt::format("V{}", i + 1)), matrix_[i][column]);
            }
            ready_.push_back(
                builder.take(UtcTime(period_.count() * static_cast<std::int64_t>(column)), matrix_.size()));
        }
        matrix_.clear();
    }

    const std::string path_;
    const ReplayOptions options_;
    Duration period_{};
    std::ifstream file_;
    std::unique_ptr<table::Decompressor> unpacker_;
    std::optional<table::Parser> parser_;
    std::vector<std::string> names_;  // As JSON strings.
    std::deque<Record> ready_;
    std::vector<std::vector<std::string>> matrix_;
    std::vector<std::string> reasons_;
    std::uint64_t rows_ = 0;
    std::uint64_t refused_ = 0;
    bool ended_ = false;
    bool enough_ = false;
};

}  // namespace

std::string stem_of(const std::string& path) {
    fs::path name = fs::path(path).filename();
    if (name.extension() == ".gz" || name.extension() == ".zst") name = name.stem();
    return name.stem().string();
}

std::string device_of(const std::string& path, const ReplayOptions& options) {
    const bool several = options.files.size() > 1 && options.shape != Shape::Cycles;
    if (!options.device.empty()) return several ? options.device + "/" + stem_of(path) : options.device;
    if (options.shape != Shape::Cycles) return "Replay/" + stem_of(path);
    const std::string folder = fs::absolute(path).parent_path().filename().string();
    return "Replay/" + (folder.empty() ? stem_of(path) : folder);
}

Result<std::unique_ptr<Recording>> Recording::open(const std::string& path, const ReplayOptions& options) {
    auto recording = std::make_unique<FileRecording>(path, options);
    TRY_VOID(recording->open());
    return recording;
}

}  // namespace lineshaft::sim
