#include <atomic>

#include <gtest/gtest.h>

#include "net/internal/output_queue.h"
#include "net/internal/test_world.h"

namespace lineshaft::net {
namespace {

using namespace testing;

const Endpoint any_port{"127.0.0.1", 0};

/// A plain listener on shard 0 whose streams are kept for the test.
class TcpTest : public ::testing::Test {
protected:
    ~TcpTest() override {
        for (std::size_t i = 0; i < 2; ++i) {
            world.run(
                [&] {
                    listener.reset();
                    if (i == 0) streams.clear();
                    if (i == 0) network.reset();
                },
                i);
        }
    }

    std::uint16_t listen(NetworkOptions options = {}) {
        std::uint16_t port = 0;
        world.run([&] {
            network = make_tcp_network(world.shard(), options);
            auto made = network->listen(any_port, [this](std::unique_ptr<Stream> stream) {
                stream->start(recorder);
                streams.push_back(std::move(stream));
                accepted.raise();
            });
            ASSERT_TRUE(made);
            listener = std::move(*made);
            port = listener->endpoint().port;
        });
        return port;
    }

    World world;
    Recorder recorder;
    Signal accepted;
    std::unique_ptr<Network> network;
    std::unique_ptr<Listener> listener;
    std::vector<std::unique_ptr<Stream>> streams;
};

TEST_F(TcpTest, CarriesBytesBothWaysAndTellsTheEnd) {
    RawPeer peer(listen());
    ASSERT_TRUE(accepted.wait());
    peer.send("hello");
    EXPECT_TRUE(recorder.wait_for_bytes(5));
    world.run([&] {
        EXPECT_TRUE(streams[0]->peer().loopback);
        EXPECT_EQ(streams[0]->peer().address.host, "127.0.0.1");
        streams[0]->send(as_bytes("wor"));
        streams[0]->send(as_bytes("ld"));
    });
    EXPECT_EQ(peer.receive_exactly(5), "world");
    EXPECT_TRUE(recorder.wait_for_drained());
    peer.end_sending();
    EXPECT_EQ(recorder.wait_for_close(), ErrorCode::Closed);
}

TEST_F(TcpTest, CloseSendsEverythingFirst) {
    RawPeer peer(listen());
    ASSERT_TRUE(accepted.wait());
    const std::string big(3'000'000, 'x');
    peer.send("unread by the handler's will");
    world.run([&] {
        streams[0]->send(as_bytes(big));
        streams[0]->close();
        streams[0]->send(as_bytes("too late"));
    });
    EXPECT_EQ(peer.receive_all().size(), big.size());
    EXPECT_EQ(recorder.wait_for_close(), ErrorCode::Closed);
}

TEST_F(TcpTest, CloseGivesUpOnAPeerThatDoesNotRead) {
    RawPeer peer(listen({.close_timeout = 50ms}), 4096);
    ASSERT_TRUE(accepted.wait());
    world.run([&] {
        streams[0]->send(Bytes(15'000'000));
        streams[0]->close();
    });
    EXPECT_EQ(recorder.wait_for_close(), ErrorCode::Timeout);
}

TEST_F(TcpTest, APeerThatDoesNotReadIsCutAtTheLimit) {
    RawPeer peer(listen({.unsent_bytes_max = 1'000'000}), 4096);
    ASSERT_TRUE(accepted.wait());
    world.run([&] {
        for (int i = 0; i < 11; ++i) streams[0]->send(Bytes(100'000));
        EXPECT_LE(streams[0]->unsent_bytes(), 1'000'000u);
    });
    EXPECT_EQ(recorder.wait_for_close(), ErrorCode::LimitExceeded);
}

TEST_F(TcpTest, APausedStreamHoldsThePeerBack) {
    RawPeer peer(listen());
    ASSERT_TRUE(accepted.wait());
    peer.send("a");
    ASSERT_TRUE(recorder.wait_for_bytes(1));
    world.run([&] { streams[0]->pause_reading(); });
    // More than the buffers of both sockets hold: the sender must get stuck.
    std::string big(64 * 1024, 'b');
    std::size_t sent = 0;
    for (int i = 0; i < 2000; ++i) {
        const ssize_t n = ::send(peer.fd(), big.data(), big.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            pollfd waiting{peer.fd(), POLLOUT, 0};
            if (::poll(&waiting, 1, 100) == 0) break;
            continue;
        }
        sent += static_cast<std::size_t>(n);
    }
    EXPECT_LT(sent, 2000 * big.size());
    EXPECT_LE(recorder.data().size(), 1u + 64 * 1024);  // At most what was being read at that moment.
    world.run([&] { streams[0]->resume_reading(); });
    EXPECT_TRUE(recorder.wait_for_bytes(sent + 1));
}

TEST_F(TcpTest, AResetIsUnreachable) {
    RawPeer peer(listen());
    ASSERT_TRUE(accepted.wait());
    peer.reset();
    EXPECT_EQ(recorder.wait_for_close(), ErrorCode::Unreachable);
}

TEST_F(TcpTest, ConnectsAndSaysWhyNot) {
    const std::uint16_t port = listen();
    Signal done;
    Recorder client;
    std::unique_ptr<Stream> stream;
    std::optional<ErrorCode> refused;
    std::optional<ErrorCode> unknown;
    world.run([&] {
        network->connect({"127.0.0.1", port}, 5s, [&](Result<std::unique_ptr<Stream>> made) {
            ASSERT_TRUE(made);
            stream = std::move(*made);
            stream->start(client);
            stream->send(as_bytes("ping"));
            done.raise();
        });
        network->connect({"localhost", 1}, 5s, [&](Result<std::unique_ptr<Stream>> made) {
            refused = made.error().code();
            done.raise();
        });
        network->connect({"127.0.0.1 nonsense", 1}, 5s, [&](Result<std::unique_ptr<Stream>> made) {
            unknown = made.error().code();
            done.raise();
        });
    });
    EXPECT_TRUE(done.wait(3));
    EXPECT_TRUE(recorder.wait_for_bytes(4));
    EXPECT_EQ(refused, ErrorCode::Unreachable);
    EXPECT_EQ(unknown, ErrorCode::Unreachable);
    world.run([&] { stream.reset(); });
    EXPECT_EQ(recorder.wait_for_close(), ErrorCode::Closed);
}

TEST_F(TcpTest, TwoShardsShareAPortAndAThirdPartyIsRefused) {
    const std::uint16_t port = listen();
    std::unique_ptr<Network> second;
    std::unique_ptr<Listener> shared;
    world.run(
        [&] {
            second = make_tcp_network(world.shard(1));
            auto made = second->listen({"127.0.0.1", port}, [](std::unique_ptr<Stream>) {});
            ASSERT_TRUE(made);
            shared = std::move(*made);
        },
        1);
    EXPECT_EQ(check_port_free({"127.0.0.1", port}).error().code(), ErrorCode::PortTaken);
    EXPECT_TRUE(check_port_free(any_port));
    EXPECT_EQ(check_port_free({"example.org", 80}).error().code(), ErrorCode::InvalidArgument);
    world.run(
        [&] {
            shared.reset();
            second.reset();
        },
        1);
}

/// Destroys its own stream at a chosen moment.
class Suicide final : public StreamHandler {
public:
    enum class When { Data, Drained, Closed };
    Suicide(When moment, Signal& ended) : when(moment), done(ended) {}
    void on_data(ByteView) override {
        if (when == When::Data) end();
    }
    void on_drained() override {
        if (when == When::Drained) end();
    }
    void on_closed(const Error&) override {
        if (when == When::Closed) end();
    }
    void end() {
        ASSERT(stream);
        stream.reset();
        done.raise();
    }
    const When when;
    Signal& done;
    std::unique_ptr<Stream> stream;
};

TEST_F(TcpTest, AStreamMayBeDestroyedInsideAnyCallback) {
    for (const auto when : {Suicide::When::Data, Suicide::When::Drained, Suicide::When::Closed}) {
        Signal done;
        Suicide handler(when, done);
        std::unique_ptr<Network> own;
        std::unique_ptr<Listener> door;
        world.run(
            [&] {
                own = make_tcp_network(world.shard(1));
                door = std::move(*own->listen(any_port, [&](std::unique_ptr<Stream> stream) {
                    handler.stream = std::move(stream);
                    handler.stream->start(handler);
                    handler.stream->send(as_bytes("x"));
                }));
            },
            1);
        RawPeer peer(door->endpoint().port);
        if (when == Suicide::When::Data) peer.send("die");
        if (when == Suicide::When::Closed) peer.end_sending();
        EXPECT_TRUE(done.wait());
        world.run(
            [&] {
                door.reset();
                own.reset();
            },
            1);
    }
}

TEST_F(TcpTest, AStreamThatIsDroppedAtOnceAndAListenerThatDiesInsideAcceptDoNoHarm) {
    Signal done;
    std::unique_ptr<Network> own;
    std::unique_ptr<Listener> door;
    std::uint16_t port = 0;
    world.run([&] {
        own = make_tcp_network(world.shard());
        door = std::move(*own->listen(any_port, [&](std::unique_ptr<Stream> stream) {
            stream->send(as_bytes("never"));
            stream.reset();
            door.reset();
            own.reset();
            done.raise();
        }));
        port = door->endpoint().port;
    });
    RawPeer peer(port);
    EXPECT_TRUE(done.wait());
    EXPECT_EQ(peer.receive_all(), "");
}

// --- hand_over ---

TEST_F(TcpTest, AStreamLivesOnOnAnotherShard) {
    RawPeer peer(listen());
    ASSERT_TRUE(accepted.wait());
    Recorder far;
    Signal arrived;
    std::unique_ptr<Stream> moved;
    peer.send("before ");
    world.run([&] {
        hand_over(std::move(streams[0]), world.shard(0), world.shard(1), [&](std::unique_ptr<Stream> stream) {
            EXPECT_TRUE(world.shard(1).is_current());
            EXPECT_TRUE(stream->peer().loopback);
            moved = std::move(stream);
            moved->start(far);
            arrived.raise();
        });
    });
    ASSERT_TRUE(arrived.wait());
    peer.send("after");
    EXPECT_TRUE((far.data() + recorder.data()).size() <= 12);
    ASSERT_TRUE(far.wait_for_bytes(5));

    const std::string big(5'000'000, 'y');
    world.run([&] { moved->send(as_bytes(big)); }, 1);
    EXPECT_EQ(peer.receive_exactly(big.size()).size(), big.size());
    EXPECT_TRUE(far.wait_for_drained());
    world.run([&] { EXPECT_EQ(moved->unsent_bytes(), 0u); }, 1);

    world.run([&] { moved->close(); }, 1);
    EXPECT_EQ(peer.receive_all(), "");
    EXPECT_EQ(far.wait_for_close(), ErrorCode::Closed);
    world.run([&] { moved.reset(); }, 1);
}

TEST_F(TcpTest, AHandedOverStreamHoldsThePeerBackWhilePaused) {
    RawPeer peer(listen());
    ASSERT_TRUE(accepted.wait());
    Recorder far;
    Signal arrived;
    std::unique_ptr<Stream> moved;
    world.run([&] {
        hand_over(std::move(streams[0]), world.shard(0), world.shard(1), [&](std::unique_ptr<Stream> stream) {
            moved = std::move(stream);
            moved->start(far);
            moved->pause_reading();
            arrived.raise();
        });
    });
    ASSERT_TRUE(arrived.wait());
    std::string big(20'000'000, 'b');
    std::size_t sent = 0;
    while (sent < big.size()) {
        const ssize_t n = ::send(peer.fd(), big.data() + sent, big.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) sent += static_cast<std::size_t>(n);
        pollfd waiting{peer.fd(), POLLOUT, 0};
        if (n < 0 && ::poll(&waiting, 1, 100) == 0) break;
    }
    EXPECT_LT(sent, big.size());
    EXPECT_EQ(far.data().size(), 0u);
    world.run([&] { moved->resume_reading(); }, 1);
    peer.send(std::string_view(big).substr(sent));
    EXPECT_TRUE(far.wait_for_bytes(big.size()));
    world.run([&] { moved.reset(); }, 1);
    EXPECT_EQ(peer.receive_all(), "");
}

TEST_F(TcpTest, AHandedOverStreamMayBeDroppedAtOnce) {
    RawPeer peer(listen());
    ASSERT_TRUE(accepted.wait());
    peer.send("some bytes");
    world.run(
        [&] { hand_over(std::move(streams[0]), world.shard(0), world.shard(1), [](std::unique_ptr<Stream>) {}); });
    EXPECT_EQ(peer.receive_all(), "");
}

TEST_F(TcpTest, AHandedOverStreamTellsTheEndOfThePeer) {
    auto peer = std::make_unique<RawPeer>(listen());
    ASSERT_TRUE(accepted.wait());
    Recorder far;
    std::unique_ptr<Stream> moved;
    world.run([&] {
        hand_over(std::move(streams[0]), world.shard(0), world.shard(1), [&](std::unique_ptr<Stream> stream) {
            moved = std::move(stream);
            moved->start(far);
        });
    });
    peer->send("last words");
    peer.reset();
    EXPECT_TRUE(far.wait_for_close());
    EXPECT_EQ(far.data(), "last words");
    world.run([&] { moved.reset(); }, 1);
}

// --- OutputQueue ---

TEST(OutputQueue, GivesBackWhatWasPutInInAnyPieces) {
    OutputQueue queue;
    std::string put;
    std::string got;
    for (std::size_t i = 0; i < 2000; ++i) {
        const std::string piece((i * 7919) % 5000, static_cast<char>('a' + i % 26));
        queue.append(as_bytes(piece));
        put += piece;
        if (i % 3 == 0) continue;
        std::array<ByteView, 4> views;
        const std::size_t count = queue.gather(views);
        std::size_t budget = (i * 104729) % 9000;
        std::size_t taken = 0;
        for (std::size_t k = 0; k < count && budget > 0; ++k) {
            const ByteView part = views[k].first(std::min(budget, views[k].size()));
            got += as_text(part);
            budget -= part.size();
            taken += part.size();
        }
        queue.drop(taken);
        ASSERT_EQ(queue.size(), put.size() - got.size());
    }
    while (queue.size() > 0) {
        std::array<ByteView, 1> view;
        queue.gather(view);
        got += as_text(view[0]);
        queue.drop(view[0].size());
    }
    EXPECT_EQ(got, put);
}

}  // namespace
}  // namespace lineshaft::net
