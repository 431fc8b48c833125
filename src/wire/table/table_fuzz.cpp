/// Fuzz: tables of text.
///
/// Strategy: the first byte chooses options and the size of the pieces, the rest is the table: detected, then parsed
/// whole and in pieces.
///
/// Invariants: nothing is read outside the input; every row has as many cells as the layout has columns; line numbers
/// rise; however the text is cut, rows, refusals and lines are the same.
#include "base/assert.h"
#include "wire/table/decompress.h"
#include "wire/table/table.h"

using namespace lineshaft;
using namespace lineshaft::wire::table;

namespace {

struct Digest final : RowSink {
    explicit Digest(std::size_t expected) : columns(expected) {}
    void on_row(const Row& row) override {
        ASSERT(row.cells.size() == columns);
        ASSERT(row.line > last_line);
        last_line = row.line;
        ++rows;
        hash = hash * 31 + row.line + static_cast<std::uint64_t>(row.time.ns());
        for (const Cell& cell : row.cells) hash = crc32c(as_bytes(cell.text), static_cast<std::uint32_t>(hash));
    }
    void on_refused(const Refused& refused) override {
        ASSERT(!refused.reason.empty());
        ++refusals;
    }
    const std::size_t columns;
    std::uint64_t last_line = 0, rows = 0, refusals = 0, hash = 0;
};

void unpack(std::string_view bytes) {
    std::size_t made = 0;
    auto unpacker = Decompressor::create(as_bytes(bytes));
    // A small input may unpack to much; the caller bounds it, so does this.
    for (std::size_t at = 0; at < bytes.size() && made < 16 * 1024 * 1024; at += 64) {
        if (!unpacker->feed(as_bytes(bytes.substr(at, 64)), [&](ByteView piece) { made += piece.size(); })) return;
    }
    (void)unpacker->finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
    unpack(text);
    Options options;
    if (data[0] & 1) options.header = Header::Absent;
    if (data[0] & 2) options.time_column = "1";
    if (data[0] & 4) options.delimiter = ';';
    const auto layout = detect(text, options);
    if (!layout) return 0;
    ASSERT(layout->columns.size() == layout->kinds.size());

    Digest whole(layout->columns.size());
    Parser parser(*layout);
    parser.feed(text, whole);
    parser.finish(whole);
    Digest pieces(layout->columns.size());
    Parser other(*layout);
    const std::size_t piece = 1 + (data[0] >> 3);
    for (std::size_t at = 0; at < text.size(); at += piece) other.feed(text.substr(at, piece), pieces);
    other.finish(pieces);
    ASSERT(whole.rows == pieces.rows && whole.refusals == pieces.refusals && whole.hash == pieces.hash);
    ASSERT(parser.lines() == other.lines());
    return 0;
}
