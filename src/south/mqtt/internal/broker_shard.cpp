#include "south/mqtt/internal/broker_shard.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "net/network.h"
#include "south/mqtt/internal/broker_counters.h"

namespace lineshaft::mqtt {
namespace {

constexpr Duration sweep_period = 1s;  // Granularity of all time limits here.
constexpr std::size_t input_bytes_max = 64 * 1024 * 1024;

}  // namespace

BrokerShard::BrokerShard(std::size_t index, const Context& context, Recovered recovered)
    : index_(index),
      context_(context),
      shard_(*context.options->doors[index].shard),
      readings_(*context.options->doors[index].readings),
      decode_(context.options->doors[index].decode),
      ledger_(context.options->doors[index].ledger),
      journal_(shard_, *context.disk, *context.pool,
               Journal::Options{recovered.journal_path, context.options->journal_bytes_min, 2s,
                                [this](Bytes& out) { write_snapshot(out); }},
               std::move(recovered.journal), recovered.journal_bytes),
      random_(context.options->seed + index),
      outboxes_(context.options->doors.size()),
      outbox_retries_(context.options->doors.size()),
      message_no_last_(recovered.message_no_last) {
    for (auto& [no, state] : recovered.sessions) adopt(std::move(state));
}

BrokerShard::~BrokerShard() = default;

void BrokerShard::begin() {
    started_at_ = now();
    sweep_timer_ = shard_.every(sweep_period, [this] { sweep(); });
    if (index_ == 0 && options().sys_period > Duration::zero()) {
        sys_timer_ = shard_.every(options().sys_period, [this] { publish_sys(); });
    }
    // Who was connected when the process ended has lost the connection now.
    std::vector<Session*> lost;
    for (const auto& [key, session] : sessions_) {
        if (session->disconnected_at.is_none()) {
            lost.push_back(session.get());
        } else {
            const Duration left =
                std::chrono::seconds(session->expiry_s) - (shard_.utc_now() - session->disconnected_at);
            session->expires_at = now() + std::clamp<Duration>(left, 0s, std::chrono::seconds(session->expiry_s));
            if (session->will) session->will_at = now();
            schedule(*session);
        }
    }
    for (Session* session : lost) detach(*session, SendWill::Yes);
    sweep();
}

void BrokerShard::accept(std::unique_ptr<Stream> stream) {
    if (closing_ || greeters_.size() + connections_.size() >= options().connections_max) {
        counters::refused_limit.add();
        return;  // The stream dies: cut.
    }
    const std::uint64_t no = ++connection_no_last_;
    auto greeter = std::make_unique<Greeter>(*this, no, std::move(stream), now() + options().connect_timeout);
    Greeter& started = *greeter;
    greeters_.emplace(no, std::move(greeter));
    started.start();
}

void BrokerShard::authenticated(std::uint64_t greeter_no, Result<Identity> identity) {
    const auto at = greeters_.find(greeter_no);
    if (at != greeters_.end()) at->second->authenticated(std::move(identity));
}

void BrokerShard::welcome(std::uint64_t greeter_no, std::unique_ptr<Stream> stream, Hello hello) {
    retire_greeter(greeter_no);
    if (hello.client_id.empty()) hello.client_id = assign_client_id(hello.identity.tenant);
    BrokerShard& home = at(home_shard(hello.identity.tenant, hello.client_id, shard_count()).value());
    if (&home == this) return open(std::move(hello), std::move(stream));
    net::hand_over(std::move(stream), shard_, home.shard_,
                   [&home, hello = std::move(hello)](std::unique_ptr<Stream> carried) mutable {
                       home.open(std::move(hello), std::move(carried));
                   });
}

/// One that lives on this shard, so that the connection need not move.
std::string BrokerShard::assign_client_id(TenantId tenant) {
    for (;;) {
        std::string id = fmt::format("auto-{:016x}{:08x}", random_.next(), random_.next() >> 32);
        if (home_shard(tenant, id, shard_count()).value() == index_ && !sessions_.contains({tenant, id})) return id;
    }
}

void BrokerShard::retire_greeter(std::uint64_t greeter_no) {
    const auto at = greeters_.find(greeter_no);
    if (at == greeters_.end()) return;
    shard_.defer([greeter = std::move(at->second)] {});
    greeters_.erase(at);
}

void BrokerShard::retire(std::uint64_t connection_no) {
    const auto at = connections_.find(connection_no);
    if (at == connections_.end()) return;
    counters::connections.add(-1);
    at->second->forget_input();
    shard_.defer([connection = std::move(at->second)] {});
    connections_.erase(at);
}

void BrokerShard::resume_connection(std::uint64_t connection_no) {
    const auto at = connections_.find(connection_no);
    if (at != connections_.end()) at->second->resume();
}

bool BrokerShard::decode(const Publication& publication, ReadingBatch& batch) {
    if (!decode_) return false;
    const std::size_t before = batch.size();
    if (decode_(publication, batch)) return true;
    batch.readings.resize(before);
    counters::not_decodable.add();
    return false;
}

flow::Took BrokerShard::offer(ReadingBatch& batch, flow::Settled& settled) { return readings_.offer(batch, settled); }

void BrokerShard::when_sink_ready(std::uint64_t connection_no) {
    readings_.when_ready([this, connection_no] { resume_connection(connection_no); });
}

bool BrokerShard::take_input_bytes(std::ptrdiff_t change) {
    if (change > 0 && input_bytes_ + static_cast<std::size_t>(change) > input_bytes_max) return false;
    ASSERT(change >= 0 || input_bytes_ >= static_cast<std::size_t>(-change));
    input_bytes_ += static_cast<std::size_t>(change);
    return true;
}

std::uint32_t BrokerShard::session_expiry_max_s() const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options().session_expiry_max).count();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds, 0, UINT32_MAX));
}

