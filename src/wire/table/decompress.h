/// Takes gzip and zstd off a stream of bytes, or passes it through: whatever a data file comes as.
///
/// Flow:    create() looks at the first bytes; feed() gives the plain bytes piece by piece.
/// Errors:  Malformed: damaged, or it ends too early.
/// Limits:  holds one window of output (128 KiB) and what zlib or zstd need.
/// Formats: gzip (RFC 1952, members one after another), zstd (RFC 8878, frames one after another).
#pragma once

#include <functional>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace lineshaft::wire::table {

class Decompressor {
public:
    using Take = std::function<void(ByteView)>;

    /// `head`: at least the first four bytes, or all there are. They are not consumed: feed them too.
    static std::unique_ptr<Decompressor> create(ByteView head);
    virtual ~Decompressor() = default;
    virtual Result<void> feed(ByteView bytes, const Take& take) = 0;
    /// The input has ended.
    virtual Result<void> finish() = 0;
    /// "gzip", "zstd", "plain".
    virtual const char* name() const = 0;
};

}  // namespace lineshaft::wire::table
