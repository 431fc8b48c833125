#include "south/http/http_ingest.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/counters.h"
#include "base/limits.h"
#include "south/http/internal/answer.h"
#include "south/http/internal/body.h"
#include "south/http/internal/line_reader.h"
#include "wire/telemetry/telemetry.h"

namespace lineshaft::south {
namespace {

namespace lp = wire::line_protocol;

Counter requests{"lineshaft_http_ingest_requests_total", "", "Requests with data"};
Counter request_bytes{"lineshaft_http_ingest_bytes_total", "", "Bytes of data as sent"};
Counter requests_refused{"lineshaft_http_ingest_refused_total", "",
                         "Requests with data that were not kept as a whole"};
Counter lines_refused{"lineshaft_http_ingest_lines_refused_total", "", "Lines that are not line protocol"};
Counter requests_overloaded{"lineshaft_http_ingest_overloaded_total", "",
                            "Requests answered 503 because the house was full"};

/// Readings of one request on their way. Lives until it is answered.
struct Job {
    std::uint64_t id = 0;
    net::HttpReply reply;
    std::string source;
    std::string device;  // The sender may speak for this one only; empty: for any.
    TenantId tenant;
    std::size_t held_bytes = 0;

    std::optional<LineReader> lines;   // Line protocol: batches are made one by one.
    std::deque<ReadingBatch> batches;  // What is to be offered next; all of it for telemetry.
    flow::Settled settled;             // Of batches.front(), while it was not taken.
    std::size_t unsettled = 0;         // Taken and not yet durable.
    bool has_all = false;              // Nothing more to read.
    std::optional<Error> error;        // The first.
    wire::telemetry::Decoded decoded;
    Timer patience;
};

/// A big body as batches of at most limits::batch_samples_max readings.
std::deque<ReadingBatch> cut(ReadingBatch whole) {
    std::deque<ReadingBatch> parts;
    if (whole.size() <= limits::batch_samples_max) {
        if (!whole.empty()) parts.push_back(std::move(whole));
        return parts;
    }
    for (std::size_t i = 0; i < whole.size(); ++i) {
        if (i % limits::batch_samples_max == 0) parts.emplace_back();
        ReadingBatch& part = parts.back();
        Reading& r = part.readings.emplace_back(whole.readings[i]);
        r.device = part.keep(r.device);
        r.address = part.keep(r.address);
        r.unit = part.keep(r.unit);
        r.text = part.keep(r.text);
    }
    return parts;
}

/// A device's own token speaks for that device and what lies below it. Errors: Forbidden.
Result<void> check_devices(const ReadingBatch& batch, const std::string& own) {
    if (own.empty()) return {};
    for (const Reading& r : batch.readings) {
        const bool is_own =
            r.device.starts_with(own) && (r.device.size() == own.size() || r.device[own.size()] == '/');
        if (!is_own) {
            return fail(ErrorCode::Forbidden,
                        fmt::format("the token belongs to device '{}' and may not write for '{}'", own,
                                    r.device.substr(0, 100)));
        }
    }
    return {};
}

bool is_write(std::string_view path) { return path == "/write" || path == "/api/v2/write"; }

bool is_telemetry(std::string_view path) { return path == "/api/v1/telemetry"; }

/// Telegraf asks InfluxDB 1 to make its database first; here there is nothing to make.
bool is_create_database(const net::HttpRequest& request) {
    std::string statement(request.parameter("q").value_or(request.body));
    std::ranges::transform(statement, statement.begin(),
                           [](unsigned char c) { return c == '+' ? ' ' : std::tolower(c); });
    return statement.find("create database") != std::string::npos ||
           statement.find("create%20database") != std::string::npos;
}

net::HttpResponse pong() {
    net::HttpResponse response = no_content();
    // Clients of InfluxDB 1 look at the version to choose what they send.
    response.headers.emplace_back("X-Influxdb-Version", "1.8.10");
    response.headers.emplace_back("X-Influxdb-Build", "Lineshaft");
    return response;
}

}  // namespace

class HttpIngest::Impl {
public:
    Impl(Shard& shard, flow::ReadingSink& readings, Authenticate authenticate, Options options)
        : shard_(shard),
          readings_(readings),
          authenticate_(std::move(authenticate)),
          options_(options),
          names_(options.homes) {}

    void handle(net::HttpRequest request, net::HttpReply reply);
    void close(Task done);

private:
    Result<Sender> sender_of(const net::HttpRequest& request) const;
    Result<void> open(Job& job, net::HttpRequest& request, const Sender& sender);
    Result<void> open_telemetry(Job& job, std::string_view encoding, std::string body, const Sender& sender);

