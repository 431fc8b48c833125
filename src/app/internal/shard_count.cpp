#include "app/internal/shard_count.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lineshaft::app {

using Json = nlohmann::json;

Result<std::size_t> pin_shard_count(Disk& disk, const Config& config) {
    const std::string path = config.data_directory + "/house.json";
    if (disk.exists(path)) {
        const Json house = Json::parse(as_text(TRY(disk.read(path))), nullptr, false);
        if (!house.is_object() || !house.contains("shards"))
            return fail(ErrorCode::Corrupt, path + " does not say the number of shards");
        const auto pinned = house["shards"].get<std::size_t>();
        if (config.shards == 0 || config.shards == pinned) return pinned;
        return fail(
            ErrorCode::ConfigInvalid,
            fmt::format("shards = {}: {} was made with {}; leave --shards out, or start with an empty directory",
                        config.shards, config.data_directory, pinned));
    }
    const std::size_t count =
        config.shards > 0 ? config.shards : std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 64);
    const std::string text = Json{{"shards", count}}.dump();
    TRY_VOID(disk.replace(path, as_bytes(text)));
    return count;
}

}  // namespace lineshaft::app
