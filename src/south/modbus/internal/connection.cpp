#include "south/modbus/internal/connection.h"

#include "base/assert.h"

namespace lineshaft::modbus {

using wire::modbus::Frame;
using wire::modbus::Request;
using wire::modbus::Response;

Connection::Connection(Shard& shard, Network& network, std::move_only_function<void(const Error&)> lost)
    : shard_(shard), network_(network), lost_(std::move(lost)) {}

Connection::~Connection() = default;

void Connection::open(const Endpoint& to, Duration timeout, OnOpen done) {
    ASSERT(!is_open());
    network_.connect(to, timeout, [this, life = std::weak_ptr(life_), done = std::move(done)](auto stream) mutable {
        if (life.expired()) return;
        if (!stream) {
            done(std::unexpected(std::move(stream).error()));
            return;
        }
        reader_.clear();
        stream_ = *std::move(stream);
        stream_->start(*this);
        done({});
    });
}

void Connection::ask(Request request, Duration timeout, OnAnswer done) {
    ASSERT(is_open() && !is_busy());
    request.transaction = ++transaction_;
    stream_->send(wire::modbus::encode_request(request));
    asked_ = std::move(request);
    on_answer_ = std::move(done);
    timeout_ = shard_.after(timeout, [this] { answer(fail(ErrorCode::Timeout)); });
}

void Connection::drop() {
    life_ = std::make_shared<const int>(0);
    timeout_.cancel();
    asked_.reset();
    on_answer_ = nullptr;
    if (!stream_) return;
    dying_ = std::move(stream_);
    shard_.post([this, life = std::weak_ptr(life_)] {
        if (!life.expired()) dying_.reset();
    });
}

void Connection::on_data(ByteView bytes) {
    if (!stream_) return;
    reader_.add(bytes);
    while (stream_) {
        const auto frame = reader_.next();
        if (!frame) {
            fail_and_drop(frame.error());
            return;
        }
        if (!*frame) return;
        if (!asked_ || (*frame)->transaction != asked_->transaction) {
            ++strays_;
            continue;
        }
        auto response = wire::modbus::decode_response(**frame, *asked_);
        if (!response) {
            fail_and_drop(response.error());
            return;
        }
        answer(std::move(response));
    }
}

void Connection::on_closed(const Error& why) {
    if (!stream_) return;
    fail_and_drop(Error(ErrorCode::Closed, why.detail().empty() ? why.message() : why.detail()));
}

void Connection::answer(Result<Response> response) {
    ASSERT(asked_);
    timeout_.cancel();
    asked_.reset();
    auto done = std::exchange(on_answer_, nullptr);
    done(std::move(response));
}

void Connection::fail_and_drop(const Error& why) {
    auto done = std::exchange(on_answer_, nullptr);
    drop();
    if (done) {
        done(std::unexpected(why));
    } else if (lost_) {
        lost_(why);
    }
}

}  // namespace lineshaft::modbus
