/// A connection before its CONNECT is accepted: little memory, little time, no session.
///
///   first packet --> decode --> authenticate --> BrokerShard::welcome (hand over to the home shard)
///        '-- anything else, too large, too late --> closed
///
/// Threads: the shard that accepted the connection.
/// Limits:  limits::mqtt_first_packet_bytes_max, Options::connect_timeout.
#pragma once

#include <cstdint>
#include <memory>

#include "runtime/stream.h"
#include "south/mqtt/internal/hello.h"

namespace lineshaft::mqtt {

class BrokerShard;

class Greeter final : public StreamHandler {
public:
    Greeter(BrokerShard& owner, std::uint64_t no, std::unique_ptr<Stream> stream, Instant deadline);

    void start() { stream_->start(*this); }
    std::size_t input_bytes() const { return hello_.bytes.size() + hello_.rest.size(); }
    Instant deadline() const { return deadline_; }
    /// Cuts it: CONNECT did not come in time, or the broker closes.
    void cut(const char* reason);

    void authenticated(Result<Identity> identity);

    void on_data(ByteView bytes) override;
    void on_closed(const Error& why) override;

private:
    void take_connect(const lineshaft::wire::mqtt::Frame& frame);
    void authenticate();
    /// Answers with a CONNACK and closes.
    void refuse(lineshaft::wire::mqtt::Version version, lineshaft::wire::mqtt::Reason reason, std::string_view why);

    BrokerShard& owner_;
    const std::uint64_t no_;
    std::unique_ptr<Stream> stream_;
    const Instant deadline_;
    Hello hello_;
    bool done_ = false;  // Authenticating, welcomed or refused: what comes is kept or thrown away, not read.
};

}  // namespace lineshaft::mqtt
