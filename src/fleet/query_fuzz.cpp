// Strategy:   the bytes are a fleet query; then, after the first line's end, an expression and a path pattern.
// Invariants: nothing crashes or runs away; an expression that was taken gives the same by row and by column; a pattern
//             that was taken catches as many texts as it has names; a refusal is InvalidArgument, Malformed or TooLarge.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "fleet/query.h"

using namespace lineshaft;

namespace {

void check_error(const Error& error) {
    ASSERT(error.code() == ErrorCode::InvalidArgument || error.code() == ErrorCode::Malformed ||
           error.code() == ErrorCode::TooLarge);
}

void check_expression(std::string_view text) {
    const auto expression = fleet::Expression::parse(text);
    if (!expression) return check_error(expression.error());
    std::vector<double> row;
    for (std::size_t i = 0; i < expression->names().size(); ++i) row.push_back(static_cast<double>(i) - 1);
    std::vector<const double*> columns;
    for (const double& value : row) columns.push_back(&value);
    const double once = expression->evaluate(row.data());
    double again = 0;
    expression->evaluate(columns.data(), 1, &again);
    ASSERT(once == again || (std::isnan(once) && std::isnan(again)));
}

void check_pattern(std::string_view text, std::string_view path) {
    const auto pattern = fleet::PathPattern::parse(text);
    if (!pattern) return check_error(pattern.error());
    std::vector<std::string_view> caught;
    if (pattern->match(path, caught)) ASSERT(caught.size() == pattern->captures().size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto query = fleet::parse_query(text, UtcTime(1'767'225'600'000'000'000)); !query)
        check_error(query.error());
    const auto line = text.find('\n');
    const std::string_view first = text.substr(0, line);
    const std::string_view rest = line == std::string_view::npos ? std::string_view() : text.substr(line + 1);
    check_expression(first);
    check_pattern(first, rest);
    return 0;
}
