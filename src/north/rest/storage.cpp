// The room that history takes, and taking samples away or putting them right.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "north/rest/internal/call.h"
#include "store/life.h"

namespace lineshaft::rest {
namespace {

constexpr std::size_t tags_named_max = 10'000;
constexpr std::size_t samples_named_max = 10'000;
constexpr std::size_t days_told = 400;

Json days_json(const std::vector<store::DayUse>& days) {
    Json list = Json::array();
    const std::size_t first = days.size() > days_told ? days.size() - days_told : 0;
    for (std::size_t i = first; i < days.size(); ++i) {
        const store::DayUse& day = days[i];
        list.push_back({{"from", time_json(day.from)},
                        {"to", time_json(day.to)},
                        {"segments", day.segments},
                        {"samples", day.samples},
                        {"bytes", day.bytes},
                        {"damaged_blocks", day.damaged_blocks},
                        {"cold", day.cold}});
    }
    return list;
}

Json damage_json(const Call& call, const std::vector<store::Damage>& damage) {
    Json list = Json::array();
    for (const store::Damage& one : damage) {
        const registry::Tag* tag = call.snapshot().tag(one.tag);
        if (tag && tag->tenant != call.tenant()) continue;
        list.push_back({{"file", one.file},
                        {"tag", one.tag == TagId() ? Json() : Json(id_text(one.tag.value()))},
                        {"tag_path", tag ? Json(tag->path) : Json()},
                        {"from", time_json(one.from)},
                        {"to", time_json(one.to)},
                        {"blocks", one.blocks},
                        {"why", one.why}});
    }
    return list;
}

Json storage_json(const Call& call, const store::StorageReport& report) {
    const store::Stats& stats = report.stats;
    Json freed = Json::array();
    for (const store::RetentionEffect& effect : report.freed)
        freed.push_back(
            {{"rule", effect.rule == 0 ? Json() : Json(id_text(effect.rule))}, {"samples", effect.samples}});
    return {{"series", stats.series},
            {"samples", stats.samples},
            {"bytes", stats.segment_bytes},
            {"memory_bytes", stats.memory_bytes},
            {"wal_bytes", stats.wal_bytes},
            {"bytes_per_value", number_json(stats.bytes_per_sample())},
            {"write_rate", number_json(report.samples_per_second)},
            {"oldest", time_json(stats.oldest)},
            {"newest", time_json(stats.newest)},
            {"state", to_text(stats.state)},
            {"detail", stats.detail},
            {"compaction",
             {{"running", report.compaction.running},
              {"backlog", report.compaction.backlog_segments},
              {"flushed_bytes", report.compaction.flushed_bytes},
              {"merged_bytes", report.compaction.merged_bytes},
              {"copied_bytes", report.compaction.copied_bytes},
              {"write_amplification", number_json(report.compaction.write_amplification())}}},
            {"days", days_json(report.days)},
            {"cold",
             {{"path", report.cold.path.empty() ? Json() : Json(report.cold.path)},
              {"segments", report.cold.segments},
              {"bytes", report.cold.bytes},
              {"segments_missing", report.cold.segments_missing}}},
            {"expired", std::move(freed)},
            {"erasures_open", report.erasures_open},
            {"damage", damage_json(call, report.damage)}};
}

/// What the house knows of its disk, with when it will be full.
Json disk_json(const store::StorageReport& report, const Json& status, UtcTime now) {
    const Json& store = status.contains("store") ? status["store"] : Json::object();
    const auto number = [&](const char* name) {
        const auto at = store.find(name);
        return at != store.end() && at->is_number() ? std::optional(at->get<std::uint64_t>()) : std::nullopt;
    };
    const auto free = number("disk_free_bytes");
    const auto total = number("disk_total_bytes");
    const store::Forecast forecast =
        store::forecast(report.hours, now, report.stats.segment_bytes, free.value_or(0), std::nullopt);
    return {{"free", free ? Json(*free) : Json()},
            {"total", total ? Json(*total) : Json()},
            {"bytes_per_day", number_json(forecast.bytes_per_day)},
            {"hours_known", forecast.hours_known},
            {"full_at", free && forecast.full_at ? time_json(*forecast.full_at) : Json()}};
}

void get_storage(Call call) {
    Services& services = *call.services;
    auto held = std::make_unique<Call>(std::move(call));
    services.store.post_storage(services.shard, [held = std::move(held)](store::StorageReport report) mutable {
        Services& s = *held->services;
        s.extras.status(s.shard, [held = std::move(held), report = std::move(report)](Result<std::string> more) {
            const Json status = more ? Json::parse(*more, nullptr, false) : Json::object();
            Json answer = storage_json(*held, report);
            answer["disk"] =
                disk_json(report, status.is_object() ? status : Json::object(), held->services->shard.utc_now());
            held->answer(answer);
        });
    });
}

// ---- erase and correct --------------------------------------------------------------------------------------------------

Result<const registry::Tag*> tag_named(const Call& call, const Json& named) {
    if (!named.is_string()) return fail(ErrorCode::InvalidArgument, "a tag is named by its path or its id, as text");
    const auto& text = named.get_ref<const std::string&>();
    const registry::Tag* tag = call.snapshot().tag_at(call.tenant(), text);
    if (!tag) {
        const auto id = id_field(Json{{"tag", text}}, "tag");
        if (id && *id) tag = call.snapshot().tag(TagId(**id));
    }
    if (!tag || tag->tenant != call.tenant())
        return fail(ErrorCode::NotFound, fmt::format("there is no tag '{}'", text));
    return tag;
}

Result<UtcTime> time_of(const Call& call, const Json& body, const char* name) {
    const std::string text = TRY(required_text(body, name));
    return parse_time(text, call.services->shard.utc_now());
}

/// Why: kept in the audit log, so it has to be said.
Result<std::string> reason_of(const Json& body) {
    std::string reason = TRY(required_text(body, "reason"));
    if (reason.size() < 3 || reason.size() > 1000)
        return fail(ErrorCode::InvalidArgument, "'reason' must say why, in 3 to 1000 characters");
    return reason;
}

struct EraseOrder {
    std::vector<const registry::Tag*> tags;
    SnapshotOf<registry::Snapshot> snapshot;  // Keeps them alive.
    UtcTime from, to;
    std::string reason;
    Json named;  // As asked.
};

Result<EraseOrder> erase_order(const Call& call) {
    const Json body = TRY(call.body());
    EraseOrder order;
    order.snapshot = call.services->registry.snapshot(call.services->shard);
    if (const auto tags = body.find("tags"); tags != body.end()) {
        if (!tags->is_array()) return fail(ErrorCode::InvalidArgument, "'tags' must be an array");
        for (const Json& named : *tags) order.tags.push_back(TRY(tag_named(call, named)));
        order.named = *tags;
    }
    if (const auto match = TRY(text_field(body, "match"))) {
        for (const registry::Tag* tag : order.snapshot->tags_below(call.tenant(), "")) {
            if (store::path_matches(*match, tag->path)) order.tags.push_back(tag);
        }
        order.named = *match;
    }
    if (order.tags.empty()) return fail(ErrorCode::InvalidArgument, "'tags' or 'match' must name at least one tag");
    if (order.tags.size() > tags_named_max)
        return fail(ErrorCode::LimitExceeded, fmt::format("more than {} tags at once", tags_named_max));
    order.from = TRY(time_of(call, body, "from"));
    order.to = TRY(time_of(call, body, "to"));
    if (order.to <= order.from) return fail(ErrorCode::InvalidArgument, "'to' must be after 'from'");
    order.reason = TRY(reason_of(body));
    return order;
}

audit::Entry entry_of(const Call& call, const char* action, std::string target, const Json& detail) {
    audit::Entry entry;
    entry.tenant = call.tenant();
    entry.actor = call.principal.actor();
    entry.address = call.request.peer.address.host;
    entry.action = action;
    entry.target = std::move(target);
    entry.detail = detail.dump();
    return entry;
}

std::string target_of(const EraseOrder& order) {
    return order.tags.size() == 1 ? fmt::format("tag {} {}", order.tags[0]->id.value(), order.tags[0]->path)
                                  : fmt::format("{} tags", order.tags.size());
}

/// From every shard; the audit says what it was, then what it came to.
struct Erasing {
    std::unique_ptr<Call> call;
    EraseOrder order;
    store::Erased sum;
    std::optional<Error> failed;
    std::size_t missing = 0;

