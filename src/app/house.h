/// The house: every room, in the order in which they can live, and the way down again.
///
/// Downstream first: what a room gives to is there before it. Closing runs the other way: the doors close, what is on
/// its way is finished, the store syncs, then the threads end.
///
/// Threads: create, start and stop on the main thread.
/// Errors:  Locked (another process has the directory), PortTaken, and those of every room.
#pragma once

#include <memory>
#include <string>

#include "app/config.h"
#include "runtime/clock.h"

namespace lineshaft::app {

class House {
public:
    /// Opens everything under `config.data_directory` and begins to serve.
    static Result<std::unique_ptr<House>> create(const Config& config);
    ~House();  // Stops if that was not done.

    /// "ready http=127.0.0.1:8080 …".
    std::string ready_line() const;
    /// The one-time link for the first administrator; empty once there is one.
    std::string claim_link() const;
    /// Closes the doors, finishes what is on its way, syncs.
    void stop();

private:
    class Parts;
    explicit House(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

/// "0.1.0".
std::string version();

}  // namespace lineshaft::app
