/// What Access holds, by who may touch it.
///
/// Threads: as grouped below.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "access/access.h"
#include "access/internal/attempts.h"
#include "access/internal/password.h"
#include "access/internal/tables.h"

namespace lineshaft::access {

class Access::State {
public:
    State(registry::Registry& registry, WorkerPool& hash_pool, Options options);

    /// Reads everything and begins to watch. Blocks.
    Result<void> open();

    UtcTime utc_now() const { return home().utc_now(); }
    Shard& home() const { return registry.shards().at(0); }
    const Directory& directory(const Shard& shard) const { return *views[shard.id().value()]->directory; }
    Argon2Cost cost() const { return {options.argon2_kib, options.argon2_passes}; }

    /// On the SQL pool: `work(database, entry)` fills in the audit entry; then audit, commit, new directory to all
    /// shards, answer. Nothing is done when any step fails.
    template <class T, class Work>
    void post_write(Shard& caller, audit::Entry entry, Work work, Done<T> done) {
        registry.post_sql(
            caller,
            [this, entry = std::move(entry), work = std::move(work)](Database& database) mutable -> Result<T> {
                auto transaction = TRY(database.begin());
                Result<T> value = work(database, entry);
                if (!value) return value;
                TRY_VOID(finish(transaction, std::move(entry)));
                return value;
            },
            std::move(done));
    }
    Result<void> finish(Database::Transaction& transaction, audit::Entry entry);

    /// SQL pool. Reads again and tells all shards.
    Result<void> reload();
    /// SQL pool. The same, if another process has written; carries its notes to the audit log.
    Result<void> look_for_others();
    /// SQL pool. Answers post_check_token's that wait.
    void answer_waiting();
    /// SQL pool.
    Result<void> save_uses();
    void record_refusal(Shard& caller, audit::Entry entry, std::move_only_function<void()> then);

    Result<Session> session(const Shard& shard, std::string_view secret) const;
    Result<Principal> principal(const Shard& shard, std::string_view secret) const;

    struct View {
        SnapshotOf<Directory> directory;
        std::vector<std::function<void()>> listeners;
    };
    struct Waiting {
        Shard* caller;
        std::string secret;
        Done<Principal> done;
    };

    // Set once.
    registry::Registry& registry;
    WorkerPool& hash_pool;
    const Options options;
    const std::string nobodys_password;  // Compared with when the name is unknown.
    const std::string claim_secret;
    std::vector<std::unique_ptr<View>> views;  // views[i] is touched by shard i only.
    // Shard 0 only.
    Attempts attempts;
    int hashing = 0;
    Timer watch;
    Timer save;
    // SQL pool only.
    SnapshotOf<Directory> newest;
    std::int64_t data_version = -1;
    // Any thread. The mutex is a leaf: nothing is locked under it.
    std::mutex waiting_mutex;
    std::vector<Waiting> waiting;
    std::atomic<bool> closing{false};
};

Result<void> check_user_name(std::string_view name);
Result<void> check_new_token(const NewToken& token, UtcTime now);
Token token_from(const NewToken& wanted, TenantId tenant, UtcTime now);
/// "ls_…"
std::string make_token_secret();

audit::Entry make_entry(TenantId tenant, const Actor& actor, std::string action, std::string target);

}  // namespace lineshaft::access
