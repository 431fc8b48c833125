/// A request's body, unpacked piece by piece: a small gzip can hold gigabytes.
///
/// Errors:  Malformed (damaged), NotSupported (encoding), TooLarge (`bytes_max` unpacked).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/table/decompress.h"

namespace lineshaft::south {

class Body {
public:
    /// `encoding` is the request's Content-Encoding.
    static Result<Body> create(std::string packed, std::string_view encoding, std::size_t bytes_max);

    /// Appends to `out` until it holds `bytes_wanted` or the body has ended.
    Result<void> read(std::string& out, std::size_t bytes_wanted);
    bool has_ended() const { return has_ended_; }

private:
    Body(std::string packed, std::unique_ptr<wire::table::Decompressor> unpack, std::size_t bytes_max);

    std::string packed_;
    std::size_t at_ = 0;
    std::unique_ptr<wire::table::Decompressor> unpack_;
    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    bool has_ended_ = false;
};

}  // namespace lineshaft::south
