/// Sockets on loopback, time and chance: as little as the load needs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lineshaft::bench {

/// Ends the program.
[[noreturn]] void give_up(std::string_view what);

std::int64_t now_ns();
/// Of this process since it began.
double cpu_seconds();

/// Connected, not blocking, without delay.
int connect_to(std::uint16_t port);
int listen_at(std::uint16_t port);
/// -1 when nobody waits.
int accept_from(int listener);
/// Bytes taken by the kernel; 0 when it has no room.
std::size_t send_some(int socket, std::span<const char> bytes);
/// Bytes read; 0 when there are none. Errors: `closed` is set when the other side has gone.
std::size_t receive_some(int socket, std::span<char> into, bool& closed);

enum class Interest { Read, ReadWrite };

/// Which sockets have something to do; each is known by a number of the caller's.
class Poller {
public:
    Poller();
    ~Poller();
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;

    void add(int socket, std::uint64_t number, Interest interest = Interest::Read);
    void change(int socket, std::uint64_t number, Interest interest);
    /// Waits, if told until when not longer than that, then calls `visit(number)` for each.
    template <class Visit>
    void wait(Visit visit, std::optional<std::int64_t> until_ns = std::nullopt) {
        const std::span<const std::uint64_t> ready = ready_ones(until_ns);
        for (const std::uint64_t number : ready) visit(number);
    }

private:
    std::span<const std::uint64_t> ready_ones(std::optional<std::int64_t> until_ns);

    static constexpr std::size_t events_max = 256;
    int epoll_;
    std::uint64_t numbers_[events_max];
};

/// SplitMix64: the same load for every run and every peer.
class Chance {
public:
    explicit Chance(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
    /// 0 … 1.
    double share() { return static_cast<double>(next() >> 11) * 0x1p-53; }
    /// About normal: the sum of three uniform numbers.
    double around(double width) { return (share() + share() + share() - 1.5) * 2 * width; }

private:
    std::uint64_t state_;
};

}  // namespace lineshaft::bench
