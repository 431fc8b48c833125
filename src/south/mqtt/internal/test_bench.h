/// What the broker's tests share: clients that speak to it over streams in memory, a sink that can be full, late or
/// sick, a disk that forgets.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "south/mqtt/broker.h"
#include "support/forgetful_disk.h"
#include "support/manual_clock.h"
#include "support/manual_shard.h"
#include "wire/mqtt/packet.h"

namespace lineshaft::mqtt::testing {

using lineshaft::testing::ForgetfulDisk;
using lineshaft::testing::ManualClock;
using lineshaft::testing::ManualShards;
namespace codec = lineshaft::wire::mqtt;
using codec::Property;
using codec::Qos;
using codec::Reason;
using codec::Version;

/// Both ends of a connection; the client holds it, the broker has a Stream on it.
class Pipe {
public:
    explicit Pipe(Shard& shard) : shard_(shard) {}

    std::unique_ptr<Stream> make_stream();
    void send(ByteView bytes) {
        to_server_.insert(to_server_.end(), bytes.begin(), bytes.end());
        deliver_soon();
    }
    void cut() {
        cut_ = true;
        shard_.post([this] { end(Error(ErrorCode::Unreachable)); });
    }
    bool is_paused() const { return paused_; }

    Bytes to_client;
    bool closed = false;   // By the broker, or after cut.
    bool stalled = false;  // The client does not read.
    Peer peer{{"127.0.0.1", 4711}, true, false, {}};

    void drain() {
        stalled = false;
        unsent_bytes_ = 0;
        if (handler_) handler_->on_drained();
    }

private:
    class End;
    void deliver_soon() {
        shard_.post([this] {
            if (!handler_ || paused_ || to_server_.empty()) return;
            const Bytes bytes = std::exchange(to_server_, {});
            handler_->on_data(bytes);
        });
    }
    void end(const Error& why) {
        closed = true;
        if (StreamHandler* told = std::exchange(handler_, nullptr)) told->on_closed(why);
    }

    Shard& shard_;
    Bytes to_server_;
    StreamHandler* handler_ = nullptr;
    bool paused_ = false;
    bool cut_ = false;
    std::size_t unsent_bytes_ = 0;
};

class Pipe::End final : public Stream {
public:
    explicit End(Pipe& pipe) : pipe_(pipe) {}
    ~End() override {
        pipe_.handler_ = nullptr;
        pipe_.closed = true;
    }
    void start(StreamHandler& handler) override {
        pipe_.handler_ = &handler;
        pipe_.deliver_soon();
    }
    void send(ByteView bytes) override {
        if (pipe_.closed || pipe_.cut_) return;
        pipe_.to_client.insert(pipe_.to_client.end(), bytes.begin(), bytes.end());
        if (pipe_.stalled) pipe_.unsent_bytes_ += bytes.size();
    }
    std::size_t unsent_bytes() const override { return pipe_.unsent_bytes_; }
    void pause_reading() override { pipe_.paused_ = true; }
    void resume_reading() override {
        pipe_.paused_ = false;
        pipe_.deliver_soon();
    }
    void close() override {
        pipe_.shard_.post([&pipe = pipe_] { pipe.end(Error(ErrorCode::Closed)); });
    }
    const Peer& peer() const override { return pipe_.peer; }

private:
    Pipe& pipe_;
};

inline std::unique_ptr<Stream> Pipe::make_stream() { return std::make_unique<End>(*this); }

struct Row {
    std::string device;
    std::string address;
    double value = 0;
    std::string source;
    friend bool operator==(const Row&, const Row&) = default;
};

class TestSink final : public flow::ReadingSink {
public:
    explicit TestSink(Shard& shard) : shard_(shard) {}

    flow::Took offer(ReadingBatch& batch, flow::Settled& settled) override {
        if (full) return flow::Took::None;
        for (const Reading& reading : batch.readings) {
            rows.push_back({std::string(reading.device), std::string(reading.address),
                            std::bit_cast<double>(reading.bits), batch.source});
        }
        ++batches;
        const ReadingBatch taken = std::move(batch);
        if (held) {
            waiting.push_back(std::move(settled));
        } else {
            shard_.post([settled = std::move(settled), answer = answer]() mutable { settled(answer); });
        }
        return flow::Took::All;
    }
    void when_ready(Task task) override { ready.push_back(std::move(task)); }

