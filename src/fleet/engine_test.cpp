// Against a naive oracle: every sample in a map, every question by hand.
#include "fleet/engine.h"

#include <cmath>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/random.h"
#include "support/forgetful_disk.h"
#include "support/manual_shard.h"

namespace lineshaft::fleet {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t start = 1'767'225'600 * second;  // 2026-01-01.

class FleetTest : public ::testing::Test {
protected:
    static constexpr TenantId tenant{1};

    FleetTest() {
        const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
        directory =
            std::filesystem::path(::testing::TempDir()) / fmt::format("fleet-{}-{}", info->name(), ::getpid());
        std::filesystem::remove_all(directory);
        std::filesystem::create_directories(directory);
        registry =
            registry::Registry::create(shards, *pool, nullptr, {registry::database_path(directory.string())}).value();
        store::Options options;
        options.path = "/store";
        store = store::Historians::create(shards, disk, *pool, *pool, options).value();
        engine = Engine::create(shards, *registry, *store, *pool);
    }
    ~FleetTest() override {
        bool closed = false;
        engine->close(shards.at(0), [&] { closed = true; });
        shards.run();
        EXPECT_TRUE(closed);
        store->close(shards.at(0), [] {});
        shards.run();
        engine.reset();
        store.reset();
        registry.reset();
        std::filesystem::remove_all(directory);
    }

    TagId make_tag(const std::string& device, const std::string& address) {
        const auto* known = registry->snapshot(shards.at(0))->device_named(tenant, device);
        const DeviceId id =
            known ? known->id : DeviceId(must(registry::CreateDevice{.name = device, .protocol = "http"}).id);
        return must(registry::SetDeviceTags{.device = id, .tags = {{.address = address}}}).tags.at(0);
    }
    registry::Changed must(registry::Change change) {
        std::optional<Result<registry::Changed>> answer;
        registry->post_change(shards.at(0), tenant, std::move(change), {"test", ""},
                              [&](Result<registry::Changed> result) { answer = std::move(result); });
        shards.run();
        return answer->value();
    }
    /// `tag` at `device` says `value` at `at` seconds after the beginning.
    void record(TagId tag, std::int64_t at, double value, Quality quality = Quality::good) {
        const registry::Snapshot& snapshot = *registry->snapshot(shards.at(0));
        const registry::Tag& known = *snapshot.tag(tag);
        store::Historian& home = store->at(home_shard(tenant, snapshot.device(known.device)->name, shards.count()));
        home.register_series(tag, {known.path, "", ValueType::Double, "", tenant});
        Batch batch;
        batch.source = home.source_id("test");
        batch.first_sequence = ++sequence;
        batch.receive_time = UtcTime(start + at * second);
        batch.add(tag, UtcTime(start + at * second), value, quality);
        home.offer(batch);
    }
    void flush() {
        store->post_flush(shards.at(0), [](const Result<void>& done) { EXPECT_TRUE(done); });
        shards.run();
    }

    Result<Answer> ask(const std::string& json, TenantId of = tenant) {
        auto query = parse_query(json, UtcTime(start + 10 * 86400 * second));
        if (!query) return std::unexpected(query.error());
        std::optional<Result<Answer>> answer;
        engine->post_ask(shards.at(1), of, *std::move(query), [&](Result<Answer> it) { answer = std::move(it); });
        shards.run();
        return std::move(*answer);
    }
    /// Rows as text: "South,truck_1|0|12.5,nan".
    std::vector<std::string> rows(const std::string& json) {
        const auto answer = ask(json);
        if (!answer) return {answer.error().message()};
        std::vector<std::string> all;
        for (const Answer::Row& row : answer->rows) {
            std::string text;
            for (const auto one : row.texts) text += (text.empty() ? "" : ",") + answer->strings[one];
            if (answer->has_time) text += fmt::format("|{}", (row.time.ns() - start) / second);
            for (std::size_t i = 0; i < row.numbers.size(); ++i)
                text += fmt::format("{}{:.6g}", i ? "," : "|", row.numbers[i]);
            all.push_back(text);
        }
        return all;
    }
    using Lines = std::vector<std::string>;

