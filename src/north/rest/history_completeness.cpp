#include <algorithm>

#include "north/rest/internal/completeness.h"

namespace lineshaft::rest {
namespace {

double seconds(Duration time) { return static_cast<double>(time.count()) / 1e9; }

std::optional<Duration> poll_of(const Json& object) {
    const auto at = object.find("poll_ms");
    if (at == object.end() || !at->is_number() || at->get<double>() <= 0) return std::nullopt;
    return Duration(static_cast<std::int64_t>(at->get<double>() * 1e6));
}

Json share_json(std::uint64_t part, std::uint64_t of) {
    return of ? Json(static_cast<double>(part) / static_cast<double>(of)) : Json();
}

}  // namespace

std::optional<Duration> ConfiguredCadences::of(const registry::Device& device, const registry::Tag& tag) {
    if (device.protocol != "modbus") return std::nullopt;
    const auto [at, is_new] = devices_.try_emplace(device.id);
    Polled& polled = at->second;
    if (is_new) {
        const Json settings = Json::parse(device.settings, nullptr, false);
        if (settings.is_object()) {
            polled.all = poll_of(settings).value_or(1s);
            for (const Json& reg : settings.value("registers", Json::array())) {
                if (!reg.is_object() || !reg.contains("name") || !reg["name"].is_string()) continue;
                if (const auto own = poll_of(reg)) polled.by_address[reg["name"].get<std::string>()] = *own;
            }
        }
    }
    // A deadband makes it a report by exception.
    if (tag.deadband > 0) return std::nullopt;
    const auto own = polled.by_address.find(tag.address);
    return own == polled.by_address.end() ? polled.all : own->second;
}

store::TagQuestion question_about(const registry::Snapshot& snapshot, const registry::Tag& tag,
                                  ConfiguredCadences& cadences) {
    store::TagQuestion question;
    question.tag = tag.id;
    question.range_low = tag.range_low;
    question.range_high = tag.range_high;
    if (const registry::Device* device = snapshot.device(tag.device)) {
        question.device = device->name;
        question.cadence = cadences.of(*device, tag);
    }
    return question;
}

void gather_completeness(Services& services, HistoryAnswer& answer, std::move_only_function<void()> done) {
    struct Left {
        std::size_t count;
        std::move_only_function<void()> done;
    };
    auto* left = new Left{answer.series.size(), std::move(done)};
    ConfiguredCadences cadences;
    store::Ledgers ledgers(services.shards, services.store);
    for (HistorySeries& series : answer.series) {
        const registry::Device* device = answer.snapshot->device(series.tag->device);
        const ShardId home =
            device ? home_shard(series.tag->tenant, device->name, services.shards.count()) : ShardId(0);
        ledgers.post_completeness(services.shard, home, question_about(*answer.snapshot, *series.tag, cadences),
                                  answer.from, answer.to, [&series, left](Result<store::Completeness> known) {
                                      if (known) series.completeness = *std::move(known);
                                      if (--left->count > 0) return;
                                      const std::unique_ptr<Left> last(left);
                                      last->done();
                                  });
    }
}

void add_completeness(const store::Completeness& known, Json& into) {
    Json missing = Json::array();
    for (const store::Missing& one : known.missing) {
        missing.push_back({{"from", time_json(one.from)},
                           {"to", time_json(one.to)},
                           {"reason", store::to_text(one.reason)},
                           {"samples", one.samples ? Json(*one.samples) : Json()},
                           {"exact", one.is_exact}});
    }
    into.update({{"expected", known.expected ? Json(*known.expected) : Json()},
                 {"cadence_s", known.cadence ? Json(seconds(*known.cadence)) : Json()},
                 {"cadence_from", store::to_text(known.cadence_from)},
                 {"missing", std::move(missing)},
                 {"missing_more", known.missing_more},
                 {"missing_s", seconds(known.missing_time)},
                 {"examined", known.examined},
                 {"late", share_json(known.late, known.examined)},
                 {"out_of_order", share_json(known.out_of_order, known.examined)}});
}

}  // namespace lineshaft::rest
