/// Sends pieces of line protocol on a few threads at a time and says up to which piece everything is on disk.
///
/// Threads: send and finish on one thread; the senders are inside.
/// Errors:  the first that a piece ended with; Overloaded is retried for a minute.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "app/cli/client.h"

namespace lineshaft::cli {

class ImportSender {
public:
    /// `acknowledged(line)` runs on a sender's thread when everything up to `line` of the file is on disk.
    ImportSender(const Client& client, std::size_t threads, std::function<void(std::uint64_t line)> acknowledged);
    ~ImportSender();

    /// Waits while too much is under way. `line`: the last line of the file that the piece covers.
    Result<void> send(std::string piece, std::uint64_t line);
    /// Waits for everything.
    Result<void> finish();

private:
    struct Piece {
        std::uint64_t number;
        std::uint64_t line;
        std::string text;
    };

    void work();
    Result<void> post(const std::string& text) const;

    const Client& client_;
    const std::function<void(std::uint64_t)> acknowledged_;
    std::mutex mutex_;  // Guards all below; a leaf.
    std::condition_variable changed_;
    std::deque<Piece> waiting_;
    std::map<std::uint64_t, std::uint64_t> done_;  // Piece -> line, beyond the unbroken run.
    std::uint64_t next_number_ = 0;
    std::uint64_t next_unbroken_ = 0;
    std::size_t under_way_ = 0;
    bool closing_ = false;
    std::optional<Error> error_;
    std::vector<std::thread> threads_;
};

}  // namespace lineshaft::cli
