/// The recorded data sets that tests read: the folder LINESHAFT_DATA names, else shared/data beside the checkout.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace lineshaft::testing {

/// The folder, or nullopt where it does not exist: such a test skips itself and says so.
inline std::optional<std::filesystem::path> data_sets() {
    if (const char* named = std::getenv("LINESHAFT_DATA")) {
        return std::filesystem::is_directory(named) ? std::optional<std::filesystem::path>(named) : std::nullopt;
    }
    // Tests run somewhere below the checkout.
    for (auto at = std::filesystem::current_path();; at = at.parent_path()) {
        if (std::filesystem::is_directory(at / "shared" / "data")) return at / "shared" / "data";
        if (at == at.parent_path()) return std::nullopt;
    }
}

inline std::string read_whole_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace lineshaft::testing
