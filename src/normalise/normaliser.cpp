#include "normalise/normaliser.h"

#include <bit>
#include <cmath>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "normalise/internal/catalogue.h"
#include "normalise/internal/conversion.h"
#include "normalise/internal/tally.h"

namespace lineshaft::normalise {
namespace {

constexpr std::size_t sources_known_max = 100'000;

/// Who sends: its id in the store and the number its next sample gets.
struct Source {
    SourceId id;
    std::uint64_t next_sequence = 1;
    std::size_t protocol = 0;
};

/// Lets a view look for a string.
struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

bool is_number(ValueType type) { return type == ValueType::Double || type == ValueType::Int; }

double to_number(ValueType type, std::uint64_t bits) {
    return type == ValueType::Double ? std::bit_cast<double>(bits)
                                     : static_cast<double>(std::bit_cast<std::int64_t>(bits));
}

}  // namespace

class Normaliser::Impl {
public:
    Impl(Shard& shard, flow::DurableSink& samples, TagIdSource& ids, SeriesRegistrar& series,
         SourceRegistrar& sources, DiscoverySink& discoveries, const Options& options)
        : shard_(shard),
          samples_(samples),
          ids_(ids),
          sources_(sources),
          discoveries_(discoveries),
          options_(options),
          catalogue_(options, ids, series, [this](const Slot& slot) { discovered(slot); }) {
        out_.reserve(limits::batch_samples_max);
        tick_ = shard_.every(1s, [this] { tally_.tick(); });
    }

    void set_snapshot(SnapshotOf<registry::Snapshot> snapshot) { catalogue_.set_snapshot(std::move(snapshot)); }

    flow::Took offer(ReadingBatch& batch, flow::Settled& settled);
    void when_ready(Task task);

    std::vector<ProtocolRate> rates() const { return tally_.rates(); }
    std::vector<Refusal> refusals() const { return tally_.refusals(); }

private:
    /// Samples that the sink had no room for, in order; `settled` is set on the last batch of an offer.
    struct Waiting {
        Batch batch;
        flow::Settled settled;
    };

    bool find_all(const ReadingBatch& batch);
    void put(const Reading& reading, Slot& slot);
    void put_converted(Slot& slot, UtcTime time, const Converted& value);
    bool is_held_back(Slot& slot, UtcTime time, const Converted& value);
    void add(TagId tag, UtcTime time, const Converted& value);
    void send();
    void settle(flow::Settled settled);
    void refuse(Why why, const Reading& reading);
    void report(Why why, Slot& slot, const Reading& reading);
    void report_time(Why why, Slot& slot, const Reading& reading);
    Source& source_named(TenantId tenant, std::string_view name);
    void discovered(const Slot& slot);
    void report_discoveries();
    void wake();
    void arm();

    Shard& shard_;
    flow::DurableSink& samples_;
    TagIdSource& ids_;
    SourceRegistrar& sources_;
    DiscoverySink& discoveries_;
    const Options options_;
    Tally tally_;
    Catalogue catalogue_;
    std::map<TenantId, std::unordered_map<std::string, Source, TextHash, std::equal_to<>>> known_sources_;
    Timer tick_;

    // The batch at hand.
    std::vector<Found> found_;
    Batch out_;
    Converted converted_;
    Source* source_ = nullptr;
    UtcTime receive_time_;
    std::string_view protocol_;
    bool has_sent_ = false;
    std::size_t not_kept_ = 0;  // Readings that the sender believes kept and that are not.
    std::string not_kept_why_;

    std::vector<Discovery> found_new_;
    std::deque<Waiting> waiting_;
    std::vector<Task> tasks_;  // Of doors that were told None.
    bool is_armed_ = false;
    bool needs_ids_ = false;
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);  // Callbacks may come after this has died.
};

flow::Took Normaliser::Impl::offer(ReadingBatch& batch, flow::Settled& settled) {
    if (!waiting_.empty() || !samples_.is_ready()) return flow::Took::None;
    protocol_ = std::string_view(batch.source).substr(0, batch.source.find('/'));
    receive_time_ = whole_milliseconds(batch.receive_time.is_none() ? shard_.utc_now() : batch.receive_time);
    if (!find_all(batch)) return flow::Took::None;

    source_ = &source_named(batch.tenant, batch.source);
    has_sent_ = false;
    not_kept_ = 0;
    for (std::size_t i = 0; i < batch.readings.size(); ++i) {
        if (found_[i].slot)
            put(batch.readings[i], *found_[i].slot);
        else
            refuse(found_[i].why, batch.readings[i]);
    }
    send();
    settle(std::move(settled));
    const ReadingBatch taken = std::move(batch);  // What was sent dies here, not in the hands of the caller.
    return flow::Took::All;
}

/// Nothing has happened yet when this says false, but for new tags: they are found again at the next attempt.
bool Normaliser::Impl::find_all(const ReadingBatch& batch) {
    needs_ids_ = false;
    found_.resize(batch.readings.size());
    catalogue_.forget_last();
    for (std::size_t i = 0; i < batch.readings.size(); ++i) {
        if (catalogue_.find(batch.tenant, batch.readings[i], found_[i])) continue;
        needs_ids_ = true;
        return false;
    }
    return true;
}

