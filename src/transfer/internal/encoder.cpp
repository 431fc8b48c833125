#include "transfer/internal/encoder.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "transfer/internal/packer.h"
#include "wire/parquet/parquet.h"

namespace lineshaft::transfer {
namespace {

namespace parquet = wire::parquet;
using store::Bucket;
using store::Chunk;

constexpr std::size_t text_piece_bytes = 64 * 1024;

void append_double(std::string& out, double value) {
    char buffer[32];
    const auto [end, code] = std::to_chars(buffer, buffer + sizeof buffer, value);
    out.append(buffer, end);
}

/// Quoted where RFC 4180 asks for it, and where blanks at the ends would be taken for layout.
void append_field(std::string& out, std::string_view text) {
    const bool is_plain = text.find_first_of(",\"\r\n") == std::string_view::npos &&
                          (text.empty() || (text.front() != ' ' && text.back() != ' ' && text.front() != '#'));
    if (is_plain) {
        out += text;
        return;
    }
    out += '"';
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    out += '"';
}

void append_json(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            out += fmt::format("\\u{:04x}", byte);
        } else {
            out += c;
        }
    }
    out += '"';
}

double value_of(const Bucket& bucket, Aggregate aggregate) {
    switch (aggregate) {
        case Aggregate::Min: return bucket.min;
        case Aggregate::Max: return bucket.max;
        case Aggregate::Mean: return bucket.mean();
        case Aggregate::First: return bucket.first;
        case Aggregate::Last: return bucket.last;
        case Aggregate::Sum: return bucket.usable ? bucket.sum.value() : std::numeric_limits<double>::quiet_NaN();
        case Aggregate::Count: return static_cast<double>(bucket.count);
        case Aggregate::Good: return static_cast<double>(bucket.good);
    }
    return 0;
}

bool is_count(Aggregate aggregate) { return aggregate == Aggregate::Count || aggregate == Aggregate::Good; }

/// What the text forms share: lines gathered, packed, counted.
class TextEncoder : public Encoder {
public:
    explicit TextEncoder(const Question& question)
        : aggregates_(question.aggregates),
          is_raw_(question.is_raw()),
          receive_time_(question.receive_time),
          packer_(Packer::create(question.packing)) {}

    void begin(Bytes& out) override {
        begin_text(text_);
        flush(out);
    }
    void add(const ExportTag& tag, const Chunk& rows, Bytes& out) override {
        name(tag);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            add_row(tag, rows, i);
            if (text_.size() >= text_piece_bytes) flush(out);
        }
        rows_ += rows.size();
        flush(out);
    }
    void add(const ExportTag& tag, std::span<const Bucket> buckets, Bytes& out) override {
        name(tag);
        for (const Bucket& bucket : buckets) {
            add_bucket(bucket);
            if (text_.size() >= text_piece_bytes) flush(out);
        }
        rows_ += buckets.size();
        flush(out);
    }
    Mark mark(Bytes& out) override {
        packer_->end(out);
        return {{}, 0, rows_};
    }
    void finish(Bytes& out) override { packer_->end(out); }
    Result<void> resume(const Mark& mark, std::uint64_t) override {
        rows_ = mark.rows;
        return {};
    }

protected:
    virtual void begin_text(std::string& text) = 0;
    /// Prepares what is the same in every row of `tag`.
    virtual void name(const ExportTag& tag) = 0;
    virtual void add_row(const ExportTag& tag, const Chunk& rows, std::size_t row) = 0;
    virtual void add_bucket(const Bucket& bucket) = 0;

    const std::vector<Aggregate> aggregates_;
    const bool is_raw_, receive_time_;
    std::string text_;

private:
    void flush(Bytes& out) {
        packer_->add(text_, out);
        text_.clear();
    }
    std::unique_ptr<Packer> packer_;
    std::uint64_t rows_ = 0;
};

