#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_map>

#include <fmt/format.h>

#include "south/modbus/internal/register_rules.h"
#include "south/modbus/register_map.h"
#include "wire/table/table.h"

namespace lineshaft::modbus {
namespace {

namespace table = wire::table;

constexpr std::array<std::string_view, 11> columns{
    "name", "table", "address", "type", "word_order", "byte_order", "scale", "offset", "unit", "writable", "poll_ms"};

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return result;
}

std::unexpected<Error> wrong(std::string_view column, std::string_view what) {
    return fail(ErrorCode::InvalidArgument, fmt::format("{}: {}", column, what));
}

template <class T>
Result<T> choice(std::string_view column, std::string_view text, std::optional<T> (*from)(std::string_view),
                 std::string_view choices) {
    if (const auto found = from(lower(text))) return *found;
    return wrong(column, fmt::format("'{}' is not one of {}", text, choices));
}

Result<std::uint16_t> address_of(std::string_view text) {
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    const std::string_view digits = hex ? text.substr(2) : text;
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
    if (error != std::errc() || end != digits.data() + digits.size() || value > 65535) {
        return wrong("address", fmt::format("'{}' is not 0 to 65535 (counted from 0, as in the frame)", text));
    }
    return static_cast<std::uint16_t>(value);
}

Result<double> number(std::string_view column, const table::Cell& cell) {
    if (cell.kind == table::ColumnKind::Int || cell.kind == table::ColumnKind::Double) return cell.number;
    return wrong(column, fmt::format("'{}' is not a number", cell.text));
}

Result<bool> flag(std::string_view text) {
    const std::string value = lower(text);
    if (value == "true" || value == "yes" || value == "1" || value == "x") return true;
    if (value == "false" || value == "no" || value == "0") return false;
    return wrong("writable", fmt::format("'{}' is not true or false", text));
}

Result<void> set_column(Register& reg, std::string_view column, const table::Cell& cell) {
    const std::string_view text = cell.text;
    if (column == "name") {
        reg.name = text;
    } else if (column == "table") {
        reg.table = TRY(choice(column, text, table_from_text, "holding, input, coil, discrete"));
    } else if (column == "address") {
        reg.address = TRY(address_of(text));
    } else if (column == "type") {
        constexpr auto types = "bool, int16, uint16, int32, uint32, int64, float32, float64";
        reg.type = TRY(choice(column, text, type_from_text, types));
    } else if (column == "word_order") {
        reg.word_order = TRY(choice(column, text, order_from_text, "big, little"));
    } else if (column == "byte_order") {
        reg.byte_order = TRY(choice(column, text, order_from_text, "big, little"));
    } else if (column == "scale") {
        reg.scale = TRY(number(column, cell));
    } else if (column == "offset") {
        reg.offset = TRY(number(column, cell));
    } else if (column == "unit") {
        reg.unit = text;
    } else if (column == "writable") {
        reg.writable = TRY(flag(text));
    } else {
        reg.poll = Duration(static_cast<std::int64_t>(TRY(number(column, cell)) * 1e6));
    }
    return {};
}

class RowReader final : public table::RowSink {
public:
    RowReader(const std::vector<std::string>& names, CsvRegisters& into) : names_(names), into_(into) {}

    void on_row(const table::Row& row) override {
        auto reg = read(row);
        if (!reg) return refuse(row.line, reg.error().detail());
        const auto [first, is_new] = line_of_.emplace(reg->name, row.line);
        if (!is_new)
            return refuse(row.line, fmt::format("name: '{}' is already on line {}", reg->name, first->second));
        if (into_.registers.size() == registers_max) {
            return refuse(row.line, fmt::format("more than {} registers", registers_max));
        }
        into_.registers.push_back(*std::move(reg));
    }
    void on_refused(const table::Refused& refused) override { refuse(refused.line, refused.reason); }

private:
    Result<Register> read(const table::Row& row) {
        Register reg;
        bool has_type = false, has_address = false;
        for (std::size_t i = 0; i < names_.size(); ++i) {
            // An empty cell means the default.
            if (row.cells[i].text.empty()) continue;
            TRY_VOID(set_column(reg, names_[i], row.cells[i]));
            has_type = has_type || names_[i] == "type";
            has_address = has_address || names_[i] == "address";
        }
        if (!has_address) return wrong("address", "is missing");
        if (!has_type && is_bit_table(reg.table)) reg.type = RegisterType::Bool;
        TRY_VOID(check_register(reg));
        return reg;
    }
    void refuse(std::uint64_t line, std::string message) {
        into_.errors.push_back({static_cast<std::size_t>(line), std::move(message)});
    }

    const std::vector<std::string>& names_;
    CsvRegisters& into_;
    std::unordered_map<std::string, std::uint64_t> line_of_;
};

std::string quoted(std::string_view text) {
    if (text.find_first_of(",\"\r\n;\t") == std::string_view::npos) return std::string(text);
    std::string result = "\"";
    for (const char c : text) {
        result += c;
        if (c == '"') result += c;
    }
    return result + "\"";
}

}  // namespace

CsvRegisters parse_register_csv(std::string_view text) {
    CsvRegisters result;
    const std::string_view header = text.substr(0, text.find('\n'));
    table::Options options{.header = table::Header::Present, .time_column = "none"};
    // The header has no decimal comma and no text, so it alone tells the delimiter.
    for (const char candidate : {',', ';', '\t'}) {
        if (header.find(candidate) != std::string_view::npos) options.delimiter = candidate;
    }
    auto layout = table::detect(header, options);
    if (!layout) {
        result.errors.push_back(
            {1, "the first line must be: name,table,address,type,word_order,byte_order,scale,offset,unit,writable"});
        return result;
    }
    for (std::string& name : layout->columns) {
        name = lower(name);
        if (std::ranges::find(columns, name) == columns.end()) {
            result.errors.push_back(
                {1, fmt::format("there is no column '{}': the columns are {}", name, fmt::join(columns, ","))});
        }
    }
    for (const std::string_view needed : {"name", "address"}) {
        if (std::ranges::find(layout->columns, needed) == layout->columns.end()) {
            result.errors.push_back({1, fmt::format("the column '{}' is missing", needed)});
        }
    }
    if (!result.errors.empty()) return result;
    if (layout->delimiter == ';' && options.decimal == 0)
        layout->decimal = text.find('.') == std::string_view::npos ? ',' : '.';
    table::Parser parser(*layout);
    RowReader rows(parser.layout().columns, result);
    parser.feed(text, rows);
    parser.finish(rows);
    return result;
}

std::string to_csv(std::span<const Register> registers) {
    std::string text = fmt::format("{}\n", fmt::join(columns, ","));
    for (const Register& reg : registers) {
        const std::string poll = reg.poll ? fmt::format("{}", static_cast<double>(reg.poll->count()) / 1e6) : "";
        text += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", quoted(reg.name), to_text(reg.table), reg.address,
                            to_text(reg.type), to_text(reg.word_order), to_text(reg.byte_order), reg.scale,
                            reg.offset, quoted(reg.unit), reg.writable, poll);
    }
    return text;
}

}  // namespace lineshaft::modbus
