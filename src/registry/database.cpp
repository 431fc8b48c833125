#include "registry/database.h"

#include <cerrno>
#include <cstring>
#include <map>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"

namespace lineshaft::registry {
namespace {

// How long another process may write before we give up. The command line writes for milliseconds.
constexpr int busy_wait_ms = 5000;

ErrorCode code_of(int sqlite) {
    switch (sqlite & 0xFF) {
        case SQLITE_FULL: return ErrorCode::DiskFull;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return ErrorCode::Corrupt;
        case SQLITE_CONSTRAINT: return ErrorCode::Conflict;
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return ErrorCode::Locked;
        default: return ErrorCode::Io;
    }
}

std::unexpected<Error> fail_with(sqlite3* handle, int result) {
    return fail(code_of(result),
                fmt::format("database: {}", handle ? sqlite3_errmsg(handle) : sqlite3_errstr(result)));
}

}  // namespace

struct Database::State {
    sqlite3* handle = nullptr;
    std::map<std::string, std::vector<sqlite3_stmt*>, std::less<>> idle;  // Prepared statements nobody uses now.
    bool in_transaction = false;

    ~State() {
        for (auto& [sql, statements] : idle) {
            for (sqlite3_stmt* statement : statements) sqlite3_finalize(statement);
        }
        sqlite3_close(handle);
    }
};

struct Database::Statement::State {
    Database::State* database;
    sqlite3_stmt* statement;

    ~State() {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
        database->idle[sqlite3_sql(statement)].push_back(statement);
    }
};

Database::Statement::Statement(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::Statement::Statement(Statement&&) noexcept = default;
Database::Statement& Database::Statement::operator=(Statement&&) noexcept = default;
Database::Statement::~Statement() = default;

Database::Statement& Database::Statement::bind_integer(int index, std::int64_t value) {
    const int result = sqlite3_bind_int64(state_->statement, index, value);
    ASSERT(result == SQLITE_OK);
    return *this;
}

Database::Statement& Database::Statement::bind(int index, double value) {
    const int result = sqlite3_bind_double(state_->statement, index, value);
    ASSERT(result == SQLITE_OK);
    return *this;
}

Database::Statement& Database::Statement::bind(int index, std::string_view text) {
    const int result = sqlite3_bind_text64(state_->statement, index, text.data() ? text.data() : "", text.size(),
                                           SQLITE_TRANSIENT, SQLITE_UTF8);
    ASSERT(result == SQLITE_OK);
    return *this;
}

Database::Statement& Database::Statement::bind(int index, ByteView blob) {
    const int result =
        blob.empty() ? sqlite3_bind_zeroblob(state_->statement, index, 0)
                     : sqlite3_bind_blob64(state_->statement, index, blob.data(), blob.size(), SQLITE_TRANSIENT);
    ASSERT(result == SQLITE_OK);
    return *this;
}

Database::Statement& Database::Statement::bind_null(int index) {
    const int result = sqlite3_bind_null(state_->statement, index);
    ASSERT(result == SQLITE_OK);
    return *this;
}

Database::Statement& Database::Statement::bind(int index, const std::optional<double>& value) {
    return value ? bind(index, *value) : bind_null(index);
}

Result<bool> Database::Statement::step() {
    const int result = sqlite3_step(state_->statement);
    if (result == SQLITE_ROW) return true;
    if (result == SQLITE_DONE) {
        sqlite3_reset(state_->statement);
        return false;
    }
    auto failure = fail_with(state_->database->handle, result);
    sqlite3_reset(state_->statement);
    return failure;
}

Result<void> Database::Statement::run() {
    const auto stepped = step();
    reset();
    if (!stepped) return std::unexpected(stepped.error());
    return {};
}

void Database::Statement::reset() {
    sqlite3_reset(state_->statement);
    sqlite3_clear_bindings(state_->statement);
}

std::int64_t Database::Statement::integer(int column) const {
    return sqlite3_column_int64(state_->statement, column);
}

double Database::Statement::real(int column) const { return sqlite3_column_double(state_->statement, column); }

std::string Database::Statement::text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(state_->statement, column));
    if (!text) return {};
    return std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(state_->statement, column)));
}

Bytes Database::Statement::blob(int column) const {
    const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(state_->statement, column));
    if (!data) return {};
    return Bytes(data, data + sqlite3_column_bytes(state_->statement, column));
}

bool Database::Statement::is_null(int column) const {
    return sqlite3_column_type(state_->statement, column) == SQLITE_NULL;
}

Database::Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Database::Transaction::~Transaction() {
    if (!database_) return;
    database_->state_->in_transaction = false;
    // SQLite may have rolled back by itself after an error; then this says so and changes nothing.
    sqlite3_exec(database_->state_->handle, "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<void> Database::Transaction::commit() {
    ASSERT(database_);
    TRY_VOID(database_->execute("COMMIT"));
    database_->state_->in_transaction = false;
    database_ = nullptr;
    return {};
}

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const std::string& path) {
    // SQLite would create it with the process's umask; its companions (-wal, -shm) take the mode of the file. One that
    // is there is not touched: to close it would drop the locks that this process holds on it (POSIX), and another
    // process that thinks itself alone takes the log of a running house away.
    const int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0 && errno != EEXIST) return fail(ErrorCode::Io, fmt::format("{}: {}", path, std::strerror(errno)));
    if (file >= 0) ::close(file);
    auto state = std::make_unique<State>();
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int result = sqlite3_open_v2(path.c_str(), &state->handle, flags, nullptr);
    if (result != SQLITE_OK) return fail_with(state->handle, result);
    sqlite3_busy_timeout(state->handle, busy_wait_ms);
    auto database = std::unique_ptr<Database>(new Database(std::move(state)));
    // Full sync: in WAL mode each commit is on disk before it returns.
    TRY_VOID(
        database->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                          "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"));
    TRY_VOID(
        database->execute("CREATE TABLE IF NOT EXISTS schema_version ("
                          "room TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT"));
    return database;
}

