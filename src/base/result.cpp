#include "base/result.h"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "base/assert.h"

namespace lineshaft {

const ErrorText& error_text(ErrorCode code) {
    const ErrorText* internal = nullptr;
    for (const ErrorText& text : error_texts) {
        if (text.code == code) return text;
        if (text.code == ErrorCode::Internal) internal = &text;
    }
    return *internal;
}

const ErrorText& Error::text() const { return error_text(code_); }

std::string Error::message() const {
    const auto number = static_cast<unsigned>(code_);
    if (detail_.empty()) return fmt::format("error[LS-{}]: {}", number, text().says);
    return fmt::format("error[LS-{}]: {} ({})", number, text().says, detail_);
}

void assert_failed(const char* condition, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: this must hold: %s\n", file, line, condition);
    std::fflush(stderr);
    std::abort();
}

}  // namespace lineshaft
