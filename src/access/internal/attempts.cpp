#include "access/internal/attempts.h"

#include <algorithm>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

namespace lineshaft::access {
namespace {

constexpr int free_failures = 2;
constexpr int failures_max = 10;
constexpr Duration longest = Attempts::forget_after;

Duration delay_after(int failures) {
    if (failures <= free_failures) return Duration::zero();
    if (failures >= failures_max) return longest;
    return std::min<Duration>(1s * (1 << (failures - free_failures - 1)), longest);
}

std::string account_key(const std::string& account) { return "account\n" + account; }
std::string address_key(const std::string& address) { return "address\n" + address; }

}  // namespace

std::string Attempts::pair_key(const std::string& account, const std::string& address) {
    return "pair\n" + account + '\n' + address;
}

Result<void> Attempts::begin(const std::string& account, const std::string& address, Instant now) {
    const std::string pair = pair_key(account, address);
    const bool is_trusted = trusted_.contains(pair);
    const Duration left =
        is_trusted ? wait(pair, now) : std::max(wait(account_key(account), now), wait(address_key(address), now));
    if (left > Duration::zero()) {
        const auto seconds = (left + 999ms) / 1s;
        return fail(ErrorCode::TooManyAttempts, fmt::format("try again in {} s", seconds));
    }
    if (is_trusted) {
        fail_once(pair, now);
    } else {
        fail_once(account_key(account), now);
        fail_once(address_key(address), now);
    }
    return {};
}

void Attempts::succeed(const std::string& account, const std::string& address) {
    const std::string pair = pair_key(account, address);
    if (!trusted_.contains(pair)) {
        counts_.erase(account_key(account));
        // Not erased: an attacker with an account of his own could otherwise go on for ever.
        const auto count = counts_.find(address_key(address));
        if (count != counts_.end() && --count->second.failures <= 0) counts_.erase(count);
    }
    counts_.erase(pair);
    trust(account, address);
}

void Attempts::trust(const std::string& account, const std::string& address) {
    if (trusted_.size() < keys_max) trusted_.insert(pair_key(account, address));
}

Duration Attempts::wait(const std::string& key, Instant now) {
    const auto found = counts_.find(key);
    if (found == counts_.end()) return Duration::zero();
    const Duration since = now - found->second.last;
    if (since >= forget_after) {
        counts_.erase(found);
        return Duration::zero();
    }
    return delay_after(found->second.failures) - since;
}

void Attempts::fail_once(const std::string& key, Instant now) {
    if (counts_.size() >= keys_max) forget_old(now);
    Count& count = counts_[key];
    ++count.failures;
    count.last = now;
}

void Attempts::forget_old(Instant now) {
    // An attack from very many addresses: in steps, so that it cannot make every attempt cost a walk over all.
    for (const Duration age : {forget_after, Duration(1min), Duration(10s), Duration::zero()}) {
        std::erase_if(counts_, [now, age](const auto& entry) { return now - entry.second.last >= age; });
        if (counts_.size() < keys_max * 9 / 10) return;
    }
}

std::string source_of(const std::string& address) {
    in6_addr parsed{};
    if (::inet_pton(AF_INET6, address.c_str(), &parsed) != 1 || IN6_IS_ADDR_V4MAPPED(&parsed)) return address;
    std::string source;
    for (int i = 0; i < 8; ++i) source += fmt::format("{:02x}", parsed.s6_addr[i]);
    return source + "/64";
}

}  // namespace lineshaft::access
