#include "route/router.h"

#include "base/assert.h"
#include "base/counters.h"

namespace lineshaft::route {
namespace {
Counter missed_batches{"lineshaft_route_missed_total", "",
                       "Batches that a sink other than the store was too full to take"};
}

Router::Router(flow::DurableSink& store, std::vector<flow::SampleSink*> others)
    : store_(store), others_(std::move(others)), missed_(others_.size(), 0) {
    for (const flow::SampleSink* sink : others_) ASSERT(sink);
}

void Router::offer(const Batch& batch) {
    ASSERT(store_.is_ready());
    store_.offer(batch);
    for (std::size_t i = 0; i < others_.size(); ++i) {
        if (others_[i]->is_ready()) {
            others_[i]->offer(batch);
        } else {
            ++missed_[i];
            missed_batches.add();
        }
    }
}

}  // namespace lineshaft::route
