/// Samples: what is known about a tag at a time. They travel in columnar batches.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/strong.h"
#include "base/time.h"
#include "model/quality.h"
#include "model/value.h"

namespace lineshaft {

/// One sample, for tests and cold paths.
struct Sample {
    TagId tag;
    UtcTime source_time;   // When it was so, as the source says; the time of receipt if the source says nothing.
    UtcTime receive_time;  // When Lineshaft got it.
    Value value;
    Quality quality;
    friend bool operator==(const Sample&, const Sample&) = default;
};

/// Samples of one source with one run of sequence numbers: row i has sequence first_sequence + i.
///
/// Columns are parallel. `bits` holds the value: bool 0/1, int64 as it is, double by bit_cast; for strings
/// (offset << 32 | length) into `text`. A Bad sample without a value has type Double and NaN.
class Batch {
public:
    SourceId source;  // Interned by the shard that keeps the samples.
    std::uint64_t first_sequence = 0;
    UtcTime receive_time;

    std::vector<TagId> tags;
    std::vector<UtcTime> source_times;
    std::vector<ValueType> types;
    std::vector<std::uint64_t> bits;
    std::vector<Quality> qualities;
    std::string text;

    std::size_t size() const { return tags.size(); }
    bool empty() const { return tags.empty(); }
    void clear();
    void reserve(std::size_t count);

    void add(TagId tag, UtcTime source_time, ValueType type, std::uint64_t value_bits, Quality quality) {
        ASSERT(type != ValueType::String);
        tags.push_back(tag);
        source_times.push_back(source_time);
        types.push_back(type);
        bits.push_back(value_bits);
        qualities.push_back(quality);
    }
    void add_text(TagId tag, UtcTime source_time, std::string_view value, Quality quality);
    void add(TagId tag, UtcTime source_time, const Value& value, Quality quality);

    std::string_view text_at(std::size_t row) const {
        ASSERT(types[row] == ValueType::String);
        return std::string_view(text).substr(bits[row] >> 32, bits[row] & 0xFFFFFFFF);
    }
    Value value_at(std::size_t row) const;
    Sample sample_at(std::size_t row) const;
};

}  // namespace lineshaft
