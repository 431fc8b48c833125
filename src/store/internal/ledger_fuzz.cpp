/// Fuzz: files and entries of the ledger.
///
/// Strategy: the input is read as entries, past the checksum that would keep most of them out, and as a file whose header
///           and one record are made right around it. What is read is written again and must read back to the same.
///
/// Invariants: nothing is read outside the input; ranges rise with holes between them; memory stays within a small multiple
///             of the input; reading what was written gives the same bytes when written once more.
#include "base/assert.h"
#include "store/internal/ledger_past.h"

namespace {

using namespace lineshaft;
using namespace lineshaft::store;

/// Writes every entry it is given.
class Echo final : public LedgerVisitor {
public:
    void source(SourceId id, std::string_view name) override { append_source_entry(id, name, out); }
    void stored(SourceId id, std::uint64_t to, UtcTime heard, const Ranges& ranges) override {
        check(ranges);
        append_stored(id, to, heard, ranges, out);
    }
    void hour(SourceId id, std::int64_t hour, const Ranges& ranges) override {
        check(ranges);
        append_hour(id, hour, ranges, out);
    }
    void refused(SourceId id, std::int64_t hour, const Refused& one) override { append_refused(id, hour, one, out); }
    void presence(SourceId id, const PresenceEvent& event) override { append_presence(id, event, out); }
    void up(const UpTime& up) override { append_up(up, out); }
    void feeds(SourceId id, std::string_view device) override { append_feeds(id, device, out); }
    void own(SourceId id, std::string_view device, UtcTime since, const Ranges& heard) override {
        check(heard);
        append_own(id, device, since, heard, out);
    }
    Bytes out;

private:
    static void check(const Ranges& ranges) {
        std::uint64_t before = 0;
        for (const SequenceRange& range : ranges.all()) {
            ASSERT(range.first <= range.last && (before == 0 || range.first > before + 1));
            before = range.last;
        }
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = std::as_bytes(std::span(data, size));
    Echo raw;
    (void)read_ledger_file(input, raw);
    Echo first, second;
    (void)read_entries(input, first);
    ASSERT(read_entries(first.out, second) && second.out == first.out);

    Bytes file = encode_ledger_header(ShardId(1), 24'000);
    append_ledger_record(input, file);
    RecordPacker packer(encode_ledger_header(ShardId(1), 24'000));
    ASSERT(compact(file, packer));
    const Bytes once = packer.take();
    RecordPacker again(encode_ledger_header(ShardId(1), 24'000));
    ASSERT(compact(once, again));
    ASSERT(again.take() == once);
    return 0;
}