void Normaliser::Impl::put(const Reading& reading, Slot& slot) {
    const OutsideTime outside = options_.time.outside;
    SaneTime when = sane_time(reading.source_time, receive_time_, options_.time);
    if (when.why != Why::Kept) {
        report_time(when.why, slot, reading);
        if (outside == OutsideTime::Refuse) return refuse(when.why, reading);
    }
    const bool is_of_no_age = when.why == Why::Time && outside == OutsideTime::Quarantine;
    if (reading.source_time.is_none() || is_of_no_age) when.time = time_of_receipt(slot, receive_time_);
    // The common case: a value as its tag wants it.
    if (slot.is_plain && reading.type == slot.type && slot.type != ValueType::String && when.why == Why::Kept &&
        reading.unit.empty() &&
        (slot.type != ValueType::Double || std::isfinite(std::bit_cast<double>(reading.bits)))) {
        out_.add(slot.tag, when.time, slot.type, reading.bits, reading.quality);
        if (out_.size() == limits::batch_samples_max) send();
        return;
    }
    if (reading.type == ValueType::String && reading.text.size() > limits::string_value_bytes_max)
        return refuse(Why::TextTooLong, reading);
    convert(reading, slot, converted_);
    if (converted_.why != Why::Kept) report(converted_.why, slot, reading);
    if (when.why != Why::Kept) {
        if (outside == OutsideTime::Quarantine) converted_.quality = worse(converted_.quality, Quality::uncertain);
        report(when.why, slot, reading);
    }
    if (!reading.unit.empty() && !slot.unit.empty() && reading.unit != slot.unit) {
        converted_.quality = worse(converted_.quality, Quality::uncertain);
        report(Why::Unit, slot, reading);
    }
    put_converted(slot, when.time, converted_);
}

void Normaliser::Impl::put_converted(Slot& slot, UtcTime time, const Converted& value) {
    if (slot.deadband && is_held_back(slot, time, value)) {
        tally_.held_back();
        return;
    }
    add(slot.tag, time, value);
}

/// Decides whether the deadband of `slot` holds the value back; gives out the last one held before when it does not.
bool Normaliser::Impl::is_held_back(Slot& slot, UtcTime time, const Converted& value) {
    Deadband& d = *slot.deadband;
    if (d.has_kept && time < d.newest) return false;  // Late: the shape around it is drawn already.
    d.newest = time;
    const double number =
        is_number(value.type) ? to_number(value.type, value.bits) : std::numeric_limits<double>::quiet_NaN();
    // With a NaN on either side this is false, so that it passes.
    const bool is_near = d.has_kept && std::abs(number - d.kept_value) <= d.width;
    if (is_near && value.quality == d.kept_quality && time - d.kept_time < options_.heartbeat &&
        value.type == slot.type) {
        d.has_held = true;
        d.held_time = time;
        d.held_bits = value.bits;
        d.held_quality = value.quality;
        return true;
    }
    if (d.has_held && d.held_time < time) {
        Converted held;
        held.type = slot.type;
        held.bits = d.held_bits;
        held.quality = d.held_quality;
        add(slot.tag, d.held_time, held);
    }
    d.has_held = false;
    d.has_kept = true;
    d.kept_time = time;
    d.kept_value = number;
    d.kept_quality = value.quality;
    return false;
}

void Normaliser::Impl::add(TagId tag, UtcTime time, const Converted& value) {
    if (value.type == ValueType::String) {
        if (out_.text.size() + value.text.size() > limits::batch_text_bytes_max) send();
        out_.add_text(tag, time, value.text, value.quality);
    } else {
        out_.add(tag, time, value.type, value.bits, value.quality);
    }
    if (out_.size() == limits::batch_samples_max) send();
}

/// Gives what is gathered to the sink, or puts it in line when the sink has become full meanwhile.
void Normaliser::Impl::send() {
    if (out_.empty()) return;
    out_.source = source_->id;
    out_.first_sequence = source_->next_sequence;
    out_.receive_time = receive_time_;
    source_->next_sequence += out_.size();
    tally_.kept(source_->protocol, out_.size());
    has_sent_ = true;
    if (waiting_.empty() && samples_.is_ready()) {
        samples_.offer(out_);
    } else {
        waiting_.push_back({std::move(out_), nullptr});
        out_ = Batch();
        arm();
    }
    out_.clear();
}

void Normaliser::Impl::settle(flow::Settled settled) {
    if (not_kept_ > 0) {
        std::string detail = fmt::format("{} readings were not kept: {}", not_kept_, not_kept_why_);
        settled = [settled = std::move(settled), detail = std::move(detail)](Result<void> result) mutable {
            if (result) result = fail(ErrorCode::InvalidArgument, std::move(detail));
            settled(std::move(result));
        };
    }
    if (!waiting_.empty())
        waiting_.back().settled = std::move(settled);
    else if (has_sent_)
        samples_.when_durable(std::move(settled));
    else
        shard_.post([settled = std::move(settled)]() mutable { settled({}); });
}