    std::uint64_t sequence = 0;
    testing::ManualClock clock;
    testing::ManualShards shards{2, clock};
    testing::ForgetfulDisk disk;
    std::filesystem::path directory;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::unique_ptr<registry::Registry> registry;
    std::unique_ptr<store::Historians> store;
    std::unique_ptr<Engine> engine;
};

TEST_F(FleetTest, GivesLastValuesOfManyTags) {
    record(make_tag("d/East/t1", "fuel"), 0, 0.5);
    record(make_tag("d/East/t1", "fuel"), 10, 0.05);
    record(make_tag("d/West/t2", "fuel"), 5, 0.5);
    record(make_tag("d/West/t3", "fuel"), 5, 0.01);
    make_tag("d/West/t4", "fuel");  // Has never spoken.
    const std::string select = R"({"select":[{"name":"f","tags":"d/{fleet}/{truck}/fuel"}],"values":"last")";
    EXPECT_EQ(rows(select + "}"), (Lines{"East,t1|10|0.05", "West,t2|5|0.5", "West,t3|5|0.01"}));
    EXPECT_EQ(rows(select + R"(,"where":"f < 0.1","order_by":["f"]})"), (Lines{"West,t3|5|0.01", "East,t1|10|0.05"}));
    EXPECT_EQ(rows(select + R"(,"group":{"by":["fleet"],"values":[{"name":"n","aggregate":"count"},
              {"name":"m","aggregate":"max","of":"f"}]}})"),
              (Lines{"East|1,0.05", "West|2,0.5"}));
}

TEST_F(FleetTest, JoinsWhatLivesOnDifferentShards) {
    for (int i = 0; i < 8; ++i) {
        record(make_tag(fmt::format("r/t{}", i), "load"), 0, i * 10);
        record(make_tag(fmt::format("d/t{}", i), "capacity"), 0, 100);
    }
    const std::string json = R"({"select":[{"name":"l","tags":"r/{t}/load"},{"name":"c","tags":"d/{t}/capacity"}],)";
    const Lines full = {"t6|0|60,100", "t7|0|70,100"};
    EXPECT_EQ(rows(json + R"("values":"last","where":"l / c >= 0.6"})"), full);
    flush();
    EXPECT_EQ(rows(json + R"("values":"last","where":"l / c >= 0.6"})"), full);
    EXPECT_EQ(rows(json + R"("from":"2026-01-01","to":"2026-01-02","bucket":"1h","where":"l / c >= 0.6"})"), full);
}

TEST_F(FleetTest, CountsBucketsThatPass) {
    const TagId tag = make_tag("r/t1", "v");
    // Minutes: moving in 0…9, standing in 10…19, moving in 20…24.
    for (int minute = 0; minute < 30; ++minute)
        record(tag, minute * 60, minute < 10 || (minute >= 20 && minute < 25) ? 5 : 0);
    const std::string json = R"({"select":[{"name":"v","tags":"r/{t}/v"}],"from":"2026-01-01","to":"2026-01-02",
        "bucket":"1m","where":"v > 1","per":{"values":[{"name":"n","aggregate":"count"},
        {"name":"longest","aggregate":"longest_run"},{"name":"starts","aggregate":"transitions"},
        {"name":"mean","aggregate":"mean_run"}]}})";
    // The first run was there at the beginning: it is no start, and how long it was is not known.
    EXPECT_EQ(rows(json), (Lines{"t1|15,10,1,300"}));
}

