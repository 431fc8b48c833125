/// Fuzz: records of the write-ahead log.
///
/// Strategy: any bytes as the body of each kind of record, past the checksum that would keep them out; what decodes is
///           encoded again and must decode to the same.
///
/// Invariants: nothing is read outside the input; memory taken is within a small multiple of the input; decoded batches
///             have parallel columns and strings within their text.
#include "base/assert.h"
#include "base/limits.h"
#include "store/internal/log_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace lineshaft;
    using namespace lineshaft::store;
    const ByteView input = std::as_bytes(std::span(data, size));
    (void)read_record(input);
    (void)decode_log_header(input);
    (void)decode_commit(input);
    (void)decode_source(input);
    if (const auto series = decode_series(input)) {
        Bytes again;
        append_series(series->tag, series->info, again);
        const auto back = decode_series(read_record(again)->body);
        ASSERT(back && back->tag == series->tag && back->info == series->info);
    }
    Batch batch;
    if (!decode_samples(input, batch)) return 0;
    ASSERT(batch.source_times.size() == batch.size() && batch.types.size() == batch.size());
    ASSERT(batch.bits.size() == batch.size() && batch.qualities.size() == batch.size());
    if (batch.size() > limits::batch_samples_max) return 0;
    Bytes again;
    append_samples(batch, again);
    const auto record = read_record(again);
    ASSERT(record && record->kind == RecordKind::Samples);
    Batch back;
    ASSERT(decode_samples(record->body, back));
    ASSERT(back.tags == batch.tags && back.source_times == batch.source_times && back.types == batch.types);
    ASSERT(back.qualities == batch.qualities && back.text == batch.text &&
           back.first_sequence == batch.first_sequence);
    ASSERT(back.bits == batch.bits);
    return 0;
}
