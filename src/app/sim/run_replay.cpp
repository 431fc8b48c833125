/// Recorded tables as live MQTT devices: keeps the distances between the records, at a chosen speed.
#include <algorithm>
#include <atomic>
#include <cstdio>

#include <fmt/format.h>

#include "app/sim/mqtt_client.h"
#include "app/sim/recording.h"
#include "app/sim/sim.h"
#include "app/sim/stop_signal.h"
#include "base/log.h"
#include "net/network.h"

namespace lineshaft::sim {
namespace {

/// More unacknowledged messages than this, and the replay waits: the broker sets the pace.
constexpr std::size_t queued_ahead_max = 1000;
constexpr Duration retry_pause = 2ms;

class Replay {
public:
    Replay(Shard& shard, const ReplayOptions& options, std::atomic<bool>& done)
        : shard_(shard), options_(options), done_(done), network_(net::make_tcp_network(shard)) {}

    /// Errors: what the first file that cannot be read says.
    Result<void> start() {
        if (options_.files.empty()) return fail(ErrorCode::Usage, "no file to replay");
        TRY_VOID(open_all());
        BrokerOptions broker = options_.broker;
        if (broker.client_id.empty()) broker.client_id = fmt::format("replay-{:x}", shard_.utc_now().ns());
        client_ = MqttClient::create(shard_, *network_, std::move(broker));
        started_ = shard_.now();
        started_utc_ = shard_.utc_now();
        pump();
        return {};
    }
    void stop() {
        timer_.cancel();
        if (client_) client_->close();
    }
    std::string done_line() const {
        return fmt::format("sim done rows={} values={} refused={}", rows_ + open_rows(), values_,
                           refused_ + open_refused());
    }
    const std::optional<Error>& error() const { return error_; }

private:
    struct Track {
        std::string topic;
        std::unique_ptr<Recording> recording;
        std::optional<Record> next;
        std::uint64_t rows = 0;  // Played.
    };

    Result<void> open_all() {
        for (const std::string& path : options_.files) {
            Track track{.topic = device_of(path, options_),
                        .recording = TRY(Recording::open(path, options_)),
                        .next = {},
                        .rows = 0};
            // Wildcards have a meaning in topics.
            std::ranges::replace_if(track.topic, [](char c) { return c == '+' || c == '#'; }, '_');
            track.next = TRY(track.recording->next());
            tracks_.push_back(std::move(track));
        }
        previous_ = next_time();
        return {};
    }

    UtcTime next_time() const {
        UtcTime earliest = utc_time_max;
        for (const Track& track : tracks_) {
            if (track.next) earliest = std::min(earliest, track.next->time);
        }
        return earliest;
    }

    void pump() {
        if (error_) return;
        while (true) {
            const auto track = std::ranges::min_element(
                tracks_, {}, [](const Track& t) { return t.next ? t.next->time : utc_time_max; });
            if (!track->next) return on_end();
            // Where a recording jumps back, its next record follows at once.
            const Duration gap = std::max<Duration>(track->next->time - previous_, 0ns);
            const Duration due = scaled(elapsed_ + gap);
            const Duration wait = started_ + due - shard_.now();
            if (wait > 0ns) return wake_in(wait);
            if (client_->queued() >= queued_ahead_max) return wake_in(retry_pause);
            elapsed_ += gap;
            previous_ = track->next->time;
            if (auto sent = send(*track, due); !sent) return end_with(sent.error());
        }
    }

    Result<void> send(Track& track, Duration due) {
        const Record record = *std::move(track.next);
        track.rows = record.row;
        if (record.value_count > 0) {
            const std::int64_t ms = timestamp_of(track, record, due).ns() / 1'000'000;
            client_->publish(track.topic, fmt::format(R"({{"ts":{},"values":{}}})", ms, record.values));
            values_ += record.value_count;
            ++sent_;
        }
        track.next = TRY(track.recording->next());
        return {};
    }

    UtcTime timestamp_of(const Track& track, const Record& record, Duration due) const {
        if (options_.original_time) return track.recording->has_time() ? record.time : started_utc_ + elapsed_;
        // Without a pace there is no "now" for a record: a millisecond each keeps them apart.
        if (options_.speed <= 0) return started_utc_ + Duration(static_cast<std::int64_t>(sent_) * 1'000'000);
        return started_utc_ + due;
    }

    Duration scaled(Duration recorded) const {
        if (options_.speed <= 0) return 0ns;
        return Duration(static_cast<std::int64_t>(static_cast<double>(recorded.count()) / options_.speed));
    }

    void on_end() {
        if (options_.loop && sent_ > 0) {
            close_tracks();
            if (auto opened = open_all(); !opened) return end_with(opened.error());
            // One step between the end and the new begin.
            elapsed_ += options_.period > 0ns ? options_.period : Duration(1s);
            return wake_in(retry_pause);
        }
        // The end is when the broker has acknowledged everything.
        if (client_->queued() > 0) return wake_in(retry_pause);
        done_.store(true);
    }

    void close_tracks() {
        rows_ += open_rows();
        refused_ += open_refused();
        tracks_.clear();
    }
    std::uint64_t open_rows() const {
        std::uint64_t sum = 0;
        for (const Track& track : tracks_) sum += track.rows;
        return sum;
    }
    std::uint64_t open_refused() const {
        std::uint64_t sum = 0;
        for (const Track& track : tracks_) sum += track.recording->refused();
        return sum;
    }
    void end_with(const Error& error) {
        error_ = error;
        done_.store(true);
    }
    void wake_in(Duration wait) {
        timer_ = shard_.after(wait, [this] { pump(); });
    }

    Shard& shard_;
    const ReplayOptions options_;
    std::atomic<bool>& done_;
    std::unique_ptr<Network> network_;
    std::unique_ptr<MqttClient> client_;
    std::vector<Track> tracks_;
    UtcTime previous_;     // Of the record sent last, as recorded.
    Duration elapsed_{0};  // Recorded time played so far.
    Instant started_;
    UtcTime started_utc_;
    std::uint64_t sent_ = 0;
    std::uint64_t values_ = 0;
    std::uint64_t rows_ = 0;  // Of tracks that were closed by a loop.
    std::uint64_t refused_ = 0;
    std::optional<Error> error_;
    Timer timer_;
};

}  // namespace

int run_replay(const ReplayOptions& options) {
    StopSignal signal;
    auto shards = Shards::create(1, system_clock());
    shards->start();
    std::atomic<bool> done{false};
    std::unique_ptr<Replay> replay;
    Result<void> started;
    shards->must_run(0, [&] {
        replay = std::make_unique<Replay>(shards->at(0), options, done);
        started = replay->start();
    });
    std::optional<Error> error;
    if (started) {
        fmt::print("sim ready mqtt={} files={}\n", to_text(options.broker.address), options.files.size());
        std::fflush(stdout);
        signal.wait(done);
        shards->must_run(0, [&] {
            error = replay->error();
            fmt::print("{}\n", replay->done_line());
            std::fflush(stdout);
            replay->stop();
        });
    } else {
        error = started.error();
    }
    shards->must_run(0, [] {});
    shards->must_run(0, [&] { replay.reset(); });
    shards->stop();
    if (error) fmt::print(stderr, "{}\n", error->message());
    return error ? 1 : 0;
}

}  // namespace lineshaft::sim
