#include "south/http/http_ingest.h"

#include <bit>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "base/limits.h"
#include "support/manual_shard.h"

namespace lineshaft::south {
namespace {

using testing::ManualClock;
using testing::ManualShard;

/// Takes readings while there is room; durable when the test says so.
class FakeReadings final : public flow::ReadingSink {
public:
    flow::Took offer(ReadingBatch& batch, flow::Settled& settled) override {
        if (room == 0) return flow::Took::None;
        --room;
        for (const Reading& r : batch.readings) {
            if (lines.size() < 50)
                lines.push_back(fmt::format("{}|{}={}", r.device, r.address,
                                            r.type == ValueType::String ? std::string(r.text)
                                            : r.type == ValueType::Double
                                                ? fmt::format("{}", std::bit_cast<double>(r.bits))
                                                : fmt::format("{}", r.bits)));
            if (r.type == ValueType::Double) sum += std::bit_cast<double>(r.bits);
        }
        if (batch.home) homes.insert(*batch.home);
        for (const Reading& r : batch.readings)
            strangers += batch.home && home_shard(batch.tenant, r.device, 3) != *batch.home ? 1 : 0;
        count += batch.size();
        largest = std::max(largest, batch.size());
        source = batch.source;
        if (!batch.empty()) last_time = batch.readings.back().source_time;
        receipts.push_back(std::move(settled));
        const ReadingBatch taken = std::move(batch);
        return flow::Took::All;
    }
    void when_ready(Task task) override { tasks.push_back(std::move(task)); }
    void make_room(std::size_t batches) {
        room = batches;
        for (auto& task : std::exchange(tasks, {})) task();
    }
    void sync(Result<void> result = {}) {
        for (auto& settled : std::exchange(receipts, {})) settled(result);
    }

    std::size_t room = 1'000'000;
    std::vector<std::string> lines;
    std::size_t count = 0;
    std::size_t largest = 0;
    std::size_t strangers = 0;  // Readings in a batch for another shard, of three.
    std::set<ShardId> homes;
    double sum = 0;
    std::string source;
    UtcTime last_time;
    std::vector<flow::Settled> receipts;
    std::vector<Task> tasks;
};

std::string gzip(std::string_view text) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string zstd(std::string_view text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
}

class HttpIngestTest : public ::testing::Test {
protected:
    HttpIngest& door() {
        if (!ingest)
            ingest = std::make_unique<HttpIngest>(
                shard, readings, [this](const net::HttpRequest&) { return sender; }, options);
        return *ingest;
    }
    void post(std::string path, std::string body, std::string encoding = "", std::string precision = "") {
        net::HttpRequest request;
        request.method = "POST";
        request.path = std::move(path);
        request.body = std::move(body);
        if (!encoding.empty()) request.headers.emplace_back("content-encoding", encoding);
        if (!precision.empty()) request.query.emplace_back("precision", precision);
        send(std::move(request));
    }
    void send(net::HttpRequest request) {
        ASSERT_TRUE(HttpIngest::handles(request));
        door().handle(std::move(request), [this](net::HttpResponse r) { answers.push_back(std::move(r)); });
        shard.run();
    }
    /// The only answer so far.
    const net::HttpResponse& answer() {
        EXPECT_EQ(answers.size(), 1u);
        static const net::HttpResponse none;
        return answers.empty() ? none : answers[0];
    }
    static std::string header(const net::HttpResponse& response, std::string_view name) {
        for (const auto& [key, value] : response.headers) {
            if (key == name) return value;
        }
        return "";
    }
    using Lines = std::vector<std::string>;

