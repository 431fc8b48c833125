/// Pinning: what is stored at one instant, for a backup.
///
///   pin ─► flush ─► no edit under way? ─► edits held ─► small files read on the disk pool ─► edits go on ─► done
///
/// Segments are held open, which keeps their bytes although their names may go. Manifest, catalog and whatever else
/// lies beside them changes with edits only, so while edits are held all of it belongs together. The log is not
/// needed: all that was offered before the flush is in segments.
#include <fmt/format.h>

#include "store/internal/body.h"

namespace lineshaft::store {
namespace {

/// Files that are not part of the state: the log, segments (named by the state itself), what is unfinished or set aside.
bool is_state(std::string_view name) {
    return !log_number(name) && name != "LOCK" && !name.ends_with(".seg") && !name.ends_with(".new") &&
           !name.ends_with(".corrupt");
}

}  // namespace

class Pinned::Held {
public:
    struct Small {
        std::string name;
        Bytes bytes;
    };
    std::vector<SnapshotOf<Segment>> segments;
    std::vector<Small> smalls;
};

Pinned::Pinned(std::unique_ptr<Held> held) : held_(std::move(held)) {}
Pinned::Pinned(Pinned&&) noexcept = default;
Pinned& Pinned::operator=(Pinned&&) noexcept = default;
Pinned::~Pinned() = default;

std::vector<Pinned::File> Pinned::files() const {
    std::vector<File> all;
    for (const auto& segment : held_->segments) all.push_back({segment->meta().name, segment->whole(), true});
    for (const Held::Small& small : held_->smalls) all.push_back({small.name, small.bytes, false});
    return all;
}

void Historian::Body::pin(std::move_only_function<void(Result<Pinned>)> done) {
    flush([this, done = std::move(done)](Result<void> flushed) mutable {
        if (!flushed) return done(std::unexpected(flushed.error()));
        pin_waiters_.push_back(std::move(done));
        start_pin();
    });
}

/// One for all who wait; comes again when the edit or the cleaning that is under way has ended.
void Historian::Body::start_pin() {
    if (pin_waiters_.empty()) return;
    if (closing_) {
        for (auto& done : std::exchange(pin_waiters_, {})) done(fail(ErrorCode::Closed));
        return;
    }
    if (!absent_.empty()) {
        // Half a history is no backup.
        const auto why = fmt::format("{} segments lie on the cold path, which is away", absent_.size());
        for (auto& done : std::exchange(pin_waiters_, {})) done(fail(ErrorCode::NotFound, why));
        return;
    }
    if (edit_running_ || edits_held_ || cleanings_ > 0) return;
    edits_held_ = true;
    ++cleanings_;  // Closing waits for it.
    auto done = std::move(pin_waiters_.front());
    pin_waiters_.erase(pin_waiters_.begin());
    disk_pool_.run(
        shard_,
        [&disk = disk_, path = options_.path, segments = segments_]() mutable -> Result<Pinned> {
            auto held = std::make_unique<Pinned::Held>();
            held->segments = std::move(segments);
            for (const std::string& name : TRY(disk.list(path))) {
                if (is_state(name)) held->smalls.push_back({name, TRY(disk.read(path + "/" + name))});
            }
            return Pinned(std::move(held));
        },
        [this, done = std::move(done)](Result<Pinned> pinned) mutable {
            edits_held_ = false;
            --cleanings_;
            done(std::move(pinned));
            start_pin();
            start_edit();
            maybe_close();
        });
}

}  // namespace lineshaft::store