    Json detail() const {
        return {{"reason", order.reason},    {"tags", order.named},  {"from", time_json(order.from)},
                {"to", time_json(order.to)}, {"series", sum.series}, {"samples", sum.samples}};
    }
    void end() {
        audit::Entry entry = entry_of(*call, "history.erased", target_of(order), detail());
        if (failed) entry.outcome = audit::Outcome::Failed;
        Services& services = *call->services;
        services.audit.post_record(
            services.shard, std::move(entry),
            [answer = std::move(call), failed = failed, sum = sum](const Result<std::uint64_t>& recorded) {
                if (failed) return answer->answer(*failed);
                if (!recorded) return answer->answer(recorded.error());
                answer->answer({{"series", sum.series}, {"samples", sum.samples}});
            });
    }
};

void erase_on_shards(std::unique_ptr<Call> call, EraseOrder order) {
    Services& services = *call->services;
    std::map<ShardId, std::vector<TagId>> homes;
    for (const registry::Tag* tag : order.tags) homes[home_of(*call, *tag)].push_back(tag->id);
    auto* erasing = new Erasing{std::move(call), std::move(order), {}, {}, homes.size()};
    for (auto& [home, tags] : homes) {
        services.store.post_erase(services.shard, home, std::move(tags), erasing->order.from, erasing->order.to,
                                  [erasing](const Result<store::Erased>& erased) {
                                      if (erased) {
                                          erasing->sum.series += erased->series;
                                          erasing->sum.samples += erased->samples;
                                      } else {
                                          erasing->failed = erased.error();
                                      }
                                      if (--erasing->missing > 0) return;
                                      const std::unique_ptr<Erasing> last(erasing);
                                      last->end();
                                  });
    }
}

void erase_history(Call call) {
    auto order = erase_order(call);
    if (!order) return call.answer(order.error());
    audit::Entry entry = entry_of(call, "history.erase", target_of(*order),
                                  {{"reason", order->reason},
                                   {"tags", order->named},
                                   {"from", time_json(order->from)},
                                   {"to", time_json(order->to)}});
    Services& services = *call.services;
    auto held = std::make_unique<Call>(std::move(call));
    // What cannot be audited is not done.
    services.audit.post_record(
        services.shard, std::move(entry),
        [held = std::move(held), order = *std::move(order)](const Result<std::uint64_t>& recorded) mutable {
            if (!recorded) return held->answer(recorded.error());
            erase_on_shards(std::move(held), std::move(order));
        });
}

Result<Value> value_of(const registry::Tag& tag, const Json& json) {
    const auto wrong = [&](const char* what) {
        return fail(ErrorCode::TagType, fmt::format("a value of '{}' is {}", tag.path, what));
    };
    switch (tag.type) {
        case ValueType::Bool:
            if (!json.is_boolean()) return wrong("true or false");
            return Value(json.get<bool>());
        case ValueType::Int:
            if (!json.is_number_integer()) return wrong("a whole number");
            return Value(json.get<std::int64_t>());
        case ValueType::Double:
            if (!json.is_number()) return wrong("a number");
            return Value(json.get<double>());
        case ValueType::String:
            if (!json.is_string()) return wrong("text");
            return Value(json.get<std::string>());
    }
    return wrong("of no known type");
}

Result<Quality> quality_of(const Json& sample) {
    const std::string text = TRY(text_field(sample, "quality")).value_or("good");
    if (text == "good") return Quality::good;
    if (text == "uncertain") return Quality::uncertain;
    if (text == "bad") return Quality::bad;
    return fail(ErrorCode::InvalidArgument, "'quality' must be good, uncertain or bad");
}

struct CorrectOrder {
    TagId tag;
    std::string path;
    ShardId home;
    store::Chunk rows;
    std::string reason;
};

Result<CorrectOrder> correct_order(const Call& call) {
    const Json body = TRY(call.body());
    const auto named = body.find("tag");
    if (named == body.end()) return fail(ErrorCode::InvalidArgument, "'tag' is missing");
    const registry::Tag* tag = TRY(tag_named(call, *named));
    CorrectOrder order{tag->id, tag->path, home_of(call, *tag), {}, TRY(reason_of(body))};
    const auto samples = body.find("samples");
    if (samples == body.end() || !samples->is_array() || samples->empty())
        return fail(ErrorCode::InvalidArgument, "'samples' must be an array of at least one {time, value}");
    if (samples->size() > samples_named_max)
        return fail(ErrorCode::LimitExceeded, fmt::format("more than {} samples at once", samples_named_max));
    Batch batch;  // Knows how values are laid out in columns.
    for (const Json& sample : *samples) {
        if (!sample.is_object() || !sample.contains("value"))
            return fail(ErrorCode::InvalidArgument, "each of 'samples' must be {time, value}");
        batch.add(tag->id, TRY(time_of(call, sample, "time")), TRY(value_of(*tag, sample["value"])),
                  TRY(quality_of(sample)));
    }
    order.rows.source_times = batch.source_times;
    order.rows.receive_times = batch.source_times;
    order.rows.types = batch.types;
    order.rows.bits = batch.bits;
    order.rows.qualities = batch.qualities;
    order.rows.text = batch.text;
    return order;
}

void correct_history(Call call) {
    auto order = correct_order(call);
    if (!order) return call.answer(order.error());
    audit::Entry entry = entry_of(call, "history.correct", fmt::format("tag {} {}", order->tag.value(), order->path),
                                  {{"reason", order->reason}, {"samples", order->rows.size()}});
    Services& services = *call.services;
    std::string source = fmt::format("correction/{}", call.principal.actor());
    auto held = std::make_unique<Call>(std::move(call));
    services.audit.post_record(
        services.shard, std::move(entry),
        [held = std::move(held), order = *std::move(order),
         source = std::move(source)](const Result<std::uint64_t>& recorded) mutable {
            if (!recorded) return held->answer(recorded.error());
            Services& s = *held->services;
            s.store.post_correct(s.shard, order.home, order.tag, std::move(order.rows), std::move(source),
                                 [held = std::move(held)](const Result<store::Corrected>& corrected) {
                                     if (!corrected) return held->answer(corrected.error());
                                     held->answer({{"replaced", corrected->replaced}, {"added", corrected->added}});
                                 });
        });
}

}  // namespace

std::vector<Route> storage_routes() {
    using enum access::Action;
    return {{"GET", "/api/v1/storage", ReadConfiguration, get_storage},
            {"POST", "/api/v1/history:erase", EditTags, erase_history},
            {"POST", "/api/v1/history:correct", EditTags, correct_history}};
}

}  // namespace lineshaft::rest
