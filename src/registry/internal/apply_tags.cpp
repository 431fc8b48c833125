// Changes of tags.
#include <unordered_map>
#include <unordered_set>

#include "base/limits.h"
#include "registry/internal/check.h"

namespace lineshaft::registry {
namespace {

Result<void> check_tag(const Tag& tag) {
    TRY_VOID(check_path("a tag's path", tag.path, limits::tag_path_bytes_max));
    TRY_VOID(check_text("a tag's unit", tag.unit));
    TRY_VOID(check_text("a tag's description", tag.description));
    TRY_VOID(check_finite("scale", tag.scale));
    TRY_VOID(check_finite("offset", tag.offset));
    TRY_VOID(check_finite("deadband", tag.deadband));
    if (tag.type < ValueType::Bool || tag.type > ValueType::String) {
        return fail(ErrorCode::InvalidArgument, "a tag's type is bool, int, double or string");
    }
    if (tag.scale == 0) {
        return fail(ErrorCode::InvalidArgument, "scale must not be 0: every value would be the offset");
    }
    if (tag.deadband < 0) {
        return fail(ErrorCode::InvalidArgument, "deadband must not be negative; 0 keeps every change");
    }
    if (tag.range_low) TRY_VOID(check_finite("range_low", *tag.range_low));
    if (tag.range_high) TRY_VOID(check_finite("range_high", *tag.range_high));
    if (tag.range_low && tag.range_high && *tag.range_low >= *tag.range_high) {
        return fail(ErrorCode::InvalidArgument, "the lower end of the range must be below the upper one");
    }
    return {};
}

Result<void> remove_tag(Edit& edit, TagId id) {
    const std::vector<RuleId> rules = edit.view().rules_of(id);
    for (const RuleId rule : rules) TRY_VOID(edit.remove(*edit.view().rules.at(rule)));
    return edit.remove(*edit.view().tags.at(id));
}

void fill(Tag& tag, const NewTag& from) {
    tag.type = from.type;
    tag.unit = from.unit;
    tag.scale = from.scale;
    tag.offset = from.offset;
    tag.writable = from.writable;
    if (!from.description.empty()) tag.description = from.description;
}

Result<void> check_new_tags(const SetDeviceTags& change) {
    if (change.tags.size() > tags_per_change_max) {
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{} tags at once, {} are allowed", change.tags.size(), tags_per_change_max));
    }
    std::unordered_set<std::string_view> addresses;
    for (const NewTag& tag : change.tags) {
        TRY_VOID(check_path("a tag's address", tag.address, limits::tag_path_bytes_max));
        if (addresses.insert(tag.address).second) continue;
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("'{}' stands twice in the list: rename one", tag.address));
    }
    return {};
}

}  // namespace

Result<Changed> apply(Edit& edit, const SetDeviceTags& change) {
    const Device device = *TRY(find(edit, edit.view().devices, change.device));
    TRY_VOID(check_new_tags(change));
    std::unordered_map<std::string, TagId> known;
    for (const TagId id : edit.view().tags_of(device.id)) known.emplace(edit.view().tags.at(id)->address, id);
    std::uint64_t missing = 0;
    for (const NewTag& tag : change.tags) missing += known.contains(tag.address) ? 0 : 1;
    TagIdRange ids;
    if (missing > 0) ids = TRY(take_tag_ids(edit.database(), missing));
    std::uint64_t next = ids.first.value();

    Changed result = changed(device);
    for (const NewTag& wanted : change.tags) {
        const auto found = known.find(wanted.address);
        if (found != known.end()) {
            const Tag before = *edit.view().tags.at(found->second);
            Tag tag = before;
            fill(tag, wanted);
            TRY_VOID(check_tag(tag));
            result.tags.push_back(TRY(edit.update(before, std::move(tag))).id);
            known.erase(found);
            continue;
        }
        Tag tag;
        tag.id = TagId(next++);
        tag.tenant = device.tenant;
        tag.device = device.id;
        tag.address = wanted.address;
        tag.path = free_path(edit.view(), device.tenant, device.name, wanted.address);
        fill(tag, wanted);
        TRY_VOID(check_tag(tag));
        result.tags.push_back(TRY(edit.create(std::move(tag))).id);
    }
    if (change.others == SetDeviceTags::Others::Remove) {
        for (const auto& [address, id] : known) TRY_VOID(remove_tag(edit, id));
    }
    return result;
}

Result<Changed> apply(Edit& edit, const UpdateTag& change) {
    const Tag before = *TRY(find(edit, edit.view().tags, change.id));
    TRY_VOID(check_version(before, change.version));
    Tag tag = before;
    if (change.path) tag.path = *change.path;
    if (change.type) tag.type = *change.type;
    if (change.unit) tag.unit = *change.unit;
    if (change.description) tag.description = *change.description;
    if (change.scale) tag.scale = *change.scale;
    if (change.offset) tag.offset = *change.offset;
    if (change.deadband) tag.deadband = *change.deadband;
    if (change.range_low) tag.range_low = *change.range_low;
    if (change.range_high) tag.range_high = *change.range_high;
    if (change.writable) tag.writable = *change.writable;
    TRY_VOID(check_tag(tag));
    const Tag* holder = edit.view().tag_at(tag.tenant, tag.path);
    if (holder && holder->id != tag.id) {
        return fail(ErrorCode::Conflict, fmt::format("there is a tag '{}' already: choose another path", tag.path));
    }
    if (tag.type == ValueType::String && !edit.view().rules_of(tag.id).empty()) {
        return fail(ErrorCode::Conflict,
                    fmt::format("'{}' has alarm limits, which need numbers: delete them first", tag.path));
    }
    return changed(TRY(edit.update(before, std::move(tag))));
}

Result<Changed> apply(Edit& edit, const DeleteTag& change) {
    const Tag tag = *TRY(find(edit, edit.view().tags, change.id));
    TRY_VOID(check_version(tag, change.version));
    TRY_VOID(remove_tag(edit, tag.id));
    return changed(tag);
}

}  // namespace lineshaft::registry
