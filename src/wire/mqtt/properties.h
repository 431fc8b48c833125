/// Properties of MQTT 5.0 (§2.2.2): a view on the bytes they came in, or a list to be written.
///
/// Threads: any; pure. Views are good as long as the decoded bytes.
/// Errors:  Refusal: unknown or forbidden properties, repeats, values out of range.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "wire/mqtt/reason.h"

namespace lineshaft::wire::mqtt {

enum class Property : std::uint8_t {
    PayloadFormat = 0x01,
    MessageExpiry = 0x02,
    ContentType = 0x03,
    ResponseTopic = 0x08,
    CorrelationData = 0x09,
    SubscriptionId = 0x0B,
    SessionExpiry = 0x11,
    AssignedClientId = 0x12,
    ServerKeepAlive = 0x13,
    AuthMethod = 0x15,
    AuthData = 0x16,
    RequestProblemInformation = 0x17,
    WillDelay = 0x18,
    RequestResponseInformation = 0x19,
    ResponseInformation = 0x1A,
    ServerReference = 0x1C,
    ReasonString = 0x1F,
    ReceiveMaximum = 0x21,
    TopicAliasMaximum = 0x22,
    TopicAlias = 0x23,
    MaximumQos = 0x24,
    RetainAvailable = 0x25,
    User = 0x26,
    MaximumPacketBytes = 0x27,
    WildcardAvailable = 0x28,
    SubscriptionIdsAvailable = 0x29,
    SharedAvailable = 0x2A,
};
inline constexpr std::size_t property_count = 0x2B;

/// Where properties stand: decides which are allowed.
enum class PropertyPlace : std::uint8_t {
    Connect,
    ConnAck,
    Publish,
    PubAck,  // And PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK.
    Subscribe,
    Unsubscribe,
    Disconnect,
    Auth,
    Will,
};

class Properties {
public:
    bool has(Property id) const { return (present_ >> static_cast<unsigned>(id)) & 1; }
    bool empty() const { return present_ == 0 && raw_.empty() && encoded_.empty(); }
    /// The number, or `otherwise` when it is absent. The first one of a repeated SubscriptionId.
    std::uint32_t number(Property id, std::uint32_t otherwise) const {
        return has(id) ? numbers_[static_cast<unsigned>(id)] : otherwise;
    }
    /// Text or binary data; empty when absent.
    std::string_view text(Property id) const { return has(id) ? texts_[text_slot(id)] : std::string_view(); }
    /// The bytes they were decoded from, without the length; what for_each_… and append_forwarded walk over. encode
    /// writes them back as they came.
    ByteView raw() const { return raw_; }

    // To build a list; not for one that was decoded.
    void set(Property id, std::uint32_t value) {
        present_ |= bit(id);
        numbers_[static_cast<unsigned>(id)] = value;
    }
    /// `value` must live until encode.
    void set(Property id, std::string_view value) {
        present_ |= bit(id);
        texts_[text_slot(id)] = value;
    }
    /// Already encoded properties (append_user, append_forwarded) that encode writes after the others.
    void set_encoded(ByteView encoded) { encoded_ = encoded; }

private:
    friend Decoded<Properties> decode_properties(ByteReader& reader, PropertyPlace place);
    friend void encode_properties(const Properties& properties, Bytes& out);
    static std::uint64_t bit(Property id) { return std::uint64_t{1} << static_cast<unsigned>(id); }
    /// The nine texts share a small array.
    static unsigned text_slot(Property id);

    std::uint64_t present_ = 0;
    std::array<std::uint32_t, property_count> numbers_;  // Good where present_ says so.
    std::array<std::string_view, 9> texts_;
    ByteView raw_;
    ByteView encoded_;
};

/// Reads the length and the properties.
Decoded<Properties> decode_properties(ByteReader& reader, PropertyPlace place);

/// Writes the length, the known ones in the order of their numbers, then raw().
void encode_properties(const Properties& properties, Bytes& out);

/// Appends what a server must pass on from PUBLISH or will to the receiver, as encoded bytes: payload format, content
/// type, response topic, correlation data, user properties (§3.3.2.3). `raw` was decoded before.
void append_forwarded(ByteView raw, Bytes& out);

/// Appends a user property.
void append_user(std::string_view name, std::string_view value, Bytes& out);

/// Calls `each(name, value)` for the user properties in `raw`, which was decoded before.
void for_each_user(ByteView raw, auto&& each);
/// Calls `each(id)` for the subscription identifiers in `raw`, which was decoded before.
void for_each_subscription_id(ByteView raw, auto&& each);

/// Variable Byte Integer (§1.5.5): up to 268,435,455 in four bytes.
inline constexpr std::uint32_t variable_int_max = 268'435'455;
void append_variable_int(std::uint32_t value, Bytes& out);
/// Fails the reader on a fifth byte and on forms longer than needed.
std::uint32_t read_variable_int(ByteReader& reader);
constexpr std::size_t variable_int_bytes(std::uint32_t value) {
    return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}

namespace internal {
/// One property of any kind; the reader stands behind it afterwards.
struct RawProperty {
    Property id;
    std::uint32_t number = 0;
    std::string_view text;
    std::string_view second;  // Value of a user property.
};
bool read_property(ByteReader& reader, RawProperty& out);
}  // namespace internal

void for_each_user(ByteView raw, auto&& each) {
    ByteReader reader(raw);
    internal::RawProperty property;
    while (reader.left() > 0 && internal::read_property(reader, property)) {
        if (property.id == Property::User) each(property.text, property.second);
    }
}

void for_each_subscription_id(ByteView raw, auto&& each) {
    ByteReader reader(raw);
    internal::RawProperty property;
    while (reader.left() > 0 && internal::read_property(reader, property)) {
        if (property.id == Property::SubscriptionId) each(property.number);
    }
}

}  // namespace lineshaft::wire::mqtt
