/// The table that tools/embed.py writes at build time.
#pragma once

#include <span>

#include "north/ui/assets.h"

namespace lineshaft::ui {

/// All embedded files, sorted by path.
std::span<const Asset> embedded_files();

}  // namespace lineshaft::ui
