#include "south/mqtt/internal/journal_records.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"

// journal := header record*
// header  := "LSMJ" version:u16 shard:u16                         all little-endian, 8 bytes
// record  := crc32c:u32 size:u32 kind:u8 body:u8[size]            crc covers size, kind, body
//
// Bodies, with text := varint length and bytes: see docs/formats/mqtt-journal.md and the writer below.
namespace lineshaft::mqtt {
namespace {

constexpr std::string_view magic = "LSMJ";
constexpr std::size_t record_header_bytes = 4 + 4 + 1;

std::uint8_t pack(Qos qos, bool a, bool b) {
    return static_cast<std::uint8_t>(static_cast<unsigned>(qos) | (a ? 4 : 0) | (b ? 8 : 0));
}
Qos unpack_qos(std::uint8_t bits) { return static_cast<Qos>(std::min(bits & 3, 2)); }

}  // namespace

void RecordWriter::header(std::uint16_t shard, Bytes& out) {
    ByteWriter writer(out);
    writer.text(magic);
    writer.le(journal_version);
    writer.le(shard);
}

std::size_t RecordWriter::begin(RecordKind kind) {
    const std::size_t at = out_.size();
    ByteWriter writer(out_);
    writer.le(std::uint64_t{0});  // Room for crc and size.
    writer.u8(static_cast<std::uint8_t>(kind));
    return at;
}

void RecordWriter::end(std::size_t begin) {
    const std::size_t size = out_.size() - begin - record_header_bytes;
    store_le(out_.data() + begin + 4, static_cast<std::uint32_t>(size));
    store_le(out_.data() + begin, crc32c(ByteView(out_).subspan(begin + 4)));
}

void RecordWriter::text(std::string_view text) {
    ByteWriter writer(out_);
    writer.varint(text.size());
    writer.text(text);
}

void RecordWriter::message(const Message& message) {
    ByteWriter writer(out_);
    writer.varint(message.tenant.value());
    writer.u8(pack(message.qos, message.retain, false));
    writer.le(clocks_.to_utc(message.expires_at).ns());
    text(message.topic());
    text(as_text(message.properties()));
    text(as_text(message.payload()));
}

void RecordWriter::session_opened(const SessionState& session) {
    const std::size_t at = begin(RecordKind::SessionOpened);
    ByteWriter writer(out_);
    writer.varint(session.no);
    writer.varint(session.tenant.value());
    text(session.client_id);
    text(session.owner);
    writer.le(session.expiry_s);
    writer.u8(session.will ? 1 : 0);
    if (session.will) {
        writer.le(session.will->delay_s);
        writer.le(session.will->expiry_s);
        message(*session.will->message);
    }
    end(at);
}

void RecordWriter::session_closed(const SessionState& session) {
    const std::size_t at = begin(RecordKind::SessionClosed);
    ByteWriter writer(out_);
    writer.varint(session.no);
    writer.le(session.expiry_s);
    writer.le(session.disconnected_at.ns());
    end(at);
}

void RecordWriter::session_ended(std::uint64_t session_no) {
    const std::size_t at = begin(RecordKind::SessionEnded);
    ByteWriter(out_).varint(session_no);
    end(at);
}

void RecordWriter::subscribed(std::uint64_t session_no, std::string_view filter, const SubscriptionOptions& options) {
    const std::size_t at = begin(RecordKind::Subscribed);
    ByteWriter writer(out_);
    writer.varint(session_no);
    text(filter);
    writer.u8(pack(options.qos, options.no_local, options.retain_as_published));
    writer.varint(options.id);
    end(at);
}

void RecordWriter::unsubscribed(std::uint64_t session_no, std::string_view filter) {
    const std::size_t at = begin(RecordKind::Unsubscribed);
    ByteWriter(out_).varint(session_no);
    text(filter);
    end(at);
}

void RecordWriter::enqueued(std::uint64_t message_no, const Message& one, std::span<const Target> targets) {
    const std::size_t at = begin(RecordKind::Enqueued);
    ByteWriter writer(out_);
    writer.varint(message_no);
    message(one);
    writer.varint(targets.size());
    for (const Target& target : targets) {
        const Delivery& delivery = *target.delivery;
        writer.varint(target.session_no);
        writer.u8(pack(delivery.qos, delivery.retain, false));
        writer.varint(delivery.subscription_ids.size());
        for (const std::uint32_t id : delivery.subscription_ids) writer.varint(id);
    }
    end(at);
}

void RecordWriter::sent(std::uint64_t session_no, std::uint64_t message_no, std::uint16_t packet_id) {
    const std::size_t at = begin(RecordKind::Sent);
    ByteWriter writer(out_);
    writer.varint(session_no);
    writer.varint(message_no);
    writer.le(packet_id);
    end(at);
}

void RecordWriter::received(std::uint64_t session_no, std::uint64_t message_no) {
    const std::size_t at = begin(RecordKind::Received);
    ByteWriter(out_).varint(session_no);
    ByteWriter(out_).varint(message_no);
    end(at);
}

void RecordWriter::done(std::uint64_t session_no, std::uint64_t message_no) {
    const std::size_t at = begin(RecordKind::Done);
    ByteWriter(out_).varint(session_no);
    ByteWriter(out_).varint(message_no);
    end(at);
}

void RecordWriter::incoming_taken(std::uint64_t session_no, std::uint16_t packet_id) {
    const std::size_t at = begin(RecordKind::IncomingTaken);
    ByteWriter(out_).varint(session_no);
    ByteWriter(out_).le(packet_id);
    end(at);
}

void RecordWriter::incoming_released(std::uint64_t session_no, std::uint16_t packet_id) {
    const std::size_t at = begin(RecordKind::IncomingReleased);
    ByteWriter(out_).varint(session_no);
    ByteWriter(out_).le(packet_id);
    end(at);
}

void RecordWriter::retained(const Message& one) {
    const std::size_t at = begin(RecordKind::Retained);
    message(one);
    end(at);
}

void RecordWriter::retained_removed(TenantId tenant, std::string_view topic) {
    const std::size_t at = begin(RecordKind::RetainedRemoved);
    ByteWriter(out_).varint(tenant.value());
    text(topic);
    end(at);
}

void RecordWriter::will_removed(std::uint64_t session_no) {
    const std::size_t at = begin(RecordKind::WillRemoved);
    ByteWriter(out_).varint(session_no);
    end(at);
}

namespace {

/// Applies records one by one. A record about a session that is gone changes nothing: it ended later in memory than
/// its last record was written.
class Replayer {
public:
    Replayer(Image& image, ClockPair clocks) : image_(image), clocks_(clocks) {}

