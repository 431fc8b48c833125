// The historian's front door to life of data: see life.h.
#include "store/internal/body.h"

namespace lineshaft::store {

StorageReport Historian::storage() const { return body_->storage(); }
void Historian::set_retention(std::vector<RetentionRule> rules) { body_->set_retention(std::move(rules)); }

void Historian::preview_retention(std::vector<RetentionRule> rules,
                                  std::move_only_function<void(std::vector<RetentionEffect>)> done) {
    body_->preview_retention(std::move(rules), std::move(done));
}

void Historian::erase(const std::vector<TagId>& tags, UtcTime from, UtcTime to,
                      std::move_only_function<void(Result<Erased>)> done) {
    Erased erased;
    for (const TagId tag : tags) {
        const auto before = completeness(tag, from, to);
        if (!before || before->samples == 0) continue;
        erased.series += 1;
        erased.samples += before->samples;
    }
    body_->erase(tags, from, to, erased, std::move(done));
}

void Historian::correct(TagId tag, const Chunk& rows, SourceId source,
                        std::move_only_function<void(Result<Corrected>)> done) {
    Corrected corrected;
    for (const UtcTime time : rows.source_times) {
        const auto before = completeness(tag, time, UtcTime(time.ns() + 1));
        ++(before && before->samples > 0 ? corrected.replaced : corrected.added);
    }
    body_->correct(tag, rows, source, corrected, std::move(done));
}

}  // namespace lineshaft::store
