/// A connected client: bytes to packets, packets to the broker, and back. Owns the stream; the session outlives it.
///
/// Flow:    each read is worked through in place; its readings are offered together, its acknowledgements leave
///          together.
/// Threads: home shard of the session.
/// Errors:  what the protocol forbids ends the connection with the v5 reason (DISCONNECT) or just so (3.1.1).
/// Limits:  limits::mqtt_packet_bytes_max, mqtt_receive_maximum, mqtt_topic_alias_max.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/reading.h"
#include "runtime/stream.h"
#include "south/mqtt/internal/hello.h"
#include "south/mqtt/internal/session.h"

namespace lineshaft::mqtt {

class BrokerShard;
enum class SendWill : std::uint8_t { No, Yes };

class Connection final : public StreamHandler {
public:
    Connection(BrokerShard& owner, std::uint64_t no, std::unique_ptr<Stream> stream, Session& session,
               const Hello& hello);

    /// Sends CONNACK, then works through what came behind the CONNECT.
    void start(bool session_present, const Hello& hello);

    std::uint64_t no() const { return no_; }
    wire::Version version() const { return version_; }
    bool is_v5() const { return version_ == wire::Version::V5; }
    const Peer& peer() const { return stream_->peer(); }
    std::uint32_t in_flight_max() const { return in_flight_max_; }
    bool is_congested() const { return stream_->unsent_bytes() > congested_bytes; }
    bool is_open() const { return session_ != nullptr; }
    const Session* session() const { return session_; }
    /// Has the client been silent for longer than it promised?
    bool is_silent(Instant now) const { return keep_alive_ > Duration::zero() && now - heard_at_ > keep_alive_; }

    /// False: larger than the client takes.
    bool send_publish(const Delivery& delivery, bool duplicate);
    void send_ack(wire::PacketType type, std::uint16_t packet_id, wire::Reason reason = wire::Reason::Success,
                  std::string_view why = {});
    void send_sub_ack(wire::PacketType type, std::uint16_t packet_id, std::vector<wire::Reason> reasons);

    /// Some acknowledgements have left: the client may send more.
    void acked(Qos qos);
    /// Ends the connection for `reason`; the session goes on as its expiry says.
    void end(wire::Reason reason, std::string_view why, SendWill will);
    /// The process ends; the session stays as it is.
    void say_shutting_down();
    /// Gives back what it holds of the shard's input; it may die later than the shard's part of the broker.
    void forget_input();
    /// The sink has room again.
    void resume();

    void on_data(ByteView bytes) override;
    void on_drained() override;
    void on_closed(const Error& why) override;

private:
    static constexpr std::size_t congested_bytes = 1024 * 1024;
    static constexpr std::size_t batch_readings_goal = 2048;
    static constexpr std::size_t batch_bytes_goal = 1024 * 1024;

    void read_packets(ByteView bytes);
    void read_input();
    /// False when the connection has ended.
    bool handle(const wire::Frame& frame);
    bool on_publish(const wire::Frame& frame);
    bool take_publish(wire::Publish& publish);
    bool on_ack(const wire::Frame& frame);
    bool on_subscribe(const wire::Frame& frame);
    bool on_unsubscribe(const wire::Frame& frame);
    bool on_disconnect(const wire::Frame& frame);
    bool resolve_alias(wire::Publish& publish);
    bool refuse_publish(const wire::Publish& publish, wire::Reason reason, std::string_view why);
    bool protocol_broken(wire::Refusal refusal);
    void decode(const wire::Publish& publish);
    void close_batch();
    void finish_read();
    void offer_batches();
    void give_up_batches();
    void pause_or_resume();
    void send(const Bytes& bytes);

    BrokerShard& owner_;
    const std::uint64_t no_;
    std::unique_ptr<Stream> stream_;
    Session* session_;  // Null once ended.
    const wire::Version version_;
    std::string source_;  // Of readings: "mqtt/<client id>".
    Duration keep_alive_;
    Instant heard_at_;
    std::uint32_t in_flight_max_;
    std::size_t packet_bytes_max_;        // What the client takes.
    bool wants_reasons_;                  // Request Problem Information.
    std::uint32_t session_expiry_asked_;  // In CONNECT.
    Bytes input_;                         // Begin of a packet that is not whole, or what waits while paused.
    std::unordered_map<std::uint16_t, std::string> aliases_;
    std::size_t qos1_unacked_ = 0;
    std::size_t qos2_unacked_ = 0;  // PUBREC is not sent yet.

    // Of the read that is being worked through.
    ReadingBatch batch_;
    std::size_t batch_bytes_ = 0;
    Settlement settlement_;
    std::vector<std::uint16_t> shards_touched_;
    bool journal_touched_ = false;
    struct Offered {
        ReadingBatch batch;
        std::uint64_t settlement_no = 0;  // 0: nobody waits.
    };
    std::deque<Offered> batches_;  // To be offered, in order.
    bool sink_full_ = false;
    bool paused_ = false;
    bool reading_ = false;  // Inside read_packets.
};

}  // namespace lineshaft::mqtt
