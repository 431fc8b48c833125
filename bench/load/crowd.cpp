#include "load/crowd.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "load/sockets.h"

namespace lineshaft::bench {
namespace {

struct Sender {
    int socket = -1;
    std::string own;
    const std::string* request = nullptr;
    std::size_t sent = 0;
    std::int64_t begun_ns = 0;  // Or, of one that waits, when it is due.
    std::string answer;
    bool wants_to_write = false;
};

class Crowd {
public:
    Crowd(std::uint16_t port, std::size_t connections, Requests& requests, Run& run)
        : requests_(requests), run_(run), senders_(connections) {
        for (std::size_t i = 0; i < senders_.size(); ++i) {
            senders_[i].socket = connect_to(port);
            poller_.add(senders_[i].socket, i);
        }
    }

    void send_all() {
        for (std::size_t i = 0; i < senders_.size(); ++i) begin_next(i);
        const auto visit_one = [this](std::uint64_t i) { visit(i); };
        while (under_way_ > 0) {
            if (early_.empty()) {
                poller_.wait(visit_one);
                continue;
            }
            poller_.wait(visit_one, senders_[early_.front()].begun_ns);
            while (!early_.empty() && senders_[early_.front()].begun_ns <= now_ns()) {
                push(early_.front());
                early_.pop_front();
            }
        }
    }

private:
    void begin_next(std::size_t i) {
        Sender& sender = senders_[i];
        std::int64_t due = 0;
        sender.request = requests_.next(sender.own, due);
        sender.sent = 0;
        if (!sender.request) return;
        ++under_way_;
        const std::int64_t now = now_ns();
        sender.begun_ns = due != 0 ? due : now;
        if (due > now)
            early_.push_back(i);
        else
            push(i);
    }

    void push(std::size_t i) {
        Sender& sender = senders_[i];
        while (sender.sent < sender.request->size()) {
            const std::size_t sent = send_some(sender.socket, std::span(*sender.request).subspan(sender.sent));
            if (sent == 0) break;
            sender.sent += sent;
        }
        const bool wants = sender.sent < sender.request->size();
        if (wants != sender.wants_to_write)
            poller_.change(sender.socket, i, wants ? Interest::ReadWrite : Interest::Read);
        sender.wants_to_write = wants;
    }

    void visit(std::size_t i) {
        Sender& sender = senders_[i];
        char buffer[8192];
        bool closed = false;
        if (const std::size_t got = receive_some(sender.socket, buffer, closed)) sender.answer.append(buffer, got);
        if (closed) give_up("the server has closed the connection");
        if (sender.wants_to_write) push(i);
        take_answer(i);
    }

    /// Every server here answers with Content-Length, in chunks, or 204 without a body.
    void take_answer(std::size_t i) {
        Sender& sender = senders_[i];
        const std::size_t end = sender.answer.find("\r\n\r\n");
        if (end == std::string::npos) return;
        std::string head = sender.answer.substr(0, end);
        std::ranges::transform(head, head.begin(), [](unsigned char c) { return std::tolower(c); });
        std::size_t body = 0;
        if (const auto at = head.find("content-length: "); at != std::string::npos)
            std::from_chars(head.data() + at + 16, head.data() + head.size(), body);
        if (sender.answer.size() < end + 4 + body) return;
        const std::string_view rest = std::string_view(sender.answer).substr(end + 2);  // From the empty line on.
        if (head.find("transfer-encoding: chunked") != std::string::npos && !rest.ends_with("\r\n0\r\n\r\n")) return;
        if (head.find(" 20") != head.find(' ')) {
            ++run_.refused;
            if (run_.refused == 1) fmt::print(stderr, "{}\n", sender.answer);
        }
        run_.latency_ns.push_back(now_ns() - sender.begun_ns);
        sender.answer.clear();
        --under_way_;
        begin_next(i);
    }

    Requests& requests_;
    Run& run_;
    std::vector<Sender> senders_;
    Poller poller_;
    std::size_t under_way_ = 0;
    std::deque<std::size_t> early_;  // Senders whose request is not due yet, in the order of their dues.
};

}  // namespace

void send_requests(std::uint16_t port, std::size_t connections, Requests& requests, Run& run) {
    Crowd crowd(port, connections, requests, run);
    const double cpu = cpu_seconds();
    const std::int64_t begun = now_ns();
    crowd.send_all();
    run.seconds = static_cast<double>(now_ns() - begun) / 1e9;
    run.cpu_s = cpu_seconds() - cpu;
}

}  // namespace lineshaft::bench
