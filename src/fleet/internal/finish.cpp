#include "fleet/internal/finish.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <map>

namespace lineshaft::fleet {
namespace {

bool is_true(double value) { return value == value && value != 0; }

/// Nothing stands last, whichever way the order goes.
std::strong_ordering compare(double a, double b, bool descending) {
    if (a != a || b != b) return (a != a) <=> (b != b);
    if (a == b) return std::strong_ordering::equal;
    return (a < b) != descending ? std::strong_ordering::less : std::strong_ordering::greater;
}

class Finish {
public:
    Finish(const Plan& plan, const Keys& keys) : plan_(plan), query_(plan.query), keys_(keys) {}

    Answer run(Rows rows) {
        answer_.from = query_.from;
        answer_.to = query_.to;
        answer_.strings = keys_.strings;
        answer_.number_columns = plan_.after;
        answer_.series = keys_.series.size();
        if (query_.has_group)
            group(rows);
        else
            take(rows);
        if (plan_.having.expression)
            std::erase_if(answer_.rows, [this](const Answer::Row& row) {
                return !is_true(plan_.having.of_row(row.numbers.data()));
            });
        order();
        if (answer_.rows.size() > query_.limit) {
            answer_.more = true;
            answer_.rows.resize(query_.limit);
        }
        return std::move(answer_);
    }

private:
    void take(const Rows& rows) {
        answer_.text_columns = query_.captures();
        answer_.has_time = plan_.has_time;
        answer_.rows.reserve(rows.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            Answer::Row& row = answer_.rows.emplace_back();
            const std::uint32_t* texts = keys_.texts.data() + rows.keys[i] * keys_.captures;
            row.texts.assign(texts, texts + keys_.captures);
            row.time = UtcTime(rows.times[i]);
            row.numbers.assign(rows.row(i), rows.row(i) + rows.width);
        }
    }

    struct Group {
        std::vector<Tally> tallies;
        std::uint64_t rows = 0;
    };

    void group(const Rows& rows) {
        std::vector<std::size_t> captures;
        for (const std::string& name : query_.group_by) {
            if (name == "time") continue;
            answer_.text_columns.push_back(name);
            captures.push_back(
                static_cast<std::size_t>(std::ranges::find(query_.captures(), name) - query_.captures().begin()));
        }
        answer_.has_time = answer_.text_columns.size() < query_.group_by.size();
        std::map<std::pair<std::vector<std::uint32_t>, std::int64_t>, Group> groups;
        std::pair<std::vector<std::uint32_t>, std::int64_t> at;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            at.first.clear();
            for (const std::size_t capture : captures)
                at.first.push_back(keys_.texts[rows.keys[i] * keys_.captures + capture]);
            at.second = answer_.has_time ? rows.times[i] : 0;
            Group& one = groups[at];
            one.tallies.resize(query_.group.size());
            ++one.rows;
            for (std::size_t c = 0; c < query_.group.size(); ++c) {
                if (plan_.group_of[c].expression) one.tallies[c].add(plan_.group_of[c].of_row(rows.row(i)));
            }
        }
        for (const auto& [name, one] : groups) {
            Answer::Row& row = answer_.rows.emplace_back();
            row.texts = name.first;
            row.time = UtcTime(name.second);
            for (std::size_t c = 0; c < query_.group.size(); ++c)
                row.numbers.push_back(plan_.group_of[c].expression ? one.tallies[c].of(query_.group[c].aggregate)
                                                                   : static_cast<double>(one.rows));
        }
        // By text, not by the number of the text.
        std::ranges::sort(answer_.rows, [this](const Answer::Row& a, const Answer::Row& b) {
            for (std::size_t c = 0; c < a.texts.size(); ++c) {
                if (a.texts[c] != b.texts[c]) return answer_.strings[a.texts[c]] < answer_.strings[b.texts[c]];
            }
            return a.time < b.time;
        });
    }

    void order() {
        if (query_.order_by.empty()) return;
        std::ranges::sort(answer_.rows, [this](const Answer::Row& a, const Answer::Row& b) {
            for (const Order& by : query_.order_by) {
                const auto way = compare(by, a, b);
                if (way != 0) return way < 0;
            }
            return std::pair(a.texts, a.time) < std::pair(b.texts, b.time);
        });
    }

    std::strong_ordering compare(const Order& by, const Answer::Row& a, const Answer::Row& b) const {
        if (by.name == "time") return by.descending ? b.time <=> a.time : a.time <=> b.time;
        const auto text = std::ranges::find(answer_.text_columns, by.name);
        if (text != answer_.text_columns.end()) {
            const auto c = static_cast<std::size_t>(text - answer_.text_columns.begin());
            const auto way = answer_.strings[a.texts[c]].compare(answer_.strings[b.texts[c]]) <=> 0;
            return by.descending ? 0 <=> way : way;
        }
        const auto number = std::ranges::find(answer_.number_columns, by.name);
        if (number == answer_.number_columns.end()) return std::strong_ordering::equal;
        const auto c = static_cast<std::size_t>(number - answer_.number_columns.begin());
        return fleet::compare(a.numbers[c], b.numbers[c], by.descending);
    }

    const Plan& plan_;
    const Query& query_;
    const Keys& keys_;
    Answer answer_;
};

}  // namespace

Answer finish(const Plan& plan, const Keys& keys, Rows rows) { return Finish(plan, keys).run(std::move(rows)); }

}  // namespace lineshaft::fleet
