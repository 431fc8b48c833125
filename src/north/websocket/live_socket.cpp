#include "north/websocket/live_socket.h"

#include <cstring>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/counters.h"

namespace lineshaft::live {
namespace {

using Json = nlohmann::json;

Gauge sockets_open{"lineshaft_live_sockets", "", "Browsers and programs on the live socket"};
Counter values_sent{"lineshaft_live_values_total", "", "Values sent on live sockets"};
Counter values_skipped{"lineshaft_live_skipped_total", "",
                       "Values never sent because newer ones came before the socket had read the ones before"};

constexpr std::size_t unsent_bytes_max = 1024 * 1024;
constexpr std::size_t value_bytes = 24;

template <class T>
void put(std::string& out, T value) {
    const std::size_t at = out.size();
    out.resize(at + sizeof value);
    std::memcpy(out.data() + at, &value, sizeof value);
}

class LiveSocket final : public net::WebSocketHandler {
public:
    LiveSocket(Services& services, access::Principal principal)
        : services_(services), principal_(std::move(principal)) {}

    ~LiveSocket() override { leave(); }

    void on_open(net::WebSocket& socket) override {
        socket_ = &socket;
        sockets_open.add(1);
        desk_id_ = services_.desk.open([this](const std::vector<LiveValue>& values) { send_values(values); });
        // A user who was removed or a token that was revoked loses the live socket within seconds.
        check_ = services_.shard.every(5s, [this] {
            if (!services_.access.is_valid(services_.shard, principal_)) socket_->close();
        });
    }

    void on_text(std::string_view message) override {
        const Json json = Json::parse(message, nullptr, false);
        if (!json.is_object() || !json.contains("op") || !json["op"].is_string()) {
            return send_error(Error(ErrorCode::Malformed, "a message is a JSON object with \"op\""));
        }
        const auto& op = json["op"].get_ref<const std::string&>();
        if (op == "subscribe")
            subscribe(json);
        else if (op == "unsubscribe")
            unsubscribe(json);
        else if (op == "alarms")
            watch_alarms();
        else
            send_error(Error(ErrorCode::InvalidArgument, "op is none of subscribe, unsubscribe, alarms"));
    }

    void on_binary(std::string_view) override {
        send_error(Error(ErrorCode::NotSupported, "messages to the server are text"));
    }

    void on_drained() override {
        if (!behind_.empty()) send_values({});
    }

    void on_closed() override { leave(); }

private:
    struct Shown {
        std::uint32_t index;
        ValueType type;
    };

    void leave() {
        if (!socket_) return;
        socket_ = nullptr;
        sockets_open.add(-1);
        services_.desk.close(desk_id_);
        if (alarms_id_) services_.alarms.off_change(services_.shard, alarms_id_);
        check_.cancel();
    }

    const registry::Snapshot& snapshot() const { return *services_.registry.snapshot(services_.shard); }

    std::vector<const registry::Tag*> tags_named(const Json& json) {
        std::vector<const registry::Tag*> tags;
        if (const auto prefix = json.find("prefix"); prefix != json.end() && prefix->is_string()) {
            tags = snapshot().tags_below(principal_.tenant, prefix->get<std::string>());
        }
        const auto list = json.find("tags");
        if (list == json.end() || !list->is_array()) return tags;
        for (const Json& path : *list) {
            if (!path.is_string()) continue;
            const auto& text = path.get_ref<const std::string&>();
            if (const registry::Tag* tag = snapshot().tag_at(principal_.tenant, text))
                tags.push_back(tag);
            else
                send_error(Error(ErrorCode::NotFound, fmt::format("there is no tag '{}'", text)));
        }
        return tags;
    }

    void subscribe(const Json& json) {
        Json list = Json::array();
        for (const registry::Tag* tag : tags_named(json)) {
            const registry::Device* device = snapshot().device(tag->device);
            if (!device) continue;
            if (shown_.size() >= tags_per_socket_max) {
                send_error(
                    Error(ErrorCode::LimitExceeded, fmt::format("at most {} tags a socket", tags_per_socket_max)));
                break;
            }
            auto at = indices_.find(tag->id);
            if (at == indices_.end())
                at = indices_.emplace(tag->id, Shown{static_cast<std::uint32_t>(indices_.size()), tag->type}).first;
            shown_.insert(tag->id);
            list.push_back({{"index", at->second.index},
                            {"id", fmt::format("{}", tag->id.value())},
                            {"path", tag->path},
                            {"unit", tag->unit},
                            {"type", to_text(tag->type)}});
            services_.desk.watch(desk_id_, tag->id, home_shard(tag->tenant, device->name, services_.shards.count()));
        }
        send({{"op", "tags"}, {"tags", std::move(list)}});
    }

