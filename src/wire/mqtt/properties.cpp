#include "wire/mqtt/properties.h"

#include "base/assert.h"
#include "wire/mqtt/topic.h"

namespace lineshaft::wire::mqtt {
namespace {

enum class Kind : std::uint8_t { None, Byte, Two, Four, Variable, Text, Binary, Pair };

constexpr std::uint16_t at(PropertyPlace place) {
    return static_cast<std::uint16_t>(1u << static_cast<unsigned>(place));
}
constexpr std::uint16_t any_place = 0x1FF;

struct Rule {
    Kind kind = Kind::None;
    std::uint16_t places = 0;
    std::uint8_t text_slot = 0;
};

/// Table 2-4 of the specification.
constexpr std::array<Rule, property_count> make_rules() {
    using enum PropertyPlace;
    std::array<Rule, property_count> rules{};
    const auto rule = [&](Property id, Kind kind, std::uint16_t places, std::uint8_t slot = 0) {
        rules[static_cast<unsigned>(id)] = {kind, places, slot};
    };
    rule(Property::PayloadFormat, Kind::Byte, at(Publish) | at(Will));
    rule(Property::MessageExpiry, Kind::Four, at(Publish) | at(Will));
    rule(Property::ContentType, Kind::Text, at(Publish) | at(Will), 0);
    rule(Property::ResponseTopic, Kind::Text, at(Publish) | at(Will), 1);
    rule(Property::CorrelationData, Kind::Binary, at(Publish) | at(Will), 2);
    rule(Property::SubscriptionId, Kind::Variable, at(Publish) | at(Subscribe));
    rule(Property::SessionExpiry, Kind::Four, at(Connect) | at(ConnAck) | at(Disconnect));
    rule(Property::AssignedClientId, Kind::Text, at(ConnAck), 3);
    rule(Property::ServerKeepAlive, Kind::Two, at(ConnAck));
    rule(Property::AuthMethod, Kind::Text, at(Connect) | at(ConnAck) | at(Auth), 4);
    rule(Property::AuthData, Kind::Binary, at(Connect) | at(ConnAck) | at(Auth), 5);
    rule(Property::RequestProblemInformation, Kind::Byte, at(Connect));
    rule(Property::WillDelay, Kind::Four, at(Will));
    rule(Property::RequestResponseInformation, Kind::Byte, at(Connect));
    rule(Property::ResponseInformation, Kind::Text, at(ConnAck), 6);
    rule(Property::ServerReference, Kind::Text, at(ConnAck) | at(Disconnect), 7);
    rule(Property::ReasonString, Kind::Text, at(ConnAck) | at(PubAck) | at(Disconnect) | at(Auth), 8);
    rule(Property::ReceiveMaximum, Kind::Two, at(Connect) | at(ConnAck));
    rule(Property::TopicAliasMaximum, Kind::Two, at(Connect) | at(ConnAck));
    rule(Property::TopicAlias, Kind::Two, at(Publish));
    rule(Property::MaximumQos, Kind::Byte, at(ConnAck));
    rule(Property::RetainAvailable, Kind::Byte, at(ConnAck));
    rule(Property::User, Kind::Pair, any_place);
    rule(Property::MaximumPacketBytes, Kind::Four, at(Connect) | at(ConnAck));
    rule(Property::WildcardAvailable, Kind::Byte, at(ConnAck));
    rule(Property::SubscriptionIdsAvailable, Kind::Byte, at(ConnAck));
    rule(Property::SharedAvailable, Kind::Byte, at(ConnAck));
    return rules;
}
constexpr auto rules = make_rules();

bool is_number(Kind kind) {
    return kind == Kind::Byte || kind == Kind::Two || kind == Kind::Four || kind == Kind::Variable;
}

std::string_view read_text(ByteReader& reader) {
    const std::string_view text = reader.text(reader.be<std::uint16_t>());
    if (!is_valid_utf8(text)) reader.fail();
    return text;
}

/// Values that may not be, whatever the place.
Decoded<void> check_range(const internal::RawProperty& property) {
    switch (property.id) {
        case Property::ReceiveMaximum:
        case Property::MaximumPacketBytes:
            if (property.number == 0) return protocol_error("Receive Maximum and Maximum Packet Size may not be 0");
            return {};
        case Property::SubscriptionId:
            if (property.number == 0) return protocol_error("a Subscription Identifier may not be 0 (3.8.2.1.2)");
            return {};
        case Property::TopicAlias:
            if (property.number == 0)
                return refuse(Reason::TopicAliasInvalid, "a Topic Alias may not be 0 (3.3.2.3.4)");
            return {};
        case Property::ResponseTopic:
            if (!is_valid_topic(property.text))
                return protocol_error("the Response Topic is not a topic (3.3.2.3.5)");
            return {};
        default:
            if (rules[static_cast<unsigned>(property.id)].kind == Kind::Byte && property.number > 1) {
                return protocol_error("a property that is 0 or 1 has another value");
            }
            return {};
    }
}

void append_text(std::string_view text, Bytes& out) {
    ASSERT(text.size() <= 0xFFFF);
    ByteWriter writer(out);
    writer.be(static_cast<std::uint16_t>(text.size()));
    writer.text(text);
}

void append_number(Kind kind, std::uint32_t value, Bytes& out) {
    ByteWriter writer(out);
    switch (kind) {
        case Kind::Byte: return writer.u8(static_cast<std::uint8_t>(value));
        case Kind::Two: return writer.be(static_cast<std::uint16_t>(value));
        case Kind::Four: return writer.be(value);
        default: return append_variable_int(value, out);
    }
}

}  // namespace

namespace internal {

bool read_property(ByteReader& reader, RawProperty& out) {
    const std::uint8_t id = reader.u8();
    if (!reader.ok() || id >= property_count) return false;
    out.id = static_cast<Property>(id);
    switch (rules[id].kind) {
        case Kind::None: return false;
        case Kind::Byte: out.number = reader.u8(); break;
        case Kind::Two: out.number = reader.be<std::uint16_t>(); break;
        case Kind::Four: out.number = reader.be<std::uint32_t>(); break;
        case Kind::Variable: out.number = read_variable_int(reader); break;
        case Kind::Text: out.text = read_text(reader); break;
        case Kind::Binary: out.text = reader.text(reader.be<std::uint16_t>()); break;
        case Kind::Pair:
            out.text = read_text(reader);
            out.second = read_text(reader);
            break;
    }
    return reader.ok();
}

}  // namespace internal

unsigned Properties::text_slot(Property id) { return rules[static_cast<unsigned>(id)].text_slot; }

Decoded<Properties> decode_properties(ByteReader& reader, PropertyPlace place) {
    Properties result;
    const std::uint32_t length = read_variable_int(reader);
    result.raw_ = reader.bytes(length);
    if (!reader.ok()) return malformed("the properties are longer than the packet");
    ByteReader inside(result.raw_);
    while (inside.left() > 0) {
        internal::RawProperty property;
        if (!internal::read_property(inside, property))
            return malformed("a property is unknown, cut short or not UTF-8");
        const Rule& rule = rules[static_cast<unsigned>(property.id)];
        if (!(rule.places & at(place))) return protocol_error("a property stands where it may not (2.2.2.2)");
        if (auto range = check_range(property); !range) return std::unexpected(range.error());
        if (property.id == Property::User) continue;
        if (result.has(property.id)) {
            // A server repeats the identifier once for each matching subscription.
            if (property.id == Property::SubscriptionId && place == PropertyPlace::Publish) continue;
            return protocol_error("a property is repeated (2.2.2.2)");
        }
        if (is_number(rule.kind)) {
            result.set(property.id, property.number);
        } else {
            result.set(property.id, property.text);
        }
    }
    return result;
}

void encode_properties(const Properties& properties, Bytes& out) {
    if (!properties.raw_.empty()) {
        append_variable_int(static_cast<std::uint32_t>(properties.raw_.size()), out);
        out.insert(out.end(), properties.raw_.begin(), properties.raw_.end());
        return;
    }
    Bytes block;
    for (unsigned id = 1; id < property_count && properties.present_ >> id; ++id) {
        if (!properties.has(static_cast<Property>(id))) continue;
        block.push_back(static_cast<std::byte>(id));
        if (is_number(rules[id].kind)) {
            append_number(rules[id].kind, properties.numbers_[id], block);
        } else {
            append_text(properties.texts_[rules[id].text_slot], block);
        }
    }
    append_variable_int(static_cast<std::uint32_t>(block.size() + properties.encoded_.size()), out);
    out.insert(out.end(), block.begin(), block.end());
    out.insert(out.end(), properties.encoded_.begin(), properties.encoded_.end());
}

void append_forwarded(ByteView raw, Bytes& out) {
    ByteReader reader(raw);
    while (reader.left() > 0) {
        const std::size_t begin = reader.offset();
        internal::RawProperty property;
        if (!internal::read_property(reader, property)) return;
        switch (property.id) {
            case Property::PayloadFormat:
            case Property::ContentType:
            case Property::ResponseTopic:
            case Property::CorrelationData:
            case Property::User: {
                const ByteView bytes = raw.subspan(begin, reader.offset() - begin);
                out.insert(out.end(), bytes.begin(), bytes.end());
                break;
            }
            default: break;
        }
    }
}

void append_user(std::string_view name, std::string_view value, Bytes& out) {
    out.push_back(static_cast<std::byte>(Property::User));
    append_text(name, out);
    append_text(value, out);
}

void append_variable_int(std::uint32_t value, Bytes& out) {
    ASSERT(value <= variable_int_max);
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::byte>(value | 0x80));
    out.push_back(static_cast<std::byte>(value));
}

std::uint32_t read_variable_int(ByteReader& reader) {
    std::uint32_t value = 0;
    for (int shift = 0; shift < 28; shift += 7) {
        const std::uint8_t byte = reader.u8();
        value |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
        if (byte & 0x80) continue;
        if (byte == 0 && shift > 0) break;  // [MQTT-1.5.5-1]: the shortest form only.
        return value;
    }
    reader.fail();
    return 0;
}

}  // namespace lineshaft::wire::mqtt