class CsvEncoder final : public TextEncoder {
public:
    using TextEncoder::TextEncoder;

private:
    void begin_text(std::string& text) override {
        if (is_raw_) {
            text += "time,tag,value,quality,unit,type,device";
            if (receive_time_) text += ",receive_time";
        } else {
            text += "time,tag";
            for (const Aggregate aggregate : aggregates_) text += fmt::format(",{}", to_text(aggregate));
            text += ",unit";
        }
        text += '\n';
    }
    void name(const ExportTag& tag) override {
        path_ = ",";
        append_field(path_, tag.path);
        path_ += ',';
        unit_ = ",";
        append_field(unit_, tag.unit);
        device_ = ",";
        append_field(device_, tag.device);
    }
    void add_row(const ExportTag&, const Chunk& rows, std::size_t row) override {
        text_ += to_rfc3339(rows.source_times[row]);
        text_ += path_;
        const ValueType type = rows.types[row];
        if (type == ValueType::String)
            append_field(text_, rows.text_at(row));
        else
            text_ += lineshaft::to_text(rows.value_at(row));
        text_ += ',';
        text_ += quality_text(rows.qualities[row]);
        text_ += unit_;
        text_ += ',';
        text_ += lineshaft::to_text(type);
        text_ += device_;
        if (receive_time_) {
            text_ += ',';
            text_ += to_rfc3339(rows.receive_times[row]);
        }
        text_ += '\n';
    }
    void add_bucket(const Bucket& bucket) override {
        text_ += to_rfc3339(bucket.start);
        text_ += std::string_view(path_).substr(0, path_.size() - 1);
        for (const Aggregate aggregate : aggregates_) {
            text_ += ',';
            const double value = value_of(bucket, aggregate);
            if (!std::isnan(value)) append_double(text_, value);
        }
        text_ += unit_;
        text_ += '\n';
    }
    std::string path_, unit_, device_;
};

class JsonEncoder final : public TextEncoder {
public:
    using TextEncoder::TextEncoder;

private:
    void begin_text(std::string&) override {}
    void name(const ExportTag& tag) override {
        path_ = R"(","tag":)";
        append_json(path_, tag.path);
        rest_ = R"(,"unit":)";
        append_json(rest_, tag.unit);
        device_ = R"(,"device":)";
        append_json(device_, tag.device);
    }
    void add_row(const ExportTag&, const Chunk& rows, std::size_t row) override {
        text_ += R"({"time":")";
        text_ += to_rfc3339(rows.source_times[row]);
        text_ += path_;
        text_ += R"(,"value":)";
        const ValueType type = rows.types[row];
        if (type == ValueType::String) {
            append_json(text_, rows.text_at(row));
        } else if (type == ValueType::Double && !std::isfinite(rows.number_at(row))) {
            append_json(text_, lineshaft::to_text(rows.value_at(row)));  // JSON has no such number.
        } else {
            text_ += lineshaft::to_text(rows.value_at(row));
        }
        text_ += fmt::format(R"(,"quality":"{}")", quality_text(rows.qualities[row]));
        text_ += rest_;
        text_ += fmt::format(R"(,"type":"{}")", lineshaft::to_text(type));
        text_ += device_;
        if (receive_time_) text_ += fmt::format(R"(,"receive_time":"{}")", to_rfc3339(rows.receive_times[row]));
        text_ += "}\n";
    }
    void add_bucket(const Bucket& bucket) override {
        text_ += R"({"time":")";
        text_ += to_rfc3339(bucket.start);
        text_ += path_;
        for (const Aggregate aggregate : aggregates_) {
            text_ += fmt::format(R"(,"{}":)", to_text(aggregate));
            const double value = value_of(bucket, aggregate);
            if (std::isfinite(value))
                append_double(text_, value);
            else
                text_ += "null";
        }
        text_ += rest_;
        text_ += "}\n";
    }
    std::string path_, rest_, device_;
};

class ParquetEncoder final : public Encoder {
public:
    explicit ParquetEncoder(const Question& question)
        : aggregates_(question.aggregates),
          writer_(columns_of(question),
                  {{"lineshaft.from", to_rfc3339(question.from)},
                   {"lineshaft.to", to_rfc3339(question.to)},
                   {"lineshaft.resolution",
                    question.is_raw() ? std::string("raw") : fmt::format("{}ns", question.resolution.count())}}) {}

