#include "south/mqtt/broker.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/log.h"
#include "south/mqtt/internal/broker_shard.h"

// The directory:
//
//   layout                     "lineshaft-mqtt 1 <shards> <generation>\n"; replaced as one
//   <generation>-<shard>.journal
//   <generation>-<shard>.journal.cut   what stood behind the last good record at the last start
//
// Sessions and retained topics live on a shard by hash, so another number of shards is another generation: all journals
// are read, dealt out again and written, then the layout is replaced, then the old ones are removed.
namespace lineshaft::mqtt {
namespace {

struct Layout {
    std::size_t shards = 0;  // 0: nothing is there yet.
    std::uint64_t generation = 0;
};

std::string journal_path(const std::string& directory, std::uint64_t generation, std::size_t shard) {
    return fmt::format("{}/{}-{}.journal", directory, generation, shard);
}

Result<Layout> load_layout(Disk& disk, const std::string& directory) {
    const std::string path = directory + "/layout";
    if (!disk.exists(path)) return Layout();
    const Bytes bytes = TRY(disk.read(path));
    std::string_view text = as_text(bytes);
    constexpr std::string_view name = "lineshaft-mqtt ";
    const auto number = [&text]() -> std::uint64_t {
        std::uint64_t value = 0;
        const auto end = std::from_chars(text.data(), text.data() + text.size(), value).ptr;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (text.starts_with(' ')) text.remove_prefix(1);
        return value;
    };
    if (!text.starts_with(name)) return fail(ErrorCode::Corrupt, path);
    text.remove_prefix(name.size());
    if (number() != 1) return fail(ErrorCode::VersionUnknown, path);
    Layout layout;
    layout.shards = number();
    layout.generation = number();
    if (layout.shards == 0 || layout.shards > 1024 || text != "\n") return fail(ErrorCode::Corrupt, path);
    return layout;
}

Result<void> save_layout(Disk& disk, const std::string& directory, const Layout& layout) {
    const std::string text = fmt::format("lineshaft-mqtt 1 {} {}\n", layout.shards, layout.generation);
    return disk.replace(directory + "/layout", as_bytes(text));
}

struct Loaded {
    Image image;
    std::unique_ptr<AppendFile> file;
};

/// Reads one journal and cuts what is torn off its end, keeping a copy of that beside it.
Result<Loaded> load_journal(Disk& disk, const std::string& path, ClockPair clocks) {
    Loaded loaded;
    const Bytes bytes = TRY(disk.read(path));
    auto image = replay(bytes, clocks);
    if (!image) return fail(image.error().code(), path + ": " + image.error().detail());
    loaded.image = std::move(*image);
    if (loaded.image.records_damaged > 0) {
        log_error("mqtt: {}: {} damaged records are left out", path, loaded.image.records_damaged);
    }
    if (loaded.image.good_bytes < bytes.size()) {
        log_warning("mqtt: {}: {} bytes behind the last good record are set aside", path,
                    bytes.size() - loaded.image.good_bytes);
        TRY_VOID(disk.replace(path + ".cut", ByteView(bytes).subspan(loaded.image.good_bytes)));
    }
    // A damaged record in the middle stays where it is until the next rewrite.
    loaded.file = TRY(disk.reopen(path, loaded.image.good_bytes));
    return loaded;
}

/// Deals the sessions of all journals out to other shards, with new numbers.
void deal(std::vector<Loaded>& loaded, std::vector<BrokerShard::Recovered>& shards) {
    for (Loaded& one : loaded) {
        for (auto& [old_no, session] : one.image.sessions) {
            auto& home = shards[home_shard(session.tenant, session.client_id, shards.size()).value()];
            session.no = home.sessions.size() + 1;
            for (std::list<Delivery>* list : {&session.in_flight, &session.queue}) {
                for (Delivery& delivery : *list) delivery.message_no = ++home.message_no_last;
            }
            const std::uint64_t no = session.no;
            home.sessions.emplace(no, std::move(session));
        }
    }
}

void remove_others(Disk& disk, const std::string& directory, std::uint64_t generation) {
    const auto names = disk.list(directory);
    if (!names) return;
    const std::string keep = fmt::format("{}-", generation);
    for (const std::string& name : *names) {
        const bool is_journal = name.ends_with(".journal") || name.ends_with(".journal.new");
        if (is_journal && !name.starts_with(keep))
            (void)disk.remove(directory + "/" + name);  // Tried again next time.
    }
}

}  // namespace

class Broker::Parts {
public:
    Parts(Options given, Disk& disk, WorkerPool& pool, Authenticator& authenticator) : options(std::move(given)) {
        context.options = &options;
        context.disk = &disk;
        context.pool = &pool;
        context.authenticator = &authenticator;
        context.all = &shards;
    }

    Result<void> load();
    Result<void> start_generation(std::vector<Loaded>& loaded, Layout layout,
                                  std::vector<BrokerShard::Recovered>& recovered);

