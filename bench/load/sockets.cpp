#include "load/sockets.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lineshaft::bench {
namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void make_quick(int socket) {
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
}

std::uint32_t events_of(Interest interest) {
    return interest == Interest::Read ? EPOLLIN : static_cast<std::uint32_t>(EPOLLIN) | EPOLLOUT;
}

}  // namespace

void give_up(std::string_view what) {
    std::fprintf(stderr, "lineshaft_bench: %.*s (%s)\n", static_cast<int>(what.size()), what.data(),
                 std::strerror(errno));
    std::exit(1);
}

std::int64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

double cpu_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int connect_to(std::uint16_t port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        give_up("cannot connect");
    make_quick(socket);
    return socket;
}

int listen_at(std::uint16_t port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = loopback(port);
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) give_up("cannot bind");
    if (::listen(socket, 4096) != 0) give_up("cannot listen");
    return socket;
}

int accept_from(int listener) {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket >= 0) make_quick(socket);
    return socket;
}

std::size_t send_some(int socket, std::span<const char> bytes) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno != EAGAIN) give_up("cannot send: the other side has closed");
    return 0;
}

std::size_t receive_some(int socket, std::span<char> into, bool& closed) {
    const ssize_t got = ::recv(socket, into.data(), into.size(), 0);
    closed = got == 0 || (got < 0 && errno != EAGAIN);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
}

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
Poller::~Poller() { ::close(epoll_); }

void Poller::add(int socket, std::uint64_t number, Interest interest) {
    epoll_event event{.events = events_of(interest), .data = {.u64 = number}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) != 0) give_up("cannot watch a socket");
}

void Poller::change(int socket, std::uint64_t number, Interest interest) {
    epoll_event event{.events = events_of(interest), .data = {.u64 = number}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, socket, &event) != 0) give_up("cannot watch a socket");
}

std::span<const std::uint64_t> Poller::ready_ones(std::optional<std::int64_t> until_ns) {
    constexpr std::int64_t patience_ns = 10'000'000'000;
    const std::int64_t left_ns = until_ns ? std::max<std::int64_t>(*until_ns - now_ns(), 0) : patience_ns;
    const timespec left{.tv_sec = left_ns / 1'000'000'000, .tv_nsec = left_ns % 1'000'000'000};
    epoll_event events[events_max];
    const int count = ::epoll_pwait2(epoll_, events, events_max, &left, nullptr);
    if (count == 0 && !until_ns) give_up("nothing happened for ten seconds");
    for (int i = 0; i < count; ++i) numbers_[i] = events[i].data.u64;
    return {numbers_, count > 0 ? static_cast<std::size_t>(count) : 0};
}

}  // namespace lineshaft::bench
