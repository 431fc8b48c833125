// Trucks by the rules of the iot set of the Time Series Benchmark Suite: two measurements of each truck every period,
// ten lines at a time through a mill that loses, delays and mutilates some.
#include <algorithm>
#include <cmath>
#include <deque>
#include <numbers>
#include <utility>

#include <fmt/format.h>

#include "load/rows.h"
#include "load/sockets.h"

namespace lineshaft::bench {
namespace {

constexpr std::size_t fixed_fields = 3;
constexpr std::size_t text_names = 5;
constexpr std::size_t line_batch = 10;

/// A walk between two bounds, shown with so many decimals (the rest is cut off).
struct Walk {
    double value, low, high, step_low, step_high;
    int decimals;

    void advance(Chance& chance) {
        value = std::clamp(value + step_low + chance.share() * (step_high - step_low), low, high);
    }
    Field shown() const {
        constexpr double scale[] = {1, 10, 100, 1'000, 10'000, 100'000};
        return {static_cast<std::int64_t>(value * scale[decimals]), static_cast<std::uint8_t>(decimals)};
    }
};

struct Truck {
    std::array<Walk, 7> readings;
    Walk fuel_state;
    double load;
    double status = 0;
};

struct Model {
    const char* name;
    std::int64_t load_capacity, fuel_capacity, nominal_consumption;
};
constexpr Model models[] = {{"F-150", 2000, 200, 15}, {"G-2000", 5000, 300, 19}, {"H-2", 1500, 150, 12}};
constexpr const char* fleets[] = {"East", "West", "North", "South"};
constexpr const char* drivers[] = {"Derek", "Rodney", "Albert", "Andy", "Seth", "Trish"};
constexpr const char* versions[] = {"v1.0", "v1.5", "v2.0", "v2.3"};

Truck make_truck(Chance& chance) {
    Truck truck;
    truck.readings = {{{chance.share() * 90, -90, 90, -0.005, 0.005, 5},
                       {chance.share() * 180, -180, 180, -0.005, 0.005, 5},
                       {chance.share() * 500, 0, 5000, -10, 10, 0},
                       {0, 0, 100, -10, 10, 0},
                       {chance.share() * 360, 0, 360, -5, 5, 0},
                       {0, 0, 100, -5, 5, 0},
                       {25, 0, 50, -5, 5, 1}}};
    truck.fuel_state = {1, 0, 1, -0.001, 0, 1};
    truck.load = chance.share() * 5000;
    return truck;
}

double normal(Chance& chance) {
    return std::sqrt(-2 * std::log(1 - chance.share())) * std::cos(2 * std::numbers::pi * chance.share());
}

class Trucks final : public Rows {
public:
    explicit Trucks(const RowsOptions& options)
        : options_(options),
          chance_(options.seed),
          rounds_(static_cast<std::int64_t>(options.hours * 3600 / options.period_s)) {
        std::vector<std::string> readings = {"load_capacity", "fuel_capacity", "nominal_fuel_consumption"};
        std::vector<std::string> diagnostics = readings;
        for (const char* name :
             {"latitude", "longitude", "elevation", "velocity", "heading", "grade", "fuel_consumption"})
            readings.emplace_back(name);
        for (const char* name : {"fuel_state", "current_load", "status"}) diagnostics.emplace_back(name);
        std::vector<bool> fixed(10, false);
        std::fill_n(fixed.begin(), fixed_fields, true);
        tables_ = {{"readings", std::move(readings), fixed}, {"diagnostics", std::move(diagnostics), fixed}};
        for (std::size_t i = 0; i < options.machines; ++i) {
            trucks_.push_back(make_truck(chance_));
            add_keys(i);
        }
    }

    const std::vector<RowTable>& tables() const override { return tables_; }
    const std::vector<std::string>& key_names() const override { return key_names_; }
    const std::vector<RowKey>& keys() const override { return keys_; }

    bool next(Row& row) override {
        if (!options_.disorder) return next_in_order(row);
        while (batch_.empty()) {
            if (!make_batch()) return false;
        }
        row = batch_.front();
        batch_.pop_front();
        return true;
    }

private:
    /// Key truck * 5 is whole, the four after it lack one text each. The name is never missing: two trucks without one
    /// would be the same series, and how many values must be kept could not be said.
    void add_keys(std::size_t number) {
        const Model& model = models[chance_.next() % std::size(models)];
        RowKey key;
        key.texts = {fmt::format("truck_{}", number), fleets[chance_.next() % std::size(fleets)],
                     drivers[chance_.next() % std::size(drivers)], model.name,
                     versions[chance_.next() % std::size(versions)]};
        key.fixed = {{model.load_capacity}, {model.fuel_capacity}, {model.nominal_consumption}};
        keys_.push_back(key);
        for (std::size_t missing = 1; missing < text_names; ++missing) {
            keys_.push_back(key);
            keys_.back().texts[missing].clear();
        }
    }

    bool is_over() const { return round_ == rounds_; }

