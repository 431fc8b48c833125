/// Fuzz: the broker's journal, replayed.
///
/// Strategy: any bytes stand for a journal. What replays is written as a snapshot and replayed again.
///
/// Invariants: never reads outside the input; good_bytes never exceeds it; the snapshot of an image replays without
/// damage to the same sessions, subscriptions, queues and retained messages.
#include "base/assert.h"
#include "south/mqtt/internal/journal_records.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace lineshaft;
    using namespace lineshaft::mqtt;
    const ClockPair clocks{UtcTime(1'000'000'000'000), Instant(1'000'000'000)};
    auto first = replay(std::as_bytes(std::span(data, size)), clocks);
    if (!first) return 0;
    ASSERT(first->good_bytes <= size);

    Bytes snapshot;
    RecordWriter::header(0, snapshot);
    RecordWriter writer(snapshot, clocks);
    std::uint64_t message_no = 0;
    for (auto& [no, session] : first->sessions) {
        for (auto* list : {&session.in_flight, &session.queue}) {
            for (Delivery& delivery : *list) delivery.message_no = ++message_no;
        }
        write_session(session, writer);
        write_deliveries(session, writer);
    }
    for (const auto& [key, message] : first->retained) writer.retained(*message);
    const auto second = replay(snapshot, clocks);
    ASSERT(second && second->good_bytes == snapshot.size() && second->records_damaged == 0);
    ASSERT(second->sessions.size() == first->sessions.size());
    ASSERT(second->retained.size() == first->retained.size());
    for (const auto& [no, session] : first->sessions) {
        const SessionState& again = second->sessions.at(no);
        ASSERT(again.subscriptions == session.subscriptions);
        ASSERT(again.queue.size() + again.in_flight.size() == session.queue.size() + session.in_flight.size());
        ASSERT(again.incoming.size() == session.incoming.size());
    }
    return 0;
}
