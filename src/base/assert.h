/// ASSERT(condition): our own mistakes end the process, in release too.
///
/// Input from outside is never asserted: it is `Malformed`, counted and answered.
#pragma once

namespace lineshaft {
/// Prints where and what, then aborts.
[[noreturn]] void assert_failed(const char* condition, const char* file, int line);
}  // namespace lineshaft

#define ASSERT(condition)                                               \
    do {                                                                \
        if (!(condition)) [[unlikely]]                                  \
            ::lineshaft::assert_failed(#condition, __FILE__, __LINE__); \
    } while (false)
