#include "store/series.h"

#include <algorithm>
#include <bit>

namespace lineshaft::store {

void Chunk::clear() {
    source_times.clear();
    receive_times.clear();
    types.clear();
    bits.clear();
    qualities.clear();
    text.clear();
    more = false;
}

void Chunk::append(const Chunk& other, std::size_t first, std::size_t count) {
    const auto copy = [first, count](auto& into, const auto& from) {
        const auto begin = from.begin() + static_cast<std::ptrdiff_t>(first);
        into.insert(into.end(), begin, begin + static_cast<std::ptrdiff_t>(count));
    };
    const std::size_t before = size();
    copy(source_times, other.source_times);
    copy(receive_times, other.receive_times);
    copy(types, other.types);
    copy(bits, other.bits);
    copy(qualities, other.qualities);
    if (other.text.empty()) return;
    for (std::size_t row = before; row < size(); ++row) {
        if (types[row] != ValueType::String) continue;
        const std::string_view value = std::string_view(other.text).substr(bits[row] >> 32, bits[row] & 0xFFFFFFFF);
        bits[row] = static_cast<std::uint64_t>(text.size()) << 32 | value.size();
        text += value;
    }
}

Value Chunk::value_at(std::size_t row) const {
    switch (types[row]) {
        case ValueType::Bool: return bits[row] != 0;
        case ValueType::Int: return std::bit_cast<std::int64_t>(bits[row]);
        case ValueType::Double: return std::bit_cast<double>(bits[row]);
        case ValueType::String: return std::string(text_at(row));
    }
    return 0.0;
}

double Chunk::number_at(std::size_t row) const {
    switch (types[row]) {
        case ValueType::Bool: return bits[row] != 0 ? 1 : 0;
        case ValueType::Int: return static_cast<double>(std::bit_cast<std::int64_t>(bits[row]));
        case ValueType::Double: return std::bit_cast<double>(bits[row]);
        case ValueType::String: break;
    }
    return std::numeric_limits<double>::quiet_NaN();
}

void Numbers::assign(const Chunk& rows, std::size_t first, std::size_t count) {
    times.resize(count);
    values.resize(count);
    qualities.clear();
    bool all_good = true;
    for (std::size_t i = 0; i < count; ++i) {
        times[i] = rows.source_times[first + i].ns();
        values[i] = rows.number_at(first + i);
        all_good = all_good && rows.qualities[first + i].code() == 0;
    }
    if (all_good) return;
    const auto begin = rows.qualities.begin() + static_cast<std::ptrdiff_t>(first);
    qualities.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
}

std::string_view to_text(State state) {
    switch (state) {
        case State::Ok: return "ok";
        case State::DiskFull: return "disk_full";
        case State::Failed: return "failed";
        case State::Closed: return "closed";
    }
    return "failed";
}

void Stats::add(const Stats& other) {
    series += other.series;
    samples += other.samples;
    segment_samples += other.segment_samples;
    segment_bytes += other.segment_bytes;
    segments += other.segments;
    memory_bytes += other.memory_bytes;
    wal_bytes += other.wal_bytes;
    damaged_blocks += other.damaged_blocks;
    damaged_files += other.damaged_files;
    if (!other.oldest.is_none() && (oldest.is_none() || other.oldest < oldest)) oldest = other.oldest;
    if (!other.newest.is_none() && (newest.is_none() || other.newest > newest)) newest = other.newest;
    state = std::max(state, other.state);
    if (detail.empty()) detail = other.detail;
}

}  // namespace lineshaft::store
