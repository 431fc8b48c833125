/// Result<T>: a value or an Error that says what to do about it.
///
/// Errors:  codes, sentences and remedies come from api/errors.toml. A failure is handled, translated at a door
///          or returned; logging and going on is none of them.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "base/error_codes.h"

namespace lineshaft {

/// What went wrong: the code for programs, the detail for the reader ("tag 'x' has no unit 'bar': use one of …").
class Error {
public:
    explicit Error(ErrorCode code, std::string detail = {}) : code_(code), detail_(std::move(detail)) {}

    ErrorCode code() const { return code_; }
    const std::string& detail() const { return detail_; }
    /// The row of api/errors.toml.
    const ErrorText& text() const;
    /// "error[LS-2103]: The device does not answer. (10.0.0.5:502)".
    std::string message() const;

private:
    ErrorCode code_;
    std::string detail_;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string detail = {}) {
    return std::unexpected<Error>(Error(code, std::move(detail)));
}

/// The text of a code; the Internal row for a number that does not exist.
const ErrorText& error_text(ErrorCode code);

}  // namespace lineshaft

/// The value, or return the error from the enclosing function. Not inside coroutines: use CO_TRY there.
#define TRY(expression)                                            \
    __extension__({                                                \
        auto try_result = (expression);                            \
        if (!try_result) [[unlikely]]                              \
            return std::unexpected(std::move(try_result).error()); \
        *std::move(try_result);                                    \
    })

/// As TRY, for Result<void>.
#define TRY_VOID(expression)                                       \
    do {                                                           \
        auto try_result = (expression);                            \
        if (!try_result) [[unlikely]]                              \
            return std::unexpected(std::move(try_result).error()); \
    } while (false)
