/// From a door to the devices' home shards: splits a batch of readings, carries each part over, gathers the receipts.
///
///   door's shard                                home shard of the device
///   adapter --> Ingress --(one post a part)--> ReadingSink (normaliser) --> store
///      ^            |<---- settled: durable ----------------------------------'
///
/// One batch may touch devices of several shards; `settled` runs when all parts are durable, or with the
/// first error. A part whose home is this shard is handed over directly, and a house with one shard has no
/// other kind. A batch whose door has found out its home travels as it is; others are looked through, and copied apart.
///
/// Threads: one Ingress per shard, own shard only. Destroy it when the shards have stopped.
/// Limits:  parts_in_flight_max towards each shard; beyond it offer says None.
#pragma once

#include <memory>
#include <vector>

#include "flow/reading_sink.h"

namespace lineshaft::flow {

class Ingress final : public ReadingSink {
public:
    static constexpr std::size_t parts_in_flight_max = 256;

    /// `homes[i]` is the sink that lives on shard i. All shards and sinks outlive every Ingress.
    Ingress(Shard& shard, Shards& shards, std::vector<ReadingSink*> homes);
    ~Ingress() override;

    Took offer(ReadingBatch& batch, Settled& settled) override;
    void when_ready(Task task) override;

private:
    class Lane;

    bool is_all_local(const ReadingBatch& batch) const;
    Took offer_whole(std::size_t home, ReadingBatch& batch, Settled& settled);
    void carry(std::size_t home, ReadingBatch batch, Settled settled);
    bool has_room(std::size_t home);
    Took offer_split(ReadingBatch& batch, Settled& settled);
    void part_taken(std::size_t home);

    Shard& shard_;
    Shards& shards_;
    const std::vector<ReadingSink*> homes_;
    std::vector<std::unique_ptr<Lane>> lanes_;
    std::size_t refused_by_ = 0;  // The home whose lack of room the last None was about.
};

}  // namespace lineshaft::flow
