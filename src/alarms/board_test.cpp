#include "alarms/board.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <optional>
#include <tuple>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/manual_shard.h"

namespace lineshaft::alarms {
namespace {

using registry::ItemResult;
using testing::ManualClock;
using testing::ManualShards;

constexpr TenantId tenant{1};

class BoardTest : public ::testing::Test {
protected:
    BoardTest() {
        const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
        directory =
            std::filesystem::path(::testing::TempDir()) / fmt::format("alarms-{}-{}", info->name(), ::getpid());
        std::filesystem::remove_all(directory);
        std::filesystem::create_directories(directory);
        reopen();
        const DeviceId boiler(must(registry::CreateDevice{.name = "Lyon/Boiler", .protocol = "modbus"}).id);
        tag =
            must(registry::SetDeviceTags{.device = boiler, .tags = {{.address = "temp", .unit = "Cel"}}}).tags.at(0);
        rule = RuleId(must(registry::CreateRule{.tag = tag,
                                                .name = "Boiler too hot",
                                                .limits = {{.kind = LimitKind::High, .threshold = 80}},
                                                .consequence = "Steam",
                                                .action = "Open the valve"})
                          .id);
    }
    ~BoardTest() override {
        board.reset();
        registry.reset();
        std::filesystem::remove_all(directory);
    }

    void reopen() {
        if (board) {
            bool closed = false;
            board->close([&] { closed = true; });
            shards.run();
            EXPECT_TRUE(closed);
        }
        board.reset();
        registry.reset();
        registry =
            registry::Registry::create(shards, *pool, nullptr, {registry::database_path(directory.string())}).value();
        board = Board::create(shards, *registry).value();
    }
    registry::Changed must(registry::Change change) {
        std::optional<Result<registry::Changed>> answer;
        registry->post_change(shards.at(1), tenant, std::move(change), {"user anna", ""},
                              [&](Result<registry::Changed> result) { answer = std::move(result); });
        shards.run();
        return answer->value();
    }
    ConditionEvent event(bool active, double value = 85, LimitKind limit = LimitKind::High) {
        ConditionEvent made;
        made.tenant = tenant;
        made.rule = rule;
        made.tag = tag;
        made.limit = limit;
        made.priority = Priority::High;
        made.active = active;
        made.time = clock.utc_now();
        made.value = value;
        made.threshold = 80;
        return made;
    }
    void tell(const ConditionEvent& event) {
        board->post_event(event);
        shards.advance(100ms);
    }
    void becomes_true() { tell(event(true)); }
    void ends() { tell(event(false, 75)); }
    std::vector<ItemResult> acknowledge(std::vector<AlarmId> ids, TenantId in = tenant,
                                        std::string comment = "seen") {
        std::optional<std::vector<ItemResult>> answer;
        board->post_acknowledge(shards.at(1), in, std::move(ids), "user anna", std::move(comment),
                                [&](std::vector<ItemResult> results) { answer = std::move(results); });
        shards.run();
        EXPECT_TRUE(answer.has_value());
        return answer.value_or(std::vector<ItemResult>());
    }
    std::optional<ErrorCode> acknowledge(AlarmId id, TenantId in = tenant) {
        const auto results = acknowledge(std::vector{id}, in);
        if (results.size() != 1) return ErrorCode::Internal;
        EXPECT_EQ(results[0].id, id.value());
        if (!results[0].error) return std::nullopt;
        return results[0].error->code();
    }
    const AlarmList& list(std::size_t shard = 1) { return *board->list(shards.at(shard)); }
    /// 'A' when nothing is open.
    char state() { return list().alarms.empty() ? 'A' : static_cast<char>(list().alarms[0].state); }
    AlarmId open_id() { return list().alarms.at(0).id; }
    std::vector<JournalEntry> journal(Board::JournalQuery query = {}) {
        std::optional<Result<std::vector<JournalEntry>>> answer;
        board->post_journal(shards.at(1), query, [&](auto entries) { answer = std::move(entries); });
        shards.run();
        return answer->value();
    }
    /// "raised cleared acknowledged", oldest first.
    std::string story(Board::JournalQuery query = {}) {
        std::string text;
        for (const JournalEntry& entry : journal(query)) {
            text = std::string(to_text(entry.event)) + (text.empty() ? "" : " ") + text;
        }
        return text;
    }
    void execute(const std::string& sql) { ASSERT_TRUE(registry->database().execute(sql)); }

