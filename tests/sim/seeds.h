/// Which seeds a simulation runs.
///
///   LINESHAFT_SIM_SEEDS=10000 ctest -L sim      # a night
///   LINESHAFT_SIM_SEED=4711 ctest -L sim        # one that failed, again
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace lineshaft::sim {

inline std::vector<std::uint64_t> seeds(std::uint64_t usual) {
    const auto number = [](const char* name) -> std::uint64_t {
        const char* text = std::getenv(name);
        return text ? std::strtoull(text, nullptr, 10) : 0;
    };
    if (const std::uint64_t one = number("LINESHAFT_SIM_SEED")) return {one};
    const std::uint64_t wanted = number("LINESHAFT_SIM_SEEDS");
    std::vector<std::uint64_t> all;
    for (std::uint64_t seed = 1; seed <= (wanted ? wanted : usual); ++seed) all.push_back(seed);
    return all;
}

}  // namespace lineshaft::sim
