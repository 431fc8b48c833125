/// A series' name and nature in bytes, alike in the log, in segments and in the catalog.
///
/// info := type:u8 tenant:varint path:text unit:text device:text        text := bytes:varint utf8
#pragma once

#include "base/bytes.h"
#include "base/limits.h"
#include "store/series.h"

namespace lineshaft::store {

inline constexpr std::size_t name_bytes_max = limits::tag_path_bytes_max + limits::device_name_bytes_max;

inline void write_text(ByteWriter& out, std::string_view text) {
    out.varint(text.size());
    out.text(text);
}
inline std::string read_text(ByteReader& in) {
    const std::uint64_t bytes = in.varint();
    if (bytes > name_bytes_max) in.fail();
    return std::string(in.text(in.ok() ? bytes : 0));
}

inline void write_info(ByteWriter& out, const SeriesInfo& info) {
    out.u8(static_cast<std::uint8_t>(info.type));
    out.varint(info.tenant.value());
    write_text(out, info.path);
    write_text(out, info.unit);
    write_text(out, info.device);
}
inline SeriesInfo read_info(ByteReader& in) {
    SeriesInfo info;
    const std::uint8_t type = in.u8();
    if (type < 1 || type > 4)
        in.fail();
    else
        info.type = static_cast<ValueType>(type);
    info.tenant = TenantId(static_cast<std::uint32_t>(in.varint()));
    info.path = read_text(in);
    info.unit = read_text(in);
    info.device = read_text(in);
    return info;
}

}  // namespace lineshaft::store
