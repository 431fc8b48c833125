/// Sizes and marks of a segment's frame, for its writer and its reader. See segment.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lineshaft::store::segment_layout {

inline constexpr std::uint32_t magic = 0x47'53'53'4C;  // "LSSG".
inline constexpr std::uint16_t version = 2;
inline constexpr std::size_t header_bytes = 4 + 2 + 2 + 8 + 4;
inline constexpr std::size_t entry_bytes = 8 + 8 + 4 + 4;
inline constexpr std::size_t trailer_bytes = 8 + 8 + 8 + 8 + 8 + 4 + 2 + 2 + 4 + 4;
static_assert(header_bytes == 20 && entry_bytes == 24 && trailer_bytes == 56);

}  // namespace lineshaft::store::segment_layout
