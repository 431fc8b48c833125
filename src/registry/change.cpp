#include "registry/change.h"

namespace lineshaft::registry {

std::string_view to_text(ObjectKind kind) {
    switch (kind) {
        case ObjectKind::Tenant: return "tenant";
        case ObjectKind::Asset: return "asset";
        case ObjectKind::Device: return "device";
        case ObjectKind::Tag: return "tag";
        case ObjectKind::Rule: return "alarm rule";
    }
    return "object";
}

}  // namespace lineshaft::registry
