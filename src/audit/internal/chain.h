/// Bytes of the audit log: segments, records, hashes. No I/O.
///
/// Formats: docs/formats/audit.md.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "audit/log.h"
#include "base/bytes.h"

namespace lineshaft::audit {

using Hash = std::array<std::byte, 32>;

Hash sha256(ByteView bytes);
std::string to_hex(const Hash& hash);
/// Errors: Malformed.
Result<Hash> hash_from_hex(std::string_view hex);

/// A place in the chain: after entry `number`, whose hash is `hash`.
struct Link {
    std::uint64_t number = 0;
    Hash hash{};
    friend bool operator==(const Link&, const Link&) = default;
};

inline constexpr std::size_t header_bytes = 4 + 2 + 2 + 8 + 32 + 4;
static_assert(header_bytes == 52);
inline constexpr std::size_t record_head_bytes = 4 + 4;

/// The header of a segment that goes on after `after`.
Bytes encode_header(const Link& after);
/// Errors: Corrupt, VersionUnknown.
Result<Link> decode_header(ByteView segment);

/// Appends the record that follows `after` to `out`; returns the new end of the chain. The entry's time is set.
Link encode_record(const Link& after, const Entry& entry, Bytes& out);

/// One record as it lies in a segment.
struct Record {
    Kept kept;
    Hash previous;
    Hash hash;
    std::size_t bytes = 0;  // In the file, all included.
};
/// The record at the start of `bytes`. Errors: Corrupt (also when it does not fit).
Result<Record> decode_record(ByteView bytes);
/// How long the record at the start of `bytes` claims to be; 0 when not even that fits.
std::size_t record_bytes(ByteView bytes);

/// What a walk along one segment found.
struct Walk {
    Link end;                    // After the last good record.
    std::size_t good_bytes = 0;  // Header and good records.
    std::string wrong;           // Why it stopped before the end of the bytes; empty when it did not.
};
/// Follows the chain through a segment from its header on, calling `visit` (may be empty) with every good record.
/// Errors: as decode_header.
Result<Walk> walk_segment(ByteView segment, const std::function<void(const Record&)>& visit);

std::string encode_head(const Link& end);
/// Errors: Corrupt.
Result<Link> decode_head(std::string_view text);

}  // namespace lineshaft::audit
