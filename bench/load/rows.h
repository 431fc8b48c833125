/// Rows of invented machines, and what they are written as: the same rows for every program under test.
///
/// Threads: one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lineshaft::bench {

/// A decimal number as a whole number and how many of its digits stand behind the point.
struct Field {
    std::int64_t digits = 0;
    std::uint8_t decimals = 0;
    bool is_integer = false;  // "7i" in line protocol.
    bool is_present = true;
};

inline constexpr std::size_t row_fields_max = 16;

struct Row {
    std::size_t table = 0;
    std::size_t key = 0;  // Into Rows::keys().
    std::int64_t time_ns = 0;
    std::array<Field, row_fields_max> fields;  // As many as the table has.
};

struct RowTable {
    std::string name;
    std::vector<std::string> fields;
    std::vector<bool> is_fixed;  // A property of the key, which databases with tables keep beside the key.
};

/// Who speaks: the texts that a row is found by, empty where one is missing.
struct RowKey {
    std::vector<std::string> texts;
    std::vector<Field> fixed;
};

class Rows {
public:
    virtual ~Rows() = default;
    virtual const std::vector<RowTable>& tables() const = 0;
    virtual const std::vector<std::string>& key_names() const = 0;
    virtual const std::vector<RowKey>& keys() const = 0;
    /// False at the end.
    virtual bool next(Row& row) = 0;
};

struct RowsOptions {
    std::string set = "tsbs";  // Or "plant".
    std::size_t machines = 1000;
    double hours = 6;
    double period_s = 10;
    std::int64_t start_s = 1'767'225'600;  // 2026-01-01.
    std::uint64_t seed = 1;
    bool disorder = true;       // tsbs: what is late and missing, as the iot set has it.
    bool missing_names = true;  // tsbs: one line in a hundred lacks one of its texts or fixed numbers.
    double jitter_ms = 0;       // plant: of every other machine's times.
};
std::unique_ptr<Rows> make_rows(const RowsOptions& options);
std::unique_ptr<Rows> make_trucks(const RowsOptions& options);
std::unique_ptr<Rows> make_plant(const RowsOptions& options);

/// What was made, so that what was kept can be compared with it.
struct RowSums {
    std::uint64_t rows = 0;
    std::uint64_t values = 0;
    std::vector<std::vector<std::uint64_t>> counts;  // By table and field.
    std::vector<std::vector<std::int64_t>> sums;     // Of digits.
    void add(const Row& row, const Rows& from);
    std::string json(const Rows& from) const;
};

/// Appends rows as text.
class RowWriter {
public:
    enum class Form { Lines, TabsUnixTime, TabsIsoTime };
    RowWriter(const Rows& rows, Form form);
    /// Values written.
    std::size_t write(const Row& row, std::string& out);

private:
    std::size_t write_line(const Row& row, std::string& out);
    std::size_t write_tabs(const Row& row, std::string& out);

    const Rows& rows_;
    const Form form_;
    std::vector<std::vector<std::string>> heads_;  // By table and key: "readings,name=truck_1 ".
};

/// The keys as a table with tabs: id, texts, fixed numbers.
std::string key_table(const Rows& rows);

}  // namespace lineshaft::bench
