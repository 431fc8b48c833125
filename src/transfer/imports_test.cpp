#include "transfer/imports.h"

#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/forgetful_disk.h"
#include "support/manual_pool.h"
#include "support/manual_shard.h"
#include "transfer/internal/packer.h"

namespace lineshaft::transfer {
namespace {

constexpr TenantId tenant{1};

/// Takes readings while there is room; durable when the shard runs on.
class FakeReadings final : public flow::ReadingSink {
public:
    explicit FakeReadings(Shard& shard) : shard_(shard) {}
    flow::Took offer(ReadingBatch& batch, flow::Settled& settled) override {
        if (room == 0) return flow::Took::None;
        --room;
        const ReadingBatch taken = std::move(batch);
        count += taken.size();
        source = taken.source;
        shard_.post([done = std::move(settled), result = answer]() mutable { done(result); });
        return flow::Took::All;
    }
    void when_ready(Task task) override { waiting.push_back(std::move(task)); }
    void make_room(std::size_t batches) {
        room = batches;
        for (Task& task : std::exchange(waiting, {})) shard_.post(std::move(task));
    }
    std::size_t room = 1'000'000, count = 0;
    std::string source;
    Result<void> answer;
    std::vector<Task> waiting;

private:
    Shard& shard_;
};

std::string lines(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i)
        text += fmt::format("pump,line=a speed={} {}000000000\n", i, 1'700'000'000 + i);
    return text;
}

class ImportsTest : public ::testing::Test {
protected:
    ImportsTest() { options.directory = "/imports"; }
    ~ImportsTest() override {
        imports.reset();
        shard.run();
    }
    void open(WorkerPool& with) {
        imports = Imports::create(disk, with, shard, readings, options).value();
        shard.run();
    }
    template <class Method, class... Arguments>
    Result<Import> ask(Method method, Arguments... arguments) {
        std::optional<Result<Import>> answer;
        (imports.get()->*method)(shard, std::move(arguments)...,
                                 [&](Result<Import> got) { answer = std::move(got); });
        shard.run();
        return answer ? *answer : Result<Import>(fail(ErrorCode::Timeout));
    }
    std::uint64_t uploaded(const std::string& text) {
        Import wanted;
        wanted.tenant = tenant;
        wanted.name = "file.lp";
        wanted.bytes = text.size();
        const std::uint64_t id = ask(&Imports::post_create, wanted).value().id;
        EXPECT_TRUE(ask(&Imports::post_append, tenant, id, 0, text));
        return id;
    }
    Import state(std::uint64_t id) { return ask(&Imports::post_get, tenant, id).value(); }

