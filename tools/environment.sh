# Sourced by ./run, ./test and tools/setup: where the checkout is, and the Node that builds the web UI.
# shellcheck shell=bash
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
export PATH="$root/.cache/node/node_modules/.bin:$PATH"

# How many compilers at once: one a core, and each may take 1.5 GB.
compile_jobs() {
    local cores memory_gb
    cores=$(nproc)
    memory_gb=$(awk '/MemTotal/ {print int($2 / 1048576)}' /proc/meminfo)
    local by_memory=$((memory_gb * 2 / 3))
    ((by_memory >= 1)) || by_memory=1
    echo $((cores < by_memory ? cores : by_memory))
}

# configure_and_build PRESET [ninja targets…]
configure_and_build() {
    local preset=$1
    shift
    cmake --preset "$preset" -S "$root" >"$root/build/$preset-configure.log" 2>&1 || {
        cat "$root/build/$preset-configure.log" >&2
        echo "error: cmake could not configure the preset '$preset'; the lines above say why" >&2
        return 1
    }
    nice ninja -C "$root/build/$preset" -j "$(compile_jobs)" "$@"
}

note() { printf '%s\n' "$*" >&2; }
