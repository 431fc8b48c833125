/// Fuzz: line protocol bodies.
///
/// Strategy: the first byte chooses the precision, the rest is the body, copied to a buffer of its exact size so that
/// the sanitizer sees every read beyond it. Each good line is put together again from its parts and must read as the
/// same line.
///
/// Invariants: never reads outside the body; every view lies inside it; at least one field a line; a text is within
/// its limit; good lines + bad lines ≤ lines; a device name is within its limit.
#include <cstdlib>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/limits.h"
#include "wire/line_protocol/line_protocol.h"

using namespace lineshaft;
using namespace lineshaft::wire::line_protocol;

namespace {

bool is_inside(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

std::string rebuilt(const Line& line) {
    std::string text(line.key);
    char separator = ' ';
    for (const Field& field : line.fields) {
        text += separator;
        separator = ',';
        text += fmt::format("{}=", field.name);
        switch (field.type) {
            case ValueType::Double: text += fmt::format("{}", std::bit_cast<double>(field.bits)); break;
            case ValueType::Int: text += fmt::format("{}i", std::bit_cast<std::int64_t>(field.bits)); break;
            case ValueType::Bool: text += field.bits ? "t" : "f"; break;
            case ValueType::String: text += fmt::format("\"{}\"", field.text); break;
        }
    }
    if (!line.time.is_none()) text += fmt::format(" {}", line.time.ns());
    return text;
}

void check_again(const Line& line) {
    const std::string text = rebuilt(line);
    Parser parser(text, Precision::Nanoseconds);
    const Line* again = parser.next();
    ASSERT(again && again->key == line.key && again->time == line.time);
    ASSERT(again->fields.size() == line.fields.size());
    for (std::size_t i = 0; i < line.fields.size(); ++i) {
        ASSERT(again->fields[i].name == line.fields[i].name && again->fields[i].type == line.fields[i].type);
        ASSERT(again->fields[i].bits == line.fields[i].bits && again->fields[i].text == line.fields[i].text);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto precision = static_cast<Precision>(data[0] % 6);
    const auto buffer = std::make_unique<char[]>(size - 1);
    std::memcpy(buffer.get(), data + 1, size - 1);
    const std::string_view body(buffer.get(), size - 1);

    Parser parser(body, precision);
    std::uint64_t good = 0;
    while (const Line* line = parser.next()) {
        ++good;
        ASSERT(is_inside(line->key, body) && !line->fields.empty());
        for (const Field& field : line->fields) {
            ASSERT(is_inside(field.name, body) && is_inside(field.text, body) && !field.name.empty());
            ASSERT(field.text.size() <= limits::string_value_bytes_max);
        }
        check_again(*line);
        const auto device = device_name(line->key);
        ASSERT(!device || (!device->empty() && device->size() <= limits::device_name_bytes_max));
    }
    ASSERT(parser.consumed_bytes() == body.size());
    ASSERT(good + parser.refused_count() <= parser.next_number() - 1);
    return 0;
}
