#include "south/http/internal/body.h"

#include <algorithm>

#include <fmt/format.h>

namespace lineshaft::south {
namespace {
// Of packed bytes at a time: even the worst zstd frame unpacks these to a few megabytes.
constexpr std::size_t feed_bytes = 1024;
}  // namespace

Body::Body(std::string packed, std::unique_ptr<wire::table::Decompressor> unpack, std::size_t bytes_max)
    : packed_(std::move(packed)), unpack_(std::move(unpack)), bytes_max_(bytes_max) {}

Result<Body> Body::create(std::string packed, std::string_view encoding, std::size_t bytes_max) {
    if (encoding.empty() || encoding == "identity") return Body(std::move(packed), nullptr, bytes_max);
    if (encoding == "x-gzip") encoding = "gzip";
    if (encoding != "gzip" && encoding != "zstd")
        return fail(ErrorCode::NotSupported,
                    fmt::format("Content-Encoding '{}': use gzip, zstd or none", encoding.substr(0, 40)));
    auto unpack = wire::table::Decompressor::create(as_bytes(packed));
    if (unpack->name() != encoding) return fail(ErrorCode::Malformed, fmt::format("the body is not {}", encoding));
    return Body(std::move(packed), std::move(unpack), bytes_max);
}

Result<void> Body::read(std::string& out, std::size_t bytes_wanted) {
    const auto take = [&](ByteView bytes) {
        bytes_ += bytes.size();
        if (bytes_ <= bytes_max_) out += as_text(bytes);
    };
    while (out.size() < bytes_wanted && !has_ended_) {
        const std::size_t wanted = unpack_ ? feed_bytes : bytes_wanted - out.size();
        const ByteView piece = as_bytes(packed_).subspan(at_, std::min(wanted, packed_.size() - at_));
        at_ += piece.size();
        if (unpack_)
            TRY_VOID(unpack_->feed(piece, take));
        else
            take(piece);
        if (bytes_ > bytes_max_)
            return fail(ErrorCode::TooLarge, fmt::format("the body holds more than {} bytes unpacked", bytes_max_));
        if (at_ < packed_.size()) continue;
        has_ended_ = true;
        if (unpack_) TRY_VOID(unpack_->finish());
    }
    return {};
}

}  // namespace lineshaft::south