    /// False when the body does not make sense.
    bool apply(RecordKind kind, ByteView body) {
        ByteReader reader(body);
        switch (kind) {
            case RecordKind::SessionOpened: session_opened(reader); break;
            case RecordKind::SessionClosed: session_closed(reader); break;
            case RecordKind::SessionEnded: image_.sessions.erase(reader.varint()); break;
            case RecordKind::Subscribed: subscribed(reader); break;
            case RecordKind::Unsubscribed: {
                SessionState* session = find(reader.varint());
                const std::string_view filter = text(reader);
                if (session) session->subscriptions.erase(std::string(filter));
                break;
            }
            case RecordKind::Enqueued: enqueued(reader); break;
            case RecordKind::Sent: sent(reader); break;
            case RecordKind::Received: received(reader); break;
            case RecordKind::Done: done(reader); break;
            case RecordKind::IncomingTaken: {
                SessionState* session = find(reader.varint());
                const auto id = reader.le<std::uint16_t>();
                if (session) session->incoming[id].settled = true;
                break;
            }
            case RecordKind::IncomingReleased: {
                SessionState* session = find(reader.varint());
                const auto id = reader.le<std::uint16_t>();
                if (session) session->incoming.erase(id);
                break;
            }
            case RecordKind::Retained: {
                MessagePtr one = message(reader);
                if (one) image_.retained[{one->tenant, std::string(one->topic())}] = std::move(one);
                break;
            }
            case RecordKind::RetainedRemoved: {
                const TenantId tenant(static_cast<std::uint32_t>(reader.varint()));
                image_.retained.erase({tenant, std::string(text(reader))});
                break;
            }
            case RecordKind::WillRemoved:
                if (SessionState* session = find(reader.varint())) session->will.reset();
                break;
            default: return false;
        }
        return reader.ok();
    }

private:
    SessionState* find(std::uint64_t no) {
        const auto at = image_.sessions.find(no);
        return at == image_.sessions.end() ? nullptr : &at->second;
    }

