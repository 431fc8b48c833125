/// A message on its way: made once, shared by all who get it, on whatever shard.
///
/// Threads: immutable; any.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "base/strong.h"
#include "base/time.h"
#include "runtime/snapshot.h"
#include "wire/mqtt/packet.h"

namespace lineshaft::mqtt {

namespace wire = lineshaft::wire::mqtt;
using wire::Qos;

/// Topic, forwarded properties and payload lie in one buffer.
class Message {
public:
    struct Parts {
        TenantId tenant{1};
        std::string_view topic;
        ByteView properties;  // Encoded, see wire::append_forwarded.
        ByteView payload;
        Qos qos = Qos::AtMostOnce;
        bool retain = false;
        Instant expires_at;           // None: never.
        std::uint64_t publisher = 0;  // Session of the publisher, for No Local; 0: none.
    };

    explicit Message(const Parts& parts)
        : tenant(parts.tenant),
          qos(parts.qos),
          retain(parts.retain),
          expires_at(parts.expires_at),
          publisher(parts.publisher),
          topic_bytes_(static_cast<std::uint32_t>(parts.topic.size())),
          property_bytes_(static_cast<std::uint32_t>(parts.properties.size())) {
        bytes_.reserve(parts.topic.size() + parts.properties.size() + parts.payload.size());
        ByteWriter writer(bytes_);
        writer.text(parts.topic);
        writer.bytes(parts.properties);
        writer.bytes(parts.payload);
    }

    std::string_view topic() const { return as_text(ByteView(bytes_).first(topic_bytes_)); }
    ByteView properties() const { return ByteView(bytes_).subspan(topic_bytes_, property_bytes_); }
    ByteView payload() const { return ByteView(bytes_).subspan(topic_bytes_ + property_bytes_); }
    /// What it costs to keep it.
    std::size_t size_bytes() const { return bytes_.size() + sizeof(Message); }
    bool is_expired(Instant now) const { return !expires_at.is_none() && expires_at <= now; }

    const TenantId tenant;
    const Qos qos;
    const bool retain;
    const Instant expires_at;
    const std::uint64_t publisher;

private:
    const std::uint32_t topic_bytes_;
    const std::uint32_t property_bytes_;
    Bytes bytes_;
};

using MessagePtr = SnapshotOf<Message>;

inline MessagePtr make_message(const Message::Parts& parts) { return std::make_shared<const Message>(parts); }

}  // namespace lineshaft::mqtt