    testing::ManualClock clock;
    testing::ManualShard shard{clock};
    testing::ForgetfulDisk disk;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    FakeReadings readings{shard};
    Imports::Options options;
    std::unique_ptr<Imports> imports;
};

TEST_F(ImportsTest, PointsAreCountedWhenTheyAreDurable) {
    open(*pool);
    const std::uint64_t id = uploaded(lines(50'000) + "no line\n");
    EXPECT_TRUE(ask(&Imports::post_start, tenant, id, false));
    const Import done = state(id);
    EXPECT_EQ(done.state, ImportState::Done);
    EXPECT_EQ(done.points, 50'000u);
    EXPECT_EQ(done.refused, 1u);
    EXPECT_EQ(done.refusals.at(0).line, 50'001u);
    EXPECT_EQ(done.options.format, wire::dump::Format::LineProtocol);
    ASSERT_EQ(done.tags.size(), 1u);
    EXPECT_EQ(done.tags[0].device + "|" + done.tags[0].address, "pump/a|speed");
    EXPECT_EQ(readings.count, 50'000u);
    EXPECT_EQ(readings.source, "import/file.lp");
}

TEST_F(ImportsTest, ADryRunStoresNothing) {
    open(*pool);
    const std::uint64_t id = uploaded(lines(100));
    EXPECT_TRUE(ask(&Imports::post_start, tenant, id, true));
    EXPECT_EQ(state(id).points, 100u);
    EXPECT_EQ(readings.count, 0u);
    EXPECT_TRUE(ask(&Imports::post_start, tenant, id, false));
    EXPECT_EQ(readings.count, 100u);
}

TEST_F(ImportsTest, PackedFilesAreUnpacked) {
    open(*pool);
    for (const Packing packing : {Packing::Gzip, Packing::Zstd}) {
        Bytes packed;
        auto packer = Packer::create(packing);
        packer->add(lines(1000), packed);
        packer->end(packed);
        const std::uint64_t id = uploaded(std::string(as_text(packed)));
        EXPECT_TRUE(ask(&Imports::post_start, tenant, id, false));
        EXPECT_EQ(state(id).points, 1000u);
    }
}

TEST_F(ImportsTest, AFullHouseIsWaitedForAndMayBeLeft) {
    open(*pool);
    readings.room = 2;
    const std::uint64_t id = uploaded(lines(20'000));
    EXPECT_TRUE(ask(&Imports::post_start, tenant, id, false));
    EXPECT_EQ(state(id).state, ImportState::Running);
    readings.make_room(1'000);
    shard.run();
    EXPECT_EQ(state(id).state, ImportState::Done);
    EXPECT_EQ(readings.count, 20'000u);

    readings.room = 0;
    const std::uint64_t other = uploaded(lines(10));
    EXPECT_TRUE(ask(&Imports::post_start, tenant, other, false));
    bool closed = false;
    imports->close([&] { closed = true; });
    shard.run();
    EXPECT_TRUE(closed);
}

TEST_F(ImportsTest, WhatFailedGoesOnBehindWhatIsDurable) {
    open(*pool);
    readings.answer = fail(ErrorCode::DiskFull, "no room");
    const std::uint64_t id = uploaded(lines(10));
    EXPECT_TRUE(ask(&Imports::post_start, tenant, id, false));
    EXPECT_EQ(state(id).state, ImportState::Failed);
    EXPECT_EQ(state(id).points, 0u);
    readings.answer = {};
    EXPECT_TRUE(ask(&Imports::post_start, tenant, id, false));
    EXPECT_EQ(state(id).points, 10u);
}

/// The process dies after any number of steps: in the end every point was given at least once, and counted once.
TEST_F(ImportsTest, AfterAKillAnImportIsExactByCount) {
    for (int steps = 1; steps < 30; steps += 4) {
        testing::ManualPool later;
        open(*pool);
        const std::uint64_t id = uploaded(lines(200'000));
        imports.reset();
        shard.run();
        readings.count = 0;
        open(later);
        imports->post_start(shard, tenant, id, false, [](const Result<Import>&) {});
        for (int i = 0; i < steps; ++i) {
            shard.run();
            later.run_one();
        }
        imports.reset();
        later.drop();
        shard.run();
        disk.lose_power();
        clock.advance(1s);
        open(*pool);
        if (state(id).state == ImportState::Uploading) EXPECT_TRUE(ask(&Imports::post_start, tenant, id, false));
        shard.run();
        EXPECT_EQ(state(id).state, ImportState::Done) << steps;
        EXPECT_EQ(state(id).points, 200'000u) << steps;
        EXPECT_GE(readings.count, 200'000u) << steps;
        EXPECT_TRUE(ask(&Imports::post_remove, tenant, id));
        imports.reset();
        shard.run();
    }
}

TEST_F(ImportsTest, AnUploadGoesOnWhereItStopped) {
    open(*pool);
    Import wanted;
    wanted.tenant = tenant;
    wanted.name = "a";
    wanted.bytes = 10;
    const std::uint64_t id = ask(&Imports::post_create, wanted).value().id;
    EXPECT_EQ(ask(&Imports::post_append, tenant, id, 0, "01234").value().received, 5u);
    EXPECT_EQ(ask(&Imports::post_start, tenant, id, false).error().code(), ErrorCode::Conflict);
    imports.reset();
    shard.run();
    disk.lose_power();
    open(*pool);
    EXPECT_EQ(state(id).received, 5u);
    EXPECT_EQ(ask(&Imports::post_append, tenant, id, 3, "x").error().code(), ErrorCode::Conflict);
    EXPECT_EQ(ask(&Imports::post_append, tenant, id, 5, "56789").value().received, 10u);
    EXPECT_EQ(ask(&Imports::post_get, TenantId(2), id).error().code(), ErrorCode::NotFound);
}

}  // namespace
}  // namespace lineshaft::transfer