    std::string_view text(ByteReader& reader) { return reader.text(reader.varint()); }

    MessagePtr message(ByteReader& reader) {
        Message::Parts parts;
        parts.tenant = TenantId(static_cast<std::uint32_t>(reader.varint()));
        const std::uint8_t bits = reader.u8();
        parts.qos = unpack_qos(bits);
        parts.retain = bits & 4;
        parts.expires_at = clocks_.to_instant(UtcTime(reader.le<std::int64_t>()));
        parts.topic = text(reader);
        parts.properties = as_bytes(text(reader));
        parts.payload = as_bytes(text(reader));
        return reader.ok() ? make_message(parts) : nullptr;
    }

    void session_opened(ByteReader& reader) {
        const std::uint64_t no = reader.varint();
        SessionState fresh;
        SessionState& session = find(no) ? *find(no) : fresh;
        session.no = no;
        session.tenant = TenantId(static_cast<std::uint32_t>(reader.varint()));
        session.client_id = text(reader);
        session.owner = text(reader);
        session.expiry_s = reader.le<std::uint32_t>();
        session.disconnected_at = UtcTime();
        session.will.reset();
        if (reader.u8() == 1) {
            StoredWill will;
            will.delay_s = reader.le<std::uint32_t>();
            will.expiry_s = reader.le<std::uint32_t>();
            will.message = message(reader);
            if (will.message) session.will = std::move(will);
        }
        if (reader.ok() && &session == &fresh) image_.sessions.emplace(no, std::move(fresh));
    }

    void session_closed(ByteReader& reader) {
        SessionState* session = find(reader.varint());
        const auto expiry_s = reader.le<std::uint32_t>();
        const UtcTime at(reader.le<std::int64_t>());
        if (!session) return;
        session->expiry_s = expiry_s;
        session->disconnected_at = at;
    }

    void subscribed(ByteReader& reader) {
        SessionState* session = find(reader.varint());
        const std::string_view filter = text(reader);
        const std::uint8_t bits = reader.u8();
        const auto id = static_cast<std::uint32_t>(reader.varint());
        if (!session || !reader.ok()) return;
        session->subscriptions[std::string(filter)] = {unpack_qos(bits), (bits & 4) != 0, (bits & 8) != 0, id};
    }

    void enqueued(ByteReader& reader) {
        const std::uint64_t message_no = reader.varint();
        image_.message_no_last = std::max(image_.message_no_last, message_no);
        const MessagePtr one = message(reader);
        for (std::uint64_t left = reader.varint(); left > 0 && reader.ok(); --left) {
            SessionState* session = find(reader.varint());
            Delivery delivery;
            delivery.message = one;
            delivery.message_no = message_no;
            const std::uint8_t bits = reader.u8();
            delivery.qos = unpack_qos(bits);
            delivery.retain = bits & 4;
            for (std::uint64_t ids = reader.varint(); ids > 0 && reader.ok(); --ids) {
                delivery.subscription_ids.push_back(static_cast<std::uint32_t>(reader.varint()));
            }
            if (session && one && reader.ok()) session->queue.push_back(std::move(delivery));
        }
    }

