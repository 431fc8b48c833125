/// How small and how fast blocks are, by data set: bytes a value (block and its 16 bytes of index), encoding, decoding.
///
/// Data sets: trucks by the rules of the iot set of the Time Series Benchmark Suite, all 16 fields (6 of them constant),
/// in order and with a tenth of the rows lost; a plant; and, with LINESHAFT_BENCH_COLUMNS=directory, each file *.txt in
/// it, one number a line, taken as one sensor.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <benchmark/benchmark.h>

#include "base/random.h"
#include "store/internal/block.h"

namespace lineshaft::store {
namespace {

constexpr std::int64_t ms = 1'000'000;
constexpr std::int64_t second = 1'000 * ms;
constexpr std::int64_t epoch = 1'767'225'600 * second;
constexpr std::size_t rows_a_series = 16 * block_rows;
constexpr std::size_t index_bytes = 16;  // A block's place in the segment's detail, about.

using Columns = std::vector<Chunk>;

double share(Random& random) { return static_cast<double>(random.next() >> 11) * 0x1p-53; }
double normal(Random& random) {
    return std::sqrt(-2 * std::log(1 - share(random))) * std::cos(6.283185307179586 * share(random));
}

/// When samples of one device were taken and received.
struct Times {
    std::vector<std::int64_t> source;
    std::vector<std::int64_t> receive;
};

/// Sent ten at a time by a loader, two milliseconds or so between a device's batches; some are lost.
Times replayed(Random& random, std::int64_t period, double lost) {
    Times times;
    std::int64_t clock = epoch + 1'000'000 * second;
    for (std::int64_t i = 0; times.source.size() < rows_a_series; ++i) {
        if (i % 10 == 0) clock += 2 * ms + static_cast<std::int64_t>(random.below(2'000'000));
        if (share(random) < lost) continue;
        times.source.push_back(epoch + i * period);
        times.receive.push_back(clock);
    }
    return times;
}

/// As a gateway sends them: each after a few milliseconds; now and then one is missing.
Times live(Random& random, std::int64_t period, std::int64_t jitter, double lost) {
    Times times;
    for (std::int64_t i = 0; times.source.size() < rows_a_series; ++i) {
        if (share(random) < lost) continue;
        const std::int64_t time =
            epoch + i * period +
            (jitter ? static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(jitter))) : 0);
        times.source.push_back(time / ms * ms);
        times.receive.push_back(time + 3 * ms + static_cast<std::int64_t>(random.below(2'000'000)));
    }
    return times;
}

template <class Next>
Chunk series(const Times& times, ValueType type, Next next) {
    Chunk rows;
    for (std::size_t i = 0; i < times.source.size(); ++i) {
        const UtcTime source(times.source[i]);
        rows.source_times.push_back(source);
        rows.receive_times.push_back(kept_receive_time(source, UtcTime(times.receive[i])));
        rows.types.push_back(type);
        rows.bits.push_back(next(static_cast<double>(times.source[i] - epoch) / static_cast<double>(second)));
        rows.qualities.push_back(Quality::good);
    }
    return rows;
}

std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value); }

struct Walk {
    double value, low, high, step_low, step_high, scale;
    double next(Random& random) {
        value = std::clamp(value + step_low + share(random) * (step_high - step_low), low, high);
        return static_cast<double>(static_cast<std::int64_t>(value * scale)) / scale;
    }
};

Columns trucks(double lost) {
    Random random(1);
    Columns columns;
    for (int truck = 0; truck < 4; ++truck) {
        std::vector<Walk> walks = {{share(random) * 90, -90, 90, -0.005, 0.005, 1e5},
                                   {share(random) * 180, -180, 180, -0.005, 0.005, 1e5},
                                   {share(random) * 500, 0, 5000, -10, 10, 1},
                                   {0, 0, 100, -10, 10, 1},
                                   {share(random) * 360, 0, 360, -5, 5, 1},
                                   {0, 0, 100, -5, 5, 1},
                                   {25, 0, 50, -5, 5, 10}};
        const Times readings = replayed(random, 10 * second, lost);
        const Times diagnostics = replayed(random, 10 * second, lost);
        for (Walk& walk : walks)
            columns.push_back(
                series(readings, ValueType::Double, [&](double) { return bits_of(walk.next(random)); }));
        double fuel = 1;
        columns.push_back(series(diagnostics, ValueType::Double, [&](double) {
            fuel -= share(random) * 0.001;
            if (fuel <= 0) fuel = 1;
            return bits_of(std::floor(fuel * 10) / 10);
        }));
        double load = 0;
        columns.push_back(series(diagnostics, ValueType::Double, [&](double) {
            if (share(random) >= 0.95) load = std::floor(share(random) * 5000);
            return bits_of(load);
        }));
        double status = 0;
        columns.push_back(series(diagnostics, ValueType::Int, [&](double) {
            status = std::clamp(status + normal(random), 0.0, 5.0);
            return static_cast<std::uint64_t>(status);
        }));
        for (const double constant : {2000.0, 200.0, 15.0}) {
            columns.push_back(series(readings, ValueType::Double, [&](double) { return bits_of(constant); }));
            columns.push_back(series(diagnostics, ValueType::Double, [&](double) { return bits_of(constant); }));
        }
    }
    return columns;
}

