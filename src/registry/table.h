/// The containers of a snapshot: immutable to readers, cheap to make a changed copy of.
///
/// A Table is 256 small hash maps behind shared pointers. A copy shares all of them; a change to the copy first copies
/// the one map it touches. So with 100,000 tags a change of one tag copies some 400 pointers instead of 100,000:
///
///     version 7   [ a ][ b ][ c ][ d ] …
///                   |    |         |
///     version 8   [ a ][ b ][ c'][ d ] …      one tag of c changed
///
/// An Index is the same idea over sorted names: runs of at most 512 entries, in order.
///
/// Threads: reading from any; changes are for the maker of the next version (SnapshotBuilder).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/strong.h"

namespace lineshaft::registry {

template <class Id, class T>
class Table {
public:
    using Bucket = std::unordered_map<Id, std::shared_ptr<const T>>;
    using value_type = typename Bucket::value_type;

    class const_iterator {
    public:
        using value_type = Table::value_type;
        using difference_type = std::ptrdiff_t;
        using reference = const value_type&;
        using pointer = const value_type*;
        using iterator_category = std::forward_iterator_tag;

        const_iterator() = default;
        reference operator*() const { return *at_; }
        pointer operator->() const { return &*at_; }
        const_iterator& operator++() {
            ++at_;
            settle();
            return *this;
        }
        const_iterator operator++(int) {
            auto before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const const_iterator& a, const const_iterator& b) {
            return a.bucket_ == b.bucket_ && (a.bucket_ == bucket_count || a.at_ == b.at_);
        }

    private:
        friend class Table;
        const_iterator(const Table* table, std::size_t bucket) : table_(table), bucket_(bucket) {
            if (bucket_ == bucket_count) return;
            if (const Bucket* map = table_->buckets_[bucket_].get()) at_ = map->begin();
            settle();
        }
        const_iterator(const Table* table, std::size_t bucket, typename Bucket::const_iterator at)
            : table_(table), bucket_(bucket), at_(at) {}
        /// From the end of a bucket to the next one that has something.
        void settle() {
            while (bucket_ < bucket_count) {
                const Bucket* map = table_->buckets_[bucket_].get();
                if (map && at_ != map->end()) return;
                if (++bucket_ == bucket_count) return;
                const Bucket* next = table_->buckets_[bucket_].get();
                at_ = next ? next->begin() : typename Bucket::const_iterator{};
            }
        }
        const Table* table_ = nullptr;
        std::size_t bucket_ = bucket_count;
        typename Bucket::const_iterator at_{};
    };

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    const_iterator begin() const { return const_iterator(this, 0); }
    const_iterator end() const { return const_iterator(this, bucket_count); }
    const_iterator find(Id id) const {
        const std::size_t bucket = bucket_of(id);
        const Bucket* map = buckets_[bucket].get();
        if (!map) return end();
        const auto found = map->find(id);
        return found == map->end() ? end() : const_iterator(this, bucket, found);
    }
    /// Null when there is none.
    const T* get(Id id) const {
        const Bucket* map = buckets_[bucket_of(id)].get();
        if (!map) return nullptr;
        const auto found = map->find(id);
        return found == map->end() ? nullptr : found->second.get();
    }
    bool contains(Id id) const { return get(id) != nullptr; }
    std::size_t count(Id id) const { return contains(id) ? 1 : 0; }
    const std::shared_ptr<const T>& at(Id id) const {
        const auto found = find(id);
        ASSERT(found != end());
        return found->second;
    }

private:
    friend class SnapshotBuilder;
    static constexpr std::size_t bucket_count = 256;
    static std::size_t bucket_of(Id id) { return static_cast<std::size_t>(id.value()) % bucket_count; }

    void put(Id id, std::shared_ptr<const T> value) {
        size_ += writable(bucket_of(id)).insert_or_assign(id, std::move(value)).second ? 1 : 0;
    }
    /// The value to change in place: made, or copied first if an older version holds it too.
    T& ensure(Id id) {
        auto& held = writable(bucket_of(id))[id];
        if (!held) {
            ++size_;
            held = std::make_shared<T>();
        } else if (held.use_count() != 1) {
            held = std::make_shared<T>(*held);
        }
        return const_cast<T&>(*held);  // Made above as a T that is not const.
    }
    void remove(Id id) {
        if (contains(id)) size_ -= writable(bucket_of(id)).erase(id);
    }
    Bucket& writable(std::size_t bucket) {
        // A map that is held once was made for this version: the version before outlives the change and holds its own.
        auto& held = buckets_[bucket];
        if (!held) {
            held = std::make_shared<Bucket>();
        } else if (held.use_count() != 1) {
            held = std::make_shared<Bucket>(*held);
        }
        return *held;
    }

