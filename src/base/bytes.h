/// Reading and writing numbers in bytes, with the byte order in the name. Nothing here ever reads outside its span.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace lineshaft {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Unaligned load and store. The caller has checked the bounds.
template <class T>
T load_le(const std::byte* at) {
    static_assert(std::is_trivially_copyable_v<T> && std::endian::native == std::endian::little);
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}
template <class T>
T load_be(const std::byte* at) {
    static_assert(std::is_integral_v<T>);
    return std::byteswap(load_le<T>(at));
}
template <class T>
void store_le(std::byte* at, T value) {
    std::memcpy(at, &value, sizeof value);
}
template <class T>
void store_be(std::byte* at, T value) {
    static_assert(std::is_integral_v<T>);
    store_le(at, std::byteswap(value));
}

/// Walks over bytes from outside. After the first read that does not fit, `ok()` is false, every further read
/// gives zero or nothing, and nothing was read outside: check once at the end.
class ByteReader {
public:
    explicit ByteReader(ByteView bytes) : bytes_(bytes) {}

    bool ok() const { return ok_; }
    std::size_t offset() const { return at_; }
    std::size_t left() const { return ok_ ? bytes_.size() - at_ : 0; }

    template <class T>
    T le() {
        const std::byte* at = take(sizeof(T));
        return at ? load_le<T>(at) : T{};
    }
    template <class T>
    T be() {
        const std::byte* at = take(sizeof(T));
        return at ? load_be<T>(at) : T{};
    }
    std::uint8_t u8() { return le<std::uint8_t>(); }
    ByteView bytes(std::size_t count) {
        const std::byte* at = take(count);
        return at ? ByteView(at, count) : ByteView();
    }
    std::string_view text(std::size_t count) { return as_text(bytes(count)); }
    /// LEB128, at most ten bytes.
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const std::uint8_t byte = u8();
            if (shift == 63 && byte > 1) break;  // Does not fit in 64 bits.
            value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
            if (!(byte & 0x80)) return value;
        }
        ok_ = false;
        return 0;
    }
    void fail() { ok_ = false; }

private:
    const std::byte* take(std::size_t count) {
        if (!ok_ || count > bytes_.size() - at_) {
            ok_ = false;
            return nullptr;
        }
        const std::byte* at = bytes_.data() + at_;
        at_ += count;
        return at;
    }

    ByteView bytes_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

/// Appends numbers to a vector of bytes.
class ByteWriter {
public:
    explicit ByteWriter(Bytes& out) : out_(out) {}

    template <class T>
    void le(T value) {
        const std::size_t at = out_.size();
        out_.resize(at + sizeof value);
        store_le(out_.data() + at, value);
    }
    template <class T>
    void be(T value) {
        le(std::byteswap(value));
    }
    void u8(std::uint8_t value) { out_.push_back(static_cast<std::byte>(value)); }
    void bytes(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
    void text(std::string_view text) { bytes(as_bytes(text)); }
    void varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) u8(static_cast<std::uint8_t>(value | 0x80));
        u8(static_cast<std::uint8_t>(value));
    }
    std::size_t offset() const { return out_.size(); }

private:
    Bytes& out_;
};

/// CRC-32C (Castagnoli), as iSCSI and ext4 use it; `start` continues an earlier result.
std::uint32_t crc32c(ByteView bytes, std::uint32_t start = 0);

}  // namespace lineshaft
