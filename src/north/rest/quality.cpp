#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include "north/rest/internal/completeness.h"

namespace lineshaft::rest {
namespace {

enum class By : std::uint8_t { Level, Device, Tag };

double seconds(Duration time) { return static_cast<double>(time.count()) / 1e9; }

/// What the tags of one branch come to.
struct Branch {
    std::string path;
    std::string kind;  // "level", "device" or "tag".
    std::uint64_t tags = 0;
    std::uint64_t silent = 0;  // Tags without a sample in the range.
    std::uint64_t samples = 0;
    std::uint64_t missing = 0;
    std::uint64_t expected = 0;
    std::uint64_t refused = 0;
    std::uint64_t stuck = 0;
    std::uint64_t damaged = 0;
    double bad = 0, uncertain = 0;      // Samples.
    double late = 0, out_of_order = 0;  // Sums of shares of tags that have one.
    std::uint64_t timed = 0;
    double out_of_range = 0;  // Sum of shares.
    Duration missing_time{0};
    Duration stuck_time{0};
    std::vector<Duration> skews;
    UtcTime last_time;

    void add(const store::TagQuality& tag) {
        ++tags;
        silent += tag.samples == 0;
        samples += tag.samples;
        missing += tag.missing;
        expected += tag.expected.value_or(0);
        bad += tag.bad_share * static_cast<double>(tag.samples);
        uncertain += tag.uncertain_share * static_cast<double>(tag.samples);
        if (tag.late_share) {
            ++timed;
            late += *tag.late_share;
            out_of_order += *tag.out_of_order_share;
        }
        if (tag.stuck) {
            ++stuck;
            stuck_time = std::max(stuck_time, *tag.stuck);
        }
        out_of_range += tag.out_of_range_share;
        missing_time += tag.missing_time;
        damaged += tag.damaged_blocks;
        if (tag.clock_skew) skews.push_back(*tag.clock_skew);
        last_time = std::max(last_time, tag.last_time);
    }

    std::optional<Duration> skew() const {
        if (skews.empty()) return std::nullopt;
        std::vector<Duration> sorted = skews;
        const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
        std::ranges::nth_element(sorted, middle);
        return *middle;
    }
    double share(double part, std::uint64_t of) const { return of ? part / static_cast<double>(of) : 0.0; }
    /// 0 is well, 1 is as bad as it gets: the worst of what is wrong, so that one thing is enough to be seen.
    double badness(Duration range) const {
        const double missing_part = expected ? share(static_cast<double>(missing), expected)
                                             : share(seconds(missing_time) / std::max(seconds(range), 1e-9), tags);
        const auto off = skew();
        const double skewed = off ? std::min(1.0, std::abs(seconds(*off)) / 600) : 0;
        const double refused_part = share(static_cast<double>(refused), refused + samples);
        return std::min(1.0, std::max({missing_part, share(bad, samples), share(late, timed) / 2,
                                       share(static_cast<double>(stuck), tags), share(out_of_range, tags),
                                       share(static_cast<double>(silent), tags), refused_part, skewed,
                                       damaged > 0 ? 0.5 : 0.0, share(uncertain, samples) / 2}));
    }
    Json json(Duration range) const {
        const auto off = skew();
        return {{"path", path},
                {"kind", kind},
                {"tags", tags},
                {"samples", samples},
                {"badness", badness(range)},
                {"silent", silent},
                {"missing", missing},
                {"expected", expected > 0 ? Json(expected) : Json()},
                {"missing_s", seconds(missing_time)},
                {"bad", share(bad, samples)},
                {"uncertain", share(uncertain, samples)},
                {"late", timed > 0 ? Json(share(late, timed)) : Json()},
                {"out_of_order", timed > 0 ? Json(share(out_of_order, timed)) : Json()},
                {"stuck", stuck},
                {"stuck_s", stuck > 0 ? Json(seconds(stuck_time)) : Json()},
                {"out_of_range", share(out_of_range, tags)},
                {"clock_skew_s", off ? Json(seconds(*off)) : Json()},
                {"refused", refused},
                {"damaged_blocks", damaged},
                {"last_time", time_json(last_time)}};
    }
};

/// Asks every home shard, then the ledger for refusals, and answers. Ends itself.
class QualityQuestion {
public:
    static void ask(Call call) {
        auto* self = new QualityQuestion(std::move(call));
        if (const auto read = self->read(); !read) {
            self->call_.answer(read.error());
            delete self;
            return;
        }
        self->ask_tags();
    }

private:
    explicit QualityQuestion(Call call) : call_(std::move(call)) {}

