/// A line on stderr that says how far a long command is: over itself on a terminal, else one every ten seconds.
///
/// Threads: one.
#pragma once

#include <string>

#include "base/time.h"

namespace lineshaft::cli {

class Progress {
public:
    explicit Progress(bool quiet);
    /// `share` 0 … 1; `text` stands behind it: "1200 rows".
    void show(double share, const std::string& text);
    /// Ends the line, when there was one.
    void end();

private:
    const bool quiet_, terminal_;
    Instant begun_, shown_;
    bool open_ = false;
};

}  // namespace lineshaft::cli
