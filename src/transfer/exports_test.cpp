#include "transfer/exports.h"

#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/forgetful_disk.h"
#include "support/manual_pool.h"
#include "support/manual_shard.h"
#include "transfer/internal/encoder.h"
#include "wire/table/decompress.h"

namespace lineshaft::transfer {
namespace {

constexpr TenantId tenant{1};
constexpr std::int64_t second = 1'000'000'000;
constexpr UtcTime start{1'700'000'000 * second};  // 2023-11-14T22:13:20Z.

std::string unpacked(ByteView bytes) {
    std::string text;
    auto unpack = wire::table::Decompressor::create(bytes);
    const auto take = [&](ByteView piece) { text += as_text(piece); };
    EXPECT_TRUE(unpack->feed(bytes, take));
    EXPECT_TRUE(unpack->finish());
    return text;
}

std::size_t lines_of(const std::string& text) { return static_cast<std::size_t>(std::ranges::count(text, '\n')); }

class ExportsTest : public ::testing::Test {
protected:
    ExportsTest() {
        store::Options options;
        options.path = "/store";
        store = store::Historians::create(shards, disk, *pool, *pool, options).value();
        export_options.directory = "/exports";
        export_options.disk_free_min = 0;
        export_options.step_bytes = 4096;
        export_options.mark_bytes = 16 * 1024;
    }
    ~ExportsTest() override {
        exports.reset();
        shards.run();
        store->close(shards.at(0), [] {});
        shards.run();
    }

    ExportTag make_tag(std::uint64_t id, std::size_t samples, ValueType type = ValueType::Double) {
        ExportTag tag{TagId(id),
                      ShardId(static_cast<std::uint16_t>(id % 2)),
                      fmt::format("Line/Pump/tag {}", id),
                      "Line/Pump",
                      "bar",
                      type};
        store::Historian& home = store->at(tag.home);
        home.register_series(tag.id, {tag.path, tag.unit, tag.type, tag.device, tenant});
        Batch batch;
        batch.receive_time = start;
        for (std::size_t i = 0; i < samples; ++i) {
            const UtcTime time = start + Duration(static_cast<std::int64_t>(i) * 10 * second);
            const Value value =
                type == ValueType::String ? Value(fmt::format("step, \"{}\"", i)) : Value(static_cast<double>(i) / 4);
            batch.add(tag.id, time, value, i % 10 ? Quality::good : Quality(0x80310000));
            if (batch.size() == 4096 || i + 1 == samples) {
                home.offer(batch);
                shards.run();
                batch = Batch();
                batch.receive_time = start;
            }
        }
        return tag;
    }
    Question question(std::vector<ExportTag> tags, Form form = Form::Csv) {
        Question made;
        made.tags = std::move(tags);
        made.from = start;
        made.to = start + 100 * 24h;
        made.form = form;
        return made;
    }
    std::string streamed(Question asked) {
        auto stream = stream_export(rooms(), shards.at(0), std::move(asked));
        std::string all;
        for (;;) {
            auto piece = stream->next();
            EXPECT_TRUE(piece);
            if (!piece || !*piece) return all;
            all += **piece;
            bool more = false;
            if ((*piece)->empty()) {
                stream->when_more([&] { more = true; });
                shards.run();
                EXPECT_TRUE(more);
            }
        }
    }
    ExportRooms rooms() { return {shards, *store, *pool, disk}; }
    void open() { exports = Exports::create(rooms(), shards.at(0), export_options).value(); }
    Result<Export> created(Question asked, Split split = Split::None) {
        std::optional<Result<Export>> answer;
        exports->post_create(shards.at(1), {tenant, "my export", "user anna", split, std::move(asked)},
                             [&](Result<Export> made) { answer = std::move(made); });
        shards.run();
        return *answer;
    }
    Result<Export> state(std::uint64_t id) {
        std::optional<Result<Export>> answer;
        exports->post_get(shards.at(1), tenant, id, [&](Result<Export> got) { answer = std::move(got); });
        shards.run();
        return *answer;
    }
    Result<Exports::Opened> opened(std::uint64_t id, std::string name = {}) {
        std::optional<Result<Exports::Opened>> answer;
        exports->post_open(shards.at(1), tenant, id, std::move(name),
                           [&](Result<Exports::Opened> got) { answer = std::move(got); });
        shards.run();
        return *answer;
    }

    testing::ManualClock clock;
    testing::ManualShards shards{2, clock};
    testing::ForgetfulDisk disk;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::unique_ptr<store::Historians> store;
    Exports::Options export_options;
    std::unique_ptr<Exports> exports;
};

TEST_F(ExportsTest, AStreamSaysEveryRowOfEveryTag) {
    const std::string csv = streamed(question({make_tag(1, 3), make_tag(2, 2, ValueType::String)}));
    EXPECT_EQ(csv,
              "time,tag,value,quality,unit,type,device\n"
              "2023-11-14T22:13:20Z,Line/Pump/tag 1,0,BadNoCommunication,bar,double,Line/Pump\n"
              "2023-11-14T22:13:30Z,Line/Pump/tag 1,0.25,Good,bar,double,Line/Pump\n"
              "2023-11-14T22:13:40Z,Line/Pump/tag 1,0.5,Good,bar,double,Line/Pump\n"
              "2023-11-14T22:13:20Z,Line/Pump/tag 2,\"step, \"\"0\"\"\",BadNoCommunication,bar,string,Line/Pump\n"
              "2023-11-14T22:13:30Z,Line/Pump/tag 2,\"step, \"\"1\"\"\",Good,bar,string,Line/Pump\n");
    const std::string json = streamed(question({make_tag(2, 1, ValueType::String)}, Form::JsonLines));
    EXPECT_EQ(json.substr(0, json.find('\n')),
              R"({"time":"2023-11-14T22:13:20Z","tag":"Line/Pump/tag 2","value":"step, \"0\"","quality":)"
              R"("BadNoCommunication","unit":"bar","type":"string","device":"Line/Pump"})");
}

TEST_F(ExportsTest, ATagThatNeverSpokeIsNoRow) {
    ExportTag silent{TagId(99), ShardId(0), "a", "b", "", ValueType::Double};
    EXPECT_EQ(lines_of(streamed(question({silent, make_tag(1, 2), silent}))), 3u);
    EXPECT_EQ(lines_of(streamed(question({}))), 1u);
}

TEST_F(ExportsTest, PackedTextIsTheSameText) {
    const ExportTag tag = make_tag(1, 20'000);
    const std::string plain = streamed(question({tag}));
    EXPECT_EQ(lines_of(plain), 20'001u);
    for (const Packing packing : {Packing::Gzip, Packing::Zstd}) {
        Question asked = question({tag});
        asked.packing = packing;
        EXPECT_EQ(unpacked(as_bytes(streamed(asked))), plain);
    }
}

TEST_F(ExportsTest, BucketsAreOneAfterTheOtherHoweverLongTheTime) {
    const ExportTag tag = make_tag(1, 600);
    Question asked = question({tag});
    asked.resolution = 60s;  // 144,000 buckets: more than one stretch.
    asked.aggregates = {Aggregate::Min, Aggregate::Mean, Aggregate::Count};
    const std::string csv = streamed(asked);
    EXPECT_EQ(lines_of(csv), 102u);
    EXPECT_EQ(csv.substr(0, csv.find('\n', csv.find('\n') + 1)),
              "time,tag,min,mean,count,unit\n2023-11-14T22:13:00Z,Line/Pump/tag 1,0.25,0.5,4,bar");
}

/// 11 times their mean is 28.050000000000004.
TEST_F(ExportsTest, ASumIsTheExactOneNotTheMeanTimesTheCount) {
    const ExportTag tag = make_tag(1, 0);
    Batch batch;
    batch.receive_time = start;
    for (int i = 0; i < 11; ++i) batch.add(tag.id, start + i * 1s, Value(0.7 + 0.37 * i), Quality::good);
    store->at(tag.home).offer(batch);
    shards.run();
    Question asked = question({tag});
    asked.resolution = 1h;
    asked.aggregates = {Aggregate::Sum};
    EXPECT_EQ(streamed(asked), "time,tag,sum,unit\n2023-11-14T22:00:00Z,Line/Pump/tag 1,28.05,bar\n");
}

TEST_F(ExportsTest, AJobMakesAFileThatCanBeRead) {
    open();
    const ExportTag tag = make_tag(1, 5'000);
    const std::uint64_t id = created(question({tag})).value().id;
    const Export done = state(id).value();
    EXPECT_EQ(done.state, JobState::Done);
    EXPECT_EQ(done.rows, 5'000u);
    ASSERT_EQ(done.files.size(), 1u);
    EXPECT_EQ(done.files[0].name, "my-export.csv");
    const auto file = opened(id).value();
    EXPECT_EQ(as_text(file.content->map()), streamed(question({tag})));
    EXPECT_EQ(opened(id + 1).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(opened(id, "other").error().code(), ErrorCode::NotFound);
}

TEST_F(ExportsTest, ASplitJobMakesAFileForEachDay) {
    open();
    const std::uint64_t id = created(question({make_tag(1, 10'000), make_tag(2, 10)}), Split::Day).value().id;
    const Export done = state(id).value();
    ASSERT_EQ(done.files.size(), 3u);  // 10,000 × 10 s from the evening of the 14th.
    EXPECT_EQ(done.files[0].name, "my-export-2023-11-14.csv");
    EXPECT_EQ(done.files[0].rows + done.files[1].rows + done.files[2].rows, 10'010u);
    EXPECT_EQ(opened(id).error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(lines_of(std::string(as_text(opened(id, done.files[1].name).value().content->map()))), 8641u);
}

/// The power goes after every number of steps: whatever was written, what comes out in the end is every row once.
TEST_F(ExportsTest, AfterAPowerCutAJobGoesOnWhereItWas) {
    const ExportTag tag = make_tag(1, 30'000), other = make_tag(2, 777);
    for (const Form form : {Form::Csv, Form::Parquet}) {
        open();
        const std::uint64_t whole_id = created(question({tag, other}, form)).value().id;
        const std::uint64_t expected_rows = state(whole_id).value().rows;
        EXPECT_EQ(expected_rows, 30'777u);
        const Bytes whole(opened(whole_id).value().content->map().begin(),
                          opened(whole_id).value().content->map().end());
        std::size_t resumed_later = 0;
        for (int cut = 1; cut < 60; cut += 7) {
            std::uint64_t id = 0;
            testing::ManualPool later;
            exports = Exports::create({shards, *store, later, disk}, shards.at(0), export_options).value();
            exports->post_create(shards.at(1), {tenant, "cut", "", Split::None, question({tag, other}, form)},
                                 [&](Result<Export> made) { id = made.value().id; });
            for (int i = 0; i < cut; ++i) {
                shards.run();
                later.run_one();
            }
            exports.reset();
            later.drop();
            shards.run();  // What was on its way finds nobody.
            disk.lose_power();
            clock.advance(1s);
            open();
            shards.run();
            if (id == 0) continue;
            const auto now = state(id);
            if (!now) continue;  // Not yet told anybody.
            EXPECT_EQ(now->state, JobState::Done) << now->error;
            EXPECT_EQ(now->rows, expected_rows) << cut;
            const auto file = opened(id).value();
            if (form == Form::Csv) EXPECT_TRUE(std::ranges::equal(file.content->map(), whole)) << cut;
            EXPECT_EQ(file.file.rows, expected_rows);
            ++resumed_later;
        }
        EXPECT_GT(resumed_later, 3u);
        exports.reset();
    }
}

TEST_F(ExportsTest, ExportsGoWithTimeAndTheOldestFirst) {
    export_options.bytes_max = 400'000;
    open();
    const ExportTag tag = make_tag(1, 3'000);
    const std::uint64_t first = created(question({tag})).value().id;
    clock.advance(1s);
    const std::uint64_t second_one = created(question({tag})).value().id;
    EXPECT_EQ(state(first).error().code(), ErrorCode::NotFound);  // Both are more than may be kept.
    EXPECT_EQ(state(second_one).value().state, JobState::Done);
    shards.advance(8 * 24h);
    EXPECT_EQ(state(second_one).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(disk.list("/exports").value().size(), 0u);
}

TEST_F(ExportsTest, WhatIsRemovedLeavesNothing) {
    open();
    const std::uint64_t id = created(question({make_tag(1, 100)})).value().id;
    std::optional<Result<Export>> answer;
    exports->post_remove(shards.at(1), TenantId(2), id, [&](Result<Export> gone) { answer = std::move(gone); });
    shards.run();
    EXPECT_EQ(answer->error().code(), ErrorCode::NotFound);  // Of another tenant.
    exports->post_remove(shards.at(1), tenant, id, [&](Result<Export> gone) { answer = std::move(gone); });
    shards.run();
    EXPECT_TRUE(answer->has_value());
    EXPECT_EQ(disk.list("/exports").value().size(), 0u);
}

TEST(QualityTextTest, EveryCodeComesBack) {
    EXPECT_EQ(quality_text(Quality::good), "Good");
    EXPECT_EQ(quality_text(Quality(0x80310000)), "BadNoCommunication");
    EXPECT_EQ(quality_text(Quality(0x00A20000)), "0x00A20000");
}

}  // namespace
}  // namespace lineshaft::transfer