    void advance(std::uint64_t id);
    bool next_batch(Job& job);
    void settled(std::uint64_t id, Result<void> result);
    void finish(Job& job);
    void answer(Job& job, net::HttpResponse response);
    void watch(Job& job);
    void lose_patience(std::uint64_t id);
    /// `work` for later: it does nothing when the door has gone.
    template <class Work>
    auto guarded(Work work) {
        return [life = std::weak_ptr(life_), work = std::move(work)](auto&&... args) mutable {
            if (life.lock()) work(std::forward<decltype(args)>(args)...);
        };
    }

    Shard& shard_;
    flow::ReadingSink& readings_;
    const Authenticate authenticate_;
    const Options options_;
    wire::telemetry::Decoder decoder_;
    DeviceNames names_;
    std::uint64_t serials_ = 0;
    std::uint64_t next_id_ = 1;
    std::unordered_map<std::uint64_t, std::unique_ptr<Job>> jobs_;
    std::size_t held_bytes_ = 0;
    bool is_closing_ = false;
    Task closed_;
    std::shared_ptr<const int> life_ = std::make_shared<const int>(0);
};

void HttpIngest::Impl::handle(net::HttpRequest request, net::HttpReply reply) {
    if (request.path == "/ping") return reply(pong());
    if (request.method != "POST") {
        auto response = problem(405, Error(ErrorCode::NotSupported, "use POST"));
        response.headers.emplace_back("Allow", "POST");
        return reply(std::move(response));
    }
    requests.add();
    request_bytes.add(static_cast<std::int64_t>(request.body.size()));
    const auto sender = sender_of(request);
    if (!sender) {
        requests_refused.add();
        return reply(problem(sender.error()));
    }
    if (request.path == "/query") {
        if (!is_create_database(request))
            return reply(problem(Error(ErrorCode::NotSupported, "of InfluxQL only CREATE DATABASE is answered")));
        net::HttpResponse response;
        response.headers.emplace_back("Content-Type", "application/json");
        response.body = R"({"results":[{"statement_id":0}]})";
        return reply(std::move(response));
    }
    if (is_closing_ || jobs_.size() >= options_.jobs_max ||
        held_bytes_ + request.body.size() > options_.held_bytes_max) {
        requests_overloaded.add();
        return reply(
            problem(503, Error(is_closing_ ? ErrorCode::Closed : ErrorCode::Overloaded, "nothing of it was taken")));
    }
    auto job = std::make_unique<Job>();
    job->id = next_id_++;
    job->reply = std::move(reply);
    job->tenant = sender->tenant;
    job->source = "http/" + sender->name;
    job->device = sender->device;
    job->held_bytes = request.body.size();
    held_bytes_ += job->held_bytes;
    Job& opened = *job;
    jobs_[opened.id] = std::move(job);
    if (auto open_result = open(opened, request, *sender); !open_result) {
        opened.error = std::move(open_result).error();
        opened.has_all = true;
    }
    advance(opened.id);
}

Result<Sender> HttpIngest::Impl::sender_of(const net::HttpRequest& request) const {
    Sender sender = TRY(authenticate_(request));
    if (!sender.may_write) return fail(ErrorCode::Forbidden, "the token lacks the scope telemetry:write");
    return sender;
}

Result<void> HttpIngest::Impl::open(Job& job, net::HttpRequest& request, const Sender& sender) {
    const std::string encoding(request.header("content-encoding"));
    if (is_telemetry(request.path)) return open_telemetry(job, encoding, std::move(request.body), sender);
    const auto precision = TRY(lp::precision_from_text(request.parameter("precision").value_or("")));
    auto body = TRY(Body::create(std::move(request.body), encoding, limits::http_inflated_bytes_max));
    job.lines.emplace(std::move(body), precision, job.tenant, names_, serials_);
    return {};
}

Result<void> HttpIngest::Impl::open_telemetry(Job& job, std::string_view encoding, std::string packed,
                                              const Sender& sender) {
    // JSON is read whole, so that a message is kept whole or not at all: the bound is that of a plain body.
    auto body = TRY(Body::create(std::move(packed), encoding, limits::http_body_bytes_max));
    std::string text;
    TRY_VOID(body.read(text, limits::http_body_bytes_max + 1));
    ReadingBatch batch;
    job.decoded = TRY(decoder_.decode_http(text, sender.device, batch));
    TRY_VOID(check_devices(batch, sender.device));
    job.batches = cut(std::move(batch));
    job.has_all = true;
    return {};
}

/// Offers the next batch; one a task, so that a big body does not hold up the shard.
void HttpIngest::Impl::advance(std::uint64_t id) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return;
    Job& job = *found->second;
    if (job.batches.empty() && !next_batch(job)) return finish(job);
    if (job.batches.empty()) return shard_.post(guarded([this, id] { advance(id); }));
    ReadingBatch& batch = job.batches.front();
    if (!job.settled) {
        batch.tenant = job.tenant;
        batch.source = job.source;
        batch.receive_time = shard_.utc_now();
        job.settled = guarded([this, id](Result<void> result) { settled(id, std::move(result)); });
    }
    watch(job);
    if (readings_.offer(batch, job.settled) == flow::Took::None)
        return readings_.when_ready(guarded([this, id] { advance(id); }));
    job.settled = nullptr;
    job.batches.pop_front();
    ++job.unsettled;
    shard_.post(guarded([this, id] { advance(id); }));
}