/// A reading that is not kept at all.
void Normaliser::Impl::refuse(Why why, const Reading& reading) {
    const std::string_view what = reading.device;
    tally_.refused(why, what.substr(0, limits::device_name_bytes_max), receive_time_);
    // Of an ignored device nobody expects anything, and "no value" is not lost when it is not kept.
    if (why == Why::Ignored || why == Why::NoValue) return;
    sources_.refused(source_->id, what.substr(0, limits::device_name_bytes_max), to_text(why), receive_time_);
    if (not_kept_++ == 0) {
        const std::string_view shown = what.substr(0, 100);
        not_kept_why_ = fmt::format("{} ('{}')", to_text(why), is_printable_utf8(shown) ? shown : "…");
    }
}

/// A reading that is kept otherwise than it was sent.
void Normaliser::Impl::report(Why why, Slot& slot, const Reading& reading) {
    tally_.refused(why, slot.path, receive_time_);
    if (why == Why::Type && !std::exchange(slot.is_type_reported, true))
        log_warning("tag '{}' is a {}, its device sends a {} too: kept as that, BadTypeMismatch", slot.path,
                    to_text(slot.type), to_text(reading.type));
    if (why == Why::NotFinite && !std::exchange(slot.is_not_finite_reported, true))
        log_warning("tag '{}': its device sends NaN or an infinity: kept as Bad", slot.path);
    if (why == Why::Unit && !std::exchange(slot.is_unit_reported, true))
        log_warning("tag '{}' is in '{}', its device sends '{}': kept as Uncertain", slot.path, slot.unit,
                    reading.unit);
}

/// One line a device: a wrong clock is wrong for all of its tags.
void Normaliser::Impl::report_time(Why why, Slot& slot, const Reading& reading) {
    if (std::exchange(slot.device->is_time_reported, true)) return;
    constexpr std::string_view outcomes[] = {"kept as it is", "kept as Uncertain", "refused"};
    log_warning("device '{}' sent {} at {} ({}): {}, and counted from now on", slot.device->name,
                to_rfc3339(reading.source_time), to_rfc3339(receive_time_), to_text(why),
                outcomes[static_cast<std::size_t>(options_.time.outside)]);
}

Source& Normaliser::Impl::source_named(TenantId tenant, std::string_view name) {
    auto& names = known_sources_[tenant];
    if (const auto known = names.find(name); known != names.end()) return known->second;
    if (names.size() >= sources_known_max) names.clear();  // They are asked for again.
    const SourceRegistrar::Source source = sources_.source_named(tenant, name);
    return names.emplace(std::string(name), Source{source.id, source.last_sequence + 1, tally_.protocol_of(name)})
        .first->second;
}

void Normaliser::Impl::discovered(const Slot& slot) {
    tally_.discovered();
    if (found_new_.empty()) {
        shard_.defer([this, life = std::weak_ptr(life_)] {
            if (life.lock()) report_discoveries();
        });
    }
    found_new_.push_back({slot.tag, slot.device->tenant, slot.device->name, slot.address, std::string(protocol_),
                          slot.unit, slot.type, receive_time_});
}

void Normaliser::Impl::report_discoveries() { discoveries_.discovered(std::exchange(found_new_, {})); }

void Normaliser::Impl::when_ready(Task task) {
    tasks_.push_back(std::move(task));
    arm();
}

void Normaliser::Impl::arm() {
    if (is_armed_) return;
    is_armed_ = true;
    Task task = [this, life = std::weak_ptr(life_)] {
        if (life.lock()) wake();
    };
    if (waiting_.empty() && samples_.is_ready() && std::exchange(needs_ids_, false))
        ids_.when_available(std::move(task));
    else
        samples_.when_ready(std::move(task));
}

void Normaliser::Impl::wake() {
    is_armed_ = false;
    while (!waiting_.empty() && samples_.is_ready()) {
        Waiting first = std::move(waiting_.front());
        waiting_.pop_front();
        samples_.offer(first.batch);
        if (first.settled) samples_.when_durable(std::move(first.settled));
    }
    if (!waiting_.empty()) return arm();
    for (Task& task : std::exchange(tasks_, {})) task();
}

Normaliser::Normaliser(Shard& shard, flow::DurableSink& samples, TagIdSource& ids, SeriesRegistrar& series,
                       SourceRegistrar& sources, DiscoverySink& discoveries, Options options)
    : impl_(std::make_unique<Impl>(shard, samples, ids, series, sources, discoveries, options)) {}
Normaliser::~Normaliser() = default;

void Normaliser::set_snapshot(SnapshotOf<registry::Snapshot> snapshot) { impl_->set_snapshot(std::move(snapshot)); }
flow::Took Normaliser::offer(ReadingBatch& batch, flow::Settled& settled) { return impl_->offer(batch, settled); }
void Normaliser::when_ready(Task task) { impl_->when_ready(std::move(task)); }
std::vector<ProtocolRate> Normaliser::rates() const { return impl_->rates(); }
std::vector<Refusal> Normaliser::refusals() const { return impl_->refusals(); }

}  // namespace lineshaft::normalise
