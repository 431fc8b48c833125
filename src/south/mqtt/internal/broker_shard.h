/// The broker on one shard: the sessions at home here, who wants which topic, what is retained.
///
///   accept --> Greeter --> welcome ==hand over==> open --> Session + Connection
///
///   Connection::publish --> route --> here: deliver --> queue --> pump --> Connection::send_publish
///                             |
///                             '-----> outbox, one post a turn and shard ==> arrived --> route_local
///
/// Threads: own shard only, except the static post_… which any thread may call.
/// Formats: docs/formats/mqtt-journal.md.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "south/mqtt/broker.h"
#include "south/mqtt/internal/connection.h"
#include "south/mqtt/internal/greeter.h"
#include "south/mqtt/internal/journal.h"
#include "south/mqtt/internal/retained_tree.h"
#include "south/mqtt/internal/topic_tree.h"

namespace lineshaft::mqtt {

/// Where on the acknowledgement side a message came from: to be told when the other shard is done with it.
struct Waiter {
    std::uint64_t session_no = 0;
    std::uint64_t settlement_no = 0;
};

/// What crosses from one shard to another.
struct Crossing {
    enum class Kind : std::uint8_t {
        Deliver,  // To the subscribers over there.
        DeliverShared,
        RetainHome,  // To the shard that orders and journals the changes of this topic.
        RetainCopy,  // From there to the others.
    };
    Kind kind = Kind::Deliver;
    MessagePtr message;
    std::string group;  // For DeliverShared.
    std::string filter;
};

class BrokerShard {
public:
    struct Context {
        const Broker::Options* options = nullptr;
        Disk* disk = nullptr;
        WorkerPool* pool = nullptr;
        Authenticator* authenticator = nullptr;
        std::vector<std::unique_ptr<BrokerShard>>* all = nullptr;
    };
    struct Recovered {
        std::string journal_path;
        std::unique_ptr<AppendFile> journal;  // Null: it is written anew.
        std::size_t journal_bytes = 0;
        std::map<std::uint64_t, SessionState> sessions;
        std::uint64_t message_no_last = 0;
    };

    BrokerShard(std::size_t index, const Context& context, Recovered recovered);
    ~BrokerShard();

    // Start-up, while no shard runs.
    void add_retained(MessagePtr message) { tenant(message->tenant).retained.set(std::move(message)); }
    /// Tells the other shards of what the recovered sessions want.
    void share_interests();
    void begin();

    // Connections.
    void accept(std::unique_ptr<Stream> stream);
    /// On the accepting shard: the client is who it says; to the home of its session.
    void welcome(std::uint64_t greeter_no, std::unique_ptr<Stream> stream, Hello hello);
    void open(Hello hello, std::unique_ptr<Stream> stream);
    /// The connection has ended; it is destroyed after this task.
    void detach(Session& session, SendWill will);
    void retire(std::uint64_t connection_no);
    void retire_greeter(std::uint64_t greeter_no);
    std::string assign_client_id(TenantId tenant);
    void authenticated(std::uint64_t greeter_no, Result<Identity> identity);
    void resume_connection(std::uint64_t connection_no);

    // From connections.
    /// Routes to subscribers and retains; sets journal_touched() when something must become durable for it.
    wire::Reason publish(Session& publisher, const wire::Publish& publish, bool* journal_touched,
                         std::vector<std::uint16_t>* shards_touched);
    void wait_for_shard(std::uint16_t shard, Waiter waiter);
    bool decode(const Publication& publication, ReadingBatch& batch);
    flow::Took offer(ReadingBatch& batch, flow::Settled& settled);
    void when_sink_ready(std::uint64_t connection_no);
    void settle(std::uint64_t session_no, std::uint64_t settlement_no, const Result<void>& result);
    void release_settlements(Session& session);
    void subscribe(Session& session, const wire::Subscribe& subscribe);
    void unsubscribe(Session& session, const wire::Unsubscribe& unsubscribe);
    void take_ack(Session& session, const wire::PubAck& ack);
    void take_release(Session& session, std::uint16_t packet_id);
    void pump(Session& session);
    Journal& journal() { return journal_; }

    // For all.
    Shard& shard() { return shard_; }
    Instant now() const { return shard_.now(); }
    const Broker::Options& options() const { return *context_.options; }
    Authenticator& authenticator() { return *context_.authenticator; }
    std::size_t index() const { return index_; }
    std::uint32_t session_expiry_max_s() const;
    /// For one packet at a time.
    Bytes& scratch() { return scratch_; }
    /// Bytes of packets that are not whole yet, over all connections.
    bool take_input_bytes(std::ptrdiff_t change);

    // From outside.
    void publish_inside(const Message::Parts& parts);
    void disconnect(TenantId tenant, const std::string& actor);
    void close(Task done);

    struct Gauges {
        std::atomic<std::uint64_t> connections{0}, sessions{0}, subscriptions{0}, retained{0}, queued_messages{0},
            queued_bytes{0}, messages_in{0}, messages_out{0}, journal_bytes{0};
        std::atomic<bool> journal_failed{false};
    };
    Gauges gauges;

private:
    struct Tenant {
        TopicTree tree;
        RetainedTree retained;
    };
    /// A SUBACK that waits for the other shards to know and for the journal.
    struct PendingSubAck {
        std::uint64_t session_no = 0;
        std::uint64_t connection_no = 0;
        std::uint16_t packet_id = 0;
        std::vector<wire::Reason> reasons;
        std::vector<std::string> filters;  // Granted: taken back when they do not become durable.
        struct RetainedWanted {
            std::string filter;
            SubscriptionOptions options;
        };
        std::vector<RetainedWanted> retained;
        int waiting = 0;
        std::optional<Error> error;
    };
    struct Outbox {
        std::vector<Crossing> crossings;
        std::vector<Waiter> waiters;
        bool is_due = false;
    };
    struct Chosen {
        Session* session = nullptr;
        Delivery delivery;
    };
    enum class DeadlineKind : std::uint8_t { Expiry, Will };
    struct Deadline {
        Instant at;
        std::uint64_t session_no = 0;
        DeadlineKind kind = DeadlineKind::Expiry;
        friend bool operator>(const Deadline& a, const Deadline& b) { return a.at > b.at; }
    };
    using SessionKey = std::pair<TenantId, std::string>;