    void settle(const Result<void>& result = {}) {
        for (flow::Settled& settled : std::exchange(waiting, {})) settled(result);
    }
    void make_room() {
        full = false;
        for (Task& task : std::exchange(ready, {})) shard_.post(std::move(task));
    }

    bool full = false;
    bool held = false;  // Receipts wait for settle().
    Result<void> answer;
    std::vector<Row> rows;
    std::size_t batches = 0;
    std::vector<flow::Settled> waiting;
    std::vector<Task> ready;

private:
    Shard& shard_;
};

class TestAuthenticator final : public Authenticator {
public:
    void authenticate(Shard& caller, Credentials credentials, Done done) override {
        seen.push_back(credentials);
        caller.post([this, credentials = std::move(credentials), done = std::move(done)]() mutable {
            if (credentials.password == "wrong") return done(fail(ErrorCode::Unauthenticated));
            Identity identity;
            identity.actor = credentials.user_name.value_or("anonymous");
            if (identity.actor == "tenant2") identity.tenant = TenantId(2);
            if (identity.actor == "bound") identity.device = "press-7";
            identity.may = [this](Access access, std::string_view topic) {
                return !denied || !denied(access, topic);
            };
            done(std::move(identity));
        });
    }
    std::function<bool(Access, std::string_view)> denied;
    std::vector<Credentials> seen;
};

class Bench;

/// A client; every call runs the shards until they are quiet.
class Client {
public:
    struct Options {
        std::string id;
        Version version = Version::V5;
        bool clean = true;
        std::uint16_t keep_alive_s = 0;
        std::uint32_t expiry_s = 0;
        std::uint32_t receive_maximum = 0;
        std::uint32_t packet_bytes_max = 0;
        std::optional<std::string> user;
        std::optional<std::string> password;
        std::optional<codec::Will> will;
        std::uint32_t will_delay_s = 0;
    };
    Client(Bench& bench, Options options);
    Client(Bench& bench, std::string id) : Client(bench, Options{.id = std::move(id)}) {}

    /// Everything that has come since the last call.
    std::vector<codec::Packet> take();
    /// The one packet that has come; fails the test when it is another number or type.
    template <class T>
    T take_one() {
        auto packets = take();
        if (packets.size() != 1 || !std::holds_alternative<T>(packets[0])) {
            ADD_FAILURE() << options.id << ": " << packets.size() << " packets, first has index "
                          << (packets.empty() ? -1 : static_cast<int>(packets[0].index()));
            return T{};
        }
        return std::get<T>(packets[0]);
    }
    template <class T>
    std::vector<T> take_all() {
        std::vector<T> found;
        for (codec::Packet& packet : take()) {
            if (T* one = std::get_if<T>(&packet)) found.push_back(*one);
        }
        return found;
    }
    /// "topic=payload" of the PUBLISH packets that have come, QoS 1 and 2 answered.
    std::vector<std::string> messages();

    void send(const codec::Packet& packet);
    void send_bytes(ByteView bytes);
    void publish(std::string_view topic, std::string_view payload, unsigned qos = 0, bool retain = false,
                 std::uint16_t packet_id = 1);
    void subscribe(std::string_view filter, unsigned qos = 0);
    void subscribe(const codec::Subscription& subscription, std::uint32_t id = 0);
    void ack(codec::PacketType type, std::uint16_t packet_id);
    void disconnect(Reason reason = Reason::Success);
    void cut();

    const Options options;
    Pipe* pipe = nullptr;
    bool session_present = false;
    Reason connect_reason = Reason::Unspecified;
    codec::Properties connack;

private:
    Bench& bench_;
    std::list<Bytes> kept_;  // What the views in taken packets point into.
};

class Bench {
public:
    explicit Bench(std::size_t shard_count) : shards(std::make_unique<ManualShards>(shard_count, clock)) { start(); }
    ~Bench() {
        shards->run();
        broker.reset();
    }