    ManualClock clock;
    ManualShards shards{2, clock};
    std::filesystem::path directory;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::unique_ptr<registry::Registry> registry;
    std::unique_ptr<Board> board;
    TagId tag;
    RuleId rule;
};

TEST_F(BoardTest, NormalToActiveWhenTheConditionBecomesTrue) {
    EXPECT_EQ(state(), 'A');
    const UtcTime then = clock.utc_now();
    becomes_true();
    ASSERT_EQ(state(), 'B');
    const Alarm& alarm = list().alarms[0];
    EXPECT_EQ(alarm.name, "Boiler too hot");
    EXPECT_EQ(alarm.tag_path, "Lyon/Boiler/temp");
    EXPECT_EQ(alarm.device, "Lyon/Boiler");
    EXPECT_EQ(alarm.unit, "Cel");
    EXPECT_EQ(alarm.consequence, "Steam");
    EXPECT_EQ(alarm.action, "Open the valve");
    EXPECT_EQ(alarm.raised, then);
    EXPECT_EQ(alarm.value, 85);
    EXPECT_EQ(alarm.threshold, 80);
    EXPECT_EQ(alarm.raises, 1u);
    EXPECT_TRUE(alarm.is_active());
    EXPECT_FALSE(alarm.is_acknowledged());
    EXPECT_EQ(story(), "raised");
}

TEST_F(BoardTest, ActiveToAcknowledgedToNormal) {
    becomes_true();
    EXPECT_EQ(acknowledge(open_id()), std::nullopt);
    ASSERT_EQ(state(), 'C');
    EXPECT_EQ(list().alarms[0].acknowledged_by, "user anna");
    EXPECT_EQ(list().alarms[0].comment, "seen");
    EXPECT_EQ(list().alarms[0].acknowledged_at, clock.utc_now());
    ends();
    EXPECT_EQ(state(), 'A');
    EXPECT_EQ(story(), "raised acknowledged cleared");
}

TEST_F(BoardTest, ActiveToReturnedToAcknowledgedNormal) {
    becomes_true();
    ends();
    ASSERT_EQ(state(), 'D');
    EXPECT_FALSE(list().alarms[0].cleared.is_none());
    EXPECT_EQ(acknowledge(open_id()), std::nullopt);
    EXPECT_EQ(state(), 'A');
    EXPECT_EQ(story(), "raised cleared acknowledged");
}

TEST_F(BoardTest, ReturnedToActiveAgainIsTheSameOccurrence) {
    becomes_true();
    const AlarmId id = open_id();
    ends();
    becomes_true();
    ASSERT_EQ(state(), 'B');
    EXPECT_EQ(open_id(), id);
    EXPECT_EQ(list().alarms[0].raises, 2u);
    EXPECT_TRUE(list().alarms[0].cleared.is_none());
    ends();
    EXPECT_EQ(state(), 'D');
}

TEST_F(BoardTest, ANewOccurrenceGetsANewId) {
    becomes_true();
    const AlarmId first = open_id();
    acknowledge(first);
    ends();
    becomes_true();
    EXPECT_GT(open_id(), first);
    EXPECT_EQ(list().alarms[0].raises, 1u);
    EXPECT_TRUE(list().alarms[0].acknowledged_by.empty());
}

TEST_F(BoardTest, TheEndOfSomethingThatIsNotActiveIsNothing) {
    ends();
    EXPECT_EQ(state(), 'A');
    becomes_true();
    ends();
    ends();
    EXPECT_EQ(state(), 'D');
    EXPECT_EQ(story(), "raised cleared");
}

TEST_F(BoardTest, EachLimitOfARuleIsAnAlarmOfItsOwn) {
    tell(event(true, 85, LimitKind::High));
    tell(event(true, 95, LimitKind::HighHigh));
    ASSERT_EQ(list().alarms.size(), 2u);
    tell(event(false, 85, LimitKind::HighHigh));
    for (const Alarm& alarm : list().alarms) {
        EXPECT_EQ(alarm.is_active(), alarm.limit == LimitKind::High) << to_text(alarm.limit);
    }
}

TEST_F(BoardTest, OnlyAnOpenUnacknowledgedAlarmOfTheTenantCanBeAcknowledged) {
    becomes_true();
    const AlarmId id = open_id();
    EXPECT_EQ(acknowledge(id, TenantId(2)), ErrorCode::NotFound);
    EXPECT_EQ(acknowledge(AlarmId(999)), ErrorCode::NotFound);
    EXPECT_EQ(state(), 'B');
    EXPECT_EQ(acknowledge(id), std::nullopt);
    EXPECT_EQ(acknowledge(id), ErrorCode::Conflict);
    ends();
    EXPECT_EQ(acknowledge(id), ErrorCode::NotFound);
    EXPECT_EQ(story(), "raised acknowledged cleared");
}

TEST_F(BoardTest, ManyAreAcknowledgedAtOnceEachWithItsOwnResult) {
    tell(event(true, 85, LimitKind::High));
    const AlarmId first = open_id();
    tell(event(true, 95, LimitKind::HighHigh));
    const auto results = acknowledge({first, AlarmId(999), first});
    ASSERT_EQ(results.size(), 3u);
    EXPECT_FALSE(results[0].error);
    EXPECT_EQ(results[1].error->code(), ErrorCode::NotFound);
    EXPECT_EQ(results[2].error->code(), ErrorCode::Conflict);
}

TEST_F(BoardTest, TheSameAlarmTwiceInOneListIsOverTheSecondTime) {
    becomes_true();
    ends();
    const AlarmId id = open_id();
    const auto results = acknowledge({id, id});
    EXPECT_FALSE(results[0].error);
    EXPECT_EQ(results[1].error->code(), ErrorCode::NotFound);
}

TEST_F(BoardTest, ALongCommentIsCutBetweenCharacters) {
    becomes_true();
    std::string comment = "x";
    while (comment.size() < 2 * Board::comment_bytes_max) comment += "ü";
    acknowledge({open_id()}, tenant, comment);
    EXPECT_EQ(list().alarms[0].comment.size(), Board::comment_bytes_max - 1);
}

TEST_F(BoardTest, MostUrgentFirst) {
    const auto raise = [this](std::uint64_t number, Priority priority) {
        ConditionEvent made = event(true);
        made.rule = RuleId(number);
        made.priority = priority;
        tell(made);
    };
    raise(101, Priority::Low);
    raise(102, Priority::Critical);
    raise(103, Priority::Medium);
    raise(104, Priority::Critical);
    raise(105, Priority::Critical);
    acknowledge({list().alarms.at(0).id});  // 105.
    std::vector<std::uint64_t> order;
    for (const Alarm& alarm : list().alarms) order.push_back(alarm.rule.value());
    EXPECT_EQ(order, (std::vector<std::uint64_t>{104, 102, 103, 101, 105}));
    EXPECT_EQ(list().alarms[0].name, "Lyon/Boiler/temp");  // No such rule: the tag names it.
}

TEST_F(BoardTest, WhatEndedIsListedNewestFirstAndNoMoreThanTheLimit) {
    std::vector<AlarmId> ids;
    for (std::size_t i = 1; i <= Board::ended_max + 5; ++i) {
        ConditionEvent made = event(true, static_cast<double>(i));
        made.rule = RuleId(1000 + i);
        board->post_event(made);
        made.active = false;
        board->post_event(made);
        ids.emplace_back(i);
    }
    shards.advance(100ms);
    acknowledge(ids);
    EXPECT_TRUE(list().alarms.empty());
    ASSERT_EQ(list().ended.size(), Board::ended_max);
    EXPECT_EQ(list().ended[0].value, Board::ended_max + 5);
    EXPECT_GT(list().ended[0].id, list().ended[1].id);
    EXPECT_EQ(list().ended[0].state, AlarmState::Normal);
    EXPECT_EQ(list().ended[0].acknowledged_by, "user anna");
}

TEST_F(BoardTest, ShardsAreToldAtMostTenTimesASecond) {
    int told = 0;
    const auto id = board->on_change(shards.at(1), [&](const SnapshotOf<AlarmList>&) { ++told; });
    for (int i = 0; i < 1000; ++i) {
        board->post_event(event(i % 2 == 0));
        shards.advance(1ms);
    }
    shards.advance(1s);
    EXPECT_GE(told, 9);
    EXPECT_LE(told, 11);
    EXPECT_EQ(state(), 'D');
    const int before = told;
    shards.advance(1h);
    EXPECT_EQ(told, before);
    board->off_change(shards.at(1), id);
    becomes_true();
    EXPECT_EQ(told, before);
}

TEST_F(BoardTest, EveryShardGetsTheSameListAndVersionsRise) {
    const auto version = list(0).version;
    becomes_true();
    EXPECT_GT(list(0).version, version);
    EXPECT_EQ(&list(0), &list(1));
}

TEST_F(BoardTest, AnAcknowledgementIsShownAtOnceAndOnce) {
    becomes_true();
    int told = 0;
    board->on_change(shards.at(1), [&](const SnapshotOf<AlarmList>&) { ++told; });
    board->post_event(event(true, 95, LimitKind::HighHigh));
    acknowledge({open_id()});
    EXPECT_EQ(told, 1);
    EXPECT_EQ(list().alarms.size(), 2u);
    shards.advance(1s);
    EXPECT_EQ(told, 1);
}

TEST_F(BoardTest, TheJournalIsReadNewestFirstInPages) {
    for (int i = 0; i < 10; ++i) {
        becomes_true();
        ends();
    }
    std::vector<std::uint64_t> numbers;
    Board::JournalQuery query{.limit = 7};
    for (;;) {
        const auto page = journal(query);
        if (page.empty()) break;
        EXPECT_LE(page.size(), 7u);
        for (const JournalEntry& entry : page) numbers.push_back(entry.number);
        query.before = page.back().number;
    }
    EXPECT_EQ(numbers.size(), 20u);
    EXPECT_TRUE(std::ranges::is_sorted(numbers, std::greater()));
}

TEST_F(BoardTest, TheJournalIsFilteredByTimeTagAndTenant) {
    const UtcTime first = clock.utc_now();
    becomes_true();
    shards.advance(1h);
    const UtcTime second = clock.utc_now();
    ends();
    EXPECT_EQ(story({.from = first, .to = second}), "raised");
    EXPECT_EQ(story({.from = second}), "cleared");
    EXPECT_EQ(story({.tag = tag}), "raised cleared");
    EXPECT_EQ(story({.tag = TagId(999)}), "");
    EXPECT_EQ(story({.tenant = TenantId(2)}), "");
}

TEST_F(BoardTest, AJournalEntryTellsWhoWhatAndWhen) {
    becomes_true();
    shards.advance(1min);
    acknowledge({open_id()}, tenant, "valve opened");
    const auto entries = journal();
    ASSERT_EQ(entries.size(), 2u);
    EXPECT_EQ(entries[0].by, "user anna");
    EXPECT_EQ(entries[0].comment, "valve opened");
    EXPECT_EQ(entries[0].time, clock.utc_now());
    EXPECT_EQ(entries[0].alarm, open_id());
    EXPECT_EQ(entries[1].tag_path, "Lyon/Boiler/temp");
    EXPECT_EQ(entries[1].name, "Boiler too hot");
    EXPECT_EQ(entries[1].value, 85);
    EXPECT_EQ(entries[1].threshold, 80);
    EXPECT_EQ(entries[1].limit, LimitKind::High);
    EXPECT_EQ(entries[1].priority, Priority::High);
}

TEST_F(BoardTest, OpenAlarmsAndTheirConditionsSurviveARestart) {
    becomes_true();
    tell(event(true, 95, LimitKind::HighHigh));
    tell(event(false, 85, LimitKind::HighHigh));
    const Alarm before = list().alarms[1];
    acknowledge({before.id});
    const std::vector<Alarm> alarms = list().alarms;
    reopen();
    ASSERT_EQ(list().alarms.size(), alarms.size());
    for (std::size_t i = 0; i < alarms.size(); ++i) {
        const Alarm& a = alarms[i];
        const Alarm& b = list().alarms[i];
        EXPECT_EQ(
            std::tie(a.id, a.tenant, a.rule, a.tag, a.limit, a.priority, a.state, a.name, a.tag_path, a.device),
            std::tie(b.id, b.tenant, b.rule, b.tag, b.limit, b.priority, b.state, b.name, b.tag_path, b.device));
        EXPECT_EQ(
            std::tie(a.unit, a.consequence, a.action, a.raised, a.cleared, a.acknowledged_at, a.acknowledged_by),
            std::tie(b.unit, b.consequence, b.action, b.raised, b.cleared, b.acknowledged_at, b.acknowledged_by));
        EXPECT_EQ(std::tie(a.comment, a.value, a.threshold, a.raises),
                  std::tie(b.comment, b.value, b.threshold, b.raises));
    }
    // Only what is active is for the rules to watch; what has returned to normal waits for a person alone.
    std::size_t active = 0;
    for (const Alarm& alarm : alarms) active += alarm.is_active() ? 1 : 0;
    const auto conditions = board->active_conditions();
    ASSERT_EQ(conditions.size(), active);
    for (const ConditionEvent& condition : conditions) {
        EXPECT_TRUE(condition.active);
        EXPECT_EQ(condition.rule, rule);
        EXPECT_EQ(condition.tag, tag);
    }
}

TEST_F(BoardTest, WhatIsOverBeforeARestartIsGoneAfterItAndItsIdIsNotUsedAgain) {
    becomes_true();
    const AlarmId id = open_id();
    acknowledge({id});
    ends();
    reopen();
    EXPECT_EQ(state(), 'A');
    EXPECT_TRUE(board->active_conditions().empty());
    becomes_true();
    EXPECT_GT(open_id(), id);
    EXPECT_EQ(story(), "raised acknowledged cleared raised");
}

TEST_F(BoardTest, AConditionThatCannotBeWrittenIsShownAllTheSameAndWrittenLater) {
    execute("ALTER TABLE alarm_journal RENAME TO away");
    becomes_true();
    EXPECT_EQ(state(), 'B');
    execute("ALTER TABLE away RENAME TO alarm_journal");
    EXPECT_EQ(story(), "");
    shards.advance(5s);
    EXPECT_EQ(story(), "raised");
    reopen();
    EXPECT_EQ(state(), 'B');
}

TEST_F(BoardTest, AnAcknowledgementIsAnsweredOnlyWhenItIsOnDisk) {
    becomes_true();
    execute("ALTER TABLE alarm_journal RENAME TO away");
    bool answered = false;
    board->post_acknowledge(shards.at(1), tenant, {open_id()}, "user anna", "",
                            [&](const std::vector<ItemResult>&) { answered = true; });
    shards.advance(4s);
    EXPECT_FALSE(answered);
    ends();  // Comes while the first waits: the order stays.
    execute("ALTER TABLE away RENAME TO alarm_journal");
    shards.advance(5s);
    EXPECT_TRUE(answered);
    EXPECT_EQ(story(), "raised acknowledged cleared");
    reopen();
    EXPECT_EQ(state(), 'A');
}

TEST_F(BoardTest, AValueThatIsNoNumberDoesNotBlockTheJournal) {
    tell(event(true, std::nan("")));
    EXPECT_EQ(state(), 'B');
    EXPECT_EQ(story(), "raised");
    reopen();
    EXPECT_EQ(state(), 'B');
}

TEST_F(BoardTest, TheSinkOfAShardTellsTheBoard) {
    BoardSink sink(*board);
    sink.offer(event(true));
    shards.advance(100ms);
    EXPECT_EQ(state(), 'B');
}

}  // namespace
}  // namespace lineshaft::alarms
