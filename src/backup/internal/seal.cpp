#include "backup/internal/seal.h"

#include <algorithm>
#include <memory>

#include <argon2.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <zstd.h>

#include "base/assert.h"

namespace lineshaft::backup {
namespace {

constexpr std::uint32_t sealed_magic = 0x50'42'53'4C;  // "LSBP".
constexpr std::uint32_t head_magic = 0x52'42'53'4C;    // "LSBR".
constexpr std::uint8_t sealed_version = 1;
constexpr std::uint16_t head_version = 1;
constexpr std::uint8_t flag_compressed = 1, flag_encrypted = 2;
constexpr std::size_t associated_bytes = 16;  // Up to the nonce.
constexpr int zstd_level = 3;

// What a forged head may ask for.
constexpr std::uint32_t argon2_kib_max = 1024 * 1024, argon2_passes_max = 16;

const unsigned char* raw(const std::byte* bytes) { return reinterpret_cast<const unsigned char*>(bytes); }
unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

struct FreeContext {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
struct FreeDigest {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

Key hmac(const Key& key, ByteView bytes) {
    Key out;
    unsigned int length = 0;
    const auto* made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), raw(bytes.data()), bytes.size(),
                            raw(out.data()), &length);
    ASSERT(made && length == out.size());
    return out;
}

/// Encrypts in place.
bool encrypt(const Key& key, const std::byte* nonce, std::string_view name, ByteView associated,
             std::span<std::byte> text, std::byte* tag) {
    const Context context(EVP_CIPHER_CTX_new());
    int length = 0;
    unsigned char rest[16];
    return context &&
           EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, raw(key.data()), raw(nonce)) == 1 &&
           EVP_EncryptUpdate(context.get(), nullptr, &length, raw(associated.data()),
                             static_cast<int>(associated.size())) == 1 &&
           EVP_EncryptUpdate(context.get(), nullptr, &length, raw(as_bytes(name).data()),
                             static_cast<int>(name.size())) == 1 &&
           EVP_EncryptUpdate(context.get(), raw(text.data()), &length, raw(text.data()),
                             static_cast<int>(text.size())) == 1 &&
           EVP_EncryptFinal_ex(context.get(), rest, &length) == 1 &&
           EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, 16, tag) == 1;
}

/// Decrypts in place; false when anything was changed, or the key is another.
bool decrypt(const Key& key, const std::byte* nonce, std::string_view name, ByteView associated,
             std::span<std::byte> text, const std::byte* tag) {
    const Context context(EVP_CIPHER_CTX_new());
    int length = 0;
    unsigned char rest[16];
    std::array<std::byte, 16> expected;
    std::copy_n(tag, expected.size(), expected.begin());
    return context &&
           EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, raw(key.data()), raw(nonce)) == 1 &&
           EVP_DecryptUpdate(context.get(), nullptr, &length, raw(associated.data()),
                             static_cast<int>(associated.size())) == 1 &&
           EVP_DecryptUpdate(context.get(), nullptr, &length, raw(as_bytes(name).data()),
                             static_cast<int>(name.size())) == 1 &&
           EVP_DecryptUpdate(context.get(), raw(text.data()), &length, raw(text.data()),
                             static_cast<int>(text.size())) == 1 &&
           EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, 16, expected.data()) == 1 &&
           EVP_DecryptFinal_ex(context.get(), rest, &length) == 1;
}

/// Guards against chance, not against people: that takes a passphrase.
std::array<std::byte, 16> checksum_of(std::string_view name, ByteView associated, ByteView payload) {
    const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
    PieceId hash;
    const bool hashed = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1 &&
                        EVP_DigestUpdate(context.get(), associated.data(), associated.size()) == 1 &&
                        EVP_DigestUpdate(context.get(), name.data(), name.size()) == 1 &&
                        EVP_DigestUpdate(context.get(), payload.data(), payload.size()) == 1 &&
                        EVP_DigestFinal_ex(context.get(), raw(hash.data()), nullptr) == 1;
    ASSERT(hashed);
    std::array<std::byte, 16> sum;
    std::copy_n(hash.begin(), sum.size(), sum.begin());
    return sum;
}

/// Appends `plain` compressed; false when that gains nothing.
bool compress(ByteView plain, Bytes& out) {
    const std::size_t before = out.size();
    out.resize(before + ZSTD_compressBound(plain.size()));
    const std::size_t size =
        ZSTD_compress(out.data() + before, out.size() - before, plain.data(), plain.size(), zstd_level);
    const bool gains = !ZSTD_isError(size) && size + size / 32 < plain.size();
    out.resize(gains ? before + size : before);
    return gains;
}

