/// TLS around any Stream: an engine that eats and gives bytes, and knows no socket.
///
/// Flow:    on_data (sealed) → OpenSSL → handler (open); send (open) → gathered until the task ends → sealed in large
///          records → inner stream. OpenSSL reads straight from the bytes that came and writes straight into the inner
///          stream, so nothing is kept in between but the record that is not whole yet.
/// Threads: own shard only. As TcpConnection, it lives behind a handle so that its owner may go at any moment.
/// Errors:  Malformed (handshake or record), Closed, and what the inner stream tells.
#pragma once

#include <memory>

#include "net/internal/tls_context.h"
#include "net/network.h"
#include "runtime/stream.h"

namespace lineshaft::net {

/// What all TLS streams of a shard share.
struct TlsLoop {
    explicit TlsLoop(Shard& owner, const NetworkOptions& with) : shard(owner), options(with) {}

    Shard& shard;
    const NetworkOptions options;
    static constexpr std::size_t open_bytes_max = 64 * 1024;
    const std::unique_ptr<std::byte[]> open_buffer = std::make_unique<std::byte[]>(open_bytes_max);
};

enum class TlsRole : std::uint8_t { Accepts, Connects };

class TlsConnection final : public StreamHandler, public std::enable_shared_from_this<TlsConnection> {
public:
    using OnReady = std::move_only_function<void(Result<void>)>;

    TlsConnection(std::shared_ptr<TlsLoop> loop, std::unique_ptr<Stream> inner, SslEngine engine);
    ~TlsConnection() override;

    /// Shakes hands; `ready` runs once, later, unless cut before.
    void shake_hands(TlsRole role, Duration timeout, OnReady ready);

    void start(StreamHandler& handler);
    void send(ByteView bytes);
    std::size_t unsent_bytes() const { return open_output_.size() + inner_->unsent_bytes(); }
    void pause_reading();
    void resume_reading();
    void close();
    const Peer& peer() const { return peer_; }
    /// The owner is gone.
    void cut();

    void on_data(ByteView sealed) override;
    void on_drained() override;
    void on_closed(const Error& why) override;

private:
    static const BIO_METHOD* bio_method();
    static int bio_read(BIO* bio, char* into, int size);
    static int bio_write(BIO* bio, const char* bytes, int size);
    static long bio_control(BIO* bio, int command, long, void*);

    void work(ByteView sealed);
    bool step_handshake();
    bool deliver_open();
    void work_soon();
    void keep_unread();
    void flush_soon();
    void flush();
    void finish_handshake(Result<void> result);
    void fail_with(Error why);
    void end(const Error& why);

    const std::shared_ptr<TlsLoop> loop_;
    std::unique_ptr<Stream> inner_;
    const SslEngine engine_;
    Peer peer_;
    StreamHandler* handler_ = nullptr;
    OnReady ready_;
    ByteView sealed_;                          // What OpenSSL may read now.
    Bytes sealed_kept_;                        // What it did not want yet, because the owner paused.
    Bytes open_output_;                        // Gathered during this task.
    std::shared_ptr<TlsConnection> farewell_;  // Holds itself while an alert or close_notify goes out.
    Timer timer_;
    TlsRole role_ = TlsRole::Accepts;
    bool is_up_ = false;
    bool inner_is_paused_ = false;
    bool paused_ = false;
    bool working_ = false;
    bool work_is_due_ = false;
    bool flush_is_due_ = false;
    bool closing_ = false;
    bool ended_ = false;
};

/// The owner's handle to a connection whose handshake is done.
std::unique_ptr<Stream> make_tls_stream(std::shared_ptr<TlsConnection> connection);

}  // namespace lineshaft::net
