// Trucks as TSBS's iot set has them: positions and engine values that wander, 5 % of the lines late.
#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "load/load.h"
#include "load/report.h"
#include "load/sockets.h"

namespace lineshaft::bench {
namespace {

constexpr std::size_t fields_per_line = 8;
constexpr std::int64_t period_s = 10;

/// A value that wanders between two bounds.
struct Wanderer {
    double value, low, high, step;
    double next(Chance& chance) { return value = std::clamp(value + chance.around(step), low, high); }
};

struct Truck {
    std::string key;
    Wanderer latitude, longitude, elevation, velocity, heading, grade, fuel;
    double fuel_state = 1;
};

Truck make_truck(std::size_t number, Chance& chance) {
    constexpr const char* fleets[] = {"East", "West", "North", "South"};
    constexpr const char* drivers[] = {"Derek", "Rodney", "Albert", "Andy", "Seth", "Trish"};
    constexpr const char* models[] = {"F-150", "G-2000", "H-2"};
    Truck truck;
    truck.key = fmt::format("readings,device_version=v{}.{},driver={},fleet={},model={},name=truck_{}",
                            1 + chance.next() % 2, chance.next() % 5, drivers[chance.next() % 6],
                            fleets[chance.next() % 4], models[chance.next() % 3], number);
    truck.latitude = {chance.share() * 180 - 90, -90, 90, 0.005};
    truck.longitude = {chance.share() * 360 - 180, -180, 180, 0.005};
    truck.elevation = {chance.share() * 500, 0, 500, 5};
    truck.velocity = {chance.share() * 100, 0, 100, 10};
    truck.heading = {chance.share() * 360, 0, 360, 5};
    truck.grade = {chance.share() * 100, 0, 100, 5};
    truck.fuel = {25, 0, 50, 1};
    return truck;
}

void add_line(std::string& out, Truck& t, std::int64_t time_s, Chance& chance) {
    t.fuel_state = std::max(0.0, t.fuel_state - chance.share() * 0.0002);
    fmt::format_to(std::back_inserter(out),
                   "{} latitude={:.5f},longitude={:.5f},elevation={:.0f},velocity={:.0f},heading={:.0f},grade={:.0f},"
                   "fuel_consumption={:.1f},fuel_state={:.1f} {}000000000\n",
                   t.key, t.latitude.next(chance), t.longitude.next(chance), t.elevation.next(chance),
                   t.velocity.next(chance), t.heading.next(chance), t.grade.next(chance), t.fuel.next(chance),
                   t.fuel_state, time_s);
}

std::vector<std::string> make_requests(const LinesOptions& options) {
    Chance chance(1);
    std::vector<Truck> trucks;
    for (std::size_t i = 0; i < options.trucks; ++i) trucks.push_back(make_truck(i, chance));
    std::string head = fmt::format("POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\n", options.path);
    for (const std::string& header : options.headers) head += header + "\r\n";

    const std::size_t lines = options.requests * options.lines_per_request;
    const auto rounds = static_cast<std::int64_t>((lines + options.trucks - 1) / options.trucks);
    std::vector<std::string> requests;
    std::string body, late;
    std::size_t late_lines = 0, body_lines = 0;
    for (std::size_t i = 0; i < lines; ++i) {
        const std::int64_t time = options.end_s - (rounds - static_cast<std::int64_t>(i / options.trucks)) * period_s;
        // The last requests take what is still late.
        const bool is_late = chance.share() < options.late_share && late_lines < options.lines_per_request / 2 &&
                             lines - i > options.lines_per_request * 2;
        add_line(is_late ? late : body, trucks[i % options.trucks], time, chance);
        ++(is_late ? late_lines : body_lines);
        if (body_lines + late_lines < options.lines_per_request && i + 1 < lines) continue;
        if (body_lines < options.lines_per_request / 2 && i + 1 < lines) continue;
        requests.push_back(fmt::format("{}Content-Length: {}\r\n\r\n{}", head, body.size(), body));
        body = std::exchange(late, {});
        body_lines = std::exchange(late_lines, 0);
    }
    if (!body.empty()) requests.push_back(fmt::format("{}Content-Length: {}\r\n\r\n{}", head, body.size(), body));
    return requests;
}

/// One connection: sends a request, reads its answer, takes the next.
struct Sender {
    int socket = -1;
    const std::string* request = nullptr;
    std::size_t sent = 0;
    std::int64_t begun_ns = 0;
    std::string answer;
    bool wants_to_write = false;
};

class Crowd {
public:
    Crowd(const LinesOptions& options, const std::vector<std::string>& requests, Run& run)
        : requests_(requests), run_(run), senders_(options.connections) {
        for (std::size_t i = 0; i < senders_.size(); ++i) {
            senders_[i].socket = connect_to(options.port);
            poller_.add(senders_[i].socket, i);
        }
    }

    void send_all() {
        for (std::size_t i = 0; i < senders_.size(); ++i) begin_next(i);
        while (done_ < requests_.size()) poller_.wait([this](std::uint64_t i) { visit(i); });
    }

private:
    void begin_next(std::size_t i) {
        Sender& sender = senders_[i];
        sender.request = next_ < requests_.size() ? &requests_[next_++] : nullptr;
        sender.sent = 0;
        sender.begun_ns = now_ns();
        if (sender.request) push(i);
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

    /// Every server here answers with Content-Length, or 204 without a body.
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
        if (head.find(" 204") != head.find(' ')) {
            ++run_.refused;
            if (run_.refused == 1) fmt::print(stderr, "{}\n", sender.answer);
        }
        run_.latency_ns.push_back(now_ns() - sender.begun_ns);
        sender.answer.clear();
        ++done_;
        begin_next(i);
    }

    const std::vector<std::string>& requests_;
    Run& run_;
    std::vector<Sender> senders_;
    Poller poller_;
    std::size_t next_ = 0;
    std::size_t done_ = 0;
};

}  // namespace

void send_lines(const LinesOptions& options) {
    const std::vector<std::string> requests = make_requests(options);
    Run run;
    run.requests = requests.size();
    run.values = options.requests * options.lines_per_request * fields_per_line;
    for (const std::string& request : requests) run.bytes += request.size();
    Crowd crowd(options, requests, run);
    const double cpu = cpu_seconds();
    const std::int64_t begun = now_ns();
    crowd.send_all();
    run.seconds = static_cast<double>(now_ns() - begun) / 1e9;
    run.cpu_s = cpu_seconds() - cpu;
    report(std::move(run));
}

}  // namespace lineshaft::bench
