#include "fleet/query.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lineshaft::fleet {
namespace {

using Json = nlohmann::json;

constexpr std::size_t limit_max = 1'000'000;
constexpr Duration time_limit_max = 10min;
constexpr std::size_t columns_max = 32;
constexpr std::size_t json_nesting_max = 16;

constexpr std::array<std::pair<std::string_view, Aggregate>, 16> aggregates = {{
    {"mean", Aggregate::Mean},
    {"min", Aggregate::Min},
    {"max", Aggregate::Max},
    {"first", Aggregate::First},
    {"last", Aggregate::Last},
    {"sum", Aggregate::Sum},
    {"count", Aggregate::Count},
    {"samples", Aggregate::Samples},
    {"time_weighted_mean", Aggregate::TimeWeighted},
    {"integral", Aggregate::Integral},
    {"deviation", Aggregate::Deviation},
    {"range", Aggregate::Range},
    {"delta", Aggregate::Delta},
    {"longest_run", Aggregate::LongestRun},
    {"transitions", Aggregate::Transitions},
    {"mean_run", Aggregate::MeanRun},
}};

std::unexpected<Error> wrong(std::string detail) { return fail(ErrorCode::InvalidArgument, std::move(detail)); }

bool is_run(Aggregate a) {
    return a == Aggregate::LongestRun || a == Aggregate::Transitions || a == Aggregate::MeanRun;
}
bool is_of_samples(Aggregate a) {
    return a == Aggregate::Samples || a == Aggregate::TimeWeighted || a == Aggregate::Integral;
}
bool takes_no_value(Aggregate a) { return is_run(a) || a == Aggregate::Count; }

bool is_name(std::string_view text) {
    if (text.empty() || text.size() > 64 || (text[0] >= '0' && text[0] <= '9')) return false;
    if (text == "time" || text == "and" || text == "or" || text == "not") return false;
    return std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
}

bool has(const std::vector<std::string>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

/// Every field of `object` must be one of these: a mistyped one would silently change the question.
Result<void> check_fields(const Json& object, std::string_view where, std::initializer_list<std::string_view> known) {
    if (!object.is_object()) return wrong(fmt::format("{} must be an object", where));
    for (const auto& [name, value] : object.items()) {
        if (std::ranges::find(known, name) == known.end())
            return wrong(fmt::format("{} has no field '{}': it may have {}", where, name, fmt::join(known, ", ")));
    }
    return {};
}

Result<std::string> text_of(const Json& object, const char* name, std::string_view otherwise = {}) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return std::string(otherwise);
    if (!found->is_string()) return wrong(fmt::format("'{}' must be a text", name));
    return found->get<std::string>();
}

Result<Expression> expression_of(const Json& object, const char* name, const std::vector<std::string>& known) {
    const std::string text = TRY(text_of(object, name));
    if (text.empty()) return Expression();
    Expression expression = TRY(Expression::parse(text));
    for (const std::string& used : expression.names()) {
        if (!has(known, used))
            return wrong(fmt::format("'{}' in {} is none of {}", used, name, fmt::join(known, ", ")));
    }
    return expression;
}

Result<UtcTime> time_of(const Json& body, const char* name, UtcTime otherwise, UtcTime now) {
    const auto found = body.find(name);
    if (found == body.end() || found->is_null()) return otherwise;
    const std::string text = found->is_string() ? found->get<std::string>() : found->dump();
    auto time = parse_time(text, now);
    if (!time) return wrong(fmt::format("'{}': {}", name, time.error().detail()));
    return *time;
}

Result<std::optional<Duration>> duration_of(const Json& body, const char* name) {
    const auto found = body.find(name);
    if (found == body.end() || found->is_null()) return std::optional<Duration>();
    const std::string text = found->is_string() ? found->get<std::string>() : found->dump();
    const auto duration = parse_duration(text);
    if (!duration || *duration <= Duration::zero())
        return wrong(fmt::format("'{}' must be a duration like 10m, not {}", name, text));
    return std::optional(*duration);
}

Result<Select> select_of(const Json& item) {
    TRY_VOID(check_fields(item, "an item of 'select'", {"name", "tags", "aggregate", "value", "when"}));
    Select select;
    select.name = TRY(text_of(item, "name"));
    if (!is_name(select.name))
        return wrong(fmt::format("'{}' is no name for a select: letters, digits and _ make one", select.name));
    const std::string tags = TRY(text_of(item, "tags"));
    if (tags.empty()) return wrong(fmt::format("'{}' lacks 'tags', the pattern of its tags' paths", select.name));
    select.tags = TRY(PathPattern::parse(tags));
    const std::string aggregate = TRY(text_of(item, "aggregate", "mean"));
    select.aggregate = TRY(aggregate_from_text(aggregate));
    if (is_run(select.aggregate))
        return wrong(fmt::format("'{}' counts buckets: it belongs into 'per'", to_text(select.aggregate)));
    return select;
}

Result<void> read_selects(const Json& body, Query& query) {
    const auto list = body.find("select");
    if (list == body.end() || !list->is_array() || list->empty())
        return wrong("'select' must be a list of what to look at");
    if (list->size() > selects_max) return wrong(fmt::format("'select' has at most {} items", selects_max));
    std::vector<std::string> names;
    for (const Json& item : *list) {
        Select select = TRY(select_of(item));
        if (has(names, select.name)) return wrong(fmt::format("two selects are named '{}'", select.name));
        names.push_back(select.name);
        query.select.push_back(std::move(select));
    }
    std::vector<std::string> captures = query.captures();
    std::ranges::sort(captures);
    for (std::size_t i = 0; i < query.select.size(); ++i) {
        Select& select = query.select[i];
        std::vector<std::string> own = select.tags.captures();
        std::ranges::sort(own);
        if (own != captures)
            return wrong(fmt::format("'{}' catches other names than '{}': they could not be put together",
                                     select.tags.text(), query.select.front().tags.text()));
        if (has(own, select.name)) return wrong(fmt::format("'{}' names a select and a level", select.name));
        select.value = TRY(expression_of((*list)[i], "value", {select.name}));
        select.when = TRY(expression_of((*list)[i], "when", names));
    }
    if (has(captures, "time")) return wrong("a level cannot be named 'time'");
    if (captures.size() + names.size() > names_max) return wrong(fmt::format("at most {} names", names_max));
    return {};
}

Result<std::vector<Column>> columns_of(const Json& stage, const char* where, const std::vector<std::string>& known) {
    const auto list = stage.find("values");
    if (list == stage.end() || !list->is_array() || list->empty())
        return wrong(fmt::format("'{}' lacks 'values', a list of {{name, aggregate, of}}", where));
    if (list->size() > columns_max) return wrong(fmt::format("'{}' has at most {} values", where, columns_max));
    std::vector<Column> columns;
    for (const Json& item : *list) {
        TRY_VOID(check_fields(item, fmt::format("a value of '{}'", where), {"name", "aggregate", "of"}));
        Column column;
        column.name = TRY(text_of(item, "name"));
        if (!is_name(column.name)) return wrong(fmt::format("'{}' is no name for a value", column.name));
        for (const Column& other : columns) {
            if (other.name == column.name)
                return wrong(fmt::format("two values of '{}' are named '{}'", where, column.name));
        }
        const std::string aggregate = TRY(text_of(item, "aggregate", "mean"));
        column.aggregate = TRY(aggregate_from_text(aggregate));
        if (is_of_samples(column.aggregate) || (is_run(column.aggregate) && std::string_view(where) != "per"))
            return wrong(fmt::format("'{}' cannot be in '{}'", to_text(column.aggregate), where));
        column.of = TRY(expression_of(item, "of", known));
        if (column.of.is_empty() && !takes_no_value(column.aggregate))
            return wrong(
                fmt::format("'{}' lacks 'of': what to take the {} of", column.name, to_text(column.aggregate)));
        columns.push_back(std::move(column));
    }
    return columns;
}

std::vector<std::string> names_of(const std::vector<Column>& columns) {
    std::vector<std::string> names;
    for (const Column& column : columns) names.push_back(column.name);
    return names;
}

Result<void> read_per(const Json& body, Query& query, std::vector<std::string>& names) {
    const auto stage = body.find("per");
    if (stage == body.end()) return {};
    TRY_VOID(check_fields(*stage, "'per'", {"bucket", "values"}));
    query.has_per = true;
    query.per_bucket = TRY(duration_of(*stage, "bucket"));
    if (query.per_bucket && (!query.bucket || *query.per_bucket < *query.bucket))
        return wrong("the bucket of 'per' must be coarser than 'bucket'");
    query.per = TRY(columns_of(*stage, "per", names));
    names = names_of(query.per);
    return {};
}

Result<void> read_group(const Json& body, Query& query, std::vector<std::string>& names,
                        std::vector<std::string>& texts) {
    const auto stage = body.find("group");
    if (stage == body.end()) return {};
    TRY_VOID(check_fields(*stage, "'group'", {"by", "values"}));
    query.has_group = true;
    const auto by = stage->find("by");
    if (by != stage->end()) {
        if (!by->is_array()) return wrong("'by' must be a list of names");
        for (const Json& name : *by) {
            if (!name.is_string() || (name != "time" && !has(texts, name.get<std::string>())))
                return wrong(fmt::format("'by' takes time, {}", fmt::join(texts, ", ")));
            if (has(query.group_by, name.get<std::string>())) return wrong("a name stands twice in 'by'");
            query.group_by.push_back(name.get<std::string>());
        }
    }
    query.group = TRY(columns_of(*stage, "group", names));
    names = names_of(query.group);
    texts = query.group_by;
    std::erase(texts, "time");
    return {};
}

Result<void> read_order(const Json& body, Query& query, std::vector<std::string> known) {
    const auto list = body.find("order_by");
    if (list == body.end()) return {};
    if (!list->is_array()) return wrong("'order_by' must be a list of names, '-' before one turns it round");
    known.emplace_back("time");
    for (const Json& item : *list) {
        if (!item.is_string()) return wrong("'order_by' must be a list of names");
        Order order;
        order.name = item.get<std::string>();
        order.descending = order.name.starts_with('-');
        if (order.descending) order.name.erase(0, 1);
        if (!has(known, order.name))
            return wrong(fmt::format("'order_by': '{}' is none of {}", order.name, fmt::join(known, ", ")));
        query.order_by.push_back(std::move(order));
    }
    return {};
}

Result<void> read_range(const Json& body, Query& query, UtcTime now) {
    const std::string values = TRY(text_of(body, "values", "range"));
    if (values != "range" && values != "last") return wrong("'values' is 'range' or 'last'");
    query.is_last = values == "last";
    query.bucket = TRY(duration_of(body, "bucket"));
    const bool has_range = body.contains("from") || body.contains("to");
    if (query.is_last && (has_range || query.bucket || body.contains("per")))
        return wrong("the last values have no 'from', 'to', 'bucket' and 'per'");
    if (!query.is_last && !body.contains("from")) return wrong("'from' is missing, or 'values': 'last'");
    query.from = TRY(time_of(body, "from", now - 1h, now));
    query.to = TRY(time_of(body, "to", now, now));
    std::int64_t span = 0;
    if (query.to <= query.from) return wrong("'to' must be later than 'from'");
    if (__builtin_sub_overflow(query.to.ns(), query.from.ns(), &span))
        return wrong("from 'from' to 'to' must be less than 292 years");
    for (const Select& select : query.select) {
        if (query.is_last && (!select.when.is_empty() || !select.value.is_empty()))
            return wrong("the last values have no 'value' and 'when': 'where' compares them");
    }
    return {};
}

Result<void> read_bounds(const Json& body, Query& query) {
    if (const auto limit = body.find("limit"); limit != body.end()) {
        if (!limit->is_number_unsigned() || limit->get<std::uint64_t>() < 1 ||
            limit->get<std::uint64_t>() > limit_max)
            return wrong(fmt::format("'limit' must be 1 to {}", limit_max));
        query.limit = limit->get<std::size_t>();
    }
    if (const auto limit = TRY(duration_of(body, "time_limit"))) query.time_limit = std::min(*limit, time_limit_max);
    return {};
}

/// Deep nesting is refused before anything is built from it.
bool nests_too_deep(std::string_view json) {
    std::size_t depth = 0;
    bool in_text = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (in_text) {
            if (c == '\\') ++i;
            if (c == '"') in_text = false;
            continue;
        }
        if (c == '"') in_text = true;
        if (c == '{' || c == '[') ++depth;
        if ((c == '}' || c == ']') && depth > 0) --depth;
        if (depth > json_nesting_max) return true;
    }
    return false;
}

}  // namespace

