/// What shall be exported, in which form.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/strong.h"
#include "base/time.h"
#include "model/value.h"

namespace lineshaft::transfer {

inline constexpr std::size_t export_tags_max = 100'000;

enum class Form : std::uint8_t { Csv, JsonLines, Parquet };
/// "csv", "jsonl", "parquet". Errors: InvalidArgument.
std::string_view to_text(Form form);
Result<Form> form_from_text(std::string_view text);

enum class Packing : std::uint8_t { None, Gzip, Zstd };
/// "none", "gzip", "zstd". Errors: InvalidArgument.
std::string_view to_text(Packing packing);
Result<Packing> packing_from_text(std::string_view text);

enum class Aggregate : std::uint8_t { Min, Max, Mean, First, Last, Sum, Count, Good };
std::string_view to_text(Aggregate aggregate);
Result<Aggregate> aggregate_from_text(std::string_view text);
const std::vector<Aggregate>& all_aggregates();

struct ExportTag {
    TagId id;
    ShardId home{0};
    std::string path, device, unit;
    ValueType type = ValueType::Double;
};

struct Question {
    std::vector<ExportTag> tags;  // In this order they are written, each oldest first.
    UtcTime from, to;             // from ≤ source time < to.
    Form form = Form::Csv;
    Packing packing = Packing::None;  // Of text; Parquet packs itself.
    Duration resolution{0};           // 0: the samples themselves.
    std::vector<Aggregate> aggregates = all_aggregates();
    bool receive_time = false;  // A column more in text; Parquet always has it.

    bool is_raw() const { return resolution.count() == 0; }
};

/// "text/csv; charset=utf-8", …
std::string_view media_type(Form form);
/// ".csv", ".jsonl.zst", ".parquet".
std::string file_ending(Form form, Packing packing);

}  // namespace lineshaft::transfer