    void start() {
        Broker::Options options;
        for (std::size_t i = 0; i < shards->count(); ++i) {
            if (sinks.size() <= i) sinks.push_back(std::make_unique<TestSink>(shards->at(i)));
            options.doors.push_back({&shards->at(i), sinks[i].get(), decode});
        }
        options.directory = "data/mqtt";
        options.queued_messages_max = queued_messages_max;
        options.journal_bytes_min = journal_bytes_min;
        options.version = "1.2.3";
        auto created = Broker::create(std::move(options), disk, *pool, authenticator);
        ASSERT_TRUE(created) << created.error().message();
        broker = std::move(*created);
        broker->start();
        run();
    }
    /// The process dies and comes back, on `shard_count` shards.
    void crash(bool power = false, std::size_t shard_count = 0) {
        if (power) {
            disk.lose_power();
        } else {
            disk.kill_process();
        }
        for (auto& sink : sinks) dead_sinks_.push_back(std::move(sink));
        sinks.clear();
        broker.reset();  // What was posted dies with the shards, without being run.
        if (shard_count == 0) shard_count = shards->count();
        shards = std::make_unique<ManualShards>(shard_count, clock);
        start();
    }
    void run() { shards->run(); }
    void advance(Duration by) { shards->advance(by); }
    Pipe& make_pipe(std::size_t shard) { return *pipes_.emplace_back(std::make_unique<Pipe>(shards->at(shard))); }
    std::vector<Row> rows() const {
        std::vector<Row> all;
        for (const auto& sink : dead_sinks_) all.insert(all.end(), sink->rows.begin(), sink->rows.end());
        for (const auto& sink : sinks) all.insert(all.end(), sink->rows.begin(), sink->rows.end());
        return all;
    }
    void hold_receipts(bool held) {
        for (auto& sink : sinks) sink->held = held;
    }
    void settle(const Result<void>& result = {}) {
        for (auto& sink : sinks) sink->settle(result);
        run();
    }

