#include "access/internal/password.h"

#include <algorithm>
#include <array>

#include <argon2.h>
#include <fmt/format.h>
#include <openssl/rand.h>

#include "access/access.h"
#include "base/assert.h"
#include "base/utf8.h"

namespace lineshaft::access {
namespace {

// The first guesses of every list that are long enough to pass the length check.
constexpr std::string_view too_common[] = {
    "password",   "password1",  "password12", "password123", "passw0rd", "p@ssw0rd",   "12345678",  "123456789",
    "1234567890", "87654321",   "11111111",   "00000000",    "qwertyui", "qwertyuiop", "qwerty123", "1q2w3e4r",
    "1qaz2wsx",   "abcd1234",   "abc12345",   "iloveyou",    "sunshine", "football",   "baseball",  "princess",
    "trustno1",   "superman",   "welcome1",   "welcome123",  "letmein1", "admin123",   "admin1234", "administrator",
    "changeme",   "changeit",   "default1",   "operator",    "engineer", "siemens1",   "schneider", "lineshaft",
    "lineshaft1", "industry40", "asdfghjk",   "zaq12wsx",    "aaaaaaaa", "test1234",   "guest123",  "root1234"};

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return result;
}

}  // namespace

Result<void> check_password(std::string_view name, std::string_view password) {
    if (password.size() < password_bytes_min) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("a password needs at least {} characters: a few words are best", password_bytes_min));
    }
    if (password.size() > password_bytes_max) {
        return fail(ErrorCode::InvalidArgument, fmt::format("a password has at most {} bytes", password_bytes_max));
    }
    if (!is_utf8(password)) return fail(ErrorCode::InvalidArgument, "a password must be text in UTF-8");
    const std::string plain = lower(password);
    if (std::find(std::begin(too_common), std::end(too_common), plain) != std::end(too_common)) {
        return fail(ErrorCode::InvalidArgument,
                    "this password is among the first that anybody tries: choose another");
    }
    if (!name.empty() && plain == lower(name)) {
        return fail(ErrorCode::InvalidArgument, "the password must not be the name");
    }
    return {};
}

std::string must_hash_password(std::string_view password, Argon2Cost cost) {
    std::array<unsigned char, 16> salt;
    const int made = RAND_bytes(salt.data(), static_cast<int>(salt.size()));
    ASSERT(made == 1);
    constexpr std::size_t hash_bytes = 32;
    std::string encoded(argon2_encodedlen(cost.passes, cost.kib, 1, salt.size(), hash_bytes, Argon2_id), '\0');
    const int result = argon2id_hash_encoded(cost.passes, cost.kib, 1, password.data(), password.size(), salt.data(),
                                             salt.size(), hash_bytes, encoded.data(), encoded.size());
    ASSERT(result == ARGON2_OK);
    encoded.resize(encoded.find('\0'));
    return encoded;
}

bool is_password(std::string_view password, const std::string& encoded) {
    return argon2id_verify(encoded.c_str(), password.data(), password.size()) == ARGON2_OK;
}

}  // namespace lineshaft::access
