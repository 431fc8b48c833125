#include "south/mqtt/internal/greeter.h"

#include "base/limits.h"
#include "base/log.h"
#include "south/mqtt/internal/broker_counters.h"
#include "south/mqtt/internal/broker_shard.h"

namespace lineshaft::mqtt {

Greeter::Greeter(BrokerShard& owner, std::uint64_t no, std::unique_ptr<Stream> stream, Instant deadline)
    : owner_(owner), no_(no), stream_(std::move(stream)), deadline_(deadline) {}

void Greeter::cut(const char* reason) {
    log_debug("mqtt: {} is cut before CONNECT: {}", to_text(stream_->peer().address), reason);
    done_ = true;
    owner_.take_input_bytes(-static_cast<std::ptrdiff_t>(input_bytes()));
    hello_ = Hello();
    owner_.retire_greeter(no_);
}

void Greeter::on_data(ByteView bytes) {
    if (done_ && hello_.bytes.empty()) return;  // Refused: the rest is of no interest.
    if (!owner_.take_input_bytes(static_cast<std::ptrdiff_t>(bytes.size()))) {
        counters::refused_limit.add();
        return cut("too many bytes wait on this shard");
    }
    if (done_) {  // Being authenticated; reading is paused, so this is little.
        hello_.rest.insert(hello_.rest.end(), bytes.begin(), bytes.end());
        if (hello_.rest.size() > limits::stream_unsent_bytes_max) cut("too much before CONNACK");
        return;
    }
    hello_.bytes.insert(hello_.bytes.end(), bytes.begin(), bytes.end());
    const auto frame = wire::next_frame(hello_.bytes, limits::mqtt_first_packet_bytes_max);
    if (!frame || hello_.bytes[0] != std::byte{0x10}) {  // Decided on the first byte, whatever length follows.
        // Not MQTT, most likely: an answer would tell a scanner more than it must know.
        counters::refused_malformed.add();
        return cut("the first packet is not a CONNECT within the limit");
    }
    if (*frame) take_connect(**frame);
}

void Greeter::take_connect(const wire::Frame& frame) {
    auto connect = wire::decode_connect(frame);
    if (!connect) {
        counters::refused_malformed.add();
        if (connect.error().reason != wire::Reason::UnsupportedProtocolVersion)
            return cut(connect.error().why.data());
        const auto version = wire::protocol_level(frame) > 5 ? wire::Version::V5 : wire::Version::V311;
        return refuse(version, connect.error().reason, connect.error().why);
    }
    hello_.connect = *connect;
    const wire::Connect& hello = hello_.connect;
    if (hello.properties.has(wire::Property::AuthMethod)) {
        return refuse(hello.version, wire::Reason::BadAuthenticationMethod, "enhanced authentication is not offered");
    }
    if (hello.client_id.empty() && !hello.clean_start && hello.version == wire::Version::V311) {
        return refuse(hello.version, wire::Reason::ClientIdNotValid, "an empty client id needs a clean session");
    }
    if (hello.client_id.size() > limits::device_name_bytes_max) {
        return refuse(hello.version, wire::Reason::ClientIdNotValid, "the client id is too long");
    }
    hello_.client_id = hello.client_id;
    hello_.rest.assign(hello_.bytes.begin() + static_cast<std::ptrdiff_t>(frame.frame_bytes), hello_.bytes.end());
    hello_.bytes.resize(frame.frame_bytes);  // In place: the views stay good.
    authenticate();
}

void Greeter::authenticate() {
    done_ = true;
    stream_->pause_reading();
    Credentials credentials;
    credentials.client_id = hello_.client_id;
    if (hello_.connect.user_name) credentials.user_name = std::string(*hello_.connect.user_name);
    if (hello_.connect.password) credentials.password = std::string(as_text(*hello_.connect.password));
    credentials.peer = stream_->peer();
    owner_.authenticator().authenticate(
        owner_.shard(), std::move(credentials), [&owner = owner_, no = no_](Result<Identity> identity) {
            // Posted: an answer at once must not move the stream from under its own on_data.
            owner.shard().post([&owner, no, identity = std::move(identity)]() mutable {
                owner.authenticated(no, std::move(identity));
            });
        });
}

void Greeter::authenticated(Result<Identity> identity) {
    const wire::Connect& connect = hello_.connect;
    if (!identity) {
        log_info("mqtt: {} as '{}' is refused: {}", to_text(stream_->peer().address), hello_.client_id,
                 identity.error().message());
        const auto reason = static_cast<wire::Reason>(identity.error().text().mqtt_reason);
        return refuse(connect.version, reason, identity.error().text().says);
    }
    if (!identity->may) return refuse(connect.version, wire::Reason::NotAuthorized, "the credential allows nothing");
    if (connect.will && !identity->may(Access::Publish, connect.will->topic)) {
        return refuse(connect.version, wire::Reason::NotAuthorized, "the will may not be published");
    }
    hello_.identity = std::move(*identity);
    owner_.take_input_bytes(-static_cast<std::ptrdiff_t>(input_bytes()));
    stream_->resume_reading();  // Before a change of hands; nothing is delivered within this task.
    owner_.welcome(no_, std::move(stream_), std::move(hello_));
}

void Greeter::refuse(wire::Version version, wire::Reason reason, std::string_view why) {
    counters::refused_connect.add();
    done_ = true;
    owner_.take_input_bytes(-static_cast<std::ptrdiff_t>(input_bytes()));
    hello_ = Hello();
    wire::ConnAck ack;
    ack.reason = reason;
    if (!why.empty()) ack.properties.set(wire::Property::ReasonString, why);
    Bytes out;
    wire::encode(ack, version, out);
    stream_->resume_reading();
    stream_->send(out);
    stream_->close();
}

void Greeter::on_closed(const Error&) {
    owner_.take_input_bytes(-static_cast<std::ptrdiff_t>(input_bytes()));
    hello_ = Hello();
    owner_.retire_greeter(no_);
}

}  // namespace lineshaft::mqtt
