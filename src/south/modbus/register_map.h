/// What a Modbus device is like: where it is, how often it is asked, and what its registers mean.
///
/// Flow:    settings as JSON (kept with the device in the registry) or a register map as CSV become values; and back.
/// Errors:  InvalidArgument names the key; CSV errors name the line.
/// Limits:  registers_max; ceilings in the comments of each field.
/// Formats: docs/formats/modbus-device.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/value.h"
#include "runtime/stream.h"

namespace lineshaft::modbus {

inline constexpr std::size_t registers_max = 10'000;

enum class Table : std::uint8_t { Holding, Input, Coil, Discrete };
enum class RegisterType : std::uint8_t { Bool, Int16, UInt16, Int32, UInt32, Int64, Float32, Float64 };
enum class Order : std::uint8_t { Big, Little };

/// "holding", "int16", "big".
std::string_view to_text(Table table);
std::string_view to_text(RegisterType type);
std::string_view to_text(Order order);

/// One value of the device.
struct Register {
    std::string name;  // Unique in the device; becomes the tag's address. "motor/current".
    Table table = Table::Holding;
    std::uint16_t address = 0;  // As in the frame, from 0 (register 40001 is holding 0).
    RegisterType type = RegisterType::UInt16;
    Order word_order = Order::Big;  // Big: the first register holds the upper half.
    Order byte_order = Order::Big;  // Big: as Modbus has it. Little: the two bytes of each register are swapped.
    double scale = 1;               // value = raw * scale + offset; not 0.
    double offset = 0;
    std::string unit;              // UCUM.
    bool writable = false;         // Holding registers and coils only.
    std::optional<Duration> poll;  // Instead of the device's; 50 ms … 1 day.
    friend bool operator==(const Register&, const Register&) = default;
};

/// How many registers (or bits) it takes.
std::uint16_t words_of(RegisterType type);
bool is_bit_table(Table table);
/// Bool for bools, Int for integers without scaling, else Double.
ValueType value_type_of(const Register& reg);

struct DeviceSettings {
    Endpoint address{.host = "", .port = 502};
    std::uint8_t unit = 1;
    Duration poll = 1s;                   // 50 ms … 1 day.
    Duration timeout = 1s;                // 10 ms … 60 s.
    double requests_per_second_max = 20;  // 0.01 … 10,000. Reads and writes together.
    std::uint16_t gap_max = 8;            // Registers in between that are read along to save a request; 0 … 100.
    std::vector<Register> registers;
    friend bool operator==(const DeviceSettings&, const DeviceSettings&) = default;
};

/// Errors: InvalidArgument ("registers[3].type: 'int8' is not one of bool, int16, …").
Result<DeviceSettings> parse_settings(std::string_view json);
std::string to_json(const DeviceSettings& settings);

/// The list of registers alone, as the live preview sends it: a JSON array, or one object.
Result<std::vector<Register>> parse_registers(std::string_view json);

struct CsvError {
    std::size_t line = 0;  // From 1; the header is line 1.
    std::string message;
};

struct CsvRegisters {
    std::vector<Register> registers;  // Of the good lines.
    std::vector<CsvError> errors;     // Empty: everything is good.
};

/// Header: name,table,address,type[,word_order,byte_order,scale,offset,unit,writable,poll_ms] in any order;
/// comma, semicolon or tab. Never fails: what is wrong is in `errors`.
CsvRegisters parse_register_csv(std::string_view text);
std::string to_csv(std::span<const Register> registers);

}  // namespace lineshaft::modbus
