/// Fuzz: dumps of other stores.
///
/// Strategy: the first byte chooses the format (0: by the look), the second options and the size of the pieces; the rest
/// is the dump, read whole and in pieces.
///
/// Invariants: nothing is read outside the input; every point has a device, an address and a line that exists; however
/// the text is cut, points and refusals are the same.
#include <algorithm>

#include "base/assert.h"
#include "base/bytes.h"
#include "wire/dump/dump.h"

using namespace lineshaft;
using namespace lineshaft::wire::dump;

namespace {

struct Digest final : Sink {
    void on_point(const Point& point) override {
        ASSERT(!point.device.empty());
        ++points;
        for (const std::string_view text : {point.device, point.address, point.unit, point.text})
            hash = crc32c(as_bytes(text), hash);
        hash = hash * 31 + static_cast<std::uint32_t>(point.time.ns()) + static_cast<std::uint32_t>(point.line);
        if (point.type != ValueType::String) hash = hash * 31 + static_cast<std::uint32_t>(point.bits);
        last_line = std::max(last_line, point.line);
    }
    void on_refused(std::uint64_t line, std::string reason) override {
        ASSERT(!reason.empty());
        ++refused;
        last_line = std::max(last_line, line);
    }
    std::uint64_t points = 0, refused = 0, last_line = 0;
    std::uint32_t hash = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
    Options options;
    options.format = static_cast<Format>(data[0] % 8);
    if (data[1] & 1) options.device = "plant/";
    if (data[1] & 2) options.time = UtcTime(1);
    if (data[1] & 4) options.tag_columns = {"a"};
    const std::size_t piece = 1 + data[1] / 8;

    Digest whole, cut;
    Reader reader(options), slow(options);
    bool whole_failed = !reader.feed(text, whole);
    whole_failed = !reader.finish(whole) || whole_failed;
    bool cut_failed = false;
    for (std::size_t at = 0; at < text.size(); at += piece) cut_failed |= !slow.feed(text.substr(at, piece), cut);
    cut_failed |= !slow.finish(cut);
    ASSERT(whole_failed == cut_failed);
    ASSERT(whole.points == cut.points && whole.refused == cut.refused && whole.hash == cut.hash);
    ASSERT(whole.last_line <= std::max<std::uint64_t>(reader.lines(), 1) + 1);
    return 0;
}