/// Twelve analogue values (slow processes seen through a 12-bit converter with noise of one or two steps), a status, a
/// set point, two counters, two flags; most at 1 Hz, some at uneven times.
Columns plant() {
    Random random(2);
    Columns columns;
    for (int machine = 0; machine < 4; ++machine) {
        const Times even = live(random, second, 0, 0.0005);
        const Times uneven = live(random, second, 40 * ms, 0.001);
        for (int i = 0; i < 12; ++i) {
            const double period = 600.0 * (1 + i);
            const double noise = 0.7 + 0.15 * i;
            const double scale = i % 3 == 0 ? 10.0 : 100.0;
            columns.push_back(series(i < 8 ? even : uneven, ValueType::Double, [&](double t) {
                const double raw = 2048 + 600 * std::sin(t / period) + noise * normal(random);
                return bits_of(std::round(std::round(raw) * 160 / 4096 * scale) / scale);
            }));
        }
        std::int64_t state = 1;
        columns.push_back(series(even, ValueType::Int, [&](double) {
            if (random.below(600) == 0) state = static_cast<std::int64_t>(random.below(5));
            return static_cast<std::uint64_t>(state);
        }));
        double point = 72.5;
        columns.push_back(series(even, ValueType::Double, [&](double) {
            if (random.below(900) == 0) point = 60 + 2.5 * static_cast<double>(random.below(10));
            return bits_of(point);
        }));
        double energy = 1e5;
        columns.push_back(series(even, ValueType::Double, [&](double) {
            energy += 1.5 + 0.5 * share(random);
            return bits_of(std::round(energy * 10) / 10);
        }));
        std::int64_t parts = 100'000;
        columns.push_back(series(uneven, ValueType::Int, [&](double t) {
            parts += std::fmod(t, 3.0) < 1;
            return static_cast<std::uint64_t>(parts);
        }));
        for (const std::uint64_t odds : {50U, 3000U}) {
            bool on = false;
            columns.push_back(series(even, ValueType::Bool, [&](double) {
                if (random.below(odds) == 0) on = !on;
                return std::uint64_t{on};
            }));
        }
    }
    return columns;
}

Columns true_doubles() {
    Random random(3);
    const Times times = live(random, second, 0, 0);
    Columns columns;
    columns.push_back(series(times, ValueType::Double,
                             [&](double t) { return bits_of(20 + std::sin(t / 300) + 0.01 * normal(random)); }));
    columns.push_back(series(times, ValueType::Double, [&](double t) {
        return bits_of(static_cast<double>(static_cast<float>(20 + std::sin(t / 300) + 0.01 * normal(random))));
    }));
    return columns;
}

Columns from_file(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::string line;
    std::vector<double> values;
    while (values.size() < 256 * block_rows && std::getline(file, line)) {
        char* end = nullptr;
        const double value = std::strtod(line.c_str(), &end);
        if (end != line.c_str()) values.push_back(value);
    }
    Random random(4);
    Times times;
    for (std::size_t i = 0; i < values.size(); ++i) {
        times.source.push_back(epoch + static_cast<std::int64_t>(i) * second);
        times.receive.push_back(times.source.back());
    }
    std::size_t at = 0;
    Columns columns;
    columns.push_back(series(times, ValueType::Double, [&](double) { return bits_of(values[at++]); }));
    return columns;
}

struct Encoded {
    Bytes bytes;
    std::vector<std::size_t> ends;
    std::size_t rows = 0;
    std::size_t header_bytes = 0;
};

Encoded encode(const Columns& columns, std::size_t rows, Effort effort) {
    Encoded all;
    for (const Chunk& column : columns) {
        for (std::size_t first = 0; first < column.size(); first += rows) {
            const BlockHeader header = encode_block(TagId(1'000'000), column, first,
                                                    std::min(rows, column.size() - first), all.bytes, effort);
            all.ends.push_back(all.bytes.size());
            all.rows += header.rows;
            all.header_bytes += header.body_offset;
        }
    }
    return all;
}

