/// How many values a second the table parser reads: a file like a plant's export (a time and ten numbers a row).
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "base/random.h"
#include "wire/table/table.h"

using namespace lineshaft;
using namespace lineshaft::wire::table;

namespace {

struct Sum final : RowSink {
    void on_row(const Row& row) override {
        for (const Cell& cell : row.cells) sum += cell.number;
        values += row.cells.size() - 1;
    }
    void on_refused(const Refused&) override {}
    double sum = 0;
    std::size_t values = 0;
};

void read_table(benchmark::State& state) {
    Random random(1);
    std::string text = "time,a,b,c,d,e,f,g,h,i,j\n";
    for (int row = 0; row < 50'000; ++row) {
        text +=
            fmt::format("2020-02-{:02} {:02}:{:02}:{:02}", 1 + row / 86400, row / 3600 % 24, row / 60 % 60, row % 60);
        for (int i = 0; i < 10; ++i) text += fmt::format(",{:.4f}", random.unit() * 100);
        text += '\n';
    }
    const Layout layout = *detect(std::string_view(text).substr(0, detect_bytes), {});
    std::size_t values = 0;
    for (auto unused : state) {
        (void)unused;
        Sum sum;
        Parser parser(layout);
        for (std::size_t at = 0; at < text.size(); at += 131'072)
            parser.feed(std::string_view(text).substr(at, 131'072), sum);
        parser.finish(sum);
        benchmark::DoNotOptimize(sum.sum);
        values += sum.values;
    }
    state.counters["values/s"] = benchmark::Counter(static_cast<double>(values), benchmark::Counter::kIsRate);
}
BENCHMARK(read_table);

}  // namespace
