#include "base/log.h"

#include <atomic>
#include <chrono>

#include <unistd.h>

#include "base/time.h"
#include "base/utf8.h"

namespace lineshaft {
namespace {

std::atomic<LogLevel> level_now{LogLevel::Info};
std::atomic<LogFormat> format_now{LogFormat::Text};

constexpr std::string_view names[] = {"debug", "info", "warning", "error", "off"};

/// Bytes that are not text are shown as the characters of their numbers, so that a line is always valid JSON.
std::string json_escaped(std::string_view text) {
    const bool is_text = is_utf8(text);
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            (out += '\\') += c;
        else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !is_text))
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(byte));
        else
            out += c;
    }
    return out;
}

/// A name from outside must not forge a second line nor speak to the terminal.
std::string one_line(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F)
            out += fmt::format("\\x{:02x}", static_cast<unsigned>(byte));
        else
            out += c;
    }
    return out;
}

}  // namespace

void set_log(LogLevel level, LogFormat format) {
    level_now = level;
    format_now = format;
}

LogLevel log_level() { return level_now.load(std::memory_order_relaxed); }

void log_line(LogLevel level, std::string_view text) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();  // Of the log, not of data.
    const std::string time =
        to_rfc3339(UtcTime(std::chrono::floor<std::chrono::milliseconds>(now).count() * 1'000'000));
    const std::string_view name = names[static_cast<int>(level)];
    const std::string line =
        format_now.load() == LogFormat::Json
            ? fmt::format("{{\"time\":\"{}\",\"level\":\"{}\",\"message\":\"{}\"}}\n", time, name, json_escaped(text))
            : fmt::format("{} {:<7} {}\n", time, name, one_line(text));
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace lineshaft
