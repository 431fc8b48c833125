/// The records of the broker's journal and what they add up to.
///
/// Flow:    the broker appends records as it changes its state; at start replay turns a journal into an Image.
/// Threads: any; pure but for log lines.
/// Errors:  Corrupt, VersionUnknown for the header. Damaged records are counted, not an error.
/// Formats: docs/formats/mqtt-journal.md.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "south/mqtt/internal/session_state.h"

namespace lineshaft::mqtt {

enum class RecordKind : std::uint8_t {  // On disk. Append only.
    SessionOpened = 1,
    SessionClosed = 2,
    SessionEnded = 3,
    Subscribed = 4,
    Unsubscribed = 5,
    Enqueued = 6,
    Sent = 7,
    Received = 8,
    Done = 9,
    IncomingTaken = 10,
    IncomingReleased = 11,
    Retained = 12,
    RetainedRemoved = 13,
    WillRemoved = 14,
};

inline constexpr std::uint16_t journal_version = 1;
inline constexpr std::size_t journal_header_bytes = 8;

/// Between the monotonic clock of this process, which messages expire by, and the wall clock on disk.
struct ClockPair {
    UtcTime utc;
    Instant now;
    UtcTime to_utc(Instant at) const { return at.is_none() ? UtcTime() : utc + (at - now); }
    Instant to_instant(UtcTime at) const { return at.is_none() ? Instant() : now + (at - utc); }
};

/// Writes records behind one another into `out`.
class RecordWriter {
public:
    RecordWriter(Bytes& out, ClockPair clocks) : out_(out), clocks_(clocks) {}

    struct Target {
        std::uint64_t session_no = 0;
        const Delivery* delivery = nullptr;
    };

    static void header(std::uint16_t shard, Bytes& out);
    void session_opened(const SessionState& session);
    void session_closed(const SessionState& session);
    void session_ended(std::uint64_t session_no);
    void subscribed(std::uint64_t session_no, std::string_view filter, const SubscriptionOptions& options);
    void unsubscribed(std::uint64_t session_no, std::string_view filter);
    void enqueued(std::uint64_t message_no, const Message& message, std::span<const Target> targets);
    void sent(std::uint64_t session_no, std::uint64_t message_no, std::uint16_t packet_id);
    void received(std::uint64_t session_no, std::uint64_t message_no);
    void done(std::uint64_t session_no, std::uint64_t message_no);
    void incoming_taken(std::uint64_t session_no, std::uint16_t packet_id);
    void incoming_released(std::uint64_t session_no, std::uint16_t packet_id);
    void retained(const Message& message);
    void retained_removed(TenantId tenant, std::string_view topic);
    void will_removed(std::uint64_t session_no);

private:
    std::size_t begin(RecordKind kind);
    void end(std::size_t begin);
    void text(std::string_view text);
    void message(const Message& message);

    Bytes& out_;
    const ClockPair clocks_;
};

/// What a journal adds up to.
struct Image {
    std::map<std::uint64_t, SessionState> sessions;
    std::map<std::pair<TenantId, std::string>, MessagePtr> retained;
    std::uint64_t message_no_last = 0;
    std::size_t good_bytes = 0;  // Up to the end of the last good record.
    std::size_t records = 0;
    std::size_t records_damaged = 0;  // Skipped, with good ones behind them.
};

/// Reads a whole journal. A record that fails its checksum is skipped, a torn end is left out.
Result<Image> replay(ByteView journal, ClockPair clocks);

/// The records of its deliveries, alone; not for messages that several sessions share.
void write_deliveries(const SessionState& session, RecordWriter& writer);

/// The records that make this session, without its deliveries.
void write_session(const SessionState& session, RecordWriter& writer);

}  // namespace lineshaft::mqtt
