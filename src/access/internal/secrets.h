/// Random secrets and their hashes.
///
/// Threads: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace lineshaft::access {

using Hash = std::array<std::byte, 32>;

/// Hashes are evenly spread already.
struct HashOfHash {
    std::size_t operator()(const Hash& hash) const noexcept { return load_le<std::size_t>(hash.data()); }
};

/// 256 random bits in base64url: 43 characters. Ends the process if the system has no randomness to give.
std::string must_make_secret();
Hash hash_of(std::string_view secret);
bool is_equal_in_constant_time(const Hash& a, const Hash& b);

/// What a page must repeat to show that it may read the cookie's session: derived, so it need not be stored.
std::string csrf_of(std::string_view secret);

}  // namespace lineshaft::access
