#include <array>
#include <charconv>

#include "wire/number.h"
#include "wire/table/table.h"

namespace lineshaft::wire::table {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool equals_lower(std::string_view text, std::string_view word) {
    if (text.size() != word.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (lower(text[i]) != word[i]) return false;
    }
    return true;
}

bool is_nothing(std::string_view text) {
    if (text.empty() || text == "-" || text == "?") return true;
    if (text.size() > 4) return false;
    for (const std::string_view word : {"nan", "na", "n/a", "null", "none"}) {
        if (equals_lower(text, word)) return true;
    }
    return false;
}

/// Digits only, at most 18 of them, so nothing overflows.
std::optional<std::int64_t> integer_of(std::string_view text) {
    const bool negative = text[0] == '-';
    std::size_t at = negative || text[0] == '+' ? 1 : 0;
    if (at == text.size() || text.size() - at > 18) return std::nullopt;
    std::int64_t value = 0;
    for (; at < text.size(); ++at) {
        if (!is_digit(text[at])) return std::nullopt;
        value = value * 10 + (text[at] - '0');
    }
    return negative ? -value : value;
}

std::optional<double> number_of(std::string_view text, char decimal) {
    const char* const end = text.data() + text.size();
    double value = 0;
    if (decimal == '.') {
        const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
        return read_number(begin, end, value) == end ? std::optional(value) : std::nullopt;
    }
    std::array<char, 64> copy;
    if (text.size() > copy.size()) return std::nullopt;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '.') return std::nullopt;
        copy[i] = text[i] == decimal ? '.' : text[i];
    }
    const char* const copy_end = copy.data() + text.size();
    const char* begin = copy.data() + (text[0] == '+' ? 1 : 0);
    return read_number(begin, copy_end, value) == copy_end ? std::optional(value) : std::nullopt;
}

/// Reads the parts of a date and time; every step says whether it fitted.
class TimeReader {
public:
    explicit TimeReader(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

    bool at_end() const { return at_ == end_; }
    char peek() const { return at_ < end_ ? *at_ : '\0'; }
    bool take(char c) {
        if (peek() != c || at_end()) return false;
        ++at_;
        return true;
    }
    void skip_blanks() {
        while (at_ < end_ && *at_ == ' ') ++at_;
    }
    /// Between `least` and `most` digits.
    bool number(int least, int most, int& value) {
        int digits = 0;
        value = 0;
        while (at_ < end_ && is_digit(*at_) && digits < most) {
            value = value * 10 + (*at_++ - '0');
            ++digits;
        }
        last_digits_ = digits;
        return digits >= least;
    }
    int last_digits() const { return last_digits_; }
    /// Digits after a decimal point as nanoseconds; more than nine are cut off.
    bool fraction(std::int64_t& ns) {
        std::int64_t unit = 100'000'000;
        ns = 0;
        const char* const first = at_;
        for (; at_ < end_ && is_digit(*at_); ++at_, unit /= 10) ns += (*at_ - '0') * unit;
        return at_ != first;
    }
    bool word(std::string_view lower_case) {
        const auto left = static_cast<std::size_t>(end_ - at_);
        if (left < lower_case.size() || !equals_lower({at_, lower_case.size()}, lower_case)) return false;
        at_ += lower_case.size();
        return true;
    }

private:
    const char* at_;
    const char* end_;
    int last_digits_ = 0;
};

struct Date {
    int year = 0, month = 0, day = 0;
};

bool is_leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

bool is_valid(const Date& date) {
    static constexpr std::array<int, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (date.year < 1900 || date.year > 2200 || date.month < 1 || date.month > 12 || date.day < 1) return false;
    const int most = date.month == 2 && is_leap(date.year) ? 29 : days[static_cast<std::size_t>(date.month - 1)];
    return date.day <= most;
}

/// Days since 1970-01-01 (Howard Hinnant's days_from_civil).
std::int64_t days_of(const Date& date) {
    const int y = date.month <= 2 ? date.year - 1 : date.year;
    const int era = y / 400;
    const int yoe = y - era * 400;
    const int doy = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
    const int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return static_cast<std::int64_t>(era) * 146097 + doe - 719468;
}

bool read_date(TimeReader& in, DateOrder order, Date& date) {
    int first = 0, second = 0, third = 0;
    if (!in.number(1, 4, first)) return false;
    const bool year_first = in.last_digits() == 4;
    const char separator = in.peek();
    if (separator != '-' && separator != '/' && separator != '.') return false;
    if (!in.take(separator) || !in.number(1, 2, second) || !in.take(separator)) return false;
    if (!in.number(1, year_first ? 2 : 4, third)) return false;
    if (year_first) {
        date = {first, second, third};
        return is_valid(date);
    }
    if (in.last_digits() == 2) third += 2000;
    date = order == DateOrder::MonthFirst ? Date{third, first, second} : Date{third, second, first};
    return is_valid(date);
}

struct TimeOfDay {
    int hour = 0, minute = 0, second = 0;
    std::int64_t ns = 0;
};

bool read_time_of_day(TimeReader& in, TimeOfDay& time) {
    if (!in.number(1, 2, time.hour) || !in.take(':') || !in.number(2, 2, time.minute)) return false;
    if (in.take(':')) {
        if (!in.number(2, 2, time.second)) return false;
        if ((in.take('.') || in.take(',')) && !in.fraction(time.ns)) return false;
    }
    in.skip_blanks();
    const bool pm = in.word("pm");
    if (pm || in.word("am")) {
        if (time.hour < 1 || time.hour > 12) return false;
        time.hour = time.hour % 12 + (pm ? 12 : 0);
    }
    return time.hour <= 23 && time.minute <= 59 && time.second <= 59;
}

/// The zone, as seconds ahead of UTC; nullopt when there is none; false when it is none of ours.
bool read_zone(TimeReader& in, std::optional<std::int64_t>& ahead_s) {
    if (in.at_end()) return true;
    if (in.word("z") || in.word("utc")) {
        ahead_s = 0;
        return in.at_end();
    }
    const bool minus = in.peek() == '-';
    if (!in.take('+') && !in.take('-')) return false;
    int hours = 0, minutes = 0;
    if (!in.number(2, 2, hours)) return false;
    const bool colon = in.take(':');
    if ((colon || !in.at_end()) && !in.number(2, 2, minutes)) return false;
    if (hours > 14 || minutes > 59) return false;
    ahead_s = (minus ? -1 : 1) * (hours * 3600L + minutes * 60L);
    return in.at_end();
}

}  // namespace