/// Reads on. False when there is nothing more to offer; true with no batch when what was read held no good line.
bool HttpIngest::Impl::next_batch(Job& job) {
    // A full disk does not get better by more of the same; a name that cannot be kept says nothing about the next.
    const bool is_hopeless = job.error && job.error->code() != ErrorCode::InvalidArgument;
    if (job.has_all || is_hopeless) {
        job.has_all = true;
        return false;
    }
    std::vector<ReadingBatch> batches;
    const auto more = job.lines->read(batches);
    if (!more && !job.error) job.error = more.error();
    job.has_all = !more || !*more;
    if (job.has_all) return false;
    for (const ReadingBatch& batch : batches) {
        const auto own = check_devices(batch, job.device);
        if (own) continue;
        job.error = own.error();
        job.has_all = true;
        return false;
    }
    for (ReadingBatch& batch : batches) {
        if (!batch.empty()) job.batches.push_back(std::move(batch));
    }
    return true;
}

void HttpIngest::Impl::settled(std::uint64_t id, Result<void> result) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return;
    Job& job = *found->second;
    ASSERT(job.unsettled > 0);
    --job.unsettled;
    if (!result && !job.error) job.error = std::move(result).error();
    watch(job);
    finish(job);
}

/// Answers when everything is read, taken and durable.
void HttpIngest::Impl::finish(Job& job) {
    if (!job.has_all || !job.batches.empty() || job.unsettled > 0) return;
    const std::uint64_t lines_bad = job.lines ? job.lines->refused_count() : 0;
    lines_refused.add(static_cast<std::int64_t>(lines_bad));
    if (job.error || lines_bad > 0) requests_refused.add();
    // Names that could not be kept and lines that are none are both the sender's: the lines tell more.
    const bool is_senders = job.error && job.error->code() == ErrorCode::InvalidArgument;
    if (lines_bad > 0 && (!job.error || is_senders))
        return answer(job, partial_write(job.lines->lines(), lines_bad, job.lines->errors()));
    if (job.error && job.error->code() == ErrorCode::NotSupported) return answer(job, problem(415, *job.error));
    if (job.error) return answer(job, problem(*job.error));
    if (job.decoded.skipped > 0) return answer(job, partial_telemetry(job.decoded.readings, job.decoded.skipped));
    answer(job, no_content());
}

void HttpIngest::Impl::answer(Job& job, net::HttpResponse response) {
    const auto found = jobs_.find(job.id);
    const std::unique_ptr<Job> last = std::move(found->second);
    jobs_.erase(found);
    held_bytes_ -= last->held_bytes;
    last->reply(std::move(response));
    if (is_closing_ && jobs_.empty() && closed_) std::exchange(closed_, nullptr)();
}

void HttpIngest::Impl::watch(Job& job) {
    job.patience = shard_.after(options_.patience, guarded([this, id = job.id] { lose_patience(id); }));
}

/// Nothing moved for too long. What was taken may still become durable; sending it again does no harm.
void HttpIngest::Impl::lose_patience(std::uint64_t id) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return;
    requests_overloaded.add();
    answer(*found->second, problem(503, Error(ErrorCode::Overloaded, "not all of it could be kept in time")));
}

void HttpIngest::Impl::close(Task done) {
    ASSERT(!is_closing_);
    is_closing_ = true;
    if (jobs_.empty()) return done();
    closed_ = std::move(done);
}

HttpIngest::HttpIngest(Shard& shard, flow::ReadingSink& readings, Authenticate authenticate, Options options)
    : impl_(std::make_unique<Impl>(shard, readings, std::move(authenticate), options)) {}
HttpIngest::~HttpIngest() = default;

bool HttpIngest::handles(const net::HttpRequest& request) {
    const std::string_view path = request.path;
    const bool is_ping = path == "/ping" && (request.method == "GET" || request.method == "HEAD");
    return is_ping || is_write(path) || is_telemetry(path) || (path == "/query" && request.method == "POST");
}

void HttpIngest::handle(net::HttpRequest request, net::HttpReply reply) {
    impl_->handle(std::move(request), std::move(reply));
}
void HttpIngest::close(Task done) { impl_->close(std::move(done)); }

}  // namespace lineshaft::south
