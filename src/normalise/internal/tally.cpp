#include "normalise/internal/tally.h"

#include <algorithm>

#include "base/counters.h"

namespace lineshaft::normalise {
namespace {

constexpr const char* samples_name = "lineshaft_samples_total";
constexpr const char* samples_help = "Samples given to the store, by the protocol they came by";
Counter samples_mqtt{samples_name, "protocol=\"mqtt\"", samples_help};
Counter samples_http{samples_name, "protocol=\"http\"", samples_help};
Counter samples_modbus{samples_name, "protocol=\"modbus\"", samples_help};
Counter samples_import{samples_name, "protocol=\"import\"", samples_help};
Counter samples_other{samples_name, "protocol=\"other\"", samples_help};

constexpr const char* refused_name = "lineshaft_readings_refused_total";
constexpr const char* refused_help = "Readings not kept, or not kept as sent";
Counter refused_ignored{refused_name, "reason=\"ignored\"", refused_help};
Counter refused_inbox{refused_name, "reason=\"inbox_full\"", refused_help};
Counter refused_tags{refused_name, "reason=\"device_tags_full\"", refused_help};
Counter refused_name_{refused_name, "reason=\"name\"", refused_help};
Counter refused_unknown{refused_name, "reason=\"unknown_tag\"", refused_help};
Counter refused_no_value{refused_name, "reason=\"no_value\"", refused_help};
Counter refused_text{refused_name, "reason=\"text_too_long\"", refused_help};
Counter refused_type{refused_name, "reason=\"type\"", refused_help};
Counter refused_not_finite{refused_name, "reason=\"not_finite\"", refused_help};
Counter refused_unit{refused_name, "reason=\"unit\"", refused_help};
Counter refused_future{refused_name, "reason=\"future\"", refused_help};
Counter refused_past{refused_name, "reason=\"past\"", refused_help};
Counter refused_time{refused_name, "reason=\"time\"", refused_help};

Counter held{"lineshaft_deadband_held_total", "", "Samples held back by deadbands"};
Counter tags_discovered{"lineshaft_tags_discovered_total", "", "Tags heard of for the first time"};

Counter& counter_of(std::string_view protocol) {
    if (protocol == "mqtt") return samples_mqtt;
    if (protocol == "http") return samples_http;
    if (protocol == "modbus") return samples_modbus;
    if (protocol == "import") return samples_import;
    return samples_other;
}

Counter& counter_of(Why why) {
    switch (why) {
        case Why::Ignored: return refused_ignored;
        case Why::InboxFull: return refused_inbox;
        case Why::TagsFull: return refused_tags;
        case Why::Name: return refused_name_;
        case Why::UnknownTag: return refused_unknown;
        case Why::NoValue: return refused_no_value;
        case Why::TextTooLong: return refused_text;
        case Why::Type: return refused_type;
        case Why::NotFinite: return refused_not_finite;
        case Why::Unit: return refused_unit;
        case Why::Future: return refused_future;
        case Why::Past: return refused_past;
        case Why::Time:
        case Why::Kept:
        case Why::count_: break;
    }
    return refused_time;
}

}  // namespace

std::string_view to_text(Why why) {
    switch (why) {
        case Why::Kept: return "kept";
        case Why::Ignored: return "the device is ignored";
        case Why::InboxFull: return "the inbox of discovered things is full";
        case Why::TagsFull: return "the device has more new tags than discovery.tags_per_device_max";
        case Why::Name: return "the name cannot be used";
        case Why::UnknownTag: return "there is no such tag";
        case Why::NoValue: return "no value yet";
        case Why::TextTooLong: return "the text is too long";
        case Why::Type: return "the value does not have the tag's type";
        case Why::NotFinite: return "the value is no finite number";
        case Why::Unit: return "the unit is not the tag's";
        case Why::Future: return "the time lies further ahead than time.future_max";
        case Why::Past: return "the time lies further back than time.past_max";
        case Why::Time: return "the time cannot be right";
        case Why::count_: break;
    }
    return "?";
}

std::size_t Tally::protocol_of(std::string_view source) {
    std::string_view name = source.substr(0, source.find('/'));
    const auto known = std::ranges::find(protocols_, name, &Protocol::name);
    if (known != protocols_.end()) return static_cast<std::size_t>(known - protocols_.begin());
    if (protocols_.size() + 1 >= protocols_max && name != "other") return protocol_of("other");
    protocols_.push_back({std::string(name)});
    return protocols_.size() - 1;
}

void Tally::kept(std::size_t protocol, std::size_t samples) {
    protocols_[protocol].samples += samples;
    counter_of(protocols_[protocol].name).add(static_cast<std::int64_t>(samples));
}

void Tally::refused(Why why, std::string_view what, UtcTime now) {
    counter_of(why).add();
    auto& named = refusals_[static_cast<std::size_t>(why)];
    auto found = named.find(what);
    if (found == named.end()) {
        if (refusal_count_ >= refusals_kept_max) what = "others";
        const auto [made, is_new] =
            named.try_emplace(std::string(what), Refusal{std::string(what), std::string(to_text(why))});
        found = made;
        if (is_new) ++refusal_count_;
    }
    ++found->second.count;
    found->second.last = now;
}

void Tally::held_back() { held.add(); }
void Tally::discovered() { tags_discovered.add(); }

void Tally::tick() {
    for (Protocol& p : protocols_) p.before[ticks_ % window_s] = p.samples;
    ++ticks_;
}

std::vector<ProtocolRate> Tally::rates() const {
    std::vector<ProtocolRate> out;
    const std::size_t seconds = std::min(ticks_, window_s);
    for (const Protocol& p : protocols_) {
        // The oldest tick is overwritten next; before the window is full it is the first.
        const std::uint64_t oldest = ticks_ < window_s ? p.before[0] : p.before[ticks_ % window_s];
        const double span = seconds > 1 ? static_cast<double>(seconds - 1) : 1;
        const std::uint64_t newest = ticks_ == 0 ? p.samples : p.before[(ticks_ - 1) % window_s];
        out.push_back({p.name, p.samples, static_cast<double>(newest - std::min(newest, oldest)) / span});
    }
    return out;
}

std::vector<Refusal> Tally::refusals() const {
    std::vector<Refusal> out;
    for (const auto& named : refusals_) {
        for (const auto& [what, refusal] : named) out.push_back(refusal);
    }
    std::ranges::sort(out, std::greater(), &Refusal::count);
    return out;
}

}  // namespace lineshaft::normalise