Result<Aggregate> aggregate_from_text(std::string_view text) {
    std::vector<std::string_view> names;
    for (const auto& [name, aggregate] : aggregates) {
        if (name == text) return aggregate;
        names.push_back(name);
    }
    return wrong(fmt::format("there is no aggregate '{}': there are {}", text, fmt::join(names, ", ")));
}

std::string_view to_text(Aggregate aggregate) {
    for (const auto& [name, one] : aggregates) {
        if (one == aggregate) return name;
    }
    return "";
}

Result<Query> parse_query(std::string_view json, UtcTime now) {
    if (json.size() > query_bytes_max)
        return fail(ErrorCode::TooLarge, fmt::format("a fleet query has at most {} bytes", query_bytes_max));
    if (nests_too_deep(json)) return fail(ErrorCode::Malformed, "the JSON nests too deep");
    const Json body = Json::parse(json, nullptr, false);
    if (body.is_discarded()) return fail(ErrorCode::Malformed, "the body is not JSON");
    TRY_VOID(check_fields(body, "a fleet query",
                          {"select", "values", "from", "to", "bucket", "where", "per", "group", "having", "order_by",
                           "limit", "time_limit"}));
    Query query;
    TRY_VOID(read_selects(body, query));
    TRY_VOID(read_range(body, query, now));
    std::vector<std::string> names;
    for (const Select& select : query.select) names.push_back(select.name);
    query.where = TRY(expression_of(body, "where", names));
    TRY_VOID(read_per(body, query, names));
    std::vector<std::string> texts = query.captures();
    TRY_VOID(read_group(body, query, names, texts));
    query.having = TRY(expression_of(body, "having", names));
    names.insert(names.end(), texts.begin(), texts.end());
    TRY_VOID(read_order(body, query, std::move(names)));
    TRY_VOID(read_bounds(body, query));
    return query;
}

}  // namespace lineshaft::fleet
