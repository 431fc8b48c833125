// Trucks as TSBS's iot set has them: positions and engine values that wander, 5 % of the lines late.
#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "load/crowd.h"
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

}  // namespace

void send_lines(const LinesOptions& options) {
    const std::vector<std::string> requests = make_requests(options);
    Run run;
    run.requests = requests.size();
    run.values = options.requests * options.lines_per_request * fields_per_line;
    for (const std::string& request : requests) run.bytes += request.size();
    HeldRequests held(requests);
    send_requests(options.port, options.connections, held, run);
    report(std::move(run));
}

}  // namespace lineshaft::bench
