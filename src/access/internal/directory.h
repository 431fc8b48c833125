/// Who there is, as every shard sees it: users, sessions, tokens.
///
/// Threads: any; only the times of last use change, and they are atomic.
#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>

#include "access/access.h"
#include "access/internal/secrets.h"

namespace lineshaft::access {

/// The newest use, told by any shard, written out once a minute by the SQL pool.
class LastUse {
public:
    explicit LastUse(UtcTime at) : ns_(at.ns()) {}
    UtcTime at() const { return UtcTime(ns_.load(std::memory_order_relaxed)); }
    /// A minute is fine enough, and spares the shards a shared cache line.
    void touch(UtcTime now) const {
        if (now - at() >= 1min) ns_.store(now.ns(), std::memory_order_relaxed);
    }

private:
    mutable std::atomic<std::int64_t> ns_;
};

struct SessionEntry {
    Hash hash;
    UserId user;
    UtcTime created;
    std::string address;
    LastUse used;
    UtcTime used_saved;
};

struct TokenEntry {
    Hash hash;
    Token token;
    LastUse used;
};

struct Directory {
    std::unordered_map<UserId, std::shared_ptr<const User>> users;
    std::unordered_map<Hash, std::shared_ptr<const SessionEntry>, HashOfHash> sessions;
    std::unordered_map<Hash, std::shared_ptr<const TokenEntry>, HashOfHash> tokens;
    std::unordered_map<std::uint64_t, std::shared_ptr<const TokenEntry>> tokens_by_id;
    bool claimed = false;  // There is an administrator.
};

bool is_alive(const SessionEntry& session, UtcTime now);
bool is_alive(const TokenEntry& token, UtcTime now);
UtcTime expiry_of(const SessionEntry& session);
Principal principal_of(const User& user);
Principal principal_of(const Token& token);

}  // namespace lineshaft::access