    static auto find_delivery(std::list<Delivery>& list, std::uint64_t message_no) {
        return std::ranges::find(list, message_no, &Delivery::message_no);
    }

    void sent(ByteReader& reader) {
        SessionState* session = find(reader.varint());
        const std::uint64_t message_no = reader.varint();
        const auto packet_id = reader.le<std::uint16_t>();
        if (!session) return;
        const auto at = find_delivery(session->queue, message_no);
        if (at == session->queue.end()) return;
        at->packet_id = packet_id;
        session->in_flight.splice(session->in_flight.end(), session->queue, at);
    }

    void received(ByteReader& reader) {
        SessionState* session = find(reader.varint());
        const std::uint64_t message_no = reader.varint();
        if (!session) return;
        const auto at = find_delivery(session->in_flight, message_no);
        if (at != session->in_flight.end()) at->released = true;
    }

    void done(ByteReader& reader) {
        SessionState* session = find(reader.varint());
        const std::uint64_t message_no = reader.varint();
        if (!session) return;
        for (std::list<Delivery>* list : {&session->in_flight, &session->queue}) {
            const auto at = find_delivery(*list, message_no);
            if (at != list->end()) {
                list->erase(at);
                return;
            }
        }
    }

    Image& image_;
    const ClockPair clocks_;
};

}  // namespace

Result<Image> replay(ByteView journal, ClockPair clocks) {
    Image image;
    ByteReader reader(journal);
    if (reader.text(magic.size()) != magic) return fail(ErrorCode::Corrupt, "not an MQTT journal");
    const auto version = reader.le<std::uint16_t>();
    reader.le<std::uint16_t>();
    if (!reader.ok()) return fail(ErrorCode::Corrupt, "the header is cut short");
    if (version > journal_version) return fail(ErrorCode::VersionUnknown, fmt::format("version {}", version));
    Replayer replayer(image, clocks);
    image.good_bytes = reader.offset();
    std::size_t damaged = 0;  // In a row; behind the last good record they are a torn end.
    while (reader.left() >= record_header_bytes) {
        const auto crc = reader.le<std::uint32_t>();
        const std::size_t covered_at = reader.offset();
        const auto size = reader.le<std::uint32_t>();
        const auto kind = static_cast<RecordKind>(reader.u8());
        const ByteView body = reader.bytes(size);
        if (!reader.ok()) break;
        const bool is_whole = crc32c(journal.subspan(covered_at, reader.offset() - covered_at)) == crc;
        if (!is_whole || !replayer.apply(kind, body)) {
            ++damaged;
            continue;
        }
        image.good_bytes = reader.offset();
        image.records_damaged += std::exchange(damaged, 0);
        ++image.records;
    }
    return image;
}

void write_session(const SessionState& session, RecordWriter& writer) {
    writer.session_opened(session);
    for (const auto& [filter, options] : session.subscriptions) writer.subscribed(session.no, filter, options);
    for (const auto& [id, incoming] : session.incoming) writer.incoming_taken(session.no, id);
    if (!session.disconnected_at.is_none()) writer.session_closed(session);
}

void write_deliveries(const SessionState& session, RecordWriter& writer) {
    for (const std::list<Delivery>* list : {&session.in_flight, &session.queue}) {
        for (const Delivery& delivery : *list) {
            const RecordWriter::Target target{session.no, &delivery};
            writer.enqueued(delivery.message_no, *delivery.message, std::span(&target, 1));
            if (delivery.packet_id == 0) continue;
            writer.sent(session.no, delivery.message_no, delivery.packet_id);
            if (delivery.released) writer.received(session.no, delivery.message_no);
        }
    }
}

}  // namespace lineshaft::mqtt
