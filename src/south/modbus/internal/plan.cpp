#include "south/modbus/internal/plan.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "base/assert.h"

namespace lineshaft::modbus {
namespace {

using wire::modbus::Function;

std::uint32_t end_of(const Register& reg) { return reg.address + std::uint32_t{words_of(reg.type)}; }

std::uint32_t count_max(Table table) {
    return is_bit_table(table) ? wire::modbus::read_bits_max : wire::modbus::read_registers_max;
}

Function function_of(Table table) {
    switch (table) {
        case Table::Coil: return Function::ReadCoils;
        case Table::Discrete: return Function::ReadDiscreteInputs;
        case Table::Holding: return Function::ReadHoldingRegisters;
        case Table::Input: return Function::ReadInputRegisters;
    }
    std::unreachable();
}

Block block_of(const Block& like, std::span<const std::uint32_t> indices, std::span<const Register> registers) {
    Block block{.table = like.table, .period = like.period, .registers = {indices.begin(), indices.end()}};
    block.address = registers[indices.front()].address;
    std::uint32_t end = 0;
    for (const std::uint32_t index : indices) end = std::max(end, end_of(registers[index]));
    block.count = static_cast<std::uint16_t>(end - block.address);
    return block;
}

}  // namespace

std::vector<Block> make_plan(std::span<const Register> registers, Duration poll, std::uint16_t gap_max) {
    const auto period_of = [&](std::uint32_t index) { return registers[index].poll.value_or(poll); };
    std::vector<std::uint32_t> order(registers.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, {}, [&](std::uint32_t index) {
        return std::tuple(period_of(index), registers[index].table, registers[index].address, index);
    });

    std::vector<Block> plan;
    std::uint32_t end = 0;  // Of the last block.
    for (const std::uint32_t index : order) {
        const Register& reg = registers[index];
        const bool fits = !plan.empty() && plan.back().table == reg.table && plan.back().period == period_of(index) &&
                          reg.address <= end + gap_max &&
                          std::max(end, end_of(reg)) - plan.back().address <= count_max(reg.table);
        if (!fits) {
            plan.push_back({.table = reg.table, .address = reg.address, .period = period_of(index)});
            end = 0;
        }
        Block& block = plan.back();
        block.registers.push_back(index);
        end = std::max(end, end_of(reg));
        block.count = static_cast<std::uint16_t>(end - block.address);
    }
    return plan;
}

std::pair<Block, Block> split(const Block& block, std::span<const Register> registers) {
    ASSERT(block.registers.size() > 1);
    const std::span<const std::uint32_t> indices(block.registers);
    const std::size_t half = indices.size() / 2;
    return {block_of(block, indices.first(half), registers), block_of(block, indices.subspan(half), registers)};
}

wire::modbus::Request request_of(const Block& block, std::uint8_t unit) {
    return {.unit = unit, .function = function_of(block.table), .address = block.address, .count = block.count};
}

std::vector<std::uint16_t> words_in(const Block& block, const Register& reg, const wire::modbus::Response& response) {
    ASSERT(reg.address >= block.address && end_of(reg) <= std::uint32_t{block.address} + block.count);
    const std::size_t first = reg.address - block.address;
    if (is_bit_table(block.table)) return {response.bits[first]};
    const auto begin = response.registers.begin() + static_cast<std::ptrdiff_t>(first);
    return {begin, begin + words_of(reg.type)};
}

}  // namespace lineshaft::modbus
