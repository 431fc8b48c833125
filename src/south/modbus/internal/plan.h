/// Which requests fetch which registers: as few as the protocol allows. Pure.
///
/// Registers of one table and one poll period that lie close together are read in one request:
///
///     wanted   [a][b]    [c]          [d][d]          gap_max = 3
///     asked    └── one request ──┘    └ another ┘     two registers in the gap are read along and dropped
///
/// A device may refuse the whole request because of one address it does not have. Then the block is cut in halves,
/// again and again, until the bad register stands alone and the good ones flow.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "south/modbus/register_map.h"
#include "wire/modbus/modbus.h"

namespace lineshaft::modbus {

struct Block {
    Table table = Table::Holding;
    std::uint16_t address = 0;
    std::uint16_t count = 0;
    Duration period{0};
    std::vector<std::uint32_t> registers;  // Indices, by rising address.
    friend bool operator==(const Block&, const Block&) = default;
};

/// Blocks by rising period, table and address; every register is in exactly one.
std::vector<Block> make_plan(std::span<const Register> registers, Duration poll, std::uint16_t gap_max);

/// Both halves of a block with more than one register.
std::pair<Block, Block> split(const Block& block, std::span<const Register> registers);

/// The request that fetches a block; its transaction is set by the connection.
wire::modbus::Request request_of(const Block& block, std::uint8_t unit);

/// The words of register `reg` in the answer to its block.
std::vector<std::uint16_t> words_in(const Block& block, const Register& reg, const wire::modbus::Response& response);

}  // namespace lineshaft::modbus
