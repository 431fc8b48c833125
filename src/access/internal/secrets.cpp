#include "access/internal/secrets.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/assert.h"

namespace lineshaft::access {
namespace {

std::string base64url(ByteView bytes) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text;
    std::uint32_t held = 0;
    int bits = 0;
    for (const std::byte byte : bytes) {
        held = held << 8 | static_cast<std::uint32_t>(byte);
        for (bits += 8; bits >= 6; bits -= 6) text += digits[held >> (bits - 6) & 63];
    }
    if (bits > 0) text += digits[held << (6 - bits) & 63];
    return text;
}

}  // namespace

std::string must_make_secret() {
    Hash bytes;
    const int made = RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    ASSERT(made == 1);
    return base64url(bytes);
}

Hash hash_of(std::string_view secret) {
    Hash hash;
    ::SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(),
             reinterpret_cast<unsigned char*>(hash.data()));
    return hash;
}

bool is_equal_in_constant_time(const Hash& a, const Hash& b) {
    return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string csrf_of(std::string_view secret) { return base64url(hash_of("lineshaft csrf " + std::string(secret))); }

}  // namespace lineshaft::access
