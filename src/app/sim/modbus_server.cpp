#include "app/sim/modbus_server.h"

#include <algorithm>
#include <list>

namespace lineshaft::sim {
namespace {

using wire::modbus::Exception;
using wire::modbus::Function;
using wire::modbus::Request;
using wire::modbus::Response;

template <class T>
bool holds(const std::vector<T>& table, std::uint32_t address, std::size_t count) {
    return address + count <= table.size();
}

template <class T>
std::vector<T> part(const std::vector<T>& table, std::uint16_t address, std::uint16_t count) {
    return {table.begin() + address, table.begin() + address + count};
}

Response refuse(Exception exception) {
    Response response;
    response.exception = exception;
    return response;
}

Response read_bits(const std::vector<std::uint8_t>& table, const Request& request) {
    if (!holds(table, request.address, request.count)) return refuse(Exception::IllegalDataAddress);
    return {.bits = part(table, request.address, request.count)};
}

Response read_words(const std::vector<std::uint16_t>& table, const Request& request) {
    if (!holds(table, request.address, request.count)) return refuse(Exception::IllegalDataAddress);
    return {.registers = part(table, request.address, request.count)};
}

template <class T>
Response write(std::vector<T>& table, std::uint16_t address, const std::vector<T>& values) {
    if (!holds(table, address, values.size())) return refuse(Exception::IllegalDataAddress);
    std::ranges::copy(values, table.begin() + address);
    return {};
}

class Server final : public ModbusServer {
public:
    Server(Shard& shard, RegisterBank& bank, const Options& options, Hooks hooks)
        : shard_(shard), bank_(bank), options_(options), hooks_(std::move(hooks)), random_(options.seed) {}

    Result<void> listen(Network& network) {
        listener_ = TRY(
            network.listen(options_.address, [this](std::unique_ptr<Stream> stream) { accept(std::move(stream)); }));
        return {};
    }
    Endpoint endpoint() const override { return listener_->endpoint(); }
    std::uint64_t requests() const override { return requests_; }

private:
    class Session final : public StreamHandler {
    public:
        Session(Server& server, std::unique_ptr<Stream> stream) : server_(server), stream_(std::move(stream)) {
            stream_->start(*this);
        }
        void on_data(ByteView bytes) override {
            reader_.add(bytes);
            while (!closing_) {
                const auto frame = reader_.next();
                if (!frame) return close();
                if (!*frame) return;
                server_.take(*this, **frame);
            }
        }
        void on_closed(const Error&) override { server_.forget(this); }
        void send(ByteView bytes) {
            if (!closing_) stream_->send(bytes);
        }
        void close() {
            closing_ = true;
            stream_->close();
        }
        std::vector<Timer> delayed;

    private:
        Server& server_;
        std::unique_ptr<Stream> stream_;
        wire::modbus::FrameReader reader_;
        bool closing_ = false;
    };

    void accept(std::unique_ptr<Stream> stream) {
        if (sessions_.size() >= connections_max) return;
        sessions_.push_back(std::make_unique<Session>(*this, std::move(stream)));
    }

    /// A task later: the session is still on the stack.
    void forget(Session* session) {
        shard_.post([this, session, life = std::weak_ptr(life_)] {
            if (life.expired()) return;
            sessions_.remove_if([session](const auto& one) { return one.get() == session; });
        });
    }

    void take(Session& session, const wire::modbus::Frame& frame) {
        ++requests_;
        if (options_.unit != 0 && frame.unit != options_.unit) return;
        Bytes bytes = reply_to(frame);
        const ModbusFaults& faults = options_.faults;
        const double dice = random_.unit();
        double edge = faults.silence_share;
        if (dice < edge) return;
        if (dice < (edge += faults.wrong_id_share))
            bytes[1] = static_cast<std::byte>(static_cast<unsigned>(bytes[1]) ^ 0x55U);
        const bool is_short = dice >= edge && dice < edge + faults.short_share;
        if (is_short) bytes.resize(bytes.size() - 1);
        if (faults.delay == 0ns) return deliver(session, bytes, is_short);
        session.delayed.push_back(shard_.after(faults.delay, [this, &session, is_short, bytes = std::move(bytes)] {
            deliver(session, bytes, is_short);
        }));
        // Timers that have run stay set; a slow server has few under way.
        if (session.delayed.size() > 1000)
            session.delayed.erase(session.delayed.begin(), session.delayed.begin() + 500);
    }

    Bytes reply_to(const wire::modbus::Frame& frame) {
        const auto request = wire::modbus::decode_request(frame);
        if (!request) {
            return wire::modbus::encode_exception(frame.transaction, frame.unit, request.error().function & 0x7F,
                                                  request.error().exception);
        }
        if (random_.unit() < options_.faults.exception_share) {
            return wire::modbus::encode_response(*request, refuse(Exception::ServerDeviceFailure));
        }
        if (hooks_.before_read) hooks_.before_read();
        const Response response = answer(bank_, *request);
        const bool writes = request->function >= Function::WriteSingleCoil;
        if (writes && !response.exception && hooks_.after_write) hooks_.after_write();
        return wire::modbus::encode_response(*request, response);
    }

    void deliver(Session& session, ByteView bytes, bool is_short) {
        if (options_.faults.split && bytes.size() > 3) {
            session.send(bytes.first(3));
            // The other part leaves with the next task, so it is another segment.
            shard_.post([this, to = &session, rest = Bytes(bytes.begin() + 3, bytes.end()),
                         life = std::weak_ptr(life_)] {
                if (life.expired()) return;
                const bool known = std::ranges::any_of(sessions_, [to](const auto& one) { return one.get() == to; });
                if (known) to->send(rest);
            });
        } else {
            session.send(bytes);
        }
        if (is_short) session.close();
    }

    Shard& shard_;
    RegisterBank& bank_;
    const Options options_;
    Hooks hooks_;
    Random random_;
    std::unique_ptr<Listener> listener_;
    std::list<std::unique_ptr<Session>> sessions_;
    std::uint64_t requests_ = 0;
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

}  // namespace

Response answer(RegisterBank& bank, const Request& request) {
    switch (request.function) {
        case Function::ReadCoils: return read_bits(bank.coils, request);
        case Function::ReadDiscreteInputs: return read_bits(bank.discrete, request);
        case Function::ReadHoldingRegisters: return read_words(bank.holding, request);
        case Function::ReadInputRegisters: return read_words(bank.input, request);
        case Function::WriteSingleCoil:
        case Function::WriteMultipleCoils: return write(bank.coils, request.address, request.bits);
        case Function::WriteSingleRegister:
        case Function::WriteMultipleRegisters: return write(bank.holding, request.address, request.registers);
        case Function::ReadWriteMultipleRegisters: {
            // The specification writes before it reads; neither happens when either is impossible.
            if (!holds(bank.holding, request.address, request.count)) return refuse(Exception::IllegalDataAddress);
            Response written = write(bank.holding, request.write_address, request.registers);
            return written.exception ? written : read_words(bank.holding, request);
        }
    }
    std::unreachable();
}

Result<std::unique_ptr<ModbusServer>> ModbusServer::create(Shard& shard, Network& network, RegisterBank& bank,
                                                           const Options& options, Hooks hooks) {
    auto server = std::make_unique<Server>(shard, bank, options, std::move(hooks));
    TRY_VOID(server->listen(network));
    return server;
}

}  // namespace lineshaft::sim