Result<Key> key_of(const std::string& passphrase, const Head& head) {
    Key key;
    const int result = argon2id_hash_raw(head.argon2_passes, head.argon2_kib, 1, passphrase.data(), passphrase.size(),
                                         head.salt.data(), head.salt.size(), key.data(), key.size());
    if (result != ARGON2_OK) return fail(ErrorCode::Internal, std::string("argon2: ") + argon2_error_message(result));
    return key;
}

constexpr std::string_view head_name = "REPOSITORY";

}  // namespace

Sealer::Sealer(const Key& secret)
    : keys_(Keys{hmac(secret, as_bytes("lineshaft backup content 1")),
                 hmac(secret, as_bytes("lineshaft backup id 1"))}) {}

Sealer::~Sealer() {
    if (keys_) OPENSSL_cleanse(&*keys_, sizeof *keys_);
}

PieceId Sealer::id_of(ByteView piece) const { return keys_ ? hmac(keys_->id, piece) : sha256(piece); }

Result<Bytes> Sealer::seal(SealedKind kind, std::string_view name, ByteView plain) const {
    Bytes out(seal_bytes);
    const bool compressed = compress(plain, out);
    if (!compressed) out.insert(out.end(), plain.begin(), plain.end());
    store_le(out.data(), sealed_magic);
    out[4] = static_cast<std::byte>(sealed_version);
    out[5] = static_cast<std::byte>((compressed ? flag_compressed : 0) | (keys_ ? flag_encrypted : 0));
    out[6] = static_cast<std::byte>(kind);
    store_le(out.data() + 8, static_cast<std::uint64_t>(plain.size()));
    const ByteView associated = ByteView(out).first(associated_bytes);
    std::byte* nonce = out.data() + associated_bytes;
    std::byte* tag = nonce + 12;
    const std::span payload = std::span(out).subspan(seal_bytes);
    if (keys_) {
        must_fill_random({nonce, 12});
        if (!encrypt(keys_->content, nonce, name, associated, payload, tag))
            return fail(ErrorCode::Internal, "AES-256-GCM refused to encrypt");
    } else {
        std::ranges::copy(checksum_of(name, associated, payload), tag);
    }
    return out;
}

Result<Bytes> Sealer::open(SealedKind kind, std::string_view name, ByteView sealed,
                           std::size_t plain_bytes_max) const {
    if (sealed.size() < seal_bytes) return fail(ErrorCode::Corrupt, "ends within its header");
    if (load_le<std::uint32_t>(sealed.data()) != sealed_magic) return fail(ErrorCode::Corrupt, "is not one of ours");
    if (static_cast<std::uint8_t>(sealed[4]) > sealed_version) return fail(ErrorCode::VersionUnknown);
    const auto flags = static_cast<std::uint8_t>(sealed[5]);
    const auto plain_bytes = load_le<std::uint64_t>(sealed.data() + 8);
    if (((flags & flag_encrypted) != 0) != keys_.has_value() ||
        static_cast<std::uint8_t>(sealed[6]) != static_cast<std::uint8_t>(kind) || plain_bytes > plain_bytes_max)
        return fail(ErrorCode::Corrupt, "has a header that does not belong here");
    const ByteView associated = sealed.first(associated_bytes);
    const std::byte* nonce = sealed.data() + associated_bytes;
    const std::byte* tag = nonce + 12;
    Bytes payload(sealed.begin() + seal_bytes, sealed.end());
    if (keys_) {
        if (!decrypt(keys_->content, nonce, name, associated, payload, tag))
            return fail(ErrorCode::Corrupt, "fails its authentication tag");
    } else {
        constexpr std::array<std::byte, 12> zero{};
        if (!std::ranges::equal(zero, std::span(nonce, 12)) ||
            !std::ranges::equal(checksum_of(name, associated, payload), std::span(tag, 16)))
            return fail(ErrorCode::Corrupt, "fails its checksum");
    }
    if ((flags & flag_compressed) == 0) {
        if (payload.size() != plain_bytes) return fail(ErrorCode::Corrupt, "has another size than its header says");
        return payload;
    }
    Bytes plain(plain_bytes);
    const std::size_t size = ZSTD_decompress(plain.data(), plain.size(), payload.data(), payload.size());
    if (ZSTD_isError(size) || size != plain.size()) return fail(ErrorCode::Corrupt, "cannot be decompressed");
    return plain;
}

