#include "net/internal/tls_connection.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "base/assert.h"
#include "base/counters.h"

namespace lineshaft::net {
namespace {

Counter handshakes_done{"lineshaft_tls_handshakes_total", "outcome=\"done\"", "TLS handshakes"};
Counter handshakes_failed{"lineshaft_tls_handshakes_total", "outcome=\"failed\"", "TLS handshakes"};
Counter handshakes_late{"lineshaft_tls_handshakes_total", "outcome=\"timeout\"", "TLS handshakes"};

/// For someone who types http:// with the port of https://: OpenSSL says nothing then.
constexpr std::string_view use_https =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 41\r\n\r\n"
    "This port speaks TLS: use https:// here.\n";

class TlsStream final : public Stream {
public:
    explicit TlsStream(std::shared_ptr<TlsConnection> connection) : connection_(std::move(connection)) {}
    ~TlsStream() override { connection_->cut(); }
    void start(StreamHandler& handler) override { connection_->start(handler); }
    void send(ByteView bytes) override { connection_->send(bytes); }
    std::size_t unsent_bytes() const override { return connection_->unsent_bytes(); }
    void pause_reading() override { connection_->pause_reading(); }
    void resume_reading() override { connection_->resume_reading(); }
    void close() override { connection_->close(); }
    const Peer& peer() const override { return connection_->peer(); }

private:
    const std::shared_ptr<TlsConnection> connection_;
};

}  // namespace

std::unique_ptr<Stream> make_tls_stream(std::shared_ptr<TlsConnection> connection) {
    return std::make_unique<TlsStream>(std::move(connection));
}

TlsConnection::TlsConnection(std::shared_ptr<TlsLoop> loop, std::unique_ptr<Stream> inner, SslEngine engine)
    : loop_(std::move(loop)), inner_(std::move(inner)), engine_(std::move(engine)), peer_(inner_->peer()) {
    peer_.encrypted = true;
    BIO* bio = BIO_new(bio_method());
    ASSERT(bio);
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(engine_.get(), bio, bio);  // The engine owns it now.
}

TlsConnection::~TlsConnection() = default;

void TlsConnection::shake_hands(TlsRole role, Duration timeout, OnReady ready) {
    role_ = role;
    ready_ = std::move(ready);
    timer_ = loop_->shard.after(timeout, [this, weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        handshakes_late.add();
        fail_with(Error(ErrorCode::Timeout, "the TLS handshake was not finished"));
    });
    role == TlsRole::Accepts ? SSL_set_accept_state(engine_.get()) : SSL_set_connect_state(engine_.get());
    inner_->start(*this);
    work({});
}

void TlsConnection::start(StreamHandler& handler) {
    ASSERT(is_up_);
    handler_ = &handler;
    work_soon();
}

void TlsConnection::send(ByteView bytes) {
    if (ended_ || closing_ || bytes.empty()) return;
    // Beyond its bound the inner stream ends the connection; one piece more is enough to make it do so.
    if (unsent_bytes() <= loop_->options.unsent_bytes_max) {
        open_output_.insert(open_output_.end(), bytes.begin(), bytes.end());
    }
    flush_soon();
}

void TlsConnection::pause_reading() {
    paused_ = true;
    if (ended_) return;
    inner_is_paused_ = true;
    inner_->pause_reading();
}

void TlsConnection::resume_reading() {
    if (!std::exchange(paused_, false) || ended_) return;
    work_soon();  // Deferred: the owner is not called from its own call.
}

void TlsConnection::close() {
    if (ended_ || closing_) return;
    closing_ = true;
    flush_soon();
}

void TlsConnection::cut() {
    handler_ = nullptr;
    ready_ = nullptr;
    if (farewell_) return;
    ended_ = true;
    timer_.cancel();
    inner_.reset();
}

void TlsConnection::on_data(ByteView sealed) {
    if (ended_ || closing_) return;
    const auto self = shared_from_this();
    if (sealed_kept_.empty() && !working_) return work(sealed);
    sealed_kept_.insert(sealed_kept_.end(), sealed.begin(), sealed.end());
    work_soon();
}

void TlsConnection::on_drained() {
    const auto self = shared_from_this();
    if (is_up_ && !ended_ && !closing_ && open_output_.empty() && handler_) handler_->on_drained();
}

void TlsConnection::on_closed(const Error& why) {
    const auto self = shared_from_this();
    if (farewell_) return farewell_.reset();
    if (!is_up_) {
        handshakes_failed.add();
        return finish_handshake(std::unexpected(why));
    }
    end(why);
}

// --- Bytes into and out of OpenSSL ---------------------------------------------------------------------------------

const BIO_METHOD* TlsConnection::bio_method() {
    static const BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
        ASSERT(made);
        BIO_meth_set_read(made, bio_read);
        BIO_meth_set_write(made, bio_write);
        BIO_meth_set_ctrl(made, bio_control);
        return made;
    }();
    return method;
}

int TlsConnection::bio_read(BIO* bio, char* into, int size) {
    auto& self = *static_cast<TlsConnection*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (self.sealed_.empty()) {
        BIO_set_retry_read(bio);
        return -1;
    }
    const std::size_t taken = std::min(self.sealed_.size(), static_cast<std::size_t>(size));
    std::memcpy(into, self.sealed_.data(), taken);
    self.sealed_ = self.sealed_.subspan(taken);
    return static_cast<int>(taken);
}