    /// Numbers are telemetry: "a/b/c" is device "a/b", address "c". "me" is the device of the credential.
    static bool decode(const Publication& publication, ReadingBatch& batch) {
        const std::string text(as_text(publication.payload));
        char* end = nullptr;
        const double value = std::strtod(text.c_str(), &end);
        if (end == text.c_str()) return false;
        const std::size_t slash = publication.topic.rfind('/');
        std::string_view device =
            slash == std::string_view::npos ? publication.topic : publication.topic.substr(0, slash);
        const std::string_view address =
            slash == std::string_view::npos ? "value" : publication.topic.substr(slash + 1);
        if (device == "me") device = publication.device;
        batch.add(device, address, Value(value), publication.now, Quality::good);
        return true;
    }

private:
    // Outlive the brokers, whose streams point here.
    std::vector<std::unique_ptr<Pipe>> pipes_;
    std::vector<std::unique_ptr<TestSink>> dead_sinks_;

public:
    ManualClock clock;
    ForgetfulDisk disk;
    std::unique_ptr<ManualShards> shards;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::vector<std::unique_ptr<TestSink>> sinks;
    TestAuthenticator authenticator;
    std::size_t queued_messages_max = 1000;
    std::size_t journal_bytes_min = 1024 * 1024;
    std::size_t accepted = 0;
    std::unique_ptr<Broker> broker;
};

inline Client::Client(Bench& bench, Options given) : options(std::move(given)), bench_(bench) {
    const std::size_t shard = bench.accepted++ % bench.shards->count();
    pipe = &bench.make_pipe(shard);
    bench.broker->accept(shard, pipe->make_stream());
    codec::Connect connect;
    connect.version = options.version;
    connect.client_id = options.id;
    connect.clean_start = options.clean;
    connect.keep_alive_s = options.keep_alive_s;
    if (options.user) connect.user_name = *options.user;
    if (options.password) connect.password = as_bytes(*options.password);
    connect.will = options.will;
    if (connect.will && options.will_delay_s > 0) {
        connect.will->properties.set(Property::WillDelay, options.will_delay_s);
    }
    if (options.expiry_s > 0) connect.properties.set(Property::SessionExpiry, options.expiry_s);
    if (options.receive_maximum > 0) connect.properties.set(Property::ReceiveMaximum, options.receive_maximum);
    if (options.packet_bytes_max > 0) connect.properties.set(Property::MaximumPacketBytes, options.packet_bytes_max);
    Bytes bytes;
    codec::encode(connect, bytes);
    send_bytes(bytes);
    // CONNACK is the first; what follows stays for take.
    const auto frame = codec::next_frame(pipe->to_client, 1 << 24);
    if (!frame || !*frame) return;
    kept_.emplace_back(pipe->to_client.begin(),
                       pipe->to_client.begin() + static_cast<std::ptrdiff_t>((*frame)->frame_bytes));
    pipe->to_client.erase(pipe->to_client.begin(),
                          pipe->to_client.begin() + static_cast<std::ptrdiff_t>((*frame)->frame_bytes));
    const auto ack = codec::decode_conn_ack(**codec::next_frame(kept_.back(), 1 << 24), options.version);
    if (!ack) {
        ADD_FAILURE() << ack.error().why;
        return;
    }
    session_present = ack->session_present;
    connect_reason = ack->reason;
    connack = ack->properties;
}

inline std::vector<codec::Packet> Client::take() {
    kept_.push_back(std::exchange(pipe->to_client, {}));
    ByteView left = kept_.back();
    std::vector<codec::Packet> packets;
    while (!left.empty()) {
        const auto frame = codec::next_frame(left, 1 << 28);
        if (!frame || !*frame) {
            ADD_FAILURE() << "the broker sent something that is no packet";
            break;
        }
        left = left.subspan((*frame)->frame_bytes);
        const auto packet = codec::decode(**frame, options.version);
        if (!packet) {
            ADD_FAILURE() << "the broker sent something wrong: " << packet.error().why;
            break;
        }
        packets.push_back(*packet);
    }
    return packets;
}

inline std::vector<std::string> Client::messages() {
    std::vector<std::string> found;
    for (bool more = true; more;) {
        more = false;
        for (const codec::Publish& publish : take_all<codec::Publish>()) {
            found.push_back(std::string(publish.topic) + "=" + std::string(as_text(publish.payload)));
            if (publish.qos == Qos::AtLeastOnce) ack(codec::PacketType::PubAck, publish.packet_id);
            if (publish.qos == Qos::ExactlyOnce) {
                ack(codec::PacketType::PubRec, publish.packet_id);
                ack(codec::PacketType::PubComp, publish.packet_id);
            }
            more |= publish.qos != Qos::AtMostOnce;
        }
    }
    return found;
}

inline void Client::send_bytes(ByteView bytes) {
    pipe->send(bytes);
    bench_.run();
}

inline void Client::send(const codec::Packet& packet) {
    Bytes bytes;
    codec::encode_any(packet, options.version, bytes);
    send_bytes(bytes);
}

inline void Client::publish(std::string_view topic, std::string_view payload, unsigned qos, bool retain,
                            std::uint16_t packet_id) {
    codec::Publish publish;
    publish.topic = topic;
    publish.payload = as_bytes(payload);
    publish.qos = static_cast<Qos>(qos);
    publish.retain = retain;
    publish.packet_id = packet_id;
    send(publish);
}

inline void Client::subscribe(const codec::Subscription& subscription, std::uint32_t id) {
    codec::Subscribe subscribe;
    subscribe.packet_id = 77;
    subscribe.subscriptions.push_back(subscription);
    if (id != 0) subscribe.properties.set(Property::SubscriptionId, id);
    send(subscribe);
}

inline void Client::subscribe(std::string_view filter, unsigned qos) {
    codec::Subscription subscription;
    subscription.filter = filter;
    subscription.qos = static_cast<Qos>(qos);
    subscribe(subscription);
    // The SUBACK is taken off; retained messages stay.
    const auto frame = codec::next_frame(pipe->to_client, 1 << 24);
    ASSERT_TRUE(frame && *frame && (*frame)->type == codec::PacketType::SubAck);
    const auto ack = codec::decode_sub_ack(**frame, options.version);
    ASSERT_TRUE(ack);
    ASSERT_EQ(ack->reasons.at(0), static_cast<Reason>(qos));
    pipe->to_client.erase(pipe->to_client.begin(),
                          pipe->to_client.begin() + static_cast<std::ptrdiff_t>((*frame)->frame_bytes));
}

inline void Client::ack(codec::PacketType type, std::uint16_t packet_id) {
    send(codec::PubAck{type, packet_id, Reason::Success, {}});
}

inline void Client::disconnect(Reason reason) {
    send(codec::Disconnect{reason, {}});
    bench_.run();
}

inline void Client::cut() {
    pipe->cut();
    bench_.run();
}

}  // namespace lineshaft::mqtt::testing