    void begin(Bytes& out) override { writer_.begin(out); }
    void add(const ExportTag& tag, const Chunk& rows, Bytes& out) override {
        for (std::size_t i = 0; i < rows.size(); ++i) {
            add_row(tag, rows, i);
            if (writer_.is_full()) writer_.write_group(out);
        }
    }
    void add(const ExportTag& tag, std::span<const Bucket> buckets, Bytes& out) override {
        for (const Bucket& bucket : buckets) {
            add_bucket(tag, bucket);
            if (writer_.is_full()) writer_.write_group(out);
        }
    }
    Mark mark(Bytes& out) override {
        writer_.write_group(out);
        return {writer_.groups(), writer_.group_count(), writer_.rows_written()};
    }
    void finish(Bytes& out) override { writer_.finish(out); }
    Result<void> resume(const Mark& mark, std::uint64_t file_bytes) override {
        return writer_.restore(mark.groups, mark.group_count, mark.rows, file_bytes);
    }

private:
    static std::vector<parquet::Column> columns_of(const Question& question) {
        using parquet::Kind;
        if (question.is_raw()) {
            return {{"time", Kind::Time},
                    {"tag", Kind::Text},
                    {"value", Kind::Double, true},
                    {"value_int", Kind::Int64, true},
                    {"value_text", Kind::Text, true},
                    {"type", Kind::Text},
                    {"quality", Kind::Text},
                    {"quality_code", Kind::UInt32},
                    {"unit", Kind::Text},
                    {"device", Kind::Text},
                    {"receive_time", Kind::Time}};
        }
        std::vector<parquet::Column> columns = {{"time", Kind::Time}, {"tag", Kind::Text}};
        for (const Aggregate aggregate : question.aggregates) {
            const bool count = is_count(aggregate);
            columns.push_back({std::string(to_text(aggregate)), count ? Kind::Int64 : Kind::Double, !count});
        }
        columns.push_back({"unit", Kind::Text});
        return columns;
    }
    void add_row(const ExportTag& tag, const Chunk& rows, std::size_t row) {
        writer_.column(0).add(rows.source_times[row]);
        writer_.column(1).add(tag.path);
        const ValueType type = rows.types[row];
        const bool is_text = type == ValueType::String;
        const bool is_int = type == ValueType::Int || type == ValueType::Bool;
        is_text ? writer_.column(2).add_null() : writer_.column(2).add(rows.number_at(row));
        is_int ? writer_.column(3).add_int(static_cast<std::int64_t>(rows.bits[row])) : writer_.column(3).add_null();
        is_text ? writer_.column(4).add(rows.text_at(row)) : writer_.column(4).add_null();
        writer_.column(5).add(lineshaft::to_text(type));
        writer_.column(6).add(quality_text(rows.qualities[row]));
        writer_.column(7).add_uint(rows.qualities[row].code());
        writer_.column(8).add(tag.unit);
        writer_.column(9).add(tag.device);
        writer_.column(10).add(rows.receive_times[row]);
        writer_.end_row();
    }
    void add_bucket(const ExportTag& tag, const Bucket& bucket) {
        writer_.column(0).add(bucket.start);
        writer_.column(1).add(tag.path);
        std::size_t column = 2;
        for (const Aggregate aggregate : aggregates_) {
            parquet::Cells& cells = writer_.column(column++);
            const double value = value_of(bucket, aggregate);
            if (is_count(aggregate))
                cells.add_int(static_cast<std::int64_t>(value));
            else
                std::isnan(value) ? cells.add_null() : cells.add(value);
        }
        writer_.column(column).add(tag.unit);
        writer_.end_row();
    }

    const std::vector<Aggregate> aggregates_;
    parquet::Writer writer_;
};

}  // namespace

std::string quality_text(Quality quality) {
    const std::string_view name = lineshaft::to_text(quality);
    if (quality_from_text(name) == quality) return std::string(name);
    return fmt::format("0x{:08X}", quality.code());
}

std::unique_ptr<Encoder> Encoder::create(const Question& question) {
    if (question.form == Form::Csv) return std::make_unique<CsvEncoder>(question);
    if (question.form == Form::JsonLines) return std::make_unique<JsonEncoder>(question);
    return std::make_unique<ParquetEncoder>(question);
}

}  // namespace lineshaft::transfer
