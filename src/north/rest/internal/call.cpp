#include "north/rest/internal/call.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "base/limits.h"

namespace lineshaft::rest {

Result<Json> Call::body() const {
    // Bounded depth: what is written out again is written by recursion.
    bool is_deep = false;
    const auto shallow = [&](int depth, Json::parse_event_t, Json&) {
        is_deep |= depth > static_cast<int>(limits::json_depth_max);
        return !is_deep;
    };
    Json json = Json::parse(request.body, shallow, false);
    if (is_deep) {
        return fail(ErrorCode::Malformed,
                    fmt::format("the body is nested more than {} levels deep", limits::json_depth_max));
    }
    if (json.is_discarded()) return fail(ErrorCode::Malformed, "the body is not JSON");
    if (!json.is_object()) return fail(ErrorCode::InvalidArgument, "the body must be a JSON object");
    return json;
}

Result<std::uint64_t> Call::id(std::size_t argument) const {
    std::uint64_t number = 0;
    const std::string& text = arguments.at(argument);
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc{} || end != text.data() + text.size()) {
        return fail(ErrorCode::NotFound, fmt::format("'{}' is not an id: ids are numbers", text));
    }
    return number;
}

std::string Call::parameter(std::string_view name, std::string_view otherwise) const {
    return std::string(request.parameter(name).value_or(otherwise));
}

Result<std::size_t> Call::limit(std::size_t otherwise) const {
    const auto text = request.parameter("limit");
    if (!text) return otherwise;
    std::size_t number = 0;
    const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (code != std::errc{} || end != text->data() + text->size() || number == 0) {
        return fail(ErrorCode::InvalidArgument, fmt::format("limit '{}' is not a positive number", *text));
    }
    return std::min(number, history_points_max);
}

Result<UtcTime> Call::time(std::string_view name, UtcTime otherwise) const {
    const auto text = request.parameter(name);
    if (!text || text->empty()) return otherwise;
    auto time = parse_time(*text, services->shard.utc_now());
    if (!time) return fail(ErrorCode::InvalidArgument, fmt::format("{}: {}", name, time.error().detail()));
    return time;
}

Result<void> Call::check_span(UtcTime from, UtcTime to) {
    std::int64_t span = 0;
    if (to <= from) return fail(ErrorCode::InvalidArgument, "'to' must be later than 'from'");
    if (__builtin_sub_overflow(to.ns(), from.ns(), &span))
        return fail(ErrorCode::InvalidArgument, "from 'from' to 'to' must be less than 292 years");
    return {};
}

bool Call::accepts(std::string_view media_type) const {
    return request.header("accept").find(media_type) != std::string_view::npos;
}

void Call::answer(const Json& json, unsigned status) {
    net::HttpResponse response;
    response.status = status;
    response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
    response.body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    reply_(std::move(response));
}

std::string id_text(std::uint64_t id) { return fmt::format("{}", id); }

Json time_json(UtcTime time) { return time.is_none() ? Json() : Json(to_rfc3339(time)); }

