/// Small symbols in fewer bits than a power of two would take: a tabled asymmetric numeral system (tANS; Duda 2013).
///
/// entropy := symbols:u8 levels:u8[(symbols+1)/2] bytes:varint stream
///   levels: a nibble for each symbol, the first in the low half; 0 never occurs, else it occurs about
///           2^(-3/4 (level-1)) times as often as the most frequent one. freq_i = max(1, weight_i * 512 / sum,
///           rounded), weight = round(2^20 * 2^(-3/4 (level-1))); what lacks to 512 goes to the most frequent (of
///           equals the first), what is too much is taken from it one by one.
///   stream: least significant bit first: four states of 9 bits, then for each symbol the bits that renew its state;
///           symbol i belongs to state i mod 4. The slots of the 512-entry table go to the symbols in rising order,
///           freq_i each, every 323rd slot. All four states end in 0.
///
/// Why four: each state's next look-up waits for its last; four chains keep the processor busy.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace lineshaft::store {

inline constexpr unsigned entropy_symbol_bits = 6;
inline constexpr std::size_t entropy_symbols_max = std::size_t{1} << entropy_symbol_bits;

using SymbolCounts = std::array<std::uint32_t, entropy_symbols_max>;

/// How often each symbol occurs, as coarsely as it is written down.
struct EntropyModel {
    std::size_t symbols = 0;  // One more than the highest that occurs.
    std::array<std::uint8_t, entropy_symbols_max> levels{};
    std::array<std::uint16_t, entropy_symbols_max> frequencies{};
    std::size_t bytes = 0;  // What the symbols counted would take, model included.
};

/// At least one count is not zero.
EntropyModel model_of(const SymbolCounts& counts);

void encode_symbols(std::span<const std::uint8_t> symbols, const EntropyModel& model, ByteWriter& out);

/// Fills `symbols` whole; on bytes that are no such stream the reader fails.
void decode_symbols(ByteReader& in, std::span<std::uint8_t> symbols);

}  // namespace lineshaft::store
