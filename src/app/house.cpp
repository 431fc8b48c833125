#include "app/house.h"

#include <algorithm>
#include <future>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "access/certificate_authority.h"
#include "app/broker_access.h"
#include "app/internal/memory_share.h"
#include "app/internal/shard_count.h"
#include "app/shard_rooms.h"
#include "app/storage_watch.h"
#include "backup/restore.h"
#include "backup/service.h"
#include "base/log.h"
#include "fleet/engine.h"
#include "north/rest/retention_rules.h"

namespace lineshaft::app {
namespace {

using Json = nlohmann::json;

std::optional<Endpoint> on_loopback(std::optional<Endpoint> endpoint) {
    if (endpoint && !is_loopback(*endpoint)) endpoint->host = "127.0.0.1";
    return endpoint;
}

std::string shown(const std::optional<Endpoint>& endpoint) { return endpoint ? to_text(*endpoint) : "off"; }

}  // namespace

class House::Parts {
public:
    explicit Parts(const Config& config) : config_(config) {}
    ~Parts() { stop(); }

    Result<void> open();
    void stop();
    std::string ready_line() const;
    std::string claim_link() const;

private:
    Result<void> open_ground();
    Result<void> open_rooms();
    Result<void> open_transfers();
    void open_backup();
    Result<void> open_identity();
    Result<void> restore_names();
    void restore_alarms();
    Result<void> open_doors();
    void watch_for_claim();
    void write_run_file();
    /// Runs `work(index, rooms)` on every shard, one after the other. Errors: the first one.
    Result<void> on_each(const std::function<Result<void>(std::size_t, ShardRooms&)>& work);
    /// Starts `begin(done)` on shard `index` and waits until it is done.
    void wait_for(std::size_t index, const std::function<void(Task)>& begin);
    std::string ports_json() const;
    std::vector<std::string> warnings() const;

