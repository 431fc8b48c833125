#include "store/internal/states.h"

#include <algorithm>

namespace lineshaft::store {
namespace {

std::string key_of(const Chunk& rows, std::size_t row) {
    if (rows.qualities[row].is_bad()) return {};
    std::string key(1, static_cast<char>(rows.types[row]));
    if (rows.types[row] == ValueType::String) return key += rows.text_at(row);
    const double number = rows.number_at(row);
    if (number != number) return {};
    for (int shift = 0; shift < 64; shift += 8) key += static_cast<char>(rows.bits[row] >> shift & 0xFF);
    return key;
}

}  // namespace

StateTime* StateClock::state_of(const std::string& key) {
    const auto known = states_.find(key);
    if (known != states_.end()) return &known->second;
    if (states_.size() >= states_max) return nullptr;
    return &states_.emplace(key, StateTime{value_, {}, 0}).first->second;
}

void StateClock::pass(UtcTime time) {
    if (key_.empty() || time <= since_) return;
    const Duration passed = span_between(since_, time);
    if (StateTime* state = state_of(key_))
        state->time += passed;
    else
        other_ += passed;
    since_ = time;
}

void StateClock::enter(UtcTime time, const Chunk& rows, std::size_t row) {
    std::string key = key_of(rows, row);
    if (key == key_) return;
    pass(time);
    key_ = std::move(key);
    since_ = time;
    if (key_.empty()) return;
    value_ = rows.value_at(row);
    if (StateTime* state = state_of(key_)) ++state->count;
}

void StateClock::open(UtcTime time) {
    states_.clear();
    other_ = {};
    since_ = time;
    if (key_.empty()) return;
    if (StateTime* state = state_of(key_)) ++state->count;
}

void StateClock::close(UtcTime time, std::optional<UtcTime> hold_until, BucketRows& into) {
    pass(hold_until ? std::min(time, *hold_until) : time);
    for (auto& [key, state] : states_) into.states.push_back(std::move(state));
    std::ranges::sort(into.states, [](const StateTime& a, const StateTime& b) {
        return a.time != b.time ? a.time > b.time : lineshaft::to_text(a.value) < lineshaft::to_text(b.value);
    });
    into.other_states = other_;
}

}  // namespace lineshaft::store
