/// A door to one SQLite file: statements in, rows out. No SQLite type passes it.
///
/// Threads: one thread at a time; in the running program that is the SQL pool's only thread. Other processes may have
///          the same file open (the command line adds tokens while the server runs).
/// Errors:  Io, DiskFull, Corrupt, Conflict (unique or foreign key), Locked (another process writes for too long),
///          VersionUnknown (the schema is newer than this program).
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace lineshaft::registry {

/// One step of a room's schema. Steps are never changed once released, only added.
struct Migration {
    int version;
    std::string_view sql;
};

class Database {
public:
    /// A prepared statement with its values. Must not outlive its database.
    class Statement {
    public:
        Statement(Statement&&) noexcept;
        Statement& operator=(Statement&&) noexcept;
        ~Statement();

        /// Values by position from 1; texts and blobs are copied.
        template <std::integral Integer>
        Statement& bind(int index, Integer value) {
            return bind_integer(index, static_cast<std::int64_t>(value));
        }
        Statement& bind(int index, double value);
        Statement& bind(int index, std::string_view text);
        Statement& bind(int index, ByteView blob);
        Statement& bind_null(int index);
        Statement& bind(int index, const std::optional<double>& value);

        /// True when a row is there to be read.
        Result<bool> step();
        /// Runs a statement without rows, then makes it ready for new values.
        Result<void> run();
        void reset();

        /// Columns of the current row from 0. A view is good until the next step.
        std::int64_t integer(int column) const;
        double real(int column) const;
        std::string text(int column) const;
        Bytes blob(int column) const;
        bool is_null(int column) const;

    private:
        friend class Database;
        struct State;
        Statement& bind_integer(int index, std::int64_t value);
        explicit Statement(std::unique_ptr<State> state);
        std::unique_ptr<State> state_;
    };

    /// Rolls back unless committed.
    class Transaction {
    public:
        Transaction(Transaction&& other) noexcept;
        ~Transaction();
        Result<void> commit();

    private:
        friend class Database;
        explicit Transaction(Database* database) : database_(database) {}
        Database* database_;
    };

    /// Opens or creates the file (mode 0600) in WAL mode with foreign keys and full sync.
    static Result<std::unique_ptr<Database>> open(const std::string& path);
    ~Database();

    /// Writes a consistent copy of the database `from`, which others may be writing, to a new file (mode 0600).
    static Result<void> copy(const std::string& from, const std::string& to);
    /// Reads every page and index, of a database that others may be writing. Errors: Corrupt says what is wrong.
    static Result<void> check(const std::string& path);

    /// Brings the tables of `room` up to the newest of `migrations`, each step in its own transaction.
    Result<void> migrate(std::string_view room, std::span<const Migration> migrations);

    /// Prepared once and kept for the next time.
    Result<Statement> prepare(std::string_view sql);
    /// Any number of statements without values or rows.
    Result<void> execute(const std::string& sql);
    /// Begins to write at once, so that it cannot fail halfway because another process writes.
    Result<Transaction> begin();
    std::int64_t last_row_id() const;
    /// Rows touched by the last statement.
    std::int64_t changes() const;
    /// A number that changes when another process has written.
    Result<std::int64_t> data_version();

private:
    struct State;
    explicit Database(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace lineshaft::registry