    Tenant& tenant(TenantId id) { return tenants_[id.value()]; }
    Session* find(std::uint64_t session_no);
    Session* find_session(const SessionKey& key);
    BrokerShard& at(std::size_t index) { return *(*context_.all)[index]; }
    std::size_t shard_count() const { return context_.all->size(); }

    // Sessions.
    Session& create_session(const Hello& hello);
    void apply_connect(Session& session, const Hello& hello);
    void end_session(Session& session);
    void forget_subscriptions(Session& session);
    void publish_will(Session& session);
    void schedule(Session& session);
    void check_deadlines();
    void sweep();
    void adopt(SessionState state);
    std::uint32_t expiry_of(const wire::Connect& connect) const;

    // Subscriptions.
    wire::Reason subscribe_one(Session& session, const wire::Subscription& subscription, std::uint32_t id,
                               PendingSubAck& pending, std::uint64_t pending_no);
    void add_to_tree(Session& session, const std::string& filter, const SubscriptionOptions& options,
                     std::uint64_t pending_no);
    void drop_subscription(Session& session, const std::string& filter);
    void remove_from_tree(Session& session, const std::string& filter);
    static std::uint32_t count_shared(const Session& session);
    RemoteMembers members_here(const SharedGroup& group) const;
    void tell_interest(TenantId tenant_id, const std::string& filter, bool interested, std::uint64_t pending_no);
    void tell_members(TenantId tenant_id, const std::string& group, const std::string& filter,
                      std::uint64_t pending_no);
    void tell_all_members(Session& session);
    void post_to_others(std::uint64_t pending_no, const std::function<Task(BrokerShard&)>& make);
    void sub_ack_part(std::uint64_t pending_no, const Result<void>& result);
    void send_retained(Session& session, const std::string& filter, const SubscriptionOptions& options);

    // Routing.
    void route(const MessagePtr& message, std::vector<std::uint16_t>* shards_touched);
    void choose_all(const MessagePtr& message);
    void choose_member(const MessagePtr& message, SharedGroup& group, std::vector<std::uint16_t>* shards_touched);
    void choose_local_member(const MessagePtr& message, SharedGroup& group);
    void deliver_chosen(const MessagePtr& message);
    bool enqueue(Session& session, Delivery delivery);
    void retain(const MessagePtr& message, std::vector<std::uint16_t>* shards_touched);
    void apply_retain(const MessagePtr& message);
    void retain_at_home(const MessagePtr& message);
    std::size_t retain_home(TenantId tenant_id, std::string_view topic) const;
    void cross(std::size_t shard, Crossing crossing, std::vector<std::uint16_t>* shards_touched);
    void flush_outbox_soon(std::size_t shard);
    void flush_outbox(std::size_t shard);
    void arrived(std::size_t from, std::vector<Crossing> crossings, std::vector<Waiter> waiters);

    // Delivery.
    void send_at_most_once(Session& session, Delivery delivery);
    void send_now(Session& session, const Delivery& delivery);
    void send_next(Session& session);
    void resend(Session& session);
    void take_received(Session& session, Delivery& delivery);
    void release(Session& session, const Settlement& settlement, const Settlement::Ack& ack);
    void forget_incoming(Session& session, std::uint16_t packet_id);
    static wire::Reason publish_reason(const Error& error);
    void drop(Session& session, std::list<Delivery>& list, std::list<Delivery>::iterator at);
    void clear_backlog(Session& session);
    void write_snapshot(Bytes& out);
    void publish_sys();

    // Set once.
    const std::size_t index_;
    const Context context_;
    Shard& shard_;
    flow::ReadingSink& readings_;
    PayloadDecoder decode_;
    flow::SourceLedger* const ledger_;  // May be null.

    Journal journal_;
    Random random_;
    std::unordered_map<std::uint32_t, Tenant> tenants_;
    std::map<SessionKey, std::unique_ptr<Session>> sessions_;
    std::unordered_map<std::uint64_t, Session*> sessions_by_no_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Greeter>> greeters_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::unordered_map<std::uint64_t, PendingSubAck> sub_acks_;
    std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;
    std::vector<Outbox> outboxes_;
    std::vector<Timer> outbox_retries_;
    std::uint64_t session_no_last_ = 0;
    std::uint64_t message_no_last_;
    std::uint64_t connection_no_last_ = 0;
    std::uint64_t sub_ack_no_last_ = 0;
    std::size_t queued_bytes_ = 0;
    std::size_t queued_messages_ = 0;
    std::size_t subscription_count_ = 0;
    std::size_t input_bytes_ = 0;
    bool journal_touched_ = false;
    bool closing_ = false;

    Bytes scratch_;

    // Reused by routing.
    Matches matches_;
    std::vector<Chosen> chosen_;
    std::vector<RecordWriter::Target> targets_;
    std::vector<Session*> pumped_;
    std::uint64_t route_no_ = 0;

    Timer sweep_timer_;
    Timer sys_timer_;
    Instant started_at_;
};

}  // namespace lineshaft::mqtt
