#include "app/sim/mqtt_client.h"

#include <deque>

#include <fmt/format.h>

#include "base/log.h"
#include "wire/mqtt/packet.h"

namespace lineshaft::sim {
namespace {

namespace mqtt = wire::mqtt;

constexpr Duration backoff_min = 500ms;
constexpr Duration backoff_max = 10s;
constexpr Duration connect_timeout = 5s;
constexpr std::uint16_t keep_alive_s = 30;
constexpr std::size_t packet_bytes_max = 64 * 1024;
static_assert(MqttClient::in_flight_max < MqttClient::queued_max);

class Client final : public MqttClient, private StreamHandler {
public:
    Client(Shard& shard, Network& network, BrokerOptions options)
        : shard_(shard), network_(network), options_(std::move(options)), backoff_(backoff_min) {
        connect();
    }

    void publish(std::string topic, std::string payload) override {
        if (queue_.size() >= queued_max) {
            // What is in flight keeps its place: its PUBACK may be on the way.
            ++dropped_;
            queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(in_flight_));
        }
        queue_.push_back({std::move(topic), std::move(payload), 0});
        send_queued();
    }
    bool is_connected() const override { return accepted_; }
    std::size_t queued() const override { return queue_.size(); }
    std::uint64_t acknowledged() const override { return acknowledged_; }
    std::uint64_t dropped() const override { return dropped_; }
    const std::string& trouble() const override { return trouble_; }

    void close() override {
        closing_ = true;
        retry_.cancel();
        if (!stream_) return;
        Bytes bytes;
        mqtt::encode(mqtt::Disconnect{}, mqtt::Version::V311, bytes);
        stream_->send(bytes);
        stream_->close();
    }

private:
    struct Message {
        std::string topic;
        std::string payload;
        std::uint16_t packet_id;  // 0: not sent on this connection.
    };

    void connect() {
        network_.connect(options_.address, connect_timeout,
                         [this, life = std::weak_ptr(life_)](Result<std::unique_ptr<Stream>> stream) {
                             if (life.expired() || closing_) return;
                             if (!stream) return fail_connection(stream.error().message());
                             received_.clear();
                             stream_ = *std::move(stream);
                             stream_->start(*this);
                             mqtt::Connect packet{.version = mqtt::Version::V311,
                                                  .client_id = options_.client_id,
                                                  .keep_alive_s = keep_alive_s};
                             if (!options_.user.empty() || !options_.password.empty()) {
                                 packet.user_name = options_.user.empty() ? std::string_view("sim")
                                                                          : std::string_view(options_.user);
                                 packet.password = as_bytes(options_.password);
                             }
                             Bytes bytes;
                             mqtt::encode(packet, bytes);
                             stream_->send(bytes);
                         });
    }

    void fail_connection(std::string why) {
        if (why != trouble_ && !closing_) {
            log_warning("{} is not connected to {}: {}; trying again for ever", options_.client_id,
                        to_text(options_.address), why);
        }
        trouble_ = std::move(why);
        accepted_ = false;
        ping_.cancel();
        for (std::size_t i = 0; i < in_flight_; ++i) queue_[i].packet_id = 0;
        in_flight_ = 0;
        if (stream_) {
            // Destroyed a task later: this may be its own call.
            shard_.post([stream = std::move(stream_)] {});
        }
        if (closing_) return;
        retry_ = shard_.after(backoff_, [this] { connect(); });
        backoff_ = std::min(backoff_ * 2, backoff_max);
    }

    void on_data(ByteView bytes) override {
        if (!stream_) return;
        received_.insert(received_.end(), bytes.begin(), bytes.end());
        std::size_t at = 0;
        while (stream_) {
            const auto frame = mqtt::next_frame(ByteView(received_).subspan(at), packet_bytes_max);
            if (!frame) return fail_connection(std::string(frame.error().why));
            if (!*frame) break;
            at += (*frame)->frame_bytes;
            take(**frame);
        }
        received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(at));
        if (stream_) send_queued();
    }

    void on_closed(const Error& why) override {
        if (stream_) fail_connection(why.message());
    }

    void take(const mqtt::Frame& frame) {
        if (frame.type == mqtt::PacketType::ConnAck) {
            const auto ack = mqtt::decode_conn_ack(frame, mqtt::Version::V311);
            if (!ack || ack->reason != mqtt::Reason::Success) {
                return fail_connection(
                    "the broker refused the connection: check user and password (LINESHAFT_TOKEN)");
            }
            accepted_ = true;
            if (!trouble_.empty()) log_info("{} is connected again", options_.client_id);
            trouble_.clear();
            backoff_ = backoff_min;
            ping_ = shard_.every(std::chrono::seconds(keep_alive_s / 2), [this] { ping(); });
        } else if (frame.type == mqtt::PacketType::PubAck) {
            const auto ack = mqtt::decode_pub_ack(frame, mqtt::Version::V311);
            if (ack) take_ack(ack->packet_id);
        } else if (frame.type == mqtt::PacketType::PingResp) {
            is_ping_open_ = false;
        }
    }

    void take_ack(std::uint16_t packet_id) {
        for (std::size_t i = 0; i < in_flight_; ++i) {
            if (queue_[i].packet_id != packet_id) continue;
            queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(i));
            --in_flight_;
            ++acknowledged_;
            return;
        }
    }

    void ping() {
        if (!stream_) return;
        if (std::exchange(is_ping_open_, true)) {
            is_ping_open_ = false;
            return fail_connection("the broker does not answer a ping");
        }
        Bytes bytes;
        mqtt::encode(mqtt::PingReq{}, bytes);
        stream_->send(bytes);
    }

    void send_queued() {
        if (!accepted_ || !stream_ || closing_) return;
        Bytes bytes;
        while (in_flight_ < queue_.size() && in_flight_ < in_flight_max) {
            Message& message = queue_[in_flight_++];
            last_packet_id_ = static_cast<std::uint16_t>(last_packet_id_ == 65535 ? 1 : last_packet_id_ + 1);
            message.packet_id = last_packet_id_;
            const mqtt::Publish packet{.topic = message.topic,
                                       .payload = as_bytes(message.payload),
                                       .packet_id = message.packet_id,
                                       .qos = mqtt::Qos::AtLeastOnce};
            mqtt::encode(packet, mqtt::Version::V311, bytes);
        }
        if (!bytes.empty()) stream_->send(bytes);
    }

    Shard& shard_;
    Network& network_;
    const BrokerOptions options_;
    std::unique_ptr<Stream> stream_;
    Bytes received_;
    std::deque<Message> queue_;  // The first in_flight_ of them wait for their PUBACK.
    std::size_t in_flight_ = 0;
    bool accepted_ = false;
    bool closing_ = false;
    bool is_ping_open_ = false;
    std::uint16_t last_packet_id_ = 0;
    std::uint64_t acknowledged_ = 0;
    std::uint64_t dropped_ = 0;
    std::string trouble_;
    Duration backoff_;
    Timer retry_;
    Timer ping_;
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

}  // namespace

std::unique_ptr<MqttClient> MqttClient::create(Shard& shard, Network& network, BrokerOptions options) {
    return std::make_unique<Client>(shard, network, std::move(options));
}

}  // namespace lineshaft::sim
