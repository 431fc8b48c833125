/// Fuzz: what a backup repository's files hold, past the checksums and tags that would keep it out.
///
/// Strategy: any bytes as a snapshot, as a sealed file without a key, and as the head; what decodes is encoded again
///           and must decode to the same.
///
/// Invariants: nothing is read outside the input; memory taken is within a small multiple of the input; no path of a
///             decoded snapshot leaves its directory; every file has exactly the pieces that its size asks for.
#include "backup/internal/seal.h"
#include "backup/internal/snapshot_codec.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace lineshaft;
    using namespace lineshaft::backup;
    const ByteView input = std::as_bytes(std::span(data, size));
    (void)Sealer().open(SealedKind::Piece, "name", input, std::size_t{1} << 20);
    if (const auto head = decode_head(input)) ASSERT(encode_head(*head).size() == head_bytes);
    const auto snapshot = decode_snapshot(input);
    if (!snapshot) return 0;
    for (const FileEntry& file : snapshot->files) {
        ASSERT(is_safe_path(file.path));
        ASSERT(file.pieces.size() == pieces_of(file.bytes));
    }
    const auto again = decode_snapshot(encode_snapshot(*snapshot));
    ASSERT(again && again->files == snapshot->files && again->info.time == snapshot->info.time);
    ASSERT(again->info.bytes == snapshot->info.bytes && again->info.version == snapshot->info.version);
    return 0;
}