void BrokerShard::sweep() {
    const Instant at = now();
    std::vector<Greeter*> late;
    for (const auto& [no, greeter] : greeters_) {
        if (greeter->deadline() <= at) late.push_back(greeter.get());
    }
    for (Greeter* greeter : late) {
        counters::cut_connect_timeout.add();
        greeter->cut("no CONNECT in time");
    }
    std::vector<Connection*> silent;
    for (const auto& [no, connection] : connections_) {
        if (connection->is_open() && connection->is_silent(at)) silent.push_back(connection.get());
    }
    for (Connection* connection : silent) {
        counters::cut_keep_alive.add();
        connection->end(wire::Reason::KeepAliveTimeout, "nothing came for one and a half times the keep alive",
                        SendWill::Yes);
    }
    check_deadlines();
    gauges.connections = connections_.size();
    gauges.sessions = sessions_.size();
    gauges.subscriptions = subscription_count_;
    gauges.queued_messages = queued_messages_;
    gauges.queued_bytes = queued_bytes_;
    gauges.journal_bytes = journal_.file_bytes();
    gauges.journal_failed = journal_.has_failed();
    std::size_t retained = 0;
    for (const auto& [id, tenant] : tenants_) retained += tenant.retained.size();
    gauges.retained = retained;
}

void BrokerShard::disconnect(TenantId tenant, const std::string& actor) {
    std::vector<Connection*> found;
    for (const auto& [no, connection] : connections_) {
        const Session* session = connection->session();
        if (session && session->tenant == tenant && session->identity.actor == actor)
            found.push_back(connection.get());
    }
    for (Connection* connection : found) {
        connection->end(wire::Reason::AdministrativeAction, "the credential was withdrawn", SendWill::Yes);
    }
}

void BrokerShard::close(Task done) {
    closing_ = true;
    sweep_timer_.cancel();
    sys_timer_.cancel();
    for (auto& [no, greeter] : greeters_) shard_.defer([gone = std::move(greeter)] {});
    greeters_.clear();
    // The sessions stay in the journal as connected: after the next start they have lost their connection then.
    for (auto& [no, connection] : connections_) connection->say_shutting_down();
    journal_.when_idle(std::move(done));
}

/// For operators: the first tenant's only, as the totals are over all.
void BrokerShard::publish_sys() {
    Broker::Stats sum;
    for (const auto& one : *context_.all) {
        sum.connections += one->gauges.connections;
        sum.sessions += one->gauges.sessions;
        sum.subscriptions += one->gauges.subscriptions;
        sum.retained = std::max<std::uint64_t>(sum.retained, one->gauges.retained);
        sum.queued_messages += one->gauges.queued_messages;
        sum.messages_in += one->gauges.messages_in;
        sum.messages_out += one->gauges.messages_out;
    }
    const auto say = [&](std::string_view topic, const std::string& payload) {
        Message::Parts parts;
        parts.topic = topic;
        parts.payload = as_bytes(payload);
        parts.retain = true;
        publish_inside(parts);
    };
    const auto uptime_s = std::chrono::duration_cast<std::chrono::seconds>(now() - started_at_).count();
    say("$SYS/broker/version", options().version);
    say("$SYS/broker/uptime", fmt::format("{} seconds", uptime_s));
    say("$SYS/broker/clients/connected", fmt::format("{}", sum.connections));
    say("$SYS/broker/clients/total", fmt::format("{}", sum.sessions));
    say("$SYS/broker/subscriptions/count", fmt::format("{}", sum.subscriptions));
    say("$SYS/broker/retained messages/count", fmt::format("{}", sum.retained));
    say("$SYS/broker/messages/stored", fmt::format("{}", sum.queued_messages));
    say("$SYS/broker/messages/received", fmt::format("{}", sum.messages_in));
    say("$SYS/broker/messages/sent", fmt::format("{}", sum.messages_out));
}

/// Header, sessions, what is queued for them, what is retained and ordered here.
void BrokerShard::write_snapshot(Bytes& out) {
    RecordWriter::header(static_cast<std::uint16_t>(index_), out);
    RecordWriter writer(out, ClockPair{shard_.utc_now(), now()});
    // Messages in the order of their numbers: so each queue is rebuilt in its order.
    std::map<std::uint64_t, std::vector<RecordWriter::Target>> messages;
    for (const auto& [key, session] : sessions_) {
        if (!session->is_journalled) continue;
        write_session(*session, writer);
        for (const std::list<Delivery>* list : {&session->in_flight, &session->queue}) {
            for (const Delivery& delivery : *list) {
                if (delivery.message_no != 0) messages[delivery.message_no].push_back({session->no, &delivery});
            }
        }
    }
    for (const auto& [no, targets] : messages) writer.enqueued(no, *targets.front().delivery->message, targets);
    for (const auto& [key, session] : sessions_) {
        if (!session->is_journalled) continue;
        for (const Delivery& delivery : session->in_flight) {
            if (delivery.message_no == 0 || delivery.qos != Qos::ExactlyOnce) continue;
            writer.sent(session->no, delivery.message_no, delivery.packet_id);
            if (delivery.released) writer.received(session->no, delivery.message_no);
        }
    }
    for (const auto& [id, tenant] : tenants_) {
        tenant.retained.for_each([&](const MessagePtr& message) {
            if (message->topic().starts_with("$SYS/") || message->is_expired(now())) return;
            if (retain_home(message->tenant, message->topic()) == index_) writer.retained(*message);
        });
    }
}

}  // namespace lineshaft::mqtt
