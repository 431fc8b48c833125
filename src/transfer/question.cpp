#include "transfer/question.h"

#include <array>

#include <fmt/format.h>

namespace lineshaft::transfer {
namespace {

constexpr std::array<std::string_view, 3> forms = {"csv", "jsonl", "parquet"};
constexpr std::array<std::string_view, 3> packings = {"none", "gzip", "zstd"};
constexpr std::array<std::string_view, 8> aggregates = {"min",  "max", "mean",  "first",
                                                        "last", "sum", "count", "good"};

template <class T, std::size_t N>
Result<T> from_text(const std::array<std::string_view, N>& names, std::string_view text, const char* what) {
    for (std::size_t i = 0; i < N; ++i) {
        if (names[i] == text) return static_cast<T>(i);
    }
    return fail(ErrorCode::InvalidArgument, fmt::format("{} '{}' is none of {}", what, text, fmt::join(names, ", ")));
}

}  // namespace

std::string_view to_text(Form form) { return forms[static_cast<std::size_t>(form)]; }
Result<Form> form_from_text(std::string_view text) { return from_text<Form>(forms, text, "format"); }
std::string_view to_text(Packing packing) { return packings[static_cast<std::size_t>(packing)]; }
Result<Packing> packing_from_text(std::string_view text) { return from_text<Packing>(packings, text, "compression"); }
std::string_view to_text(Aggregate aggregate) { return aggregates[static_cast<std::size_t>(aggregate)]; }
Result<Aggregate> aggregate_from_text(std::string_view text) {
    return from_text<Aggregate>(aggregates, text, "aggregate");
}

const std::vector<Aggregate>& all_aggregates() {
    static const std::vector<Aggregate> all = {Aggregate::Min,  Aggregate::Max, Aggregate::Mean,  Aggregate::First,
                                               Aggregate::Last, Aggregate::Sum, Aggregate::Count, Aggregate::Good};
    return all;
}

std::string_view media_type(Form form) {
    if (form == Form::Csv) return "text/csv; charset=utf-8";
    return form == Form::JsonLines ? "application/x-ndjson" : "application/vnd.apache.parquet";
}

std::string file_ending(Form form, Packing packing) {
    std::string ending = fmt::format(".{}", to_text(form));
    if (form == Form::Parquet) return ending;
    if (packing == Packing::Gzip) ending += ".gz";
    if (packing == Packing::Zstd) ending += ".zst";
    return ending;
}

}  // namespace lineshaft::transfer