Result<Head> make_head(const std::optional<std::string>& passphrase, PassphraseCost cost) {
    Head head;
    must_fill_random(head.id);
    if (!passphrase) return head;
    if (passphrase->empty()) return fail(ErrorCode::BackupPassphrase, "the passphrase is empty");
    head.is_encrypted = true;
    head.argon2_kib = cost.kib;
    head.argon2_passes = cost.passes;
    must_fill_random(head.salt);
    must_fill_random(head.nonce);
    must_fill_random(head.locked);  // The secret; locked in place.
    Key key = TRY(key_of(*passphrase, head));
    const bool locked = encrypt(key, head.nonce.data(), head_name, head.id, head.locked, head.tag.data());
    OPENSSL_cleanse(key.data(), key.size());
    if (!locked) return fail(ErrorCode::Internal, "AES-256-GCM refused to encrypt");
    return head;
}

Bytes encode_head(const Head& head) {
    Bytes out;
    ByteWriter file(out);
    file.le(head_magic);
    file.le(head_version);
    file.u8(head.is_encrypted ? 1 : 0);
    file.u8(0);
    file.bytes(head.id);
    file.le(head.argon2_kib);
    file.le(head.argon2_passes);
    file.bytes(head.salt);
    file.bytes(head.nonce);
    file.bytes(head.tag);
    file.bytes(head.locked);
    file.le(crc32c(out));
    ASSERT(out.size() == head_bytes);
    return out;
}

Result<Head> decode_head(ByteView bytes) {
    if (bytes.size() != head_bytes)
        return fail(ErrorCode::Corrupt, "REPOSITORY has another size than it should have");
    ByteReader in(bytes);
    if (in.le<std::uint32_t>() != head_magic ||
        load_le<std::uint32_t>(bytes.data() + head_bytes - 4) != crc32c(bytes.first(head_bytes - 4)))
        return fail(ErrorCode::Corrupt, "REPOSITORY fails its checksum");
    if (in.le<std::uint16_t>() > head_version) return fail(ErrorCode::VersionUnknown, "REPOSITORY");
    Head head;
    head.is_encrypted = in.u8() == 1;
    in.u8();
    const auto take = [&in](auto& array) { std::ranges::copy(in.bytes(array.size()), array.begin()); };
    take(head.id);
    head.argon2_kib = in.le<std::uint32_t>();
    head.argon2_passes = in.le<std::uint32_t>();
    take(head.salt);
    take(head.nonce);
    take(head.tag);
    take(head.locked);
    if (head.is_encrypted && (head.argon2_kib < 8 || head.argon2_kib > argon2_kib_max || head.argon2_passes < 1 ||
                              head.argon2_passes > argon2_passes_max))
        return fail(ErrorCode::Corrupt, "REPOSITORY asks for more memory than a passphrase can need");
    return head;
}

Result<Sealer> unlock(const Head& head, const std::optional<std::string>& passphrase) {
    if (!head.is_encrypted) {
        if (passphrase)
            return fail(ErrorCode::BackupPassphrase, "a passphrase is given, but this backup is not encrypted");
        return Sealer();
    }
    if (!passphrase) return fail(ErrorCode::BackupPassphrase, "it is encrypted, and no passphrase is given");
    Key key = TRY(key_of(*passphrase, head));
    Key secret = head.locked;
    const bool right = decrypt(key, head.nonce.data(), head_name, head.id, secret, head.tag.data());
    OPENSSL_cleanse(key.data(), key.size());
    if (!right) return fail(ErrorCode::BackupPassphrase, "it was made with another one");
    Sealer sealer(secret);
    OPENSSL_cleanse(secret.data(), secret.size());
    return sealer;
}

void must_fill_random(std::span<std::byte> bytes) {
    const int result = RAND_bytes(raw(bytes.data()), static_cast<int>(bytes.size()));
    ASSERT(result == 1);
}

PieceId sha256(ByteView bytes) {
    PieceId hash;
    ::SHA256(raw(bytes.data()), bytes.size(), raw(hash.data()));
    return hash;
}

std::string to_hex(ByteView bytes) {
    constexpr const char* digits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::byte byte : bytes) {
        text += digits[static_cast<unsigned>(byte) >> 4];
        text += digits[static_cast<unsigned>(byte) & 15];
    }
    return text;
}

Result<PieceId> piece_id_from(std::string_view hex) {
    PieceId id;
    if (hex.size() != id.size() * 2) return fail(ErrorCode::Malformed, "64 hex digits are expected");
    for (std::size_t i = 0; i < hex.size(); ++i) {
        const char c = hex[i];
        const bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && !(c >= 'a' && c <= 'f')) return fail(ErrorCode::Malformed, "64 hex digits are expected");
        const auto nibble = static_cast<std::byte>(is_digit ? c - '0' : c - 'a' + 10);
        id[i / 2] = i % 2 == 0 ? nibble << 4 : id[i / 2] | nibble;
    }
    return id;
}

}  // namespace lineshaft::backup
