#include "store/ledger.h"

#include <bit>

#include "north/rest/internal/test_house.h"

namespace lineshaft::rest {
namespace {

class LedgerRestTest : public TestHouse {
protected:
    /// `count` samples of `tag`, a second apart, the last one now.
    void send(TagId tag, const std::string& source, int count, double value = 0) {
        store::Historian& home = home_of(tag);
        const registry::Tag& known = *registry->snapshot(shards.at(1))->tag(tag);
        const std::string device = registry->snapshot(shards.at(1))->device(known.device)->name;
        home.register_series(tag, {known.path, known.unit, known.type, device, tenant});
        Batch batch;
        batch.source = home.source_id(source);
        batch.first_sequence = home.last_sequence(batch.source) + 1;
        batch.receive_time = clock.utc_now();
        for (int i = 0; i < count; ++i)
            batch.add(tag, clock.utc_now() - (count - 1 - i) * 1s, ValueType::Double,
                      std::bit_cast<std::uint64_t>(value + i % 5), Quality::good);
        home.offer(batch);
        shards.run();
    }
};

TEST_F(LedgerRestTest, SourcesSayWhetherAllIsStored) {
    const TagId tag = make_tag("Filler", "temp");
    send(tag, "mqtt/filler", 60);
    const Json list = get("/api/v1/ledger/sources?prefix=mqtt/").json();
    ASSERT_EQ(list["items"].size(), 1u) << list.dump();
    EXPECT_EQ(list["items"][0]["source"], "mqtt/filler");
    EXPECT_EQ(list["items"][0]["complete"], true);
    EXPECT_EQ(list["items"][0]["samples"], 60);
    EXPECT_EQ(list["items"][0]["streams"][0]["complete_to"], 60);
    EXPECT_TRUE(list["next"].is_null());
    EXPECT_TRUE(get("/api/v1/ledger/sources?q=other").json()["items"].empty());
    EXPECT_EQ(ask("GET", "/api/v1/ledger/sources").status, 401u);
}

TEST_F(LedgerRestTest, SourcesOfOtherTenantsAreNotShown) {
    const TagId tag = make_tag("Filler", "temp");
    send(tag, "7:mqtt/secret", 10);
    EXPECT_TRUE(get("/api/v1/ledger/sources").json()["items"].empty());
    EXPECT_TRUE(get("/api/v1/ledger").json()["items"].empty());
}

TEST_F(LedgerRestTest, SourcesComePageByPage) {
    const TagId tag = make_tag("Filler", "temp");
    for (const char* name : {"mqtt/a", "mqtt/b", "mqtt/c"}) send(tag, name, 1);
    const Json first = get("/api/v1/ledger/sources?limit=2").json();
    EXPECT_EQ(column(first, "source"), (std::vector<std::string>{"mqtt/a", "mqtt/b"}));
    const Json second = get("/api/v1/ledger/sources?limit=2&cursor=" + first["next"].get<std::string>()).json();
    EXPECT_EQ(column(second, "source"), (std::vector<std::string>{"mqtt/c"}));
    EXPECT_TRUE(second["next"].is_null());
}

TEST_F(LedgerRestTest, HoursCountWhatWasReceived) {
    const TagId tag = make_tag("Filler", "temp");
    send(tag, "mqtt/filler", 60);
    shards.advance(1h);
    send(tag, "mqtt/filler", 30);
    const Json hours = get("/api/v1/ledger?source=mqtt/filler&from=now-5h").json();
    ASSERT_EQ(hours["items"].size(), 2u) << hours.dump();
    EXPECT_EQ(hours["items"][0]["stored"], 60);
    EXPECT_EQ(hours["items"][1]["stored"], 30);
    EXPECT_EQ(hours["items"][1]["ranges"], Json::parse("[[61,90]]"));
    EXPECT_EQ(hours["up"].size(), 1u);
    EXPECT_EQ(hours["more"], false);
    EXPECT_TRUE(get("/api/v1/ledger?source=nobody").json()["items"].empty());
    EXPECT_EQ(get("/api/v1/ledger?from=yesterdayish").status, 422u);
}

TEST_F(LedgerRestTest, HistorySaysWhatIsMissing) {
    const TagId tag = make_tag("Filler", "temp");
    send(tag, "mqtt/filler", 60);
    shards.advance(40s + 60s);
    send(tag, "mqtt/filler", 60);
    const Json known = get("/api/v1/history?tags=Filler/temp&from=now-10m").json()["series"][0]["completeness"];
    EXPECT_EQ(known["samples"], 120);
    EXPECT_EQ(known["expected"], 160);
    EXPECT_EQ(known["cadence_s"], 1.0);
    EXPECT_EQ(known["cadence_from"], "learned");
    ASSERT_EQ(known["missing"].size(), 1u) << known.dump();
    EXPECT_EQ(known["missing"][0]["samples"], 40);
    EXPECT_EQ(known["missing"][0]["reason"], "unknown");
    EXPECT_EQ(known["missing_s"], 40.0);
    const Json counts = get("/api/v1/history?tags=Filler/temp&from=now-10m&completeness=counts").json();
    EXPECT_FALSE(counts["series"][0]["completeness"].contains("missing"));
}

TEST_F(LedgerRestTest, QualityIsWorstFirstAndDrillsDown) {
    const TagId good = make_tag("Plant/A", "temp");
    const TagId poor = make_tag("Plant/B", "temp");
    make_tag("Other/C", "never");
    send(good, "mqtt/a", 600);
    send(poor, "mqtt/b", 60);
    shards.advance(300s);
    send(good, "mqtt/a", 300);
    send(poor, "mqtt/b", 60);
    const Json below = get("/api/v1/data-quality?prefix=Plant&from=now-20m").json();
    EXPECT_EQ(column(below, "path"), (std::vector<std::string>{"Plant/B", "Plant/A"}));
    EXPECT_EQ(below["items"][0]["kind"], "device");
    EXPECT_EQ(below["items"][0]["missing"], 240);
    EXPECT_EQ(below["items"][1]["missing"], 0);
    EXPECT_EQ(below["total"]["tags"], 2);
    const Json top = get("/api/v1/data-quality?from=now-20m").json();
    EXPECT_EQ(column(top, "path"), (std::vector<std::string>{"Other", "Plant"}));
    EXPECT_EQ(top["items"][0]["silent"], 1);
    EXPECT_EQ(column(get("/api/v1/data-quality?by=tag&limit=1&prefix=Plant").json(), "path"),
              (std::vector<std::string>{"Plant/B/temp"}));
    EXPECT_EQ(get("/api/v1/data-quality?asset=nowhere").status, 404u);
    EXPECT_EQ(get("/api/v1/data-quality?by=colour").status, 422u);
}

}  // namespace
}  // namespace lineshaft::rest