    std::array<std::shared_ptr<Bucket>, bucket_count> buckets_;
    std::size_t size_ = 0;
};

/// (tenant, name) to id, in order.
template <class Id>
class Index {
public:
    struct Entry {
        TenantId tenant;
        std::string name;
        Id id;
    };

    std::size_t size() const { return size_; }
    /// None when there is no such name.
    Id find(TenantId tenant, std::string_view name) const {
        const Entry* entry = nullptr;
        walk(tenant, name, [&](const Entry& first) {
            entry = &first;
            return false;
        });
        return entry && entry->name == name ? entry->id : Id{};
    }
    /// Calls `visit(entry)` for the tenant's entries from `name` on, in order, until it returns false.
    template <class Visit>
    void walk(TenantId tenant, std::string_view name, Visit visit) const {
        for (std::size_t run = run_of(tenant, name); run < runs_.size(); ++run) {
            const Run& entries = *runs_[run];
            for (std::size_t i = position(entries, tenant, name); i < entries.size(); ++i) {
                if (entries[i].tenant != tenant || !visit(entries[i])) return;
            }
        }
    }

private:
    friend class SnapshotBuilder;
    using Run = std::vector<Entry>;
    static constexpr std::size_t run_entries_max = 512;

    static bool less(const Entry& entry, TenantId tenant, std::string_view name) {
        return entry.tenant != tenant ? entry.tenant < tenant : entry.name < name;
    }
    static std::size_t position(const Run& run, TenantId tenant, std::string_view name) {
        const auto at = std::partition_point(run.begin(), run.end(),
                                             [&](const Entry& entry) { return less(entry, tenant, name); });
        return static_cast<std::size_t>(at - run.begin());
    }
    /// The run that holds the first entry not less than the name; runs are never empty.
    std::size_t run_of(TenantId tenant, std::string_view name) const {
        const auto at = std::partition_point(runs_.begin(), runs_.end(), [&](const std::shared_ptr<Run>& run) {
            return less(run->back(), tenant, name);
        });
        return static_cast<std::size_t>(at - runs_.begin());
    }

    void put(TenantId tenant, std::string name, Id id) {
        if (runs_.empty()) {
            runs_.push_back(std::make_shared<Run>());
            runs_.back()->push_back({tenant, std::move(name), id});
            size_ = 1;
            return;
        }
        const std::size_t run = std::min(run_of(tenant, name), runs_.size() - 1);
        Run& entries = writable(run);
        const std::size_t at = position(entries, tenant, name);
        if (at < entries.size() && entries[at].tenant == tenant && entries[at].name == name) {
            entries[at].id = id;
            return;
        }
        entries.insert(entries.begin() + static_cast<std::ptrdiff_t>(at), {tenant, std::move(name), id});
        ++size_;
        if (entries.size() <= run_entries_max) return;
        const auto half = entries.begin() + static_cast<std::ptrdiff_t>(entries.size() / 2);
        auto upper = std::make_shared<Run>(std::make_move_iterator(half), std::make_move_iterator(entries.end()));
        entries.erase(half, entries.end());
        runs_.insert(runs_.begin() + static_cast<std::ptrdiff_t>(run) + 1, std::move(upper));
    }
    void remove(TenantId tenant, std::string_view name) {
        const std::size_t run = run_of(tenant, name);
        if (run == runs_.size() || find(tenant, name) == Id{}) return;
        Run& entries = writable(run);
        entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(position(entries, tenant, name)));
        --size_;
        if (entries.empty()) runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(run));
    }
    Run& writable(std::size_t run) {
        if (runs_[run].use_count() != 1) runs_[run] = std::make_shared<Run>(*runs_[run]);
        return *runs_[run];
    }

    std::vector<std::shared_ptr<Run>> runs_;
    std::size_t size_ = 0;
};

}  // namespace lineshaft::registry
