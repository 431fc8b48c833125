// The other side of the sender's own speed: reads, answers, forgets.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include <unistd.h>

#include "load/load.h"
#include "load/sockets.h"

namespace lineshaft::bench {
namespace {

constexpr std::uint64_t listener_number = ~std::uint64_t{0};

/// What is left of a request whose head has been read.
struct Peer {
    std::string received;
    std::size_t body_left = 0;
};

/// Bodies are counted and not kept.
void answer_http(Peer& peer, std::string_view got, std::string& out) {
    while (!got.empty() || !peer.received.empty()) {
        const std::size_t skipped = std::min(peer.body_left, got.size());
        got.remove_prefix(skipped);
        peer.body_left -= skipped;
        if (peer.body_left > 0) return;
        if (skipped > 0) out += "HTTP/1.1 204 No Content\r\n\r\n";
        peer.received += got;
        const std::size_t end = peer.received.find("\r\n\r\n");
        if (end == std::string::npos) return;
        const std::size_t at = peer.received.find("Content-Length: ");
        if (at == std::string::npos || at > end) give_up("a request without Content-Length");
        std::from_chars(peer.received.data() + at + 16, peer.received.data() + end, peer.body_left);
        const std::size_t here = std::min(peer.body_left, peer.received.size() - end - 4);
        peer.body_left -= here;
        if (peer.body_left == 0) out += "HTTP/1.1 204 No Content\r\n\r\n";
        peer.received.erase(0, end + 4 + here);
        got = {};
        if (peer.received.empty()) return;
    }
}

/// Kind and size of the packet at the beginning of `bytes`; none when it has not all come.
std::optional<std::size_t> packet_bytes(std::string_view bytes, std::size_t& head) {
    std::size_t length = 0;
    for (std::size_t i = 1; i < bytes.size() && i <= 4; ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        length |= std::size_t{byte & 0x7Fu} << (7 * (i - 1));
        if (byte & 0x80) continue;
        head = i + 1;
        if (bytes.size() < head + length) return {};
        return head + length;
    }
    return {};
}

void answer_mqtt(Peer& peer, std::string_view got, std::string& out) {
    peer.received += got;
    std::string_view rest = peer.received;
    std::size_t head = 0;
    while (const auto bytes = packet_bytes(rest, head)) {
        const auto kind = static_cast<unsigned char>(rest[0]);
        if (kind >> 4 == 1) out.append("\x20\x02\x00\x00", 4);
        if (kind >> 4 == 12) out.append("\xD0\x00", 2);
        if (kind >> 4 == 3 && (kind & 6)) {
            const std::size_t topic =
                std::size_t{static_cast<unsigned char>(rest[head])} << 8 | static_cast<unsigned char>(rest[head + 1]);
            out.append("\x40\x02", 2);
            out += rest.substr(head + 2 + topic, 2);
        }
        rest.remove_prefix(*bytes);
    }
    peer.received.erase(0, peer.received.size() - rest.size());
}

template <class Answer>
void serve(std::uint16_t port, Answer answer) {
    Poller poller;
    const int listener = listen_at(port);
    poller.add(listener, listener_number);
    std::map<std::uint64_t, Peer> peers;
    std::array<char, 256 * 1024> buffer;
    std::string out;
    while (true) {
        poller.wait([&](std::uint64_t number) {
            if (number == listener_number) {
                for (int socket = accept_from(listener); socket >= 0; socket = accept_from(listener))
                    poller.add(socket, static_cast<std::uint64_t>(socket));
                return;
            }
            const int socket = static_cast<int>(number);
            bool closed = false;
            const std::size_t got = receive_some(socket, buffer, closed);
            if (closed) {
                peers.erase(number);
                ::close(socket);
                return;
            }
            out.clear();
            answer(peers[number], std::string_view(buffer.data(), got), out);
            if (!out.empty() && send_some(socket, out) != out.size()) give_up("the sender does not read");
        });
    }
}

}  // namespace

void run_null_http(std::uint16_t port) { serve(port, answer_http); }
void run_null_mqtt(std::uint16_t port) { serve(port, answer_mqtt); }

}  // namespace lineshaft::bench