    /// All trucks' readings, then all trucks' diagnostics, then time goes on.
    bool next_in_order(Row& row) {
        if (is_over()) return false;
        const Truck& truck = trucks_[truck_];
        row.table = table_;
        row.key = truck_ * text_names;
        row.time_ns = options_.start_s * 1'000'000'000 +
                      static_cast<std::int64_t>(static_cast<double>(round_) * options_.period_s * 1e9);
        std::copy_n(keys_[row.key].fixed.begin(), fixed_fields, row.fields.begin());
        if (table_ == 0) {
            for (std::size_t i = 0; i < truck.readings.size(); ++i)
                row.fields[fixed_fields + i] = truck.readings[i].shown();
        } else {
            row.fields[3] = truck.fuel_state.shown();
            row.fields[4] = {static_cast<std::int64_t>(truck.load)};
            row.fields[5] = {static_cast<std::int64_t>(truck.status), 0, true};
        }
        advance();
        return true;
    }

    void advance() {
        if (++truck_ < trucks_.size()) return;
        truck_ = 0;
        if (++table_ < tables_.size()) return;
        table_ = 0;
        ++round_;
        for (Truck& truck : trucks_) {
            for (Walk& walk : truck.readings) walk.advance(chance_);
            truck.fuel_state.advance(chance_);
            if (truck.fuel_state.value == 0) truck.fuel_state.value = 1;
            if (chance_.share() >= 0.95) truck.load = chance_.share() * 5000;
            truck.status = std::clamp(truck.status + normal(chance_), 0.0, 5.0);
        }
    }

    struct Fate {
        bool takes_late = false, is_missing = false, is_late = false;
        int lacks_field = -1, lacks_name = -1;
    };

    bool make_batch() {
        if (is_over()) return take_leftovers();
        if (chance_.share() < 0.01) {  // The whole batch is lost.
            Row lost;
            for (std::size_t i = 0; i < line_batch && next_in_order(lost); ++i) {
            }
            return true;
        }
        const bool is_late = chance_.share() < 0.05;
        if (!late_batches_.empty() && chance_.share() < 0.5) {
            batch_ = std::move(late_batches_.front());
            late_batches_.pop_front();
            return true;
        }
        std::array<Fate, line_batch> fates;
        draw(fates);
        std::deque<Row> made = mill(fates);
        if (!is_late)
            batch_ = std::move(made);
        else if (!made.empty())
            late_batches_.push_back(std::move(made));
        return true;
    }

    bool take_leftovers() {
        if (!late_batches_.empty()) {
            batch_ = std::move(late_batches_.front());
            late_batches_.pop_front();
        } else {
            batch_ = std::exchange(late_rows_, {});
        }
        return !batch_.empty();
    }

    void draw(std::array<Fate, line_batch>& fates) {
        std::size_t waiting = late_rows_.size();
        for (Fate& fate : fates) {
            if (waiting > 0 && chance_.share() < 0.5) {
                fate.takes_late = true;
                --waiting;
            }
            fate.is_missing = chance_.share() < 0.1;
            if (fate.is_missing) continue;
            if (chance_.share() < 0.1) fate.lacks_field = static_cast<int>(chance_.next() % 7);
            if (chance_.share() < 0.01 && options_.missing_names)
                fate.lacks_name = 1 + static_cast<int>(chance_.next() % (text_names - 1 + fixed_fields));
            fate.is_late = chance_.share() < 0.3;
        }
    }

    std::deque<Row> mill(const std::array<Fate, line_batch>& fates) {
        std::deque<Row> made;
        std::size_t shift = 0;
        for (std::size_t i = 0; i < line_batch; ++i) {
            Row row;
            for (;; ++shift) {
                const Fate fate = i + shift < line_batch ? fates[i + shift] : Fate();
                if (fate.takes_late && !late_rows_.empty()) {
                    row = late_rows_.front();
                    late_rows_.pop_front();
                } else if (!next_in_order(row)) {
                    return made;
                }
                if (fate.is_missing) continue;
                if (!fate.is_late) break;
                late_rows_.push_back(row);
            }
            mutilate(row, fates[i]);
            made.push_back(row);
        }
        return made;
    }

    void mutilate(Row& row, const Fate& fate) const {
        if (fate.lacks_field >= 0) {
            const std::size_t own = tables_[row.table].fields.size() - fixed_fields;
            row.fields[fixed_fields + static_cast<std::size_t>(fate.lacks_field) % own].is_present = false;
        }
        if (fate.lacks_name < 0 || row.key % text_names != 0) return;
        const auto which = static_cast<std::size_t>(fate.lacks_name);
        if (which < text_names)
            row.key += which;
        else
            row.fields[which - text_names].is_present = false;
    }

    const RowsOptions options_;
    Chance chance_;
    const std::int64_t rounds_;
    std::vector<RowTable> tables_;
    const std::vector<std::string> key_names_ = {"name", "fleet", "driver", "model", "device_version"};
    std::vector<RowKey> keys_;
    std::vector<Truck> trucks_;
    std::int64_t round_ = 0;
    std::size_t table_ = 0;
    std::size_t truck_ = 0;
    std::deque<Row> batch_;
    std::deque<std::deque<Row>> late_batches_;
    std::deque<Row> late_rows_;
};

}  // namespace

std::unique_ptr<Rows> make_trucks(const RowsOptions& options) { return std::make_unique<Trucks>(options); }

}  // namespace lineshaft::bench
