// MQTT 3.1.1 publishers, written out beforehand: a message is a slice of its connection's buffer.
#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

#include "load/load.h"
#include "load/report.h"
#include "load/sockets.h"

namespace lineshaft::bench {
namespace {

constexpr std::size_t window_max = 1024;
constexpr unsigned char packet_connack = 0x20, packet_puback = 0x40, packet_pingresp = 0xD0;
constexpr std::string_view pingreq("\xC0\x00", 2);

void add_u16(std::string& out, std::size_t number) {
    out += static_cast<char>(number >> 8);
    out += static_cast<char>(number & 0xFF);
}

void add_length(std::string& out, std::size_t length) {
    do {
        out += static_cast<char>((length & 0x7F) | (length > 0x7F ? 0x80 : 0));
        length >>= 7;
    } while (length > 0);
}

std::string connect_packet(std::size_t number) {
    const std::string client = fmt::format("bench-{}", number);
    std::string out("\x10", 1);
    add_length(out, 10 + 2 + client.size());
    out.append("\x00\x04MQTT\x04\x02\x00\x00", 10);  // Clean session, no keep-alive.
    add_u16(out, client.size());
    return out + client;
}

struct Publisher {
    int socket = -1;
    std::string bytes;                // Every message of this connection.
    std::vector<std::uint32_t> ends;  // Of each message in `bytes`.
    std::size_t sent_bytes = 0;       // Of `bytes`, taken by the kernel.
    std::size_t begun = 0;            // Messages that may be on their way.
    std::size_t acknowledged = 0;
    std::vector<std::int64_t> sent_ns;  // By message number modulo the window.
    std::string received;
    bool wants_to_write = false;
    bool is_pinged = false, has_ended = false;
};

void make_messages(Publisher& publisher, std::size_t number, std::size_t count, const MqttOptions& options) {
    const std::string topic = fmt::format("Bench/Line{:02}/Device{:04}/temperature", number % 20, number);
    Chance chance(number + 1);
    double value = 20 + chance.share() * 10;
    std::string payload;
    for (std::size_t i = 0; i < count; ++i) {
        value += chance.around(0.1);
        payload.clear();
        const std::int64_t time_ms = options.end_s * 1000 - static_cast<std::int64_t>(count - i) * 10;
        fmt::format_to(std::back_inserter(payload), R"({{"value":{:.2f},"timestamp":{}}})", value, time_ms);
        publisher.bytes += static_cast<char>(0x30 | options.qos << 1);
        add_length(publisher.bytes, 2 + topic.size() + (options.qos ? 2 : 0) + payload.size());
        add_u16(publisher.bytes, topic.size());
        publisher.bytes += topic;
        if (options.qos) add_u16(publisher.bytes, i % 65535 + 1);
        publisher.bytes += payload;
        publisher.ends.push_back(static_cast<std::uint32_t>(publisher.bytes.size()));
    }
    publisher.sent_ns.resize(options.window);
}

class Publishers {
public:
    Publishers(const MqttOptions& options, Run& run) : options_(options), run_(run), all_(options.connections) {
        for (std::size_t i = 0; i < all_.size(); ++i)
            make_messages(all_[i], i, options.messages / all_.size(), options);
        if (options.qos) run_.latency_ns.reserve(options.messages);
    }

    void connect_all() {
        for (std::size_t i = 0; i < all_.size(); ++i) {
            all_[i].socket = connect_to(options_.port);
            poller_.add(all_[i].socket, i);
            const std::string packet = connect_packet(i);
            if (send_some(all_[i].socket, packet) != packet.size()) give_up("cannot send CONNECT");
        }
        while (connected_ < all_.size()) poller_.wait([this](std::uint64_t i) { receive(i); });
    }

    void send_all() {
        for (std::size_t i = 0; i < all_.size(); ++i) push(i);
        while (ended_ < all_.size()) {
            poller_.wait([this](std::uint64_t i) {
                receive(i);
                push(i);
            });
        }
    }

    std::uint64_t bytes() const {
        std::uint64_t sum = 0;
        for (const Publisher& publisher : all_) sum += publisher.bytes.size();
        return sum;
    }

private:
    /// Sends what the window and the kernel allow; after the last message a PINGREQ, whose answer is the end.
    void push(std::size_t i) {
        Publisher& p = all_[i];
        const std::size_t count = p.ends.size();
        std::size_t may = options_.qos ? std::min(count, p.acknowledged + options_.window) : count;
        if (options_.qos && may > p.begun) {
            const std::int64_t now = now_ns();
            for (; p.begun < may; ++p.begun) p.sent_ns[p.begun % options_.window] = now;
        }
        const std::size_t limit = may > 0 ? p.ends[may - 1] : 0;
        bool is_full = false;
        while (p.sent_bytes < limit && !is_full) {
            const std::size_t piece = std::min<std::size_t>(limit - p.sent_bytes, 64 * 1024);
            const std::size_t sent = send_some(p.socket, std::span(p.bytes).subspan(p.sent_bytes, piece));
            p.sent_bytes += sent;
            is_full = sent < piece;
        }
        if (p.sent_bytes == p.bytes.size() && !p.is_pinged && (!options_.qos || p.acknowledged == count)) {
            p.is_pinged = true;
            if (send_some(p.socket, pingreq) != pingreq.size()) give_up("cannot send PINGREQ");
        }
        if (is_full != p.wants_to_write) poller_.change(p.socket, i, is_full ? Interest::ReadWrite : Interest::Read);
        p.wants_to_write = is_full;
    }

    void receive(std::size_t i) {
        Publisher& p = all_[i];
        std::array<char, 16 * 1024> buffer;
        bool closed = false;
        const std::size_t got = receive_some(p.socket, buffer, closed);
        if (closed) give_up("the broker has closed the connection");
        p.received.append(buffer.data(), got);
        std::size_t at = 0;
        // All packets that come back are shorter than 128 bytes.
        while (p.received.size() - at >= 2) {
            const std::size_t length = static_cast<unsigned char>(p.received[at + 1]);
            if (p.received.size() - at < 2 + length) break;
            take(p, static_cast<unsigned char>(p.received[at]), std::string_view(p.received).substr(at + 2, length));
            at += 2 + length;
        }
        p.received.erase(0, at);
    }

    void take(Publisher& p, unsigned char kind, std::string_view body) {
        if (kind == packet_connack) {
            if (body.size() < 2 || body[1] != 0) give_up("the broker refuses the connection");
            ++connected_;
        } else if (kind == packet_puback) {
            run_.latency_ns.push_back(now_ns() - p.sent_ns[p.acknowledged % options_.window]);
            ++p.acknowledged;
        } else if (kind == packet_pingresp && !p.has_ended) {
            p.has_ended = true;
            ++ended_;
        }
    }

    const MqttOptions& options_;
    Run& run_;
    std::vector<Publisher> all_;
    Poller poller_;
    std::size_t connected_ = 0;
    std::size_t ended_ = 0;
};

}  // namespace

void send_mqtt(const MqttOptions& options) {
    if (options.window == 0 || options.window > window_max) give_up("the window is 1 to 1024");
    Run run;
    run.requests = run.values = options.messages / options.connections * options.connections;
    Publishers publishers(options, run);
    run.bytes = publishers.bytes();
    publishers.connect_all();
    const double cpu = cpu_seconds();
    const std::int64_t begun = now_ns();
    publishers.send_all();
    run.seconds = static_cast<double>(now_ns() - begun) / 1e9;
    run.cpu_s = cpu_seconds() - cpu;
    report(std::move(run));
}

}  // namespace lineshaft::bench