    void unsubscribe(const Json& json) {
        for (const registry::Tag* tag : tags_named(json)) {
            if (shown_.erase(tag->id) == 0) continue;
            services_.desk.unwatch(desk_id_, tag->id);
            behind_.erase(tag->id);
        }
    }

    void watch_alarms() {
        if (alarms_id_) return;
        if (!access::allowed(principal_, access::Action::ReadAlarms))
            return send_error(Error(ErrorCode::Forbidden, "alarms"));
        alarms_id_ = services_.alarms.on_change(
            services_.shard, [this](const SnapshotOf<alarms::AlarmList>& list) { send_alarms(*list); });
        send_alarms(*services_.alarms.list(services_.shard));
    }

    void send_alarms(const alarms::AlarmList& list) {
        std::string text = services_.alarms_text(list, principal_.tenant);
        text.insert(1, "\"op\":\"alarms\",");
        socket_->send_text(std::move(text));
    }

    /// Sends `values`, and before them what a socket that did not read is behind with: of each tag the newest.
    void send_values(const std::vector<LiveValue>& values) {
        if (socket_->unsent_bytes() > unsent_bytes_max) {
            for (const LiveValue& value : values) {
                if (!behind_.insert_or_assign(value.tag, value).second) values_skipped.add();
            }
            return;
        }
        if (behind_.empty()) return send_frames(values);
        for (const LiveValue& value : values) behind_.insert_or_assign(value.tag, value);
        std::vector<LiveValue> all;
        for (auto& [tag, value] : std::exchange(behind_, {})) all.push_back(std::move(value));
        send_frames(all);
    }

    void send_frames(const std::vector<LiveValue>& values) {
        std::string frame;
        frame.reserve(8 + values.size() * value_bytes);
        frame += "LSV1";
        put(frame, std::uint32_t{0});
        Json strings = Json::array();
        std::uint32_t count = 0;
        for (const LiveValue& value : values) {
            const auto at = indices_.find(value.tag);
            if (at == indices_.end()) continue;
            const double time_ms = static_cast<double>(value.time.ns()) / 1e6;
            if (const auto* text = std::get_if<std::string>(&value.value)) {
                strings.push_back({{"index", at->second.index},
                                   {"value", *text},
                                   {"quality", value.quality.code()},
                                   {"time", time_ms}});
                continue;
            }
            put(frame, at->second.index);
            put(frame, value.quality.code());
            put(frame, time_ms);
            put(frame, to_double(value.value));
            ++count;
        }
        values_sent.add(static_cast<std::int64_t>(values.size()));
        std::memcpy(frame.data() + 4, &count, sizeof count);
        if (count > 0) socket_->send_binary(std::move(frame));
        if (!strings.empty()) send({{"op", "strings"}, {"items", std::move(strings)}});
    }

    void send(const Json& json) { socket_->send_text(json.dump(-1, ' ', false, Json::error_handler_t::replace)); }

    void send_error(const Error& error) {
        send({{"op", "error"},
              {"code", fmt::format("LS-{}", static_cast<unsigned>(error.code()))},
              {"title", error.text().says},
              {"detail", error.detail()},
              {"remedy", error.text().remedy}});
    }

    Services& services_;
    const access::Principal principal_;
    net::WebSocket* socket_ = nullptr;
    std::uint64_t desk_id_ = 0;
    std::uint64_t alarms_id_ = 0;
    std::unordered_map<TagId, Shown> indices_;  // For the life of the socket: an index never names another tag.
    std::unordered_set<TagId> shown_;
    std::unordered_map<TagId, LiveValue> behind_;  // Not sent yet, as the socket does not read.
    Timer check_;
};

}  // namespace

std::unique_ptr<net::WebSocketHandler> make_live_socket(Services& services, access::Principal principal) {
    return std::make_unique<LiveSocket>(services, std::move(principal));
}

}  // namespace lineshaft::live
