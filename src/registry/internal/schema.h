/// The registry's tables.
///
/// Formats: docs/formats/registry.md.
#pragma once

#include <span>

#include "registry/database.h"

namespace lineshaft::registry {

inline constexpr std::string_view room_name = "registry";
std::span<const Migration> registry_migrations();

}  // namespace lineshaft::registry
