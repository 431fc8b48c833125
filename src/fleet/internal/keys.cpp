#include "fleet/internal/keys.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include <fmt/format.h>

#include "fleet/engine.h"

namespace lineshaft::fleet {
namespace {

/// A tag that fits, before keys are in order.
struct Found {
    std::uint32_t key;
    std::uint32_t source;
    Keys::Series series;
};

class Finder {
public:
    Finder(const registry::Snapshot& snapshot, TenantId tenant, const Query& query, const Sources& sources,
           std::size_t shard_count)
        : snapshot_(snapshot), tenant_(tenant), query_(query), sources_(sources), shard_count_(shard_count) {}

    Result<Keys> find() {
        for (std::size_t source = 0; source < sources_.patterns.size(); ++source) TRY_VOID(walk(source));
        if (found_.empty()) {
            std::string patterns;
            for (const PathPattern* pattern : sources_.patterns) patterns += " " + pattern->text();
            return fail(ErrorCode::NotFound, fmt::format("no tag fits{}", patterns));
        }
        return in_order();
    }

private:
    Result<void> walk(std::size_t source) {
        const PathPattern& pattern = *sources_.patterns[source];
        const std::vector<std::string>& order = query_.captures();
        std::vector<std::size_t> place;  // Of the first select's captures in this pattern.
        for (const std::string& name : order)
            place.push_back(
                static_cast<std::size_t>(std::ranges::find(pattern.captures(), name) - pattern.captures().begin()));
        std::vector<std::string_view> caught;
        for (const registry::Tag* tag : snapshot_.tags_below(tenant_, pattern.prefix())) {
            if (!tag || !pattern.match(tag->path, caught)) continue;
            const registry::Device* device = snapshot_.device(tag->device);
            if (!device) continue;
            if (found_.size() == series_per_query_max)
                return fail(ErrorCode::LimitExceeded,
                            fmt::format("more than {} tags fit: narrow the patterns", series_per_query_max));
            found_.push_back(
                {key_of(caught, place), static_cast<std::uint32_t>(source), {tag->id, home_of(*device)}});
        }
        return {};
    }

    /// The same device comes ten times in a row.
    ShardId home_of(const registry::Device& device) {
        if (&device != device_) home_ = home_shard(tenant_, device.name, shard_count_);
        device_ = &device;
        return home_;
    }

    std::uint32_t key_of(const std::vector<std::string_view>& caught, const std::vector<std::size_t>& place) {
        name_.clear();
        for (const std::size_t at : place) {
            name_ += caught[at];
            name_ += '\0';
        }
        const auto [entry, is_new] = keys_.try_emplace(name_, static_cast<std::uint32_t>(keys_.size()));
        if (is_new) {
            for (const std::size_t at : place) texts_.push_back(string_of(caught[at]));
        }
        return entry->second;
    }

    std::uint32_t string_of(std::string_view text) {
        const auto [entry, is_new] =
            strings_.try_emplace(std::string(text), static_cast<std::uint32_t>(strings_.size()));
        if (is_new) all_strings_.emplace_back(text);
        return entry->second;
    }

    Keys in_order() {
        Keys keys;
        keys.captures = query_.captures().size();
        keys.sources = sources_.patterns.size();
        keys.count = keys_.size();
        keys.strings = std::move(all_strings_);
        std::vector<std::uint32_t> order(keys.count), place(keys.count);
        for (std::uint32_t i = 0; i < keys.count; ++i) order[i] = i;
        std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
            for (std::size_t c = 0; c < keys.captures; ++c) {
                const std::string& left = keys.strings[texts_[a * keys.captures + c]];
                const std::string& right = keys.strings[texts_[b * keys.captures + c]];
                if (left != right) return left < right;
            }
            return false;
        });
        for (std::uint32_t i = 0; i < keys.count; ++i) {
            place[order[i]] = i;
            for (std::size_t c = 0; c < keys.captures; ++c)
                keys.texts.push_back(texts_[order[i] * keys.captures + c]);
        }
        for (Found& one : found_) one.key = place[one.key];
        std::ranges::sort(found_, [](const Found& a, const Found& b) {
            return std::tuple(a.key, a.source, a.series.tag) < std::tuple(b.key, b.source, b.series.tag);
        });
        keys.begins.assign(keys.count * keys.sources + 1, 0);
        for (const Found& one : found_) {
            ++keys.begins[one.key * keys.sources + one.source + 1];
            keys.series.push_back(one.series);
        }
        for (std::size_t i = 1; i < keys.begins.size(); ++i) keys.begins[i] += keys.begins[i - 1];
        return keys;
    }

    const registry::Snapshot& snapshot_;
    const TenantId tenant_;
    const Query& query_;
    const Sources& sources_;
    const std::size_t shard_count_;
    const registry::Device* device_ = nullptr;
    ShardId home_;
    std::string name_;
    std::unordered_map<std::string, std::uint32_t> keys_;
    std::unordered_map<std::string, std::uint32_t> strings_;
    std::vector<std::string> all_strings_;
    std::vector<std::uint32_t> texts_;
    std::vector<Found> found_;
};

}  // namespace

Sources::Sources(const Query& query) {
    for (const Select& select : query.select) {
        const auto same = [&](const PathPattern* pattern) { return pattern->text() == select.tags.text(); };
        const auto found = std::ranges::find_if(patterns, same);
        of_select.push_back(static_cast<std::size_t>(found - patterns.begin()));
        if (found == patterns.end()) patterns.push_back(&select.tags);
    }
}

Result<Keys> find_keys(const registry::Snapshot& snapshot, TenantId tenant, const Query& query,
                       const Sources& sources, std::size_t shard_count) {
    return Finder(snapshot, tenant, query, sources, shard_count).find();
}

}  // namespace lineshaft::fleet
