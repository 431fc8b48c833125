/// Rows of samples or buckets as CSV, JSON lines or Parquet.
///
/// Threads: its caller's; moved whole between shard and pool.
/// Formats: docs/user/export.md.
#pragma once

#include <memory>
#include <span>

#include "base/bytes.h"
#include "store/series.h"
#include "transfer/question.h"

namespace lineshaft::transfer {

/// Where a successor goes on. Every byte before is final.
struct Mark {
    Bytes groups;  // Parquet: what the footer will say so far.
    std::uint64_t group_count = 0;
    std::uint64_t rows = 0;
};

class Encoder {
public:
    static std::unique_ptr<Encoder> create(const Question& question);
    virtual ~Encoder() = default;
    /// Head of a new file.
    virtual void begin(Bytes& out) = 0;
    virtual void add(const ExportTag& tag, const store::Chunk& rows, Bytes& out) = 0;
    virtual void add(const ExportTag& tag, std::span<const store::Bucket> buckets, Bytes& out) = 0;
    /// Ends what is open (group, member), so that the file may be gone on with here.
    virtual Mark mark(Bytes& out) = 0;
    virtual void finish(Bytes& out) = 0;
    /// Instead of begin(): goes on with a file of `file_bytes`. Errors: Corrupt.
    virtual Result<void> resume(const Mark& mark, std::uint64_t file_bytes) = 0;
};

/// A quality so that it comes back whole: its name, or 0x… where the name does not say all.
std::string quality_text(Quality quality);

}  // namespace lineshaft::transfer