TEST_F(FleetTest, LooksAtSamplesOfTheSameTime) {
    const TagId v = make_tag("r/t1", "v"), f = make_tag("r/t1", "f");
    for (int i = 0; i < 10; ++i) {
        record(v, i, i % 2 ? 10 : 0);
        if (i != 3) record(f, i, i);  // 3 is missing.
    }
    record(f, 100, 1000);  // No v at that time.
    const std::string json = R"({"select":[{"name":"v","tags":"r/{t}/v","value":"v == 0"},
        {"name":"f","tags":"r/{t}/f","aggregate":"sum","when":"v > 1"},{"name":"n","tags":"r/{t}/f","aggregate":"count"}],
        "from":"2026-01-01","to":"2026-01-02"})";
    EXPECT_EQ(rows(json), (Lines{"t1|0.5,22,10"}));
    flush();
    EXPECT_EQ(rows(json), (Lines{"t1|0.5,22,10"}));
}

TEST_F(FleetTest, PutsSeriesOfOneKeyTogether) {
    record(make_tag("r/East/t1", "v"), 0, 1);
    record(make_tag("r/East/t2", "v"), 1, 5);
    record(make_tag("r/West/t3", "v"), 2, 9);
    EXPECT_EQ(rows(R"({"select":[{"name":"v","tags":"r/{f}/*/v","aggregate":"sum"},
              {"name":"l","tags":"r/{f}/*/v","aggregate":"last"}],"from":"2026-01-01","to":"2026-01-02"})"),
              (Lines{"East|6,5", "West|9,9"}));
    EXPECT_EQ(rows(R"({"select":[{"name":"v","tags":"r/**/v","aggregate":"mean"}],"from":"2026-01-01",
              "to":"2026-01-02"})"),
              (Lines{"|5"}));
}

TEST_F(FleetTest, LeavesBadSamplesOut) {
    const TagId tag = make_tag("r/t1", "v");
    record(tag, 0, 1);
    record(tag, 1, 100, Quality::bad);
    const auto answer = ask(R"({"select":[{"name":"v","tags":"r/{t}/v"},{"name":"n","tags":"r/{t}/v",
        "aggregate":"samples"}],"from":"2026-01-01","to":"2026-01-02"})");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->rows.at(0).numbers, (std::vector<double>{1, 2}));
    EXPECT_EQ(answer->samples, 2u);
    EXPECT_EQ(answer->good, 1u);
}

TEST_F(FleetTest, SaysWhyThereIsNoAnswer) {
    record(make_tag("r/t1", "v"), 0, 1);
    const auto code = [&](const std::string& json) { return ask(json).error().code(); };
    EXPECT_EQ(code(R"({"select":[{"name":"v","tags":"none/{t}/v"}],"values":"last"})"), ErrorCode::NotFound);
    EXPECT_EQ(ask(R"({"select":[{"name":"v","tags":"r/{t}/v"}],"values":"last"})", TenantId(2)).error().code(),
              ErrorCode::NotFound);
    EXPECT_EQ(
        code(R"({"select":[{"name":"v","tags":"r/{t}/v"}],"from":"2000-01-01","to":"2026-01-02","bucket":"1s"})"),
        ErrorCode::InvalidArgument);
}