    Result<void> read();
    Result<std::vector<const registry::Tag*>> tags_of_asset(const std::string& asset) const;
    void ask_tags();
    void ask_refused();
    void add_refused(const store::Refused& refused);
    void answer();
    Branch& branch_of(const registry::Tag& tag);
    Branch& branch_at(const std::string& path, const char* kind);
    std::string below_prefix(std::string_view path) const;

    Call call_;
    SnapshotOf<registry::Snapshot> snapshot_;
    std::string prefix_;
    UtcTime from_, to_;
    By by_ = By::Level;
    std::size_t limit_ = 100;
    std::vector<const registry::Tag*> tags_;
    std::size_t tags_more_ = 0;
    std::size_t left_ = 0;
    std::map<std::string, Branch> branches_;
    Branch total_;
};

Result<void> QualityQuestion::read() {
    snapshot_ = call_.services->registry.snapshot(call_.services->shard);
    const UtcTime now = call_.services->shard.utc_now();
    from_ = TRY(call_.time("from", now - 24h));
    to_ = TRY(call_.time("to", now + 1ns));
    TRY_VOID(Call::check_span(from_, to_));
    limit_ = TRY(call_.limit(limit_));
    prefix_ = call_.parameter("prefix");
    const std::string asset = call_.parameter("asset");
    const std::string by = call_.parameter("by", asset.empty() ? "level" : "device");
    if (by == "device")
        by_ = By::Device;
    else if (by == "tag")
        by_ = By::Tag;
    else if (by != "level")
        return fail(ErrorCode::InvalidArgument, fmt::format("by '{}' is none of level, device, tag", by));
    tags_ = asset.empty() ? snapshot_->tags_below(call_.tenant(), prefix_) : TRY(tags_of_asset(asset));
    if (tags_.size() > store::quality_tags_max) {
        tags_more_ = tags_.size() - store::quality_tags_max;
        tags_.resize(store::quality_tags_max);
    }
    total_.path = prefix_;
    total_.kind = "total";
    return {};
}

/// The tags of the devices placed in an asset, by id or path, or below it; in path order.
Result<std::vector<const registry::Tag*>> QualityQuestion::tags_of_asset(const std::string& asset) const {
    AssetId top;
    for (const auto& [id, one] : snapshot_->assets) {
        if (one->tenant == call_.tenant() && (id_text(id.value()) == asset || one->path == asset)) top = id;
    }
    if (top == AssetId()) return fail(ErrorCode::NotFound, fmt::format("there is no asset '{}'", asset));
    const auto is_below = [&](AssetId id) {
        for (int depth = 0; depth < 64 && id != AssetId(); ++depth) {
            if (id == top) return true;
            const registry::Asset* at = snapshot_->asset(id);
            id = at ? at->parent : AssetId();
        }
        return false;
    };
    std::vector<const registry::Tag*> tags;
    for (const auto& [id, device] : snapshot_->devices) {
        if (device->tenant != call_.tenant() || !is_below(device->asset)) continue;
        for (const TagId tag : snapshot_->tags_of(id)) {
            if (const registry::Tag* known = snapshot_->tag(tag)) tags.push_back(known);
        }
    }
    std::ranges::sort(tags, {}, [](const registry::Tag* tag) { return std::string_view(tag->path); });
    return tags;
}

void QualityQuestion::ask_tags() {
    Services& services = *call_.services;
    std::vector<std::vector<store::TagQuestion>> questions(services.shards.count());
    ConfiguredCadences cadences;
    for (const registry::Tag* tag : tags_)
        questions[home_of(call_, *tag).value()].push_back(question_about(*snapshot_, *tag, cadences));
    left_ = questions.size();
    store::Ledgers ledgers(services.shards, services.store);
    for (std::size_t i = 0; i < questions.size(); ++i) {
        ledgers.post_quality(services.shard, ShardId(static_cast<std::uint16_t>(i)), std::move(questions[i]), from_,
                             to_, [this](const std::vector<store::TagQuality>& judged) {
                                 for (const store::TagQuality& one : judged) {
                                     const registry::Tag* tag = snapshot_->tag(one.tag);
                                     if (!tag) continue;
                                     branch_of(*tag).add(one);
                                     total_.add(one);
                                 }
                                 if (--left_ == 0) ask_refused();
                             });
    }
}

/// The prefix and one level more: "Acme" of "Acme/Lyon/Packing" below "".
std::string QualityQuestion::below_prefix(std::string_view path) const {
    const std::size_t begin = prefix_.empty() ? 0 : prefix_.size() + 1;
    if (path.size() <= begin) return std::string(path);
    return std::string(path.substr(0, path.find('/', begin)));
}

Branch& QualityQuestion::branch_at(const std::string& path, const char* kind) {
    Branch& branch = branches_[path];
    if (branch.path.empty()) {
        branch.path = path;
        branch.kind = kind;
    }
    return branch;
}

Branch& QualityQuestion::branch_of(const registry::Tag& tag) {
    if (by_ == By::Tag) return branch_at(tag.path, "tag");
    const registry::Device* device = snapshot_->device(tag.device);
    if (by_ == By::Device) return branch_at(device ? device->name : std::string(), "device");
    const std::string path = below_prefix(tag.path);
    if (path == tag.path) return branch_at(path, "tag");
    return branch_at(path, device && device->name == path ? "device" : "level");
}

void QualityQuestion::ask_refused() {
    Services& services = *call_.services;
    store::Ledgers(services.shards, services.store)
        .post_refused(services.shard, from_, to_, [this](const std::vector<store::Refused>& all) {
            for (const store::Refused& refused : all) add_refused(refused);
            answer();
        });
}

/// Refusals are known by device.
void QualityQuestion::add_refused(const store::Refused& refused) {
    const bool is_below = prefix_.empty() || refused.device == prefix_ || refused.device.starts_with(prefix_ + "/");
    if (refused.device.empty() || !is_below) return;
    // Only what this tenant may know of.
    if (!snapshot_->device_named(call_.tenant(), refused.device)) return;
    total_.refused += refused.count;
    if (by_ == By::Tag) return;
    const auto at = branches_.find(by_ == By::Device ? refused.device : below_prefix(refused.device));
    if (at != branches_.end()) at->second.refused += refused.count;
}

void QualityQuestion::answer() {
    const std::unique_ptr<QualityQuestion> self(this);
    const Duration range = to_ - from_;
    std::vector<std::pair<double, const Branch*>> sorted;
    for (const auto& [path, branch] : branches_) sorted.emplace_back(branch.badness(range), &branch);
    // Worst first; the map gave them by path, which stays for equals.
    std::ranges::sort(sorted, [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second->path < b.second->path;
    });
    Json items = Json::array();
    for (std::size_t i = 0; i < sorted.size() && i < limit_; ++i) items.push_back(sorted[i].second->json(range));
    call_.answer({{"from", time_json(from_)},
                  {"to", time_json(to_)},
                  {"prefix", prefix_},
                  {"total", total_.json(range)},
                  {"items", std::move(items)},
                  {"items_more", sorted.size() > limit_ ? sorted.size() - limit_ : 0},
                  {"tags_more", tags_more_}});
}

}  // namespace

std::vector<Route> quality_routes() {
    return {{"GET", "/api/v1/data-quality", access::Action::ReadData, QualityQuestion::ask}};
}

}  // namespace lineshaft::rest
