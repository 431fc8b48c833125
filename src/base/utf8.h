/// Is it text? Names and strings from outside are checked once, at the door.
#pragma once

#include <string_view>

namespace lineshaft {

/// Well-formed UTF-8 (Unicode 15, table 3-7): no surrogates, no overlong forms, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// UTF-8 without control characters (below U+0020, U+007F): what may stand in a path, a log line and a page.
bool is_printable_utf8(std::string_view text);

}  // namespace lineshaft