/// What receive times take: the same rows as if their sources had no clock are so much smaller.
std::size_t receive_bytes(Columns columns) {
    const std::size_t with = encode(columns, block_rows, Effort::Usual).bytes.size();
    for (Chunk& column : columns) column.receive_times = column.source_times;
    return with - encode(columns, block_rows, Effort::Usual).bytes.size();
}

/// What source times take beyond regular ones.
std::size_t time_bytes(Columns columns) {
    for (Chunk& column : columns) column.receive_times = column.source_times;
    const std::size_t with = encode(columns, block_rows, Effort::Usual).bytes.size();
    for (Chunk& column : columns) {
        for (std::size_t i = 0; i < column.size(); ++i)
            column.source_times[i] = UtcTime(epoch + static_cast<std::int64_t>(i) * second);
        column.receive_times = column.source_times;
    }
    return with - encode(columns, block_rows, Effort::Usual).bytes.size();
}

void count(benchmark::State& state, const Columns& columns, const Encoded& encoded) {
    const auto rows = static_cast<double>(encoded.rows);
    state.counters["values/s"] =
        benchmark::Counter(rows * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
    state.counters["B/value"] = static_cast<double>(encoded.bytes.size() + index_bytes * encoded.ends.size()) / rows;
    state.counters["B_header"] = static_cast<double>(encoded.header_bytes + index_bytes * encoded.ends.size()) / rows;
    state.counters["B_times"] = static_cast<double>(time_bytes(columns)) / rows;
    state.counters["B_receives"] = static_cast<double>(receive_bytes(columns)) / rows;
}

void encode_set(benchmark::State& state, const Columns& columns, std::size_t rows, Effort effort) {
    for (auto _ : state) benchmark::DoNotOptimize(encode(columns, rows, effort));
    count(state, columns, encode(columns, rows, effort));
}

template <class Decode>
void decode_set(benchmark::State& state, const Columns& columns, std::size_t rows, Effort effort, Decode decode) {
    const Encoded encoded = encode(columns, rows, effort);
    for (auto _ : state) {
        std::size_t at = 0;
        for (const std::size_t end : encoded.ends) {
            const ByteView block = ByteView(encoded.bytes).subspan(at, end - at);
            decode(block, *read_block_header(block));
            at = end;
        }
    }
    count(state, columns, encoded);
}

void add_set(const std::string& name, Columns made) {
    const auto* columns = new Columns(std::move(made));  // Lives as long as the benchmarks.
    benchmark::RegisterBenchmark(("encode/" + name).c_str(), [columns](benchmark::State& state) {
        encode_set(state, *columns, block_rows, Effort::Usual);
    });
    benchmark::RegisterBenchmark(("decode/" + name).c_str(), [columns](benchmark::State& state) {
        decode_set(state, *columns, block_rows, Effort::Usual, [](ByteView block, const BlockHeader& header) {
            static Chunk rows;
            if (!decode_block(block, header, rows)) std::abort();
        });
    });
    benchmark::RegisterBenchmark(("numbers/" + name).c_str(), [columns](benchmark::State& state) {
        decode_set(state, *columns, block_rows, Effort::Usual, [](ByteView block, const BlockHeader& header) {
            static Numbers rows;
            if (!decode_numbers(block, header, rows)) std::abort();
        });
    });
    benchmark::RegisterBenchmark(("numbers_and_add/" + name).c_str(), [columns](benchmark::State& state) {
        decode_set(state, *columns, block_rows, Effort::Usual, [](ByteView block, const BlockHeader& header) {
            static Numbers rows;
            if (!decode_numbers(block, header, rows)) std::abort();
            Bucket bucket;
            add_numbers(bucket, rows.view());
            benchmark::DoNotOptimize(bucket.sum.hi);
        });
    });
    benchmark::RegisterBenchmark(("cold/" + name).c_str(), [columns](benchmark::State& state) {
        decode_set(state, *columns, cold_block_rows, Effort::Cold, [](ByteView block, const BlockHeader& header) {
            static Numbers rows;
            if (!decode_numbers(block, header, rows)) std::abort();
        });
    });
}

const bool added = [] {
    add_set("trucks", trucks(0));
    add_set("trucks_a_tenth_lost", trucks(0.1));
    add_set("plant", plant());
    add_set("true_doubles", true_doubles());
    if (const char* directory = std::getenv("LINESHAFT_BENCH_COLUMNS")) {
        std::map<std::string, std::filesystem::path> files;
        for (const auto& entry : std::filesystem::directory_iterator(directory)) {
            if (entry.path().extension() == ".txt") files[entry.path().stem().string()] = entry.path();
        }
        for (const auto& [name, path] : files) add_set(name, from_file(path));
    }
    return true;
}();

}  // namespace
}  // namespace lineshaft::store