Result<void> Database::migrate(std::string_view room, std::span<const Migration> migrations) {
    ASSERT(!migrations.empty());
    for (;;) {
        auto transaction = TRY(begin());  // Another process may be doing the same: look inside the transaction.
        std::int64_t version = 0;
        {
            auto find = TRY(prepare("SELECT version FROM schema_version WHERE room = ?"));
            find.bind(1, room);
            if (TRY(find.step())) version = find.integer(0);
        }
        if (version > migrations.back().version) {
            return fail(ErrorCode::VersionUnknown,
                        fmt::format("the tables of {} have version {}, this program knows {}", room, version,
                                    migrations.back().version));
        }
        const Migration* next = nullptr;
        for (const Migration& migration : migrations) {
            if (!next && migration.version > version) next = &migration;
        }
        if (!next) return {};
        TRY_VOID(execute(std::string(next->sql)));
        auto save =
            TRY(prepare("INSERT INTO schema_version (room, version) VALUES (?, ?) "
                        "ON CONFLICT (room) DO UPDATE SET version = excluded.version"));
        TRY_VOID(save.bind(1, room).bind(2, std::int64_t{next->version}).run());
        TRY_VOID(transaction.commit());
    }
}

Result<Database::Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const auto idle = state_->idle.find(sql);
    if (idle != state_->idle.end() && !idle->second.empty()) {
        statement = idle->second.back();
        idle->second.pop_back();
    } else {
        const int result = sqlite3_prepare_v3(state_->handle, sql.data(), static_cast<int>(sql.size()),
                                              SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
        if (result != SQLITE_OK) return fail_with(state_->handle, result);
        ASSERT(statement);
    }
    return Statement(std::unique_ptr<Statement::State>(new Statement::State{state_.get(), statement}));
}

Result<void> Database::execute(const std::string& sql) {
    const int result = sqlite3_exec(state_->handle, sql.c_str(), nullptr, nullptr, nullptr);
    if (result != SQLITE_OK) return fail_with(state_->handle, result);
    return {};
}

Result<Database::Transaction> Database::begin() {
    ASSERT(!state_->in_transaction);
    TRY_VOID(execute("BEGIN IMMEDIATE"));
    state_->in_transaction = true;
    return Transaction(this);
}

std::int64_t Database::last_row_id() const { return sqlite3_last_insert_rowid(state_->handle); }
std::int64_t Database::changes() const { return sqlite3_changes64(state_->handle); }

Result<std::int64_t> Database::data_version() {
    auto query = TRY(prepare("PRAGMA data_version"));
    const bool found = TRY(query.step());
    ASSERT(found);
    return query.integer(0);
}

namespace {

struct CloseHandle {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
};
using Handle = std::unique_ptr<sqlite3, CloseHandle>;

Result<Handle> open_handle(const std::string& path, int flags) {
    sqlite3* raw = nullptr;
    const int result = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
    Handle handle(raw);
    if (result != SQLITE_OK) return fail_with(raw, result);
    sqlite3_busy_timeout(raw, busy_wait_ms);
    return handle;
}

}  // namespace

Result<void> Database::copy(const std::string& from, const std::string& to) {
    const int file = ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return fail(ErrorCode::Io, fmt::format("{}: cannot create: {}", to, std::strerror(errno)));
    ::close(file);
    const Handle source = TRY(open_handle(from, SQLITE_OPEN_READWRITE));
    const Handle target = TRY(open_handle(to, SQLITE_OPEN_READWRITE));
    sqlite3_backup* backup = sqlite3_backup_init(target.get(), "main", source.get(), "main");
    if (!backup) return fail_with(target.get(), sqlite3_errcode(target.get()));
    // All pages in one step: it reads one moment, and in WAL mode no writer waits for a reader.
    const int stepped = sqlite3_backup_step(backup, -1);
    const int finished = sqlite3_backup_finish(backup);
    if (stepped != SQLITE_DONE) return fail_with(target.get(), stepped);
    if (finished != SQLITE_OK) return fail_with(target.get(), finished);
    return {};
}

Result<void> Database::check(const std::string& path) {
    const Handle handle = TRY(open_handle(path, SQLITE_OPEN_READWRITE));
    sqlite3_stmt* statement = nullptr;
    int result = sqlite3_prepare_v2(handle.get(), "PRAGMA integrity_check(5)", -1, &statement, nullptr);
    if (result != SQLITE_OK) return fail_with(handle.get(), result);
    std::string found;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        const std::string row = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
        if (row != "ok") found += (found.empty() ? "" : "; ") + row;
    }
    sqlite3_finalize(statement);
    if (result != SQLITE_DONE) return fail_with(handle.get(), result);
    if (!found.empty()) return fail(ErrorCode::Corrupt, found);
    return {};
}

}  // namespace lineshaft::registry
