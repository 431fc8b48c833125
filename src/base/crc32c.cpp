#include <array>

#include <nmmintrin.h>

#include "base/bytes.h"

namespace lineshaft {

std::uint32_t crc32c(ByteView bytes, std::uint32_t start) {
    std::uint64_t crc = ~start;
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; left -= 8, at += 8) crc = _mm_crc32_u64(crc, load_le<std::uint64_t>(at));
    auto crc32 = static_cast<std::uint32_t>(crc);
    for (; left > 0; --left, ++at) crc32 = _mm_crc32_u8(crc32, static_cast<std::uint8_t>(*at));
    return ~crc32;
}

}  // namespace lineshaft
