/// For tests: real shards with real sockets, a blocking peer, certificates made on the spot. Every wait has an end.
///
/// Threads: the test's own thread drives; run() does things on a shard.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/network.h"

namespace lineshaft::net::testing {

inline constexpr Duration patience = 10s;  // Longer than any machine is slow; tests end long before.

/// A number of events that the test waits for.
class Signal {
public:
    void raise() {
        const std::scoped_lock lock(mutex_);
        ++count_;
        changed_.notify_all();
    }
    bool wait(int count = 1) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, [&] { return count_ >= count; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int count_ = 0;
};

class World {
public:
    explicit World(std::size_t shards = 2) : shards_(Shards::create(shards, system_clock())) { shards_->start(); }
    ~World() { shards_->stop(); }
    Shard& shard(std::size_t index = 0) { return shards_->at(index); }
    template <class Work>
    void run(Work work, std::size_t index = 0) {
        shards_->must_run(index, Task(std::move(work)));
    }

private:
    std::unique_ptr<Shards> shards_;
};

/// A blocking TCP client.
class RawPeer {
public:
    explicit RawPeer(std::uint16_t port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        if (receive_buffer) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        const timeval limit{10, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        const int yes = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
    RawPeer(const RawPeer&) = delete;
    ~RawPeer() {
        if (fd_ >= 0) ::close(fd_);
    }

    bool is_connected() const { return connected_; }
    int fd() const { return fd_; }
    bool send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    /// Whatever comes next; empty at the end or after ten seconds.
    std::string receive() {
        std::string buffer(64 * 1024, '\0');
        const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
        buffer.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return buffer;
    }
    /// Until `mark` has come; what came behind it stays for later.
    std::string receive_until(std::string_view mark) {
        for (;;) {
            const std::size_t at = kept_.find(mark);
            if (at != std::string::npos) {
                std::string found = kept_.substr(0, at + mark.size());
                kept_.erase(0, at + mark.size());
                return found;
            }
            const std::string more = receive();
            if (more.empty()) return std::exchange(kept_, {});
            kept_ += more;
        }
    }
    std::string receive_exactly(std::size_t size) {
        while (kept_.size() < size) {
            const std::string more = receive();
            if (more.empty()) return std::exchange(kept_, {});
            kept_ += more;
        }
        std::string found = kept_.substr(0, size);
        kept_.erase(0, size);
        return found;
    }
    std::string receive_all() {
        std::string all = std::exchange(kept_, {});
        for (std::string more = receive(); !more.empty(); more = receive()) all += more;
        return all;
    }
    void end_sending() { ::shutdown(fd_, SHUT_WR); }
    void reset() {
        const linger now{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        ::close(std::exchange(fd_, -1));
    }

private:
    int fd_;
    bool connected_ = false;
    std::string kept_;
};

struct Credentials {
    std::string certificate;
    std::string key;
    X509* x509 = nullptr;
    EVP_PKEY* pkey = nullptr;
    Credentials() = default;
    Credentials(Credentials&& other) noexcept
        : certificate(std::move(other.certificate)),
          key(std::move(other.key)),
          x509(std::exchange(other.x509, nullptr)),
          pkey(std::exchange(other.pkey, nullptr)) {}
    ~Credentials() {
        X509_free(x509);
        EVP_PKEY_free(pkey);
    }
};

/// A certificate for "localhost" and 127.0.0.1; signed by `issuer`, or by itself and then an authority.
inline Credentials make_credentials(const std::string& name, const Credentials* issuer = nullptr,
                                    const char* names = "DNS:localhost,IP:127.0.0.1") {
    const auto pem = [](auto write) {
        BIO* bio = BIO_new(BIO_s_mem());
        write(bio);
        char* text = nullptr;
        const long size = BIO_get_mem_data(bio, &text);
        std::string out(text, static_cast<std::size_t>(size));
        BIO_free(bio);
        return out;
    };
    Credentials made;
    made.pkey = EVP_EC_gen("P-256");
    X509* const x509 = made.x509 = X509_new();
    static long serial = 1;
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, made.pkey);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x509, X509_get_subject_name(issuer ? issuer->x509 : x509));
    const auto extend = [x509](int what, const char* value) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value);
        X509_add_ext(x509, extension, -1);
        X509_EXTENSION_free(extension);
    };
    extend(NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    extend(NID_subject_alt_name, names);
    X509_sign(x509, issuer ? issuer->pkey : made.pkey, EVP_sha256());
    made.certificate = pem([&](BIO* bio) { PEM_write_bio_X509(bio, x509); });
    made.key =
        pem([&](BIO* bio) { PEM_write_bio_PrivateKey(bio, made.pkey, nullptr, nullptr, 0, nullptr, nullptr); });
    return made;
}

/// Keeps what came; the test reads it under the lock.
class Recorder : public StreamHandler {
public:
    void on_data(ByteView bytes) override {
        const std::scoped_lock lock(mutex_);
        data_ += as_text(bytes);
        changed_.notify_all();
    }
    void on_drained() override {
        const std::scoped_lock lock(mutex_);
        ++drained_;
        changed_.notify_all();
    }
    void on_closed(const Error& why) override {
        const std::scoped_lock lock(mutex_);
        why_ = why.code();
        changed_.notify_all();
    }
    bool wait_for_bytes(std::size_t size) {
        return wait([&] { return data_.size() >= size; });
    }
    bool wait_for_drained() {
        return wait([&] { return drained_ > 0; });
    }
    std::optional<ErrorCode> wait_for_close() {
        wait([&] { return why_.has_value(); });
        const std::scoped_lock lock(mutex_);
        return why_;
    }
    std::string data() {
        const std::scoped_lock lock(mutex_);
        return data_;
    }

private:
    template <class Condition>
    bool wait(Condition condition) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, condition);
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::string data_;
    int drained_ = 0;
    std::optional<ErrorCode> why_;
};

}  // namespace lineshaft::net::testing
