/// What the normaliser needs from rooms it does not know: ids, names for the store, a place for discoveries.
///
/// Threads: called on the normaliser's shard; they never wait and never call back from within.
#pragma once

#include <string>
#include <vector>

#include "base/strong.h"
#include "base/time.h"
#include "model/value.h"
#include "runtime/shard.h"

namespace lineshaft::normalise {

/// Ids for new tags, from blocks that were reserved in the registry ahead of need.
class TagIdSource {
public:
    virtual ~TagIdSource() = default;
    /// None when the block is used up and the next one is not there yet.
    virtual TagId next() = 0;
    /// Runs `task` once next() gives an id again.
    virtual void when_available(Task task) = 0;
};

/// A tag as the store writes it beside the samples, so that files explain themselves.
struct Series {
    TagId tag;
    TenantId tenant;
    std::string path;
    std::string device;
    std::string unit;
    ValueType type = ValueType::Double;
};

/// The store, as far as names are concerned.
class SeriesRegistrar {
public:
    virtual ~SeriesRegistrar() = default;
    /// Before the first sample of the tag, and again when its path, unit or type changed. Repeats are harmless.
    virtual void register_series(const Series& series) = 0;
};

/// Numbers of a source: row i of its batches has the next sequence number.
class SourceRegistrar {
public:
    struct Source {
        SourceId id;
        std::uint64_t last_sequence = 0;  // 0: nothing was kept yet.
    };
    virtual ~SourceRegistrar() = default;
    /// Once per source and shard.
    virtual Source source_named(TenantId tenant, std::string_view name) = 0;
    /// A reading of `source` that was not kept, for the ledger.
    virtual void refused(SourceId source, std::string_view device, std::string_view reason, UtcTime receive_time) {
        (void)source, (void)device, (void)reason, (void)receive_time;
    }
};

/// A tag nobody had heard of. Its samples are being recorded already, under this id.
struct Discovery {
    TagId tag;
    TenantId tenant;
    std::string device;
    std::string address;
    std::string protocol;
    std::string unit;
    ValueType type = ValueType::Double;
    UtcTime first_heard;
};

/// The registry, as far as the inbox is concerned. Makes the device when it does not exist.
class DiscoverySink {
public:
    virtual ~DiscoverySink() = default;
    virtual void discovered(std::vector<Discovery> tags) = 0;
};

}  // namespace lineshaft::normalise