    const Options options;
    BrokerShard::Context context;
    std::vector<std::unique_ptr<BrokerShard>> shards;
};

Result<void> Broker::Parts::load() {
    Disk& disk = *context.disk;
    const std::string& directory = options.directory;
    TRY_VOID(disk.make_directory(directory));
    Layout layout = TRY(load_layout(disk, directory));
    const Shard& clock = *options.doors[0].shard;
    const ClockPair clocks{clock.utc_now(), clock.now()};
    std::vector<Loaded> loaded;
    for (std::size_t i = 0; i < layout.shards; ++i) {
        loaded.push_back(TRY(load_journal(disk, journal_path(directory, layout.generation, i), clocks)));
    }
    std::vector<BrokerShard::Recovered> recovered(options.doors.size());
    if (layout.shards == options.doors.size()) {
        for (std::size_t i = 0; i < layout.shards; ++i) {
            recovered[i].sessions = std::move(loaded[i].image.sessions);
            recovered[i].message_no_last = loaded[i].image.message_no_last;
            recovered[i].journal_bytes = loaded[i].file->size();
            recovered[i].journal = std::move(loaded[i].file);
        }
    } else {
        TRY_VOID(start_generation(loaded, layout, recovered));
        layout.generation += 1;
    }
    for (std::size_t i = 0; i < recovered.size(); ++i) {
        recovered[i].journal_path = journal_path(directory, layout.generation, i);
        shards.push_back(std::make_unique<BrokerShard>(i, context, std::move(recovered[i])));
    }
    for (const Loaded& one : loaded) {
        for (const auto& [key, message] : one.image.retained) {
            for (const auto& shard : shards) shard->add_retained(message);
        }
    }
    for (const auto& shard : shards) shard->share_interests();
    remove_others(disk, directory, layout.generation);
    return {};
}

/// Writes the journals of the next generation, then makes it the one that counts.
Result<void> Broker::Parts::start_generation(std::vector<Loaded>& loaded, Layout layout,
                                             std::vector<BrokerShard::Recovered>& recovered) {
    Disk& disk = *context.disk;
    deal(loaded, recovered);
    const Shard& clock = *options.doors[0].shard;
    const Layout next{recovered.size(), layout.generation + 1};
    for (std::size_t i = 0; i < recovered.size(); ++i) {
        Bytes bytes;
        RecordWriter::header(static_cast<std::uint16_t>(i), bytes);
        RecordWriter writer(bytes, ClockPair{clock.utc_now(), clock.now()});
        for (const auto& [no, session] : recovered[i].sessions) {
            write_session(session, writer);
            write_deliveries(session, writer);
        }
        for (const Loaded& one : loaded) {
            for (const auto& [key, message] : one.image.retained) {
                if (home_shard(key.first, key.second, recovered.size()).value() == i) writer.retained(*message);
            }
        }
        const std::string path = journal_path(options.directory, next.generation, i);
        TRY_VOID(disk.replace(path, bytes));
        recovered[i].journal = TRY(disk.reopen(path, bytes.size()));
        recovered[i].journal_bytes = bytes.size();
    }
    return save_layout(disk, options.directory, next);
}

Broker::Broker(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Broker::~Broker() = default;

Result<std::unique_ptr<Broker>> Broker::create(Options options, Disk& disk, WorkerPool& pool,
                                               Authenticator& authenticator) {
    ASSERT(!options.doors.empty());
    auto parts = std::make_unique<Parts>(std::move(options), disk, pool, authenticator);
    TRY_VOID(parts->load());
    return std::unique_ptr<Broker>(new Broker(std::move(parts)));
}

void Broker::start() {
    for (const auto& shard : parts_->shards) {
        shard->shard().post([&one = *shard] { one.begin(); });
    }
}

void Broker::accept(std::size_t shard_index, std::unique_ptr<Stream> stream) {
    ASSERT(shard_index < parts_->shards.size());
    parts_->shards[shard_index]->accept(std::move(stream));
}

void Broker::post_publish(TenantId tenant, std::string topic, std::string payload, unsigned qos, bool retain) {
    ASSERT(qos <= 2);
    BrokerShard& first = *parts_->shards[0];
    first.shard().post([&first, tenant, topic = std::move(topic), payload = std::move(payload), qos, retain] {
        Message::Parts message;
        message.tenant = tenant;
        message.topic = topic;
        message.payload = as_bytes(payload);
        message.qos = static_cast<Qos>(qos);
        message.retain = retain;
        first.publish_inside(message);
    });
}

void Broker::post_disconnect(TenantId tenant, std::string actor) {
    for (const auto& shard : parts_->shards) {
        shard->shard().post([&one = *shard, tenant, actor] { one.disconnect(tenant, actor); });
    }
}

Broker::Stats Broker::stats() const {
    Stats sum;
    for (const auto& shard : parts_->shards) {
        const BrokerShard::Gauges& gauges = shard->gauges;
        sum.connections += gauges.connections;
        sum.sessions += gauges.sessions;
        sum.subscriptions += gauges.subscriptions;
        sum.retained = std::max<std::uint64_t>(sum.retained, gauges.retained);  // Every shard has them all.
        sum.queued_messages += gauges.queued_messages;
        sum.queued_bytes += gauges.queued_bytes;
        sum.messages_in += gauges.messages_in;
        sum.messages_out += gauges.messages_out;
        sum.journal_bytes += gauges.journal_bytes;
        sum.journal_failed |= gauges.journal_failed;
    }
    return sum;
}

void Broker::post_close(Task done) {
    // Counted on shard 0, so that no lock is needed.
    BrokerShard& first = *parts_->shards[0];
    first.shard().post([this, &first, done = std::move(done)]() mutable {
        struct Gathering {
            std::size_t left;
            Task done;
        };
        auto* gathering = new Gathering{parts_->shards.size(), std::move(done)};  // Freed by the last answer.
        for (const auto& shard : parts_->shards) {
            shard->shard().post([&one = *shard, &first, gathering] {
                one.close([&first, gathering] {
                    first.shard().post([gathering] {
                        if (--gathering->left > 0) return;
                        const std::unique_ptr<Gathering> last(gathering);
                        last->done();
                    });
                });
            });
        }
    });
}

}  // namespace lineshaft::mqtt