Cell parse_cell(std::string_view text, char decimal) {
    Cell cell{.text = text};
    if (text.empty()) return cell;
    const char first = text[0];
    if (is_digit(first) || first == '-' || first == '+' || first == '.' || first == decimal) {
        if (const auto integer = integer_of(text)) {
            cell.kind = ColumnKind::Int;
            cell.integer = *integer;
            cell.number = static_cast<double>(*integer);
            return cell;
        }
        if (const auto number = number_of(text, decimal)) {
            cell.kind = ColumnKind::Double;
            cell.number = *number;
            return cell;
        }
    }
    if (is_nothing(text)) return cell;
    if (equals_lower(text, "true") || equals_lower(text, "false")) {
        cell.kind = ColumnKind::Bool;
        cell.integer = text.size() == 4;
        cell.number = static_cast<double>(cell.integer);
        return cell;
    }
    cell.kind = ColumnKind::Text;
    return cell;
}

std::optional<UtcTime> parse_calendar(std::string_view text, DateOrder order, Duration utc_offset) {
    TimeReader in(text);
    Date date;
    if (!read_date(in, order, date)) return std::nullopt;
    TimeOfDay time;
    std::optional<std::int64_t> ahead_s;
    if (!in.at_end()) {
        in.take(',');
        if (!in.take('T') && !in.take('t') && !in.take(' ')) return std::nullopt;
        in.skip_blanks();
        if (!in.at_end() && (!read_time_of_day(in, time) || !read_zone(in, ahead_s))) return std::nullopt;
    }
    const std::int64_t seconds = days_of(date) * 86400 + time.hour * 3600L + time.minute * 60L + time.second;
    const Duration ahead = ahead_s ? Duration(std::chrono::seconds(*ahead_s)) : utc_offset;
    return UtcTime(seconds * 1'000'000'000 + time.ns) - ahead;
}

std::optional<UtcTime> parse_epoch(std::string_view text) {
    constexpr std::int64_t earliest_s = 631'152'000;  // 1990-01-01.
    constexpr std::int64_t latest_s = 5'680'281'600;  // 2150-01-01.
    if (text.empty() || !is_digit(text[0])) return std::nullopt;
    std::int64_t whole = 0;
    const char* const end = text.data() + text.size();
    const auto [point, error] = std::from_chars(text.data(), end, whole);
    if (error != std::errc()) return std::nullopt;
    std::int64_t unit_ns = 1'000'000'000;
    while (unit_ns > 1 && whole > latest_s * (1'000'000'000 / unit_ns)) unit_ns /= 1000;
    const std::int64_t per_s = 1'000'000'000 / unit_ns;
    if (whole < earliest_s * per_s || whole / per_s > latest_s) return std::nullopt;
    std::int64_t fraction_ns = 0;
    if (point != end) {
        TimeReader in(std::string_view(point, static_cast<std::size_t>(end - point)));
        if (!in.take('.') || !in.fraction(fraction_ns) || !in.at_end()) return std::nullopt;
        // fraction() reads decimals of a second; those of a smaller unit are worth less.
        fraction_ns = fraction_ns / per_s;
    }
    return UtcTime(whole * unit_ns + fraction_ns);
}

}  // namespace lineshaft::wire::table
