/// Passwords: Argon2id, and which ones are refused.
///
/// Threads: hash and verify take tens of milliseconds and tens of megabytes: hash pool only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lineshaft::access {

struct Argon2Cost {
    std::uint32_t kib = 19 * 1024;
    std::uint32_t passes = 2;
};

/// Errors: InvalidArgument (too short, too long, on every attacker's list, or the name itself).
Result<void> check_password(std::string_view name, std::string_view password);

/// "$argon2id$v=19$m=…,t=…,p=1$salt$hash". Ends the process if memory for it cannot be had.
std::string must_hash_password(std::string_view password, Argon2Cost cost);
/// In constant time for one cost. False for anything that is not such a text.
bool is_password(std::string_view password, const std::string& encoded);

}  // namespace lineshaft::access
