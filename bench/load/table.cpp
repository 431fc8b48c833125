// A log of a machine as people have it: a time, ten columns, a few decimals.
#include <cstdio>
#include <iterator>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "load/load.h"
#include "load/sockets.h"

namespace lineshaft::bench {
namespace {

constexpr std::size_t columns = 10;
constexpr std::size_t piece_bytes = 4 * 1024 * 1024;

}  // namespace

void write_table(const TableOptions& options) {
    std::FILE* file = std::fopen(options.file.c_str(), "wb");
    if (!file) give_up("cannot write " + options.file);
    Chance chance(7);
    double values[columns];
    std::string out = "time";
    for (std::size_t i = 0; i < columns; ++i) {
        values[i] = chance.share() * 100;
        out += fmt::format(",sensor_{}", i);
    }
    out += '\n';
    // Ten rows a second.
    for (std::size_t row = 0; row < options.rows; ++row) {
        const std::int64_t second = options.start_s + static_cast<std::int64_t>(row / 10);
        fmt::format_to(std::back_inserter(out), "{:%Y-%m-%dT%H:%M:%S}.{}00Z", fmt::gmtime(std::time_t{second}),
                       row % 10);
        for (std::size_t i = 0; i < columns; ++i) {
            values[i] += chance.around(0.2);
            fmt::format_to(std::back_inserter(out), ",{:.{}f}", values[i], 1 + i % 3);
        }
        out += '\n';
        if (out.size() < piece_bytes && row + 1 < options.rows) continue;
        if (std::fwrite(out.data(), 1, out.size(), file) != out.size()) give_up("cannot write " + options.file);
        out.clear();
    }
    if (std::fclose(file) != 0) give_up("cannot write " + options.file);
    fmt::print(R"({{"rows":{},"values":{}}})"
               "\n",
               options.rows, options.rows * columns);
}

}  // namespace lineshaft::bench
