// Rows to a server as line protocol, or to a file.
#include <cstdio>

#include <fmt/format.h>

#include "load/crowd.h"
#include "load/load.h"
#include "load/sockets.h"

namespace lineshaft::bench {
namespace {

constexpr std::size_t piece_bytes = 4 * 1024 * 1024;

/// Makes one request after another: of line protocol with all tables, or of text with tabs for one table each.
class RowRequests final : public Requests {
public:
    RowRequests(const SendRowsOptions& options, Rows& rows, RowSums& sums)
        : options_(options),
          rows_(rows),
          sums_(sums),
          writer_(rows, options.form == "tabs" ? RowWriter::Form::TabsUnixTime : RowWriter::Form::Lines) {
        bodies_.resize(options.form == "tabs" ? rows.tables().size() : 1);
    }

    const std::string* next(std::string& own, std::int64_t& due_ns) override {
        if (!make(own)) return nullptr;
        if (options_.values_per_s > 0) {
            if (begun_ns_ == 0) begun_ns_ = now_ns();
            due_ns =
                begun_ns_ + static_cast<std::int64_t>(static_cast<double>(values_) / options_.values_per_s * 1e9);
        }
        return &own;
    }

    bool make(std::string& request) {
        values_ = made_;
        for (Row row; rows_.next(row);) {
            Body& body = bodies_[bodies_.size() > 1 ? row.table : 0];
            made_ += writer_.write(row, body.text);
            sums_.add(row, rows_);
            if (++body.lines == options_.lines_per_request) return finish(body, request);
        }
        for (Body& body : bodies_) {
            if (body.lines > 0) return finish(body, request);
        }
        return false;
    }

    std::uint64_t bytes() const { return bytes_; }
    std::uint64_t requests() const { return requests_; }

private:
    struct Body {
        std::string text;
        std::size_t lines = 0;
    };

    /// "TABLE" in the path stands for the name of the table.
    bool finish(Body& body, std::string& request) {
        std::string path = options_.path;
        const std::string& table = rows_.tables()[static_cast<std::size_t>(&body - bodies_.data())].name;
        if (const auto at = path.find("TABLE"); at != std::string::npos) path.replace(at, 5, table);
        request = fmt::format("POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\n", path);
        for (const std::string& header : options_.headers) request += header + "\r\n";
        request += fmt::format("Content-Length: {}\r\n\r\n", body.text.size());
        request += body.text;
        body.text.clear();
        body.lines = 0;
        bytes_ += request.size();
        ++requests_;
        return true;
    }

    const SendRowsOptions& options_;
    Rows& rows_;
    RowSums& sums_;
    RowWriter writer_;
    std::vector<Body> bodies_;
    std::uint64_t values_ = 0;  // Before the newest request.
    std::uint64_t made_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t requests_ = 0;
    std::int64_t begun_ns_ = 0;
};

void write_file(const std::string& file, std::string_view text, std::FILE* to) {
    if (std::fwrite(text.data(), 1, text.size(), to) != text.size()) give_up("cannot write " + file);
}

}  // namespace

void send_rows(const SendRowsOptions& options) {
    const std::unique_ptr<Rows> rows = make_rows(options.rows);
    RowSums sums;
    RowRequests source(options, *rows, sums);
    Run run;
    if (options.stream) {
        send_requests(options.port, options.connections, source, run);
    } else {
        std::vector<std::string> all;
        for (std::string request; source.make(request);) all.push_back(std::move(request));
        HeldRequests held(all);
        send_requests(options.port, options.connections, held, run);
    }
    run.requests = source.requests();
    run.bytes = source.bytes();
    run.values = sums.values;
    run.made = sums.json(*rows);
    report(std::move(run));
}

void write_rows(const WriteRowsOptions& options) {
    const std::unique_ptr<Rows> rows = make_rows(options.rows);
    const auto form = options.form == "lines"  ? RowWriter::Form::Lines
                      : options.form == "tabs" ? RowWriter::Form::TabsUnixTime
                                               : RowWriter::Form::TabsIsoTime;
    if (options.table == "keys") {
        write_file("the keys", key_table(*rows), stdout);
        return;
    }
    RowSums sums;
    RowWriter writer(*rows, form);
    std::string out;
    for (Row row; rows->next(row);) {
        if (!options.table.empty() && rows->tables()[row.table].name != options.table) continue;
        writer.write(row, out);
        sums.add(row, *rows);
        if (out.size() < piece_bytes) continue;
        write_file("the rows", out, stdout);
        out.clear();
    }
    write_file("the rows", out, stdout);
    fmt::print(stderr, "{}\n", sums.json(*rows));
}

}  // namespace lineshaft::bench
