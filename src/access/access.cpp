#include "access/access.h"

#include <fmt/format.h>

#include "access/internal/state.h"
#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"

namespace lineshaft::access {
namespace {

// The command line may make or take away a token at any time.
constexpr Duration watch_every = 2s;
constexpr Duration save_every = 1min;

Counter unknown_total{"lineshaft_access_unknown_tokens_total", "", "Requests with a token that does not exist"};

}  // namespace

Access::Access(std::unique_ptr<State> state) : state_(std::move(state)) {}
Access::~Access() = default;

Result<std::unique_ptr<Access>> Access::create(registry::Registry& registry, WorkerPool& hash_pool, Options options) {
    auto state = std::make_unique<State>(registry, hash_pool, options);
    TRY_VOID(state->open());
    auto access = std::unique_ptr<Access>(new Access(std::move(state)));
    if (!access->state_->newest->claimed) access->claim_secret_ = access->state_->claim_secret;
    return access;
}

bool Access::is_claimed(const Shard& shard) const { return state_->directory(shard).claimed; }

Result<Session> Access::check_session(const Shard& shard, std::string_view secret) const {
    return state_->session(shard, secret);
}

Result<Principal> Access::check_token(const Shard& shard, std::string_view secret) const {
    return state_->principal(shard, secret);
}

void Access::post_check_token(Shard& caller, std::string secret, Done<Principal> done) {
    auto known = state_->principal(caller, secret);
    if (known) {
        return caller.post([known = std::move(known), done = std::move(done)]() mutable { done(std::move(known)); });
    }
    {
        const std::lock_guard lock(state_->waiting_mutex);
        state_->waiting.push_back({&caller, std::move(secret), std::move(done)});
    }
    state_->registry.sql_pool().post([state = state_.get()] { state->answer_waiting(); });
}

void Access::on_change(const Shard& shard, std::function<void()> changed) {
    state_->views[shard.id().value()]->listeners.push_back(std::move(changed));
}

bool Access::is_valid(const Shard& shard, const Principal& principal) const {
    const Directory& directory = state_->directory(shard);
    switch (principal.kind) {
        case Principal::Kind::Anonymous: return true;
        case Principal::Kind::User: {
            const auto user = directory.users.find(principal.user);
            return user != directory.users.end() && user->second->role == principal.role;
        }
        case Principal::Kind::Token:
        case Principal::Kind::Device: break;
    }
    const auto token = directory.tokens_by_id.find(principal.token);
    return token != directory.tokens_by_id.end() && is_alive(*token->second, shard.utc_now());
}

void Access::close(Shard& shard, std::move_only_function<void()> done) {
    state_->closing = true;
    state_->home().post([state = state_.get(), &shard, done = std::move(done)]() mutable {
        state->watch.cancel();
        state->save.cancel();
        state->registry.sql_pool().post([state, &shard, done = std::move(done)]() mutable {
            const auto saved = state->save_uses();
            if (!saved)
                log_warning("access: when sessions and tokens were last used is lost: {}", saved.error().message());
            shard.post(std::move(done));
        });
    });
}

Access::State::State(registry::Registry& the_registry, WorkerPool& the_pool, Options the_options)
    : registry(the_registry),
      hash_pool(the_pool),
      options(the_options),
      nobodys_password(must_hash_password(must_make_secret(), {the_options.argon2_kib, the_options.argon2_passes})),
      claim_secret(must_make_secret()) {
    for (std::size_t i = 0; i < registry.shards().count(); ++i) views.push_back(std::make_unique<View>());
}

Result<void> Access::State::open() {
    Database& database = registry.database();
    TRY_VOID(migrate(database));
    TRY_VOID(look_for_others());
    for (auto& view : views) view->directory = newest;
    for (const auto& [hash, session] : newest->sessions) {
        const auto user = newest->users.find(session->user);
        if (user != newest->users.end()) attempts.trust(user->second->name, source_of(session->address));
    }
    watch = home().every(watch_every, [this] {
        registry.sql_pool().post([this] {
            const auto looked = look_for_others();
            if (!looked) log_warning("access: {}", looked.error().message());
        });
    });
    save = home().every(save_every, [this] {
        registry.sql_pool().post([this] {
            const auto saved = save_uses();
            if (!saved) log_warning("access: {}", saved.error().message());
        });
    });
    return {};
}

Result<void> Access::State::finish(Database::Transaction& transaction, audit::Entry entry) {
    audit::Log* log = registry.audit_log();
    if (log) TRY_VOID(log->record(entry));
    const auto committed = transaction.commit();
    if (!committed) {
        entry.outcome = audit::Outcome::Failed;
        if (log && !log->record(std::move(entry)))
            log_error("access: a change failed, and the audit log could not be told");
        return committed;
    }
    const auto reloaded = reload();
    // It is done and will be seen with the next change; to answer with an error would be wrong.
    if (!reloaded) log_error("access: {}", reloaded.error().message());
    return {};
}

Result<void> Access::State::reload() {
    newest = TRY(read_directory(registry.database(), newest.get(), utc_now()));
    for (std::size_t i = 0; i < views.size(); ++i) {
        registry.shards().at(i).post([&view = *views[i], directory = newest] {
            view.directory = directory;
            for (const auto& listener : view.listeners) listener();
        });
    }
    return {};
}

Result<void> Access::State::look_for_others() {
    Database& database = registry.database();
    const std::int64_t version = TRY(database.data_version());
    if (version == data_version) return {};
    TRY_VOID(reload());
    data_version = version;
    audit::Log* log = registry.audit_log();
    const auto notes = TRY(read_notes(database));
    if (!log || notes.empty()) return {};
    for (const Note& note : notes) {
        audit::Entry entry = make_entry(TenantId(1), {"local", ""}, note.action, note.target);
        entry.time = note.time;
        entry.detail = note.detail;
        TRY_VOID(log->record(std::move(entry)));
    }
    return delete_notes(database, notes.size());
}

void Access::State::answer_waiting() {
    std::vector<Waiting> now_waiting;
    {
        const std::lock_guard lock(waiting_mutex);
        std::swap(now_waiting, waiting);
    }
    if (now_waiting.empty()) return;
    const auto looked = look_for_others();
    for (Waiting& one : now_waiting) {
        one.caller->post([this, looked, one = std::move(one)]() mutable {
            auto found = principal(*one.caller, one.secret);
            if (!found) unknown_total.add();
            if (!found && !looked) found = std::unexpected(looked.error());
            one.done(std::move(found));
        });
    }
}

Result<void> Access::State::save_uses() {
    Database& database = registry.database();
    auto transaction = TRY(database.begin());
    TRY_VOID(save_last_uses(database, *newest));
    TRY_VOID(delete_old_sessions(database, utc_now()));
    return transaction.commit();
}

void Access::State::record_refusal(Shard& caller, audit::Entry entry, std::move_only_function<void()> then) {
    entry.outcome = audit::Outcome::Refused;
    audit::Log* log = registry.audit_log();
    if (!log) return then();
    log->post_record(caller, std::move(entry), [then = std::move(then)](Result<std::uint64_t> kept) mutable {
        if (!kept) log_error("access: a refusal could not be audited: {}", kept.error().message());
        then();
    });
}

Result<Session> Access::State::session(const Shard& shard, std::string_view secret) const {
    const Directory& known = directory(shard);
    const auto found = known.sessions.find(hash_of(secret));
    const UtcTime now = shard.utc_now();
    if (found == known.sessions.end() || !is_alive(*found->second, now)) {
        return fail(ErrorCode::Unauthenticated, "the session has ended: sign in");
    }
    const auto user = known.users.find(found->second->user);
    if (user == known.users.end()) return fail(ErrorCode::Unauthenticated, "the session has ended: sign in");
    found->second->used.touch(now);
    return Session{principal_of(*user->second), csrf_of(secret), expiry_of(*found->second)};
}

Result<Principal> Access::State::principal(const Shard& shard, std::string_view secret) const {
    const Directory& known = directory(shard);
    const auto found = known.tokens.find(hash_of(secret));
    if (found == known.tokens.end())
        return fail(ErrorCode::Unauthenticated, "the token does not exist or was revoked");
    const UtcTime now = shard.utc_now();
    if (!is_alive(*found->second, now)) return fail(ErrorCode::Unauthenticated, "the token has expired");
    found->second->used.touch(now);
    return principal_of(found->second->token);
}

audit::Entry make_entry(TenantId tenant, const Actor& actor, std::string action, std::string target) {
    audit::Entry entry;
    entry.tenant = tenant;
    entry.actor = actor.name;
    entry.address = actor.address;
    entry.action = std::move(action);
    entry.target = std::move(target);
    entry.detail = "{}";
    return entry;
}

}  // namespace lineshaft::access
