/// What names, texts and numbers may be. Each says what to do instead.
///
/// Errors: InvalidArgument, NotFound, Conflict.
#pragma once

#include <cmath>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "registry/internal/edit.h"

namespace lineshaft::registry {

inline constexpr std::size_t text_bytes_max = 4096;  // Titles, descriptions, consequences.
inline constexpr std::size_t settings_bytes_max = 1024 * 1024;
inline constexpr std::size_t name_bytes_max = 255;
inline constexpr std::size_t asset_depth_max = 32;
inline constexpr std::size_t tags_per_change_max = 20'000;
inline constexpr Duration alarm_delay_max = 24h;

/// A name of one level: not empty, printable, no '/'.
Result<void> check_level(std::string_view what, std::string_view name);
/// Levels joined by '/': none empty.
Result<void> check_path(std::string_view what, std::string_view path, std::size_t bytes_max);
/// A text for people; line breaks are allowed.
Result<void> check_text(std::string_view what, std::string_view text);
/// Empty, or a JSON object.
Result<void> check_settings(std::string_view json);
Result<void> check_finite(std::string_view what, double number);

template <class Row>
Result<void> check_version(const Row& row, std::uint64_t version) {
    if (version == 0 || version == row.version) return {};
    return fail(ErrorCode::Conflict, fmt::format("{} '{}' has version {}, the change was made for {}: read it again",
                                                 to_text(kind_of(row)), name_of(row), row.version, version));
}

/// The row, if it is in the edit's tenant.
template <class Id, class Row>
Result<const Row*> find(const Edit& edit, const Table<Id, Row>& table, Id id) {
    const Row* row = table.get(id);
    if (row && tenant_of(*row) == edit.tenant()) return row;
    return fail(ErrorCode::NotFound, fmt::format("there is no {} {}", to_text(kind_of(Row{})), id.value()));
}

template <class Row>
Changed changed(const Row& row) {
    Changed result;
    result.id = row.id.value();
    result.version = row.version;
    return result;
}

}  // namespace lineshaft::registry
