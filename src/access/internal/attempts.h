/// How often somebody may try to sign in. Pure: it reads no clock.
///
/// Whoever guesses is slowed down, whoever owns the account must not be locked out by that. So three counts are kept:
/// for an account, for an address, and for the pair of both. Where the pair has signed in before, only its own count
/// matters: an attacker elsewhere cannot fill it. Everywhere else the account's and the address's count matter.
///
///     failures   1  2  3   4   5   6   7    8    9    10 and more
///     then wait  0  0  1s  2s  4s  8s  16s  32s  64s  15 min
///
/// An attempt counts as failed from its beginning, so that many at once are no way around.
///
/// Threads: one.
/// Limits:  keys_max; beyond it the oldest are forgotten, which an attacker needs as many addresses for.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "base/time.h"

namespace lineshaft::access {

class Attempts {
public:
    static constexpr std::size_t keys_max = 100'000;
    static constexpr Duration forget_after = 15min;

    /// Errors: TooManyAttempts (says how long to wait); then it does not count as an attempt.
    Result<void> begin(const std::string& account, const std::string& address, Instant now);
    /// The attempt begun was good.
    void succeed(const std::string& account, const std::string& address);
    /// `address` has signed in to `account` before.
    void trust(const std::string& account, const std::string& address);

private:
    struct Count {
        int failures = 0;
        Instant last;
    };
    static std::string pair_key(const std::string& account, const std::string& address);
    Duration wait(const std::string& key, Instant now);
    void fail_once(const std::string& key, Instant now);
    void forget_old(Instant now);

    std::unordered_map<std::string, Count> counts_;
    std::set<std::string> trusted_;
};

/// What counts as one address: for IPv6 the network that one customer gets, 64 bits.
std::string source_of(const std::string& address);

}  // namespace lineshaft::access
