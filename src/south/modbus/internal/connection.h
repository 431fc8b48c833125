/// One connection to one Modbus server: opens, asks one request at a time, waits, notices silence and nonsense.
///
/// Flow:    open(done), then ask(request, done) again and again; every `done` runs exactly once unless the connection
///          object dies first.
/// Threads: own shard only.
/// Errors:  open: Unreachable, Timeout. ask: Timeout (the connection stays), Malformed or Closed (it is dropped).
///          An answer with another transaction id is late or wrong: counted as a stray and dropped.
#pragma once

#include <memory>
#include <optional>

#include "runtime/shard.h"
#include "runtime/stream.h"
#include "wire/modbus/modbus.h"

namespace lineshaft::modbus {

class Connection final : private StreamHandler {
public:
    using OnOpen = std::move_only_function<void(Result<void>)>;
    using OnAnswer = std::move_only_function<void(Result<wire::modbus::Response>)>;

    /// `lost` runs when an open connection ends while nothing is asked.
    Connection(Shard& shard, Network& network, std::move_only_function<void(const Error&)> lost);
    ~Connection() override;

    void open(const Endpoint& to, Duration timeout, OnOpen done);
    /// Only when is_open() and not is_busy().
    void ask(wire::modbus::Request request, Duration timeout, OnAnswer done);
    /// Ends the connection. What was asked hears nothing any more.
    void drop();

    bool is_open() const { return stream_ != nullptr; }
    bool is_busy() const { return asked_.has_value(); }
    std::uint64_t strays() const { return strays_; }

private:
    void on_data(ByteView bytes) override;
    void on_closed(const Error& why) override;
    void answer(Result<wire::modbus::Response> response);
    void fail_and_drop(const Error& why);

    Shard& shard_;
    Network& network_;
    std::move_only_function<void(const Error&)> lost_;
    std::unique_ptr<Stream> stream_;
    std::unique_ptr<Stream> dying_;  // Dropped during its own call; destroyed a task later.
    wire::modbus::FrameReader reader_;
    std::optional<wire::modbus::Request> asked_;
    OnAnswer on_answer_;
    Timer timeout_;
    std::uint16_t transaction_ = 0;
    std::uint64_t strays_ = 0;
    // Callbacks that may come after our death ask it whether we live; renewed when an opening is given up.
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

}  // namespace lineshaft::modbus
