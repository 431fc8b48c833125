/// Puts gzip or zstd on a stream of text, in members (frames) that can be ended anywhere: what is written stays good
/// when the writer dies and a successor begins the next one.
///
/// Threads: its caller's.
#pragma once

#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "transfer/question.h"

namespace lineshaft::transfer {

class Packer {
public:
    static std::unique_ptr<Packer> create(Packing packing);
    virtual ~Packer() = default;
    virtual void add(std::string_view text, Bytes& out) = 0;
    /// Ends the member; the next add() begins another.
    virtual void end(Bytes& out) = 0;
};

}  // namespace lineshaft::transfer