int TlsConnection::bio_write(BIO* bio, const char* bytes, int size) {
    auto& self = *static_cast<TlsConnection*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    self.inner_->send(as_bytes(std::string_view(bytes, static_cast<std::size_t>(size))));
    return size;
}

long TlsConnection::bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

// --- Work ----------------------------------------------------------------------------------------------------------

void TlsConnection::work(ByteView sealed) {
    if (working_ || ended_) return;
    const auto self = shared_from_this();
    working_ = true;
    sealed_ = sealed;
    bool goes_on = is_up_ || step_handshake();
    while (goes_on && handler_ && !paused_ && !ended_ && !closing_) goes_on = deliver_open();
    working_ = false;
    if (!ended_) keep_unread();
    sealed_ = {};
}

bool TlsConnection::step_handshake() {
    ERR_clear_error();
    const int result = SSL_do_handshake(engine_.get());
    if (result == 1) {
        handshakes_done.add();
        peer_.certificate_subject = verified_subject(*engine_);
        is_up_ = true;
        finish_handshake({});
        return true;
    }
    if (SSL_get_error(engine_.get(), result) == SSL_ERROR_WANT_READ) return false;
    handshakes_failed.add();
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST) inner_->send(as_bytes(use_https));
    const ErrorCode code = role_ == TlsRole::Accepts ? ErrorCode::Malformed : ErrorCode::Unreachable;
    const long verified = SSL_get_verify_result(engine_.get());
    const std::string reason =
        verified == X509_V_OK ? openssl_error() : std::string(X509_verify_cert_error_string(verified));
    fail_with(Error(code, fmt::format("TLS handshake with {}: {}", to_text(peer_.address), reason)));
    return false;
}

/// Opens as many records as the buffer holds and gives them to the owner. False when there is nothing more to do.
bool TlsConnection::deliver_open() {
    std::byte* const buffer = loop_->open_buffer.get();
    std::size_t size = 0;
    int failure = SSL_ERROR_NONE;
    std::string reason;
    ERR_clear_error();
    while (size < TlsLoop::open_bytes_max && failure == SSL_ERROR_NONE) {
        std::size_t got = 0;
        const int result = SSL_read_ex(engine_.get(), buffer + size, TlsLoop::open_bytes_max - size, &got);
        if (result == 1) {
            size += got;
        } else {
            failure = SSL_get_error(engine_.get(), result);
            if (failure == SSL_ERROR_SSL) reason = openssl_error();
        }
    }
    if (size > 0) handler_->on_data(ByteView(buffer, size));
    if (ended_ || closing_ || failure == SSL_ERROR_WANT_READ) return false;
    if (failure == SSL_ERROR_NONE) return true;
    if (failure == SSL_ERROR_ZERO_RETURN) {
        flush();  // What the owner just answered, then our own close_notify.
        SSL_shutdown(engine_.get());
        fail_with(Error(ErrorCode::Closed));
    } else {
        fail_with(Error(ErrorCode::Malformed, "TLS: " + reason));
    }
    return false;
}

void TlsConnection::work_soon() {
    if (std::exchange(work_is_due_, true)) return;
    loop_->shard.defer([this, self = shared_from_this()] {
        work_is_due_ = false;
        if (ended_ || closing_) return;
        const Bytes kept = std::exchange(sealed_kept_, {});
        work(kept);
    });
}

/// Sets aside what the owner does not want yet and holds the peer back meanwhile.
void TlsConnection::keep_unread() {
    sealed_kept_.insert(sealed_kept_.end(), sealed_.begin(), sealed_.end());
    const bool wanted = !is_up_ || closing_ || (handler_ && !paused_);
    if (wanted == !inner_is_paused_) return;
    inner_is_paused_ = !wanted;
    wanted ? inner_->resume_reading() : inner_->pause_reading();
}

void TlsConnection::flush_soon() {
    if (std::exchange(flush_is_due_, true)) return;
    loop_->shard.defer([this, self = shared_from_this()] {
        flush_is_due_ = false;
        if (ended_) return;
        flush();
        if (!closing_) return;
        if (is_up_) SSL_shutdown(engine_.get());
        inner_->close();
    });
}

void TlsConnection::flush() {
    if (!is_up_ || open_output_.empty()) return;
    ERR_clear_error();
    std::size_t written = 0;
    const int result = SSL_write_ex(engine_.get(), open_output_.data(), open_output_.size(), &written);
    open_output_ = {};
    if (result != 1) fail_with(Error(ErrorCode::Malformed, "TLS: " + openssl_error()));
}

void TlsConnection::finish_handshake(Result<void> result) {
    timer_.cancel();
    if (!result) ended_ = true;
    if (OnReady ready = std::exchange(ready_, nullptr)) ready(std::move(result));
}

/// Ends for the owner now, and for the peer when the last alert is out.
void TlsConnection::fail_with(Error why) {
    if (ended_) return;
    const auto self = shared_from_this();
    farewell_ = self;
    inner_->close();
    if (!is_up_) return finish_handshake(std::unexpected(std::move(why)));
    end(why);
}

void TlsConnection::end(const Error& why) {
    if (std::exchange(ended_, true)) return;
    timer_.cancel();
    open_output_ = {};
    if (StreamHandler* told = std::exchange(handler_, nullptr)) told->on_closed(why);
}

}  // namespace lineshaft::net