TEST_F(FleetTest, RefusesAConditionOverSeveralSeries) {
    record(make_tag("r/t1", "v"), 0, 1);
    record(make_tag("r/t2", "v"), 0, 1);
    EXPECT_EQ(ask(R"({"select":[{"name":"v","tags":"r/*/v","value":"v > 0"}],"from":"2026-01-01","to":"2026-01-02"})")
                  .error()
                  .code(),
              ErrorCode::InvalidArgument);
}

TEST_F(FleetTest, KnowsNewTagsAtOnce) {
    const std::string json = R"({"select":[{"name":"v","tags":"r/{t}/v"}],"values":"last"})";
    record(make_tag("r/t1", "v"), 0, 1);
    EXPECT_EQ(rows(json).size(), 1u);
    record(make_tag("r/t2", "v"), 0, 1);
    EXPECT_EQ(rows(json).size(), 2u);
}

TEST_F(FleetTest, WritesJsonAndCsv) {
    record(make_tag("r/a,\"b", "v"), 0, 1.5);
    auto answer = ask(R"({"select":[{"name":"v","tags":"r/{t}/v"}],"values":"last"})");
    ASSERT_TRUE(answer);
    answer->took = Duration(1'500'000);
    answer->rows.push_back({{0}, UtcTime(-1), {std::nan("")}});
    EXPECT_NE(
        to_text(*answer, Form::Json)
            .find(
                R"("columns":["t","time","v"],"rows":[["a,\"b",1767225600000,1.5],["a,\"b",-1,null]],"more":false,"completeness":{"series":1,"samples":1,"good":1,"damaged_blocks":0},"took_ms":1.500})"),
        std::string::npos);
    EXPECT_EQ(to_text(*answer, Form::Csv).substr(0, 56),
              "t,time,v\r\n\"a,\"\"b\",2026-01-01T00:00:00Z,1.5\r\n\"a,\"\"b\",1969");
}

/// Trucks with gaps, late samples and nonsense; every question also by hand.
class OracleTest : public FleetTest {
protected:
    struct Truck {
        std::string fleet, name;
        std::map<std::int64_t, double> velocity, fuel;
    };

    void drive() {
        Random random(7);
        for (int i = 0; i < 20; ++i) {
            Truck& truck = trucks.emplace_back();
            truck.fleet = i % 3 == 0 ? "East" : i % 3 == 1 ? "North" : "West";
            truck.name = fmt::format("truck_{}", i);
            const TagId v = make_tag(fmt::format("readings/{}/{}", truck.fleet, truck.name), "velocity");
            const TagId f = make_tag(fmt::format("readings/{}/{}", truck.fleet, truck.name), "fuel");
            std::vector<std::pair<std::int64_t, std::pair<TagId, double>>> all;
            double speed = 0;
            for (std::int64_t at = 0; at < 2 * 86400; at += 120) {
                if (random.below(60) == 0) speed = random.below(2) ? 0 : 40;
                const double value = speed == 0 ? 0 : speed + static_cast<double>(random.below(20)) - 10;
                if (random.below(10) != 0) truck.velocity[at] = value;
                if (random.below(10) != 0) truck.fuel[at] = static_cast<double>(random.below(500)) / 10;
                if (truck.velocity.contains(at)) all.push_back({at, {v, value}});
                if (truck.fuel.contains(at)) all.push_back({at, {f, truck.fuel[at]}});
            }
            for (std::size_t k = 0; k + 30 < all.size(); k += 3) std::swap(all[k], all[k + random.below(30)]);
            for (std::size_t k = 0; k < all.size(); ++k) {
                record(all[k].second.first, all[k].first, all[k].second.second);
                if (i == 10 && k == all.size() / 2) flush();
            }
        }
        shards.run();
    }

    /// Mean velocity by ten minutes.
    static std::map<std::int64_t, double> means(const std::map<std::int64_t, double>& samples, std::int64_t step) {
        std::map<std::int64_t, std::pair<double, int>> sums;
        for (const auto& [at, value] : samples) {
            sums[at / step * step].first += value;
            ++sums[at / step * step].second;
        }
        std::map<std::int64_t, double> found;
        for (const auto& [at, sum] : sums) found[at] = sum.first / sum.second;
        return found;
    }

    std::vector<Truck> trucks;
};

TEST_F(OracleTest, AgreesOnDailyDriving) {
    drive();
    std::map<std::string, double> expected;
    for (const Truck& truck : trucks) {
        std::map<std::int64_t, int> days;
        for (const auto& [at, mean] : means(truck.velocity, 600)) days[at / 86400] += mean > 1;
        double hours = 0;
        int count = 0;
        for (const auto& [day, buckets] : days) {
            if (buckets == 0) continue;
            hours += buckets / 6.0;
            ++count;
        }
        if (count > 0) expected[truck.fleet + "," + truck.name] = hours / count;
    }
    Lines lines;
    for (const auto& [name, hours] : expected) lines.push_back(fmt::format("{}|{:.6g}", name, hours));
    EXPECT_EQ(rows(R"({"select":[{"name":"v","tags":"readings/{fleet}/{truck}/velocity"}],"from":"2026-01-01",
        "to":"2026-01-03","bucket":"10m","where":"v > 1",
        "per":{"bucket":"1d","values":[{"name":"n","aggregate":"count"}]},
        "group":{"by":["fleet","truck"],"values":[{"name":"hours","aggregate":"mean","of":"n / 6"}]}})"),
              lines);
}

TEST_F(OracleTest, AgreesOnFuelWhileDriving) {
    drive();
    std::map<std::string, std::pair<double, int>> sums;
    for (const Truck& truck : trucks) {
        for (const auto& [at, fuel] : truck.fuel) {
            const auto v = truck.velocity.find(at);
            if (v == truck.velocity.end() || v->second <= 1) continue;
            sums[truck.fleet].first += fuel;
            ++sums[truck.fleet].second;
        }
    }
    Lines lines;
    for (const auto& [fleet, sum] : sums) lines.push_back(fmt::format("{}|{:.6g}", fleet, sum.first / sum.second));
    EXPECT_EQ(rows(R"({"select":[{"name":"v","tags":"readings/{fleet}/*/velocity"},
        {"name":"s","tags":"readings/{fleet}/*/fuel"}],"from":"2026-01-01","to":"2026-01-03"})")
                  .size(),
              3u);
    const auto answer = ask(R"({"select":[
        {"name":"s","tags":"readings/{fleet}/{truck}/fuel","aggregate":"sum","when":"v > 1"},
        {"name":"n","tags":"readings/{fleet}/{truck}/fuel","aggregate":"count","when":"v > 1"},
        {"name":"v","tags":"readings/{fleet}/{truck}/velocity"}],
        "from":"2026-01-01","to":"2026-01-03",
        "group":{"by":["fleet"],"values":[{"name":"s","aggregate":"sum","of":"s"},{"name":"n","aggregate":"sum","of":"n"}]}})");
    ASSERT_TRUE(answer) << answer.error().message();
    Lines found;
    for (const Answer::Row& row : answer->rows)
        found.push_back(fmt::format("{}|{:.6g}", answer->strings[row.texts[0]], row.numbers[0] / row.numbers[1]));
    EXPECT_EQ(found, lines);
}

