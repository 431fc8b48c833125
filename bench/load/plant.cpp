// A plant as historians meet it: machines with ten tags each, read once a second. Six are measured through a converter
// (a slow walk, a few counts of noise, engineering units), two are states that change now and then, one is a set point,
// one counts.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "load/rows.h"
#include "load/sockets.h"

namespace lineshaft::bench {
namespace {

struct Analog {
    double level;            // In converter counts, 0 … 4095.
    double step;             // How far the level goes in a second.
    double noise;            // Counts.
    std::int64_t per_count;  // Engineering units a count, in digits.
    std::uint8_t decimals;

    Field read(Chance& chance) {
        level = std::clamp(level + chance.around(step), 0.0, 4095.0);
        const double counts = std::clamp(std::round(level + chance.around(noise)), 0.0, 4095.0);
        return {static_cast<std::int64_t>(counts) * per_count, decimals};
    }
};

struct Machine {
    Analog analog[6];
    std::int64_t states[2] = {0, 0};
    std::int64_t set_point = 500;
    std::int64_t pieces = 0;
    double pieces_per_s;
};

class Plant final : public Rows {
public:
    explicit Plant(const RowsOptions& options)
        : options_(options),
          chance_(options.seed),
          rounds_(static_cast<std::int64_t>(options.hours * 3600 / options.period_s)) {
        tables_ = {{"machine",
                    {"temperature", "pressure", "flow", "current", "vibration", "level", "state", "alarm_word",
                     "set_point", "pieces"},
                    std::vector<bool>(10, false)}};
        for (std::size_t i = 0; i < options.machines; ++i) {
            keys_.push_back({{fmt::format("line_{}", i / 20), fmt::format("machine_{}", i)}, {}});
            Machine machine;
            constexpr std::int64_t per_count[] = {1, 25, 5, 2, 1, 10};
            constexpr std::uint8_t decimals[] = {1, 3, 2, 2, 2, 2};
            for (std::size_t a = 0; a < 6; ++a)
                machine.analog[a] = {1000 + chance_.share() * 2000, 0.2 + chance_.share(), 1 + chance_.share() * 2,
                                     per_count[a], decimals[a]};
            machine.pieces_per_s = 0.2 + chance_.share() * 3;
            machines_.push_back(machine);
        }
    }

    const std::vector<RowTable>& tables() const override { return tables_; }
    const std::vector<std::string>& key_names() const override { return key_names_; }
    const std::vector<RowKey>& keys() const override { return keys_; }

    bool next(Row& row) override {
        if (round_ == rounds_) return false;
        Machine& machine = machines_[machine_];
        row.table = 0;
        row.key = machine_;
        row.time_ns = options_.start_s * 1'000'000'000 +
                      static_cast<std::int64_t>(static_cast<double>(round_) * options_.period_s * 1e9);
        if (machine_ % 2 == 1 && options_.jitter_ms > 0)
            row.time_ns += static_cast<std::int64_t>(chance_.share() * options_.jitter_ms) * 1'000'000;
        for (std::size_t a = 0; a < 6; ++a) row.fields[a] = machine.analog[a].read(chance_);
        if (chance_.share() < 1.0 / 300) machine.states[0] = static_cast<std::int64_t>(chance_.next() % 5);
        if (chance_.share() < 1.0 / 3600) machine.states[1] = std::int64_t{1} << chance_.next() % 16;
        if (chance_.share() < 1.0 / 1800) machine.set_point = static_cast<std::int64_t>(chance_.next() % 200) * 5;
        if (machine.states[0] != 0)
            machine.pieces += static_cast<std::int64_t>(machine.pieces_per_s * 2 * chance_.share() + 0.5);
        row.fields[6] = {machine.states[0], 0, true};
        row.fields[7] = {machine.states[1], 0, true};
        row.fields[8] = {machine.set_point, 1};
        row.fields[9] = {machine.pieces, 0, true};
        if (++machine_ == machines_.size()) {
            machine_ = 0;
            ++round_;
        }
        return true;
    }

private:
    const RowsOptions options_;
    Chance chance_;
    const std::int64_t rounds_;
    std::vector<RowTable> tables_;
    const std::vector<std::string> key_names_ = {"line", "name"};
    std::vector<RowKey> keys_;
    std::vector<Machine> machines_;
    std::int64_t round_ = 0;
    std::size_t machine_ = 0;
};

}  // namespace

std::unique_ptr<Rows> make_plant(const RowsOptions& options) { return std::make_unique<Plant>(options); }

}  // namespace lineshaft::bench