Json number_json(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json value_json(const Value& value) {
    if (const auto* b = std::get_if<bool>(&value)) return *b;
    if (const auto* i = std::get_if<std::int64_t>(&value)) return *i;
    if (const auto* d = std::get_if<double>(&value)) return number_json(*d);
    return std::get<std::string>(value);
}

namespace {

std::unexpected<Error> wrong_field(const char* name, const char* type) {
    return fail(ErrorCode::InvalidArgument, fmt::format("'{}' must be {}", name, type));
}

}  // namespace

Result<std::optional<std::string>> text_field(const Json& body, const char* name) {
    const auto at = body.find(name);
    if (at == body.end() || at->is_null()) return std::nullopt;
    if (!at->is_string()) return wrong_field(name, "a string");
    return at->get<std::string>();
}

Result<std::optional<double>> number_field(const Json& body, const char* name) {
    const auto at = body.find(name);
    if (at == body.end() || at->is_null()) return std::nullopt;
    if (!at->is_number()) return wrong_field(name, "a number");
    return at->get<double>();
}

Result<std::optional<bool>> bool_field(const Json& body, const char* name) {
    const auto at = body.find(name);
    if (at == body.end() || at->is_null()) return std::nullopt;
    if (!at->is_boolean()) return wrong_field(name, "true or false");
    return at->get<bool>();
}

Result<std::optional<std::uint64_t>> id_field(const Json& body, const char* name) {
    const auto at = body.find(name);
    if (at == body.end() || at->is_null()) return std::nullopt;
    if (at->is_number_unsigned()) return at->get<std::uint64_t>();
    if (!at->is_string()) return wrong_field(name, "an id (a string of digits)");
    const auto& text = at->get_ref<const std::string&>();
    std::uint64_t number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc{} || end != text.data() + text.size())
        return wrong_field(name, "an id (a string of digits)");
    return number;
}

Result<std::string> required_text(const Json& body, const char* name) {
    auto text = TRY(text_field(body, name));
    if (!text || text->empty()) return fail(ErrorCode::InvalidArgument, fmt::format("'{}' is missing", name));
    return *std::move(text);
}

Result<std::vector<const registry::Tag*>> tags_named(const Call& call, const registry::Snapshot& snapshot) {
    std::vector<const registry::Tag*> tags;
    for (const auto& [name, value] : call.request.query) {
        if (name != "tags" && name != "tag") continue;
        std::string_view rest = value;
        while (!rest.empty()) {
            const auto comma = name == "tags" ? rest.find(',') : std::string_view::npos;
            const std::string_view path = rest.substr(0, comma);
            rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
            if (path.empty()) continue;
            const registry::Tag* tag = snapshot.tag_at(call.tenant(), path);
            if (!tag) {
                return fail(ErrorCode::NotFound, fmt::format("there is no tag '{}': see /api/v1/tags?q=", path));
            }
            tags.push_back(tag);
        }
    }
    return tags;
}

bool contains(std::string_view text, std::string_view part) {
    const auto same = [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); };
    return part.empty() || std::ranges::search(text, part, same).begin() != text.end();
}

ShardId home_of(const Call& call, const registry::Tag& tag) {
    const registry::Device* device = call.snapshot().device(tag.device);
    return home_shard(tag.tenant, device ? std::string_view(device->name) : std::string_view(),
                      call.services->shards.count());
}

void gather_last(Services& services, const registry::Snapshot& snapshot,
                 const std::vector<const registry::Tag*>& tags, std::move_only_function<void(LastValues)> done) {
    struct Gathering {
        std::size_t left = 0;
        LastValues values;
        std::move_only_function<void(LastValues)> done;
    };
    std::vector<std::vector<TagId>> by_home(services.shards.count());
    for (const registry::Tag* tag : tags) {
        const registry::Device* device = snapshot.device(tag->device);
        if (!device) continue;
        by_home[home_shard(tag->tenant, device->name, by_home.size()).value()].push_back(tag->id);
    }
    auto* gathering = new Gathering{1, {}, std::move(done)};
    const auto arrived = [gathering] {
        if (--gathering->left > 0) return;
        const std::unique_ptr<Gathering> last(gathering);
        last->done(std::move(last->values));
    };
    for (std::size_t home = 0; home < by_home.size(); ++home) {
        if (by_home[home].empty()) continue;
        ++gathering->left;
        auto ids = by_home[home];
        services.store.post_last(
            services.shard, ShardId(static_cast<std::uint16_t>(home)), std::move(by_home[home]),
            [gathering, arrived, ids = std::move(ids)](std::vector<std::optional<store::LastValue>> values) {
                for (std::size_t i = 0; i < ids.size(); ++i) {
                    if (values[i]) gathering->values.emplace(ids[i], *std::move(values[i]));
                }
                arrived();
            });
    }
    arrived();
}

}  // namespace lineshaft::rest
