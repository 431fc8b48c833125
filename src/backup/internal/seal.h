/// How a piece or a snapshot lies in its file: compressed when that helps, encrypted when there is a key.
///
/// sealed := magic:u32 "LSBP" version:u8 flags:u8 kind:u8 zero:u8 plain_bytes:u64 nonce:u8[12] tag:u8[16] payload
///           44 bytes before the payload, little-endian
/// flags  := 1 compressed (zstd) | 2 encrypted (AES-256-GCM)
/// kind   := 1 piece | 2 snapshot
///
/// Encrypted: the tag is that of GCM over the payload, with the bytes before the nonce and the name as associated data,
/// so a file can neither be changed nor be put in another's place. Not encrypted: the tag is the beginning of SHA-256
/// over the same, the nonce is zero.
///
/// Threads: any; a Sealer is immutable.
/// Errors:  Corrupt, VersionUnknown, BackupPassphrase, Internal (the library refused).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backup/repository.h"
#include "base/bytes.h"
#include "base/result.h"

namespace lineshaft::backup {

using Key = std::array<std::byte, 32>;

enum class SealedKind : std::uint8_t { Piece = 1, Snapshot = 2 };  // On disk. Append only.
inline constexpr std::size_t seal_bytes = 4 + 1 + 1 + 1 + 1 + 8 + 12 + 16;
static_assert(seal_bytes == 44);

/// The two keys that follow from a repository's secret; none: the repository is not encrypted.
class Sealer {
public:
    Sealer() = default;  // Not encrypted.
    explicit Sealer(const Key& secret);
    ~Sealer();
    Sealer(Sealer&&) noexcept = default;
    Sealer& operator=(Sealer&&) noexcept = default;

    bool is_encrypted() const { return keys_.has_value(); }
    PieceId id_of(ByteView piece) const;
    /// `name` binds the result to its place.
    Result<Bytes> seal(SealedKind kind, std::string_view name, ByteView plain) const;
    /// `plain_bytes_max` bounds what a forged header can make us allocate.
    Result<Bytes> open(SealedKind kind, std::string_view name, ByteView sealed, std::size_t plain_bytes_max) const;

private:
    struct Keys {
        Key content, id;
    };
    std::optional<Keys> keys_;
};

/// The head of a repository: how its secret is locked.
///
/// head := magic:u32 "LSBR" version:u16 protection:u8 zero:u8 id:u8[16] argon2_kib:u32 argon2_passes:u32 salt:u8[16]
///         nonce:u8[12] tag:u8[16] locked:u8[32] crc32c:u32                       112 bytes, little-endian
///         protection 0: none, what follows the id is zero; 1: the secret, locked by argon2id of the passphrase
struct Head {
    std::array<std::byte, 16> id{};
    bool is_encrypted = false;
    std::uint32_t argon2_kib = 0, argon2_passes = 0;
    std::array<std::byte, 16> salt{};
    std::array<std::byte, 12> nonce{};
    std::array<std::byte, 16> tag{};
    Key locked{};
};
inline constexpr std::size_t head_bytes = 4 + 2 + 1 + 1 + 16 + 4 + 4 + 16 + 12 + 16 + 32 + 4;
static_assert(head_bytes == 112);

/// Makes a secret and locks it. Errors: Internal.
Result<Head> make_head(const std::optional<std::string>& passphrase, PassphraseCost cost);
Bytes encode_head(const Head& head);
/// Errors: Corrupt, VersionUnknown.
Result<Head> decode_head(ByteView bytes);
/// Errors: BackupPassphrase.
Result<Sealer> unlock(const Head& head, const std::optional<std::string>& passphrase);

/// Random bytes for names. Ends the process if the system has none.
void must_fill_random(std::span<std::byte> bytes);
PieceId sha256(ByteView bytes);
std::string to_hex(ByteView bytes);
/// Errors: Malformed.
Result<PieceId> piece_id_from(std::string_view hex);

}  // namespace lineshaft::backup
