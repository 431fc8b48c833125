// A substation: ten producers, texts of 1,000 bytes from many sensors, and one who looks: after every so many inserts the
// newest five seconds of one sensor and some five seconds of the half hour before.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <semaphore>
#include <thread>

#include <fmt/format.h>
#include <poll.h>

#include "load/crowd.h"
#include "load/load.h"
#include "load/sockets.h"

namespace lineshaft::bench {
namespace {

constexpr std::size_t text_bytes = 1000;
constexpr std::size_t lines_per_request = 100;
constexpr std::int64_t span_s = 1800;  // So much time passes from the first insert to the last.
constexpr std::int64_t window_s = 5;

void replace(std::string& text, std::string_view what, const std::string& by) {
    if (const auto at = text.find(what); at != std::string::npos) text.replace(at, what.size(), by);
}

std::string sensor_name(std::size_t sensor) { return fmt::format("sensor_{}", sensor); }

class Inserts final : public Requests {
public:
    explicit Inserts(const SubstationOptions& options) : options_(options) {
        Chance chance(3);
        for (char& c : text_) c = static_cast<char>('a' + chance.next() % 26);
        for (const std::string& header : options.headers) head_ += header + "\r\n";
    }

    const std::string* next(std::string& own, std::int64_t&) override {
        if (made_ >= options_.inserts) return nullptr;
        body_.clear();
        for (std::size_t i = 0; i < lines_per_request && made_ < options_.inserts; ++i) {
            add_line();
            if (++made_ % options_.inserts_per_scan == 0) looks_.release();
        }
        own = fmt::format("POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\n{}Content-Length: {}\r\n\r\n", options_.path, head_,
                          body_.size());
        own += body_;
        bytes_ += own.size();
        return &own;
    }

    std::int64_t time_of(std::size_t insert) const {
        return options_.start_s * 1'000'000'000 +
               static_cast<std::int64_t>(static_cast<double>(insert) / static_cast<double>(options_.inserts) *
                                         static_cast<double>(span_s) * 1e9);
    }
    /// Waits for so many inserts more that it is time to look, or for the end.
    void wait_for_look() { looks_.acquire(); }
    void end_looking() { looks_.release(); }
    std::size_t made() const { return made_.load(std::memory_order_relaxed); }
    std::uint64_t bytes() const { return bytes_; }

private:
    void add_line() {
        body_ += fmt::format("substation,sensor={} value=\"{:016}", sensor_name(made_ % options_.sensors), made_ + 0);
        body_.append(text_ + made_ % 64, text_bytes - 16);
        body_ += fmt::format("\" {}\n", time_of(made_));
    }

    const SubstationOptions& options_;
    std::string head_;
    std::string body_;
    char text_[text_bytes + 64] = {};
    std::atomic<std::size_t> made_{0};
    std::counting_semaphore<> looks_{0};
    std::uint64_t bytes_ = 0;
};

/// One connection, one question at a time.
class Looker {
public:
    explicit Looker(const SubstationOptions& options) : options_(options), socket_(connect_to(options.port)) {}

    double look(std::size_t sensor, std::int64_t from, std::int64_t to) {
        std::string path = options_.scan;
        replace(path, "SENSOR", sensor_name(sensor));
        replace(path, "FROM", fmt::format("{}", from));
        replace(path, "TO", fmt::format("{}", to));
        std::string request = fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n", path);
        for (const std::string& header : options_.headers) request += header + "\r\n";
        request += "\r\n";
        const std::int64_t begun = now_ns();
        if (send_some(socket_, request) != request.size()) give_up("cannot ask");
        answer_.clear();
        while (!is_whole()) receive();
        if (answer_.find(" 200") != answer_.find(' ')) give_up("a scan is answered with " + answer_.substr(0, 300));
        return static_cast<double>(now_ns() - begun) / 1e6;
    }

private:
    void receive() {
        pollfd one{.fd = socket_, .events = POLLIN, .revents = 0};
        ::poll(&one, 1, 10'000);
        char buffer[65536];
        bool closed = false;
        answer_.append(buffer, receive_some(socket_, buffer, closed));
        if (closed) give_up("the server has closed the connection");
    }

    bool is_whole() const {
        const std::size_t end = answer_.find("\r\n\r\n");
        if (end == std::string::npos) return false;
        std::string head = answer_.substr(0, end);
        std::ranges::transform(head, head.begin(), [](unsigned char c) { return std::tolower(c); });
        if (head.find("chunked") != std::string::npos) return answer_.ends_with("0\r\n\r\n");
        std::size_t body = 0;
        if (const auto at = head.find("content-length: "); at != std::string::npos)
            std::from_chars(head.data() + at + 16, head.data() + head.size(), body);
        return answer_.size() >= end + 4 + body;
    }

    const SubstationOptions& options_;
    int socket_;
    std::string answer_;
};

}  // namespace

void send_substation(const SubstationOptions& options) {
    Inserts inserts(options);
    std::atomic<bool> is_over{false};
    std::vector<double> scans;
    std::thread looking([&] {
        Looker looker(options);
        Chance chance(9);
        for (inserts.wait_for_look(); !is_over; inserts.wait_for_look()) {
            const std::int64_t now = inserts.time_of(inserts.made());
            const std::int64_t window = window_s * 1'000'000'000;
            const std::int64_t passed = now - inserts.time_of(0);
            const std::int64_t before =
                inserts.time_of(0) + static_cast<std::int64_t>(chance.share() * static_cast<double>(passed));
            const std::size_t sensor = chance.next() % options.sensors;
            scans.push_back(looker.look(sensor, now - window, now) + looker.look(sensor, before, before + window));
        }
    });
    Run run;
    send_requests(options.port, options.producers, inserts, run);
    is_over = true;
    inserts.end_looking();
    looking.join();
    std::ranges::sort(scans);
    const auto quantile = [&scans](double share) {
        return scans.empty() ? 0 : scans[static_cast<std::size_t>(share * static_cast<double>(scans.size() - 1))];
    };
    fmt::print(R"({{"values":{},"refused":{},"bytes":{},"seconds":{:.3f},"values_per_s":{:.0f},"cpu_s":{:.3f},)"
               R"("scans":{},"scan_p50_ms":{:.3f},"scan_p95_ms":{:.3f},"scan_max_ms":{:.3f}}})"
               "\n",
               options.inserts, run.refused, inserts.bytes(), run.seconds,
               static_cast<double>(options.inserts) / run.seconds, run.cpu_s, scans.size(), quantile(0.5),
               quantile(0.95), quantile(1));
}

}  // namespace lineshaft::bench
