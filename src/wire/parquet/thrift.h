/// The compact protocol of Apache Thrift, as far as Parquet's footers need it: writing only.
///
///   ThriftWriter w(out);
///   w.i32(1, version); w.text(4, "name"); w.begin_struct(5); … w.end_struct(); w.end_struct();  // The outermost ends too.
///
/// Formats: a field is (delta of id << 4 | type) or (type, zigzag id); integers are zigzag varints.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"

namespace lineshaft::wire::parquet {

class ThriftWriter {
public:
    enum class Type : std::uint8_t {
        True = 1,
        False = 2,
        I8 = 3,
        I32 = 5,
        I64 = 6,
        Binary = 8,
        List = 9,
        Struct = 12
    };

    explicit ThriftWriter(Bytes& out) : out_(out) {}

    void i8(int field, std::int8_t value) {
        head(field, Type::I8);
        out_.u8(static_cast<std::uint8_t>(value));
    }
    void i32(int field, std::int32_t value) {
        head(field, Type::I32);
        number(value);
    }
    void i64(int field, std::int64_t value) {
        head(field, Type::I64);
        number(value);
    }
    void boolean(int field, bool value) { head(field, value ? Type::True : Type::False); }
    void text(int field, std::string_view text) {
        head(field, Type::Binary);
        bare_text(text);
    }
    void begin_struct(int field) {
        head(field, Type::Struct);
        begin_element();
    }
    /// A structure within a list.
    void begin_element() { last_.push_back(0); }
    void end_struct() {
        out_.u8(0);
        last_.pop_back();
    }
    void empty_struct(int field) {
        begin_struct(field);
        end_struct();
    }
    void begin_list(int field, Type type, std::size_t count) {
        head(field, Type::List);
        if (count < 15) return out_.u8(static_cast<std::uint8_t>(count << 4 | static_cast<std::uint8_t>(type)));
        out_.u8(static_cast<std::uint8_t>(0xF0 | static_cast<std::uint8_t>(type)));
        out_.varint(count);
    }
    // Within lists.
    void bare_i32(std::int32_t value) { number(value); }
    void bare_text(std::string_view text) {
        out_.varint(text.size());
        out_.text(text);
    }
    void bare_bytes(ByteView bytes) { out_.bytes(bytes); }

private:
    void head(int field, Type type) {
        ASSERT(field > last_.back());
        const int delta = field - last_.back();
        last_.back() = field;
        if (delta < 16) return out_.u8(static_cast<std::uint8_t>(delta << 4 | static_cast<int>(type)));
        out_.u8(static_cast<std::uint8_t>(type));
        number(field);
    }
    void number(std::int64_t value) {
        out_.varint((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
    }

    ByteWriter out_;
    std::vector<int> last_{0};  // The last field of each open structure.
};

}  // namespace lineshaft::wire::parquet
