#include "flow/ingress.h"

#include <deque>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "base/counters.h"

namespace lineshaft::flow {
namespace {

Counter crossings{"lineshaft_ingress_crossings_total", "", "Parts of reading batches carried to another shard"};
Counter refusals{"lineshaft_ingress_full_total", "", "Offers not taken because a shard was full; the door waited"};

/// Gathers the receipts of the parts of one batch. Lives on the door's shard until the last part has settled.
class Parts {
public:
    explicit Parts(std::size_t count) : left_(count) {}

    void hold(Settled settled) { settled_ = std::move(settled); }

    static void settle(Parts* self, Result<void> result) {
        if (!result && !self->error_) self->error_ = std::move(result).error();
        if (--self->left_ > 0) return;
        const std::unique_ptr<Parts> last(self);
        if (last->error_)
            last->settled_(std::unexpected(*std::move(last->error_)));
        else
            last->settled_({});
    }

private:
    std::size_t left_;
    Settled settled_;
    std::optional<Error> error_;
};

void copy_reading(const Reading& from, ReadingBatch& to) {
    Reading& r = to.readings.emplace_back(from);
    const Reading* before = to.readings.size() > 1 ? &to.readings[to.readings.size() - 2] : nullptr;
    r.device = before && before->device == from.device ? before->device : to.keep(from.device);
    r.address = to.keep(from.address);
    r.unit = to.keep(from.unit);
    r.text = to.keep(from.text);
}

}  // namespace

/// The way from this shard to one other. `in_flight` and `waiting` belong to the door's shard, the rest to the home shard:
/// parts that the sink could not take wait in line, so that batches of one source never overtake each other.
class Ingress::Lane {
public:
    struct Part {
        ReadingBatch batch;
        Settled settled;
    };

    Lane(ReadingSink& sink, Task taken) : sink_(sink), taken_(std::move(taken)) {}

    void arrive(Part part) {
        line_.push_back(std::move(part));
        if (line_.size() == 1) pump();
    }

    std::size_t in_flight = 0;
    std::vector<Task> waiting;  // For room on this way.

private:
    void pump() {
        while (!line_.empty()) {
            Part& first = line_.front();
            if (sink_.offer(first.batch, first.settled) == Took::None) {
                sink_.when_ready([this] { pump(); });
                return;
            }
            line_.pop_front();
            taken_();
        }
    }

    ReadingSink& sink_;
    Task taken_;
    std::deque<Part> line_;
};

Ingress::Ingress(Shard& shard, Shards& shards, std::vector<ReadingSink*> homes)
    : shard_(shard), shards_(shards), homes_(std::move(homes)) {
    ASSERT(homes_.size() == shards_.count());
    for (std::size_t home = 0; home < homes_.size(); ++home) {
        lanes_.push_back(
            std::make_unique<Lane>(*homes_[home], [this, home] { shard_.post([this, home] { part_taken(home); }); }));
    }
}

Ingress::~Ingress() = default;

Took Ingress::offer(ReadingBatch& batch, Settled& settled) {
    const std::size_t own = shard_.id().value();
    if (batch.home && batch.home->value() != own) return offer_whole(batch.home->value(), batch, settled);
    if (!batch.home && !is_all_local(batch)) return offer_split(batch, settled);
    const Took took = homes_[own]->offer(batch, settled);
    if (took == Took::None) {
        refused_by_ = own;
        refusals.add();
    }
    return took;
}

Took Ingress::offer_whole(std::size_t home, ReadingBatch& batch, Settled& settled) {
    ASSERT(home < homes_.size());
    if (!has_room(home)) return Took::None;
    carry(home, std::move(batch), [this, settled = std::move(settled)](Result<void> result) mutable {
        shard_.post(
            [settled = std::move(settled), result = std::move(result)]() mutable { settled(std::move(result)); });
    });
    return Took::All;
}

bool Ingress::has_room(std::size_t home) {
    if (lanes_[home]->in_flight < parts_in_flight_max) return true;
    refused_by_ = home;
    refusals.add();
    return false;
}

/// `settled` runs on the home shard.
void Ingress::carry(std::size_t home, ReadingBatch batch, Settled settled) {
    ++lanes_[home]->in_flight;
    crossings.add();
    shards_.at(home).post(
        [lane = lanes_[home].get(), part = Lane::Part{std::move(batch), std::move(settled)}]() mutable {
            lane->arrive(std::move(part));
        });
}

bool Ingress::is_all_local(const ReadingBatch& batch) const {
    if (homes_.size() == 1) return true;
    std::string_view last;
    for (const Reading& r : batch.readings) {
        if (r.device.data() == last.data() && r.device.size() == last.size()) continue;
        last = r.device;
        if (home_shard(batch.tenant, r.device, homes_.size()) != shard_.id()) return false;
    }
    return true;
}

Took Ingress::offer_split(ReadingBatch& batch, Settled& settled) {
    std::vector<ReadingBatch> parts(homes_.size());
    std::string_view last;
    std::size_t home = 0;
    for (const Reading& r : batch.readings) {
        if (r.device.data() != last.data() || r.device.size() != last.size()) {
            last = r.device;
            home = home_shard(batch.tenant, r.device, homes_.size()).value();
        }
        copy_reading(r, parts[home]);
    }
    std::size_t count = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].empty()) continue;
        ++count;
        if (i != shard_.id().value() && !has_room(i)) return Took::None;
        parts[i].tenant = batch.tenant;
        parts[i].source = batch.source;
        parts[i].receive_time = batch.receive_time;
    }

    // The own part first: it alone may still refuse.
    auto* receipt = new Parts(count);
    const std::size_t own = shard_.id().value();
    if (!parts[own].empty()) {
        Settled part_settled = [receipt](Result<void> result) { Parts::settle(receipt, std::move(result)); };
        if (homes_[own]->offer(parts[own], part_settled) == Took::None) {
            delete receipt;
            refused_by_ = shard_.id().value();
            refusals.add();
            return Took::None;
        }
    }
    receipt->hold(std::move(settled));
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i == own || parts[i].empty()) continue;
        carry(i, std::move(parts[i]), [this, receipt](Result<void> result) {
            shard_.post(
                [receipt, result = std::move(result)]() mutable { Parts::settle(receipt, std::move(result)); });
        });
    }
    return Took::All;
}

void Ingress::part_taken(std::size_t home) {
    ASSERT(lanes_[home]->in_flight > 0);
    if (--lanes_[home]->in_flight > parts_in_flight_max / 2) return;
    for (Task& task : std::exchange(lanes_[home]->waiting, {})) task();
}

void Ingress::when_ready(Task task) {
    if (refused_by_ == shard_.id().value())
        homes_[refused_by_]->when_ready(std::move(task));
    else
        lanes_[refused_by_]->waiting.push_back(std::move(task));
}

}  // namespace lineshaft::flow