    const Config config_;
    const Instant started_ = system_clock().now();
    std::unique_ptr<Disk> disk_;
    std::unique_ptr<DiskLock> lock_;
    std::unique_ptr<Shards> shards_;
    // Below the shards, above the rooms: a pool that ends still posts answers to shards, rooms still post work to pools.
    std::unique_ptr<WorkerPool> log_pool_, disk_pool_, sql_pool_, hash_pool_, audit_pool_, broker_pool_, query_pool_,
        fleet_pool_, transfer_pool_;
    std::unique_ptr<audit::Log> audit_;
    std::unique_ptr<registry::Registry> registry_;
    std::unique_ptr<access::Access> access_;
    std::unique_ptr<alarms::Board> alarms_;
    std::unique_ptr<store::Historians> store_;
    std::unique_ptr<backup::Service> backup_;
    std::unique_ptr<fleet::Engine> fleet_;
    std::unique_ptr<DoorLedger> door_ledger_;
    std::unique_ptr<BrokerAccess> broker_access_;
    std::unique_ptr<ModbusDevices> modbus_;
    std::unique_ptr<route::CommandRouter> commands_;
    net::TlsIdentity identity_;
    UtcTime certificate_expires_;
    std::unique_ptr<StorageWatch> storage_watch_;
    std::string fingerprint_;
    std::vector<std::unique_ptr<ShardRooms>> rooms_;
    std::unique_ptr<transfer::Exports> exports_;
    std::unique_ptr<transfer::Imports> imports_;
    std::unique_ptr<transfer::Transfers> transfers_;
    std::unique_ptr<mqtt::Broker> broker_;
    std::unique_ptr<Extras> extras_;
    registry::Registry::Subscription commands_subscription_;
    DoorPlan doors_;
    Timer claim_watch_;
    bool running_ = false;
};

Result<void> House::Parts::open() {
    TRY_VOID(open_ground());
    open_backup();
    fleet_ = fleet::Engine::create(*shards_, *registry_, *store_, *fleet_pool_);
    TRY_VOID(open_identity());
    TRY_VOID(open_rooms());
    // Before anything is posted to the SQL thread, which then has the database to itself.
    store_->post_set_retention(rest::plain_rules(TRY(rest::load_retention_rules(registry_->database()))));
    TRY_VOID(restore_names());
    restore_alarms();
    shards_->start();
    running_ = true;
    TRY_VOID(open_doors());
    write_run_file();
    return {};
}

Result<void> House::Parts::open_ground() {
    disk_ = make_system_disk();
    TRY_VOID(disk_->make_directory(config_.data_directory));
    lock_ = TRY(disk_->lock(config_.data_directory + "/lock"));
    if (disk_->exists(config_.data_directory + "/" + backup::unfinished_mark))
        return fail(ErrorCode::Conflict, config_.data_directory +
                                             " holds a restore that has not come to its end: run `lineshaft restore` "
                                             "again, it goes on from there");
    const std::size_t count = TRY(pin_shard_count(*disk_, config_));
    log_pool_ = WorkerPool::create("log", count);
    disk_pool_ = WorkerPool::create("disk", 2);
    sql_pool_ = WorkerPool::create("sql", 1);
    hash_pool_ = WorkerPool::create("hash", 1);
    audit_pool_ = WorkerPool::create("audit", 1);
    broker_pool_ = WorkerPool::create("broker", count);
    transfer_pool_ = WorkerPool::create("transfer", 1);  // One: what is kept is written in order.
    query_pool_ = WorkerPool::create("query", count);
    fleet_pool_ = WorkerPool::create("fleet", count);  // Its own: a heavy question keeps no chart waiting.
    shards_ = Shards::create(count, system_clock());
    audit_ =
        TRY(audit::Log::open(*disk_, system_clock(), *audit_pool_, {.directory = config_.data_directory + "/audit"}));
    registry::Registry::Options registry;
    registry.path = registry::database_path(config_.data_directory);
    if (config_.accept_discovered) registry.discovery = registry::DeviceState::Accepted;
    registry_ = TRY(registry::Registry::create(*shards_, *sql_pool_, audit_.get(), std::move(registry)));
    access_ = TRY(access::Access::create(*registry_, *hash_pool_, {}));
    alarms_ = TRY(alarms::Board::create(*shards_, *registry_));
    store::Options store;
    store.path = config_.data_directory + "/history";
    store.memtable_bytes = config_.memtable_bytes.value_or(memtable_share(machine_memory(), count));
    store.retention_age = config_.retention_age;
    store.retention_bytes = config_.retention_bytes;
    store.cold_path = config_.cold_path;
    store.cold_after = config_.cold_after;
    store.close_flush_max = config_.close_flush_max;
    store_ = TRY(store::Historians::create(*shards_, *disk_, *log_pool_, *disk_pool_, store));
    store_->read_on(*query_pool_);
    return {};
}

void House::Parts::open_backup() {
    backup::Plan plan;
    plan.data_directory = config_.data_directory;
    plan.path = config_.backup_path;
    plan.passphrase_file = config_.backup_passphrase_file;
    plan.unencrypted = config_.backup_unencrypted;
    plan.schedule = config_.backup_schedule;
    plan.keep = config_.backup_keep;
    plan.bytes_per_second = config_.backup_bytes_per_second;
    plan.version = version();
    plan.configuration = config_.as_yaml;
    backup_ = backup::Service::create(shards_->at(0), *disk_, WorkerPool::create("backup", 1), *store_, *audit_,
                                      std::move(plan));
}

Result<void> House::Parts::open_identity() {
    if (!config_.https && !config_.mqtts) return {};
    if (!config_.tls_certificate.empty()) {
        const Bytes certificate = TRY(disk_->read(config_.tls_certificate));
        const Bytes key = TRY(disk_->read(config_.tls_key));
        identity_ = {std::string(as_text(certificate)), std::string(as_text(key)), ""};
        return {};
    }
    access::CertificateAuthorityOptions options;
    options.directory = config_.data_directory + "/pki";
    options.names = access::local_names();
    options.names.insert(options.names.end(), config_.tls_names.begin(), config_.tls_names.end());
    const auto made = TRY(access::ensure_server_certificate(*disk_, options, system_clock().utc_now()));
    identity_ = {made.certificate_pem, made.key_pem, ""};
    certificate_expires_ = made.expires;
    fingerprint_ = made.fingerprint;
    return {};
}

Result<void> House::Parts::open_rooms() {
    commands_ = std::make_unique<route::CommandRouter>(shards_->at(0));
    door_ledger_ = std::make_unique<DoorLedger>(store::Ledgers(*shards_, *store_));
    modbus_ = std::make_unique<ModbusDevices>(*shards_, door_ledger_.get());
    commands_->set_target("modbus", *modbus_);
    broker_access_ = std::make_unique<BrokerAccess>(*shards_, *access_, BrokerAccess::Policy{config_.anonymous_mqtt});

    const Common common{*shards_,   *registry_, *access_,  *alarms_, *audit_, *store_,
                        *commands_, *modbus_,   identity_, *backup_, *fleet_};
    for (std::size_t i = 0; i < shards_->count(); ++i) {
        auto ids = TRY(registry::TagIds::create(*registry_, shards_->at(i)));
        rooms_.push_back(std::make_unique<ShardRooms>(common, i, std::move(ids), config_.hall));
    }
    for (auto& rooms : rooms_) rooms->connect(rooms_);
    std::vector<live::LiveDesk*> desks;
    for (auto& rooms : rooms_) desks.push_back(&rooms->desk());
    for (auto& rooms : rooms_) rooms->hub().connect(desks);

    if (config_.mqtt || config_.mqtts || config_.http || config_.https) {
        mqtt::Broker::Options options;
        options.directory = config_.data_directory + "/broker";
        options.version = version();
        options.seed =
            static_cast<std::uint64_t>(system_clock().utc_now().ns()) ^ static_cast<std::uint64_t>(::getpid());
        for (std::size_t i = 0; i < rooms_.size(); ++i) {
            options.doors.push_back(
                {&shards_->at(i), &rooms_[i]->readings(), rooms_[i]->decoder(), door_ledger_.get()});
        }
        broker_ = TRY(mqtt::Broker::create(std::move(options), *disk_, *broker_pool_, *broker_access_));
    }

    TRY_VOID(open_transfers());

    Extras::Sources sources{*shards_, *disk_, config_.data_directory, *modbus_, {}, broker_.get(), {}, {}};
    for (auto& rooms : rooms_) sources.normalisers.push_back(&rooms->normaliser());
    sources.ports_json = [this] { return ports_json(); };
    sources.warnings = [this] { return warnings(); };
    extras_ = std::make_unique<Extras>(std::move(sources));
    for (auto& rooms : rooms_) rooms->furnish(broker_.get(), *extras_, *transfers_);
    return {};
}

Result<void> House::Parts::open_transfers() {
    const transfer::ExportRooms rooms{*shards_, *store_, *transfer_pool_, *disk_};
    transfer::Exports::Options exports;
    exports.directory = config_.data_directory + "/exports";
    exports.bytes_max = config_.export_bytes;
    exports.expiry = config_.export_expiry;
    exports_ = TRY(transfer::Exports::create(rooms, shards_->at(0), exports));
    transfer::Imports::Options imports;
    imports.directory = config_.data_directory + "/imports";
    imports.bytes_max = config_.import_bytes;
    imports.expiry = config_.export_expiry;
    imports.are_named = [this](TenantId tenant, const std::vector<transfer::ImportedTag>& tags) {
        const auto& snapshot = *registry_->snapshot(shards_->at(0));
        return std::ranges::all_of(tags, [&](const transfer::ImportedTag& tag) {
            // A tag that has been renamed is known too.
            const registry::Device* device = snapshot.device_named(tenant, tag.device);
            return device && std::ranges::any_of(snapshot.tags_of(device->id), [&](TagId id) {
                       const registry::Tag* known = snapshot.tag(id);
                       return known && known->address == tag.address;
                   });
        });
    };
    imports_ =
        TRY(transfer::Imports::create(*disk_, *transfer_pool_, shards_->at(0), rooms_[0]->readings(), imports));
    transfers_ = std::make_unique<transfer::Transfers>(*exports_, *imports_, rooms);
    return {};
}

/// Tags whose samples reached the log while their row did not reach the registry: the process ended in between.
Result<void> House::Parts::restore_names() {
    const auto& snapshot = *registry_->snapshot(shards_->at(0));
    std::vector<registry::DiscoveredTag> lost;
    for (std::size_t i = 0; i < shards_->count(); ++i) {
        for (const store::Series& series : store_->at(ShardId(static_cast<std::uint16_t>(i))).series()) {
            if (snapshot.tag(series.tag)) continue;
            registry::DiscoveredTag tag;
            tag.id = series.tag;
            tag.tenant = series.info.tenant;
            tag.device = series.info.device;
            const bool below = series.info.path.starts_with(series.info.device + "/");
            tag.address = below ? series.info.path.substr(series.info.device.size() + 1) : series.info.path;
            tag.type = series.info.type;
            tag.unit = series.info.unit;
            tag.first_time = system_clock().utc_now();
            lost.push_back(std::move(tag));
        }
    }
    if (lost.empty()) return {};
    log_info("{} tags are in the store and not in the registry: asked to be taken back unless they were deleted",
             lost.size());
    registry_->post_discovered(shards_->at(0), std::move(lost), [](const Result<void>& result) {
        if (!result)
            log_error("tags of the store could not be restored to the registry: {}", result.error().message());
    });
    return {};
}

void House::Parts::restore_alarms() {
    const auto& snapshot = *registry_->snapshot(shards_->at(0));
    std::vector<std::vector<ConditionEvent>> by_shard(shards_->count());
    for (const ConditionEvent& event : alarms_->active_conditions()) {
        const registry::Tag* tag = snapshot.tag(event.tag);
        const registry::Device* device = tag ? snapshot.device(tag->device) : nullptr;
        const std::size_t home = device ? home_shard(tag->tenant, device->name, shards_->count()).value() : 0;
        by_shard[home].push_back(event);
    }
    for (std::size_t i = 0; i < rooms_.size(); ++i) rooms_[i]->engine().restore(by_shard[i]);
}

Result<void> House::Parts::on_each(const std::function<Result<void>(std::size_t, ShardRooms&)>& work) {
    for (std::size_t i = 0; i < rooms_.size(); ++i) {
        Result<void> result;
        shards_->must_run(i, [&] { result = work(i, *rooms_[i]); });
        TRY_VOID(std::move(result));
    }
    return {};
}

Result<void> House::Parts::open_doors() {
    shards_->must_run(0, [this] {
        storage_watch_ = std::make_unique<StorageWatch>(shards_->at(0), *store_, *disk_, config_.data_directory,
                                                        config_.retention_age);
    });
    doors_ = {config_.http, config_.https, config_.mqtt, config_.mqtts};
    bool claimed = false;
    shards_->must_run(0, [&] {
        claimed = access_->is_claimed(shards_->at(0));
        commands_->set_snapshot(registry_->snapshot(shards_->at(0)));
        commands_subscription_ = registry_->on_change(
            shards_->at(0),
            [this](const SnapshotOf<registry::Snapshot>& snapshot) { commands_->set_snapshot(snapshot); });
    });
    if (!claimed) {
        doors_.https = on_loopback(doors_.https);
        doors_.mqtts = on_loopback(doors_.mqtts);
    }
    for (const auto& door : {doors_.http, doors_.https, doors_.mqtt, doors_.mqtts}) {
        if (door && door->port != 0) TRY_VOID(net::check_port_free(*door));
    }
    TRY_VOID(on_each([this](std::size_t index, ShardRooms& rooms) {
        if (broker_) broker_access_->watch(shards_->at(index), *broker_);
        return rooms.begin();
    }));
    if (broker_) broker_->start();
    TRY_VOID(on_each([this](std::size_t, ShardRooms& rooms) -> Result<void> {
        doors_ = TRY(rooms.open(doors_));
        return {};
    }));
    if (!claimed) watch_for_claim();
    return {};
}

/// The TLS doors stay on loopback until somebody owns the house.
void House::Parts::watch_for_claim() {
    shards_->must_run(0, [this] {
        claim_watch_ = shards_->at(0).every(300ms, [this] {
            if (!access_->is_claimed(shards_->at(0))) return;
            claim_watch_.cancel();
            const auto widened = [](const std::optional<Endpoint>& wished, std::optional<Endpoint> now) {
                if (!wished || !now || is_loopback(*wished)) return std::optional<Endpoint>();
                now->host = wished->host;
                return now;
            };
            const auto https = widened(config_.https, doors_.https), mqtts = widened(config_.mqtts, doors_.mqtts);
            if (!https && !mqtts) return;
            log_info("the house has an administrator: TLS ports now listen on https={} mqtts={}", shown(https),
                     shown(mqtts));
            for (std::size_t i = 0; i < rooms_.size(); ++i) {
                shards_->at(i).post([this, i, https, mqtts] {
                    if (const auto opened = rooms_[i]->open_to_all(https, mqtts); !opened)
                        log_error("{}", opened.error().message());
                });
            }
        });
    });
}

void House::Parts::write_run_file() {
    const std::string text = Json{
        {"pid", ::getpid()},
        {"http", shown(doors_.http)},
        {"https", shown(doors_.https)},
        {"mqtt", shown(doors_.mqtt)},
        {"mqtts",
         shown(doors_.mqtts)}}.dump();
    if (const auto written = disk_->replace(config_.data_directory + "/run.json", as_bytes(text)); !written) {
        log_warning("the command line will not find this server by its directory: {}", written.error().message());
    }
}

std::string House::Parts::ports_json() const {
    return Json{{"http", shown(doors_.http)},
                {"https", shown(doors_.https)},
                {"mqtt", shown(doors_.mqtt)},
                {"mqtts", shown(doors_.mqtts)}}
        .dump();
}

std::vector<std::string> House::Parts::warnings() const {
    std::vector<std::string> list;
    const auto add = [&](const char* code, const std::string& text, const char* remedy) {
        list.push_back(Json{{"code", code}, {"text", text}, {"remedy", remedy}}.dump());
    };
    if (const auto free = disk_->free_bytes(config_.data_directory); free && *free < 1024ULL * 1024 * 1024) {
        add("disk-low", fmt::format("{} MB are free on the disk of the data directory", *free / 1024 / 1024),
            "Free space or set store.retention_age or store.retention_bytes.");
    }
    if (backup_->has_failed()) {
        add("backup-failed", "the last backup failed",
            "GET /api/v1/backups says why; correct that, and the next one goes on from where it ended.");
    }
    if (backup_->is_overdue()) {
        add("backup-overdue", "no backup has succeeded for two days",
            "See Backups for the reason, or run `lineshaft backup create`.");
    }
    const StorageWatch* storage = storage_watch_.get();
    if (const auto full_at = storage ? storage->disk_full_at() : std::nullopt)
        add("disk-full-soon", "going on as now the disk is full on " + to_rfc3339(*full_at).substr(0, 10),
            "Give it more space, or let less stay: see `lineshaft storage retention`.");
    if (storage && storage->cold_segments_missing() > 0)
        add("cold-path-missing", fmt::format("{} cold segments cannot be read", storage->cold_segments_missing()),
            "Mount storage.cold_path again; nothing is deleted meanwhile, and answers say what is missing.");
    const Duration left = certificate_expires_ - system_clock().utc_now();
    if (!certificate_expires_.is_none() && left < 30 * 24h) {
        add("certificate", fmt::format("the TLS certificate expires on {}", to_rfc3339(certificate_expires_)),
            "Restart Lineshaft: it makes a new one.");
    }
    return list;
}

std::string House::Parts::ready_line() const {
    return fmt::format("ready http={} https={} mqtt={} mqtts={} shards={} data={} in {} ms", shown(doors_.http),
                       shown(doors_.https), shown(doors_.mqtt), shown(doors_.mqtts), shards_->count(),
                       config_.data_directory, (system_clock().now() - started_).count() / 1'000'000);
}

std::string House::Parts::claim_link() const {
    if (access_->claim_secret().empty()) return {};
    if (doors_.http) return fmt::format("http://{}/claim#token={}", to_text(*doors_.http), access_->claim_secret());
    if (doors_.https)
        return fmt::format("https://{}/claim#token={}", to_text(*doors_.https), access_->claim_secret());
    return {};
}

void House::Parts::wait_for(std::size_t index, const std::function<void(Task)>& begin) {
    std::promise<void> ended;
    auto future = ended.get_future();
    shards_->at(index).post([&] { begin([&] { ended.set_value(); }); });
    // A disk that takes nothing any more must not keep the process from ending.
    if (future.wait_for(std::chrono::seconds(20)) == std::future_status::timeout) {
        log_error("a part did not close within 20 s; the process ends without it");
        std::_Exit(1);
    }
}

void House::Parts::stop() {
    if (!running_) {
        if (shards_) shards_->stop();
        return;
    }
    running_ = false;
    const Instant begun = system_clock().now();
    shards_->must_run(0, [this] {
        claim_watch_.cancel();
        commands_subscription_ = {};
        storage_watch_.reset();
    });
    if (broker_) wait_for(0, [this](Task done) { broker_->post_close(std::move(done)); });
    wait_for(0, [this](Task done) { imports_->close(std::move(done)); });
    wait_for(0, [this](Task done) { exports_->close(std::move(done)); });
    for (std::size_t i = 0; i < rooms_.size(); ++i)
        wait_for(i, [&](Task done) { rooms_[i]->close(std::move(done)); });
    wait_for(0, [this](Task done) { backup_->close(std::move(done)); });
    wait_for(0, [this](Task done) { fleet_->close(shards_->at(0), std::move(done)); });
    wait_for(0, [this](Task done) { store_->close(shards_->at(0), std::move(done)); });
    wait_for(0, [this](Task done) { alarms_->close(std::move(done)); });
    wait_for(0, [this](Task done) { access_->close(shards_->at(0), std::move(done)); });
    wait_for(0, [this](Task done) { registry_->close(shards_->at(0), std::move(done)); });
    for (std::size_t i = 0; i < rooms_.size(); ++i) shards_->must_run(i, [&] { rooms_[i]->release(); });
    shards_->stop();
    [[maybe_unused]] const auto removed = disk_->remove(config_.data_directory + "/run.json");
    log_info("stopped in {} ms", (system_clock().now() - begun).count() / 1'000'000);
}

House::House(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
House::~House() = default;

Result<std::unique_ptr<House>> House::create(const Config& config) {
    auto parts = std::make_unique<Parts>(config);
    TRY_VOID(parts->open());
    return std::unique_ptr<House>(new House(std::move(parts)));
}

std::string House::ready_line() const { return parts_->ready_line(); }
std::string House::claim_link() const { return parts_->claim_link(); }
void House::stop() { parts_->stop(); }

std::string version() { return LINESHAFT_VERSION; }

}  // namespace lineshaft::app