TEST_F(OracleTest, AgreesOnSessions) {
    drive();
    // A session begins where a bucket above 5 follows one that is not, and ends where the next is not.
    std::map<std::pair<std::string, std::int64_t>, std::pair<double, int>> sums;
    for (const Truck& truck : trucks) {
        std::optional<bool> before;
        std::optional<std::int64_t> begun;
        for (const auto& [at, mean] : means(truck.velocity, 600)) {
            const bool driving = mean > 5;
            if (before && driving && !*before) begun = at;
            if (begun && !driving) {
                auto& sum = sums[{truck.name, *begun / 86400}];
                sum.first += static_cast<double>(at - *begun);
                ++sum.second;
                begun.reset();
            }
            before = driving;
        }
    }
    Lines lines;
    for (const auto& [name, sum] : sums)
        lines.push_back(fmt::format("{}|{}|{:.6g}", name.first, name.second * 86400, sum.first / sum.second));
    EXPECT_EQ(rows(R"({"select":[{"name":"v","tags":"readings/*/{truck}/velocity"}],"from":"2026-01-01",
        "to":"2026-01-03","bucket":"10m","where":"v > 5",
        "per":{"bucket":"1d","values":[{"name":"seconds","aggregate":"mean_run"}]}})"),
              lines);
}

}  // namespace
}  // namespace lineshaft::fleet