    ManualClock clock;
    ManualShard shard{clock};
    FakeReadings readings;
    HttpIngest::Options options;
    Result<Sender> sender = Sender{TenantId(1), "telegraf", "", true};
    std::unique_ptr<HttpIngest> ingest;
    std::vector<net::HttpResponse> answers;
};

TEST_F(HttpIngestTest, LinesAreAnsweredWhenTheyAreDurable) {
    post("/api/v2/write", "cpu,host=a load=0.5,busy=t 1700000000000000000\ncpu,host=b load=1.5\n");
    EXPECT_EQ(readings.lines, (Lines{"cpu/a|load=0.5", "cpu/a|busy=1", "cpu/b|load=1.5"}));
    EXPECT_EQ(readings.source, "http/telegraf");
    EXPECT_TRUE(answers.empty());
    readings.sync();
    EXPECT_EQ(answer().status, 204u);
}

TEST_F(HttpIngestTest, LinesAreSortedByTheHomesOfTheirDevices) {
    options.homes = 3;
    std::string body;
    for (int line = 0; line < 30'000; ++line) body += fmt::format("cpu,host=h{} load={}\n", line % 100, line);
    post("/api/v2/write", body);
    EXPECT_EQ(readings.count, 30'000U);
    EXPECT_EQ(readings.sum, 29'999.0 * 30'000 / 2);
    EXPECT_EQ(readings.homes.size(), 3U);
    EXPECT_EQ(readings.strangers, 0U);
    readings.sync();
    EXPECT_EQ(answer().status, 204u);
}

TEST_F(HttpIngestTest, ThePrecisionIsUnderstood) {
    post("/write", "m a=1 1700000000", "", "s");
    EXPECT_EQ(readings.last_time.ns(), 1'700'000'000'000'000'000);
    readings.sync();
    post("/write", "m a=1 1700000000", "", "fortnight");
    EXPECT_EQ(answers[1].status, 422u);
}

TEST_F(HttpIngestTest, GzipAndZstdAreUnpacked) {
    post("/write", gzip("m a=1\nm b=2"), "gzip");
    post("/write", zstd("m c=3"), "zstd");
    EXPECT_EQ(readings.lines, (Lines{"m|a=1", "m|b=2", "m|c=3"}));
    post("/api/v1/telemetry", gzip(R"({"device":"d","x":4})"), "gzip");
    EXPECT_EQ(readings.lines.back(), "d|x=4");
    readings.sync();
    for (const auto& one : answers) EXPECT_EQ(one.status, 204u);
}

TEST_F(HttpIngestTest, BadPackingIsToldAndTheLinesBeforeItAreKept) {
    post("/write", "m a=1", "br");
    post("/write", "m a=1", "gzip");
    std::string many;
    for (int i = 0; i < 100'000; ++i) many += fmt::format("m a={}\n", i);
    std::string packed = gzip(many);
    packed.resize(packed.size() - 20);
    post("/write", packed, "gzip");
    EXPECT_GT(readings.count, 10'000u);
    readings.sync();
    shard.run();
    ASSERT_EQ(answers.size(), 3u);
    EXPECT_EQ(answers[0].status, 415u);
    EXPECT_EQ(answers[1].status, 400u);
    EXPECT_EQ(answers[2].status, 400u);
}

TEST_F(HttpIngestTest, ABombIsStopped) {
    const std::string zeros(limits::http_body_bytes_max + 1, ' ');
    post("/api/v1/telemetry", zstd(zeros), "zstd");
    EXPECT_EQ(answer().status, 413u);
}

TEST_F(HttpIngestTest, GoodLinesAreKeptAndBadOnesListed) {
    post("/write", "m a=1\nbroken\nm b=\n,x=1 a=2\nm c=3");
    EXPECT_EQ(readings.lines, (Lines{"m|a=1", "m|c=3"}));
    readings.sync();
    EXPECT_EQ(answer().status, 400u);
    EXPECT_NE(answer().body.find("\"error\":\"partial write: 3 of 5 lines"), std::string::npos) << answer().body;
    for (const char* part : {R"("line":2)", R"("line":3)", R"("line":4)", "no measurement", "LS-1002"})
        EXPECT_NE(answer().body.find(part), std::string::npos) << part;
    EXPECT_EQ(header(answer(), "Content-Type"), "application/problem+json");
}

TEST_F(HttpIngestTest, OnlyBadLinesAreAnsweredAtOnce) {
    post("/write", "broken\n");
    EXPECT_EQ(answer().status, 400u);
    post("/write", "");
    EXPECT_EQ(answers[1].status, 204u);
}

TEST_F(HttpIngestTest, ABigBodyTravelsInBatchesUnderBackPressure) {
    readings.room = 1;
    std::string body;
    double expected = 0;
    for (int i = 0; i < 30'000; ++i) {
        body +=
            fmt::format("machine,line=3,name=filler\\ {} a={},b={},c=1i {}\n", i % 7, i, i * 2, 1'700'000'000 + i);
        expected += i * 3;
    }
    body += "bad line here\n";
    post("/write", body, "", "s");
    const std::size_t first = readings.count;
    EXPECT_GT(first, 1000u);
    EXPECT_LE(first, limits::batch_samples_max);
    for (int i = 0; i < 200 && readings.count < 90'000; ++i) {
        readings.make_room(1);
        shard.run();
    }
    EXPECT_EQ(readings.count, 90'000u);
    EXPECT_LE(readings.largest, limits::batch_samples_max);
    EXPECT_GT(readings.largest, limits::batch_samples_max * 3 / 4);
    EXPECT_EQ(readings.sum, expected);
    EXPECT_TRUE(answers.empty());
    readings.make_room(10);
    shard.run();
    readings.sync();
    EXPECT_EQ(answer().status, 400u);
    EXPECT_NE(answer().body.find(R"("line":30001)"), std::string::npos) << answer().body;
}

TEST_F(HttpIngestTest, TelemetryIsKept) {
    post("/api/v1/telemetry", R"([{"device":"d","ts":1700000000000,"values":{"a":1}},{"device":"e","b":2}])");
    EXPECT_EQ(readings.lines, (Lines{"d|a=1", "e|b=2"}));
    readings.sync();
    EXPECT_EQ(answer().status, 204u);
}

TEST_F(HttpIngestTest, ADevicesTokenSpeaksForItAndForWhatLiesBelow) {
    sender = Sender{TenantId(1), "saw", "own", true};
    post("/api/v1/telemetry", R"([{"b":2},{"device":"own/motor","c":3}])");
    EXPECT_EQ(readings.lines, (Lines{"own|b=2", "own/motor|c=3"}));
    readings.sync();
    EXPECT_EQ(answer().status, 204u);
}

TEST_F(HttpIngestTest, ADevicesTokenSpeaksForNoOther) {
    sender = Sender{TenantId(1), "saw", "own", true};
    post("/api/v1/telemetry", R"([{"b":2},{"device":"other","c":3}])");
    post("/api/v1/telemetry", R"({"device":"owner","c":3})");
    post("/write", "other c=3");
    EXPECT_EQ(readings.count, 0u);
    ASSERT_EQ(answers.size(), 3u);
    for (const net::HttpResponse& one : answers) EXPECT_EQ(one.status, 403u);
}

TEST_F(HttpIngestTest, BadTelemetryIsToldAndNothingOfItIsKept) {
    post("/api/v1/telemetry", R"([{"device":"d","a":1},{"device":"","b":2}])");
    post("/api/v1/telemetry", R"({"device":"d","a":)");
    EXPECT_EQ(readings.count, 0u);
    EXPECT_EQ(answers[0].status, 422u);
    EXPECT_EQ(answers[1].status, 400u);
}

TEST_F(HttpIngestTest, BigTelemetryIsCut) {
    std::string body = "[";
    for (std::size_t i = 0; i < 20'000; ++i) body += fmt::format(R"({{"device":"d{}","a":{}}},)", i, i);
    body.back() = ']';
    post("/api/v1/telemetry", body);
    EXPECT_EQ(readings.count, 20'000u);
    EXPECT_EQ(readings.receipts.size(), 3u);
    readings.sync();
    EXPECT_EQ(answer().status, 204u);
}

TEST_F(HttpIngestTest, WhatWasLeftOutIsSaid) {
    std::string wave = "[0";
    for (int i = 0; i < 1000; ++i) wave += ",1";
    post("/api/v1/telemetry", R"({"device":"d","a":1,"wave":)" + wave + "]}");
    readings.sync();
    EXPECT_EQ(answer().status, 200u);
    EXPECT_NE(answer().body.find(R"("kept":1,"skipped":1)"), std::string::npos);
}

TEST_F(HttpIngestTest, WhoMayNotWriteIsToldSo) {
    sender = fail(ErrorCode::Unauthenticated);
    post("/write", "m a=1");
    sender = Sender{TenantId(1), "viewer", "", false};
    post("/write", "m a=1");
    EXPECT_EQ(answers[0].status, 401u);
    EXPECT_EQ(answers[1].status, 403u);
    EXPECT_EQ(readings.count, 0u);
}

TEST_F(HttpIngestTest, AFailureToKeepIsTheAnswer) {
    post("/write", "m a=1");
    readings.sync(fail(ErrorCode::DiskFull));
    EXPECT_EQ(answer().status, 507u);
    EXPECT_FALSE(header(answer(), "Retry-After").empty());
}

TEST_F(HttpIngestTest, WhoCannotBeServedInTimeIsAskedToComeBack) {
    readings.room = 0;
    post("/write", "m a=1");
    shard.advance(options.patience);
    EXPECT_EQ(answer().status, 503u);
    EXPECT_EQ(header(answer(), "Retry-After"), "1");
    readings.make_room(10);
    shard.run();
    EXPECT_EQ(readings.count, 0u);
    EXPECT_EQ(answers.size(), 1u);
}

TEST_F(HttpIngestTest, TooManyAtATimeAreAskedToComeBack) {
    options.jobs_max = 1;
    post("/write", "m a=1");
    post("/write", "m a=2");
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].status, 503u);
    readings.sync();
    EXPECT_EQ(answers[1].status, 204u);
}

TEST_F(HttpIngestTest, ClosingWaitsForWhatRuns) {
    post("/write", "m a=1");
    bool is_closed = false;
    door().close([&] { is_closed = true; });
    post("/write", "m a=2");
    EXPECT_EQ(answers[0].status, 503u);
    EXPECT_FALSE(is_closed);
    readings.sync();
    EXPECT_TRUE(is_closed);
    EXPECT_EQ(answers[1].status, 204u);
}

TEST_F(HttpIngestTest, ADoorThatIsGoneHearsNothing) {
    post("/write", "m a=1");
    readings.room = 0;
    post("/write", "m a=2");
    ingest.reset();
    readings.make_room(10);
    readings.sync();
    shard.run();
    shard.advance(1min);
    EXPECT_TRUE(answers.empty());
}

TEST_F(HttpIngestTest, ClientsOfInfluxDbFindWhatTheyLookFor) {
    net::HttpRequest ping;
    ping.method = "GET";
    ping.path = "/ping";
    send(std::move(ping));
    EXPECT_EQ(answer().status, 204u);
    EXPECT_FALSE(header(answer(), "X-Influxdb-Version").empty());
    post("/query", "q=CREATE+DATABASE+%22telegraf%22");
    EXPECT_EQ(answers[1].status, 200u);
    post("/query", "q=SELECT+1");
    EXPECT_EQ(answers[2].status, 501u);
}

TEST_F(HttpIngestTest, OnlyPostWrites) {
    net::HttpRequest request;
    request.method = "GET";
    request.path = "/api/v2/write";
    send(std::move(request));
    EXPECT_EQ(answer().status, 405u);
    net::HttpRequest other;
    other.method = "GET";
    other.path = "/api/v1/values";
    EXPECT_FALSE(HttpIngest::handles(other));
}

}  // namespace
}  // namespace lineshaft::south
