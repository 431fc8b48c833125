/// Reason codes of MQTT 5.0 (§2.4), and what a decoder says when it refuses.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace lineshaft::wire::mqtt {

enum class Reason : std::uint8_t {
    Success = 0x00,  // Also: normal disconnection, granted QoS 0.
    GrantedQos1 = 0x01,
    GrantedQos2 = 0x02,
    DisconnectWithWill = 0x04,
    NoMatchingSubscribers = 0x10,
    NoSubscriptionExisted = 0x11,
    ContinueAuthentication = 0x18,
    ReAuthenticate = 0x19,
    Unspecified = 0x80,
    Malformed = 0x81,
    ProtocolError = 0x82,
    ImplementationSpecific = 0x83,
    UnsupportedProtocolVersion = 0x84,
    ClientIdNotValid = 0x85,
    BadUserNameOrPassword = 0x86,
    NotAuthorized = 0x87,
    ServerUnavailable = 0x88,
    ServerBusy = 0x89,
    Banned = 0x8A,
    ServerShuttingDown = 0x8B,
    BadAuthenticationMethod = 0x8C,
    KeepAliveTimeout = 0x8D,
    SessionTakenOver = 0x8E,
    TopicFilterInvalid = 0x8F,
    TopicNameInvalid = 0x90,
    PacketIdInUse = 0x91,
    PacketIdNotFound = 0x92,
    ReceiveMaximumExceeded = 0x93,
    TopicAliasInvalid = 0x94,
    PacketTooLarge = 0x95,
    MessageRateTooHigh = 0x96,
    QuotaExceeded = 0x97,
    AdministrativeAction = 0x98,
    PayloadFormatInvalid = 0x99,
    RetainNotSupported = 0x9A,
    QosNotSupported = 0x9B,
    UseAnotherServer = 0x9C,
    ServerMoved = 0x9D,
    SharedSubscriptionsNotSupported = 0x9E,
    ConnectionRateExceeded = 0x9F,
    MaximumConnectTime = 0xA0,
    SubscriptionIdsNotSupported = 0xA1,
    WildcardSubscriptionsNotSupported = 0xA2,
};

inline bool is_failure(Reason reason) { return static_cast<std::uint8_t>(reason) >= 0x80; }

/// Why bytes were refused: the code for a v5 peer, and a sentence with the chapter for its developer. `why` lives as
/// long as the program.
struct Refusal {
    Reason reason = Reason::Malformed;
    std::string_view why;
};

template <class T>
using Decoded = std::expected<T, Refusal>;

inline std::unexpected<Refusal> refuse(Reason reason, std::string_view why) {
    return std::unexpected(Refusal{reason, why});
}
inline std::unexpected<Refusal> malformed(std::string_view why) { return refuse(Reason::Malformed, why); }
inline std::unexpected<Refusal> protocol_error(std::string_view why) { return refuse(Reason::ProtocolError, why); }

/// The return code of a 3.1.1 CONNACK (§3.2.2.3) for a v5 reason.
std::uint8_t connect_return_code(Reason reason);

}  // namespace lineshaft::wire::mqtt
