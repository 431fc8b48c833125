#include "wire/table/table.h"

#include <cmath>

#include <gtest/gtest.h>
#include <zstd.h>

#include "support/data_sets.h"
#include "wire/table/decompress.h"

using namespace lineshaft;
using namespace lineshaft::wire::table;

namespace {

/// Keeps what a parser says, in a form that is easy to compare.
class Kept final : public RowSink {
public:
    void on_row(const Row& row) override {
        lines.push_back(row.line);
        times.push_back(row.time);
        std::string text;
        for (const Cell& cell : row.cells) {
            text += text.empty() ? "" : "|";
            switch (cell.kind) {
                case ColumnKind::Empty: text += "_"; break;
                case ColumnKind::Bool: text += cell.integer ? "yes" : "no"; break;
                case ColumnKind::Int: text += "i" + std::to_string(cell.integer); break;
                case ColumnKind::Double: text += "d" + to_rounded(cell.number); break;
                case ColumnKind::Text: text += cell.text; break;
            }
        }
        rows.push_back(text);
    }
    void on_refused(const Refused& refused) override {
        refusals.push_back(std::to_string(refused.line) + ": " + refused.reason);
    }
    std::vector<std::uint64_t> lines;
    std::vector<UtcTime> times;
    std::vector<std::string> rows;
    std::vector<std::string> refusals;

private:
    static std::string to_rounded(double value) {
        char text[32];
        std::snprintf(text, sizeof text, "%.6g", value);
        return text;
    }
};

Kept parse(std::string_view text, const Options& options = {}, std::size_t piece_bytes = 0) {
    Kept kept;
    const auto layout = detect(text, options);
    EXPECT_TRUE(layout) << (layout ? "" : layout.error().message());
    if (!layout) return kept;
    Parser parser(*layout);
    if (piece_bytes == 0) piece_bytes = text.size();
    for (std::size_t at = 0; at < text.size(); at += piece_bytes) parser.feed(text.substr(at, piece_bytes), kept);
    parser.finish(kept);
    return kept;
}

UtcTime utc(const char* text) { return parse_rfc3339(text).value(); }

}  // namespace

TEST(Table, ReadsPlainCsvWithAHeader) {
    const std::string text = "time,a,b,c\n2020-02-08 13:30:47,1,2.5,on\n2020-02-08 13:30:48,,nan,off\n";
    const auto layout = detect(text, {});
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->delimiter, ',');
    EXPECT_TRUE(layout->has_header);
    EXPECT_EQ(layout->columns, (std::vector<std::string>{"time", "a", "b", "c"}));
    EXPECT_EQ(layout->time_column, 0U);
    EXPECT_EQ(layout->kinds[1], ColumnKind::Int);
    EXPECT_EQ(layout->kinds[2], ColumnKind::Double);
    EXPECT_EQ(layout->kinds[3], ColumnKind::Text);
    const Kept kept = parse(text);
    EXPECT_EQ(kept.rows, (std::vector<std::string>{"2020-02-08 13:30:47|i1|d2.5|on", "2020-02-08 13:30:48|_|_|off"}));
    EXPECT_EQ(kept.lines, (std::vector<std::uint64_t>{2, 3}));
    EXPECT_EQ(kept.times[0], utc("2020-02-08T13:30:47Z"));
}

TEST(Table, TheResultDoesNotDependOnHowTheTextWasCut) {
    const std::string text =
        "t;x;note\r\n1/1/2018 00:15;1;\"a;\"\"b\"\"\r\nc\"\r\n\r\n1/1/2018 00:30;2\r\n1/1/2018 00:45;-3e2;plain";
    const Kept whole = parse(text);
    ASSERT_EQ(whole.rows.size(), 2U);
    EXPECT_EQ(whole.rows[0], "1/1/2018 00:15|i1|a;\"b\"\r\nc");
    EXPECT_EQ(whole.rows[1], "1/1/2018 00:45|d-300|plain");
    EXPECT_EQ(whole.lines, (std::vector<std::uint64_t>{2, 6}));
    EXPECT_EQ(whole.refusals, (std::vector<std::string>{"5: has 2 values, expected 3"}));
    for (std::size_t piece = 1; piece < text.size(); ++piece) {
        const Kept cut = parse(text, {}, piece);
        EXPECT_EQ(cut.rows, whole.rows) << piece;
        EXPECT_EQ(cut.lines, whole.lines) << piece;
        EXPECT_EQ(cut.refusals, whole.refusals) << piece;
    }
}

TEST(Table, RefusesBadRowsByLineAndGoesOn) {
    const Kept good = parse("time,a\n2020-01-01,1\n2020-01-02,3,4\n\n2020-01-03,5\n2020-01-04\n");
    EXPECT_EQ(good.rows.size(), 2U);
    EXPECT_EQ(good.refusals,
              (std::vector<std::string>{"3: has more than 2 values, expected 2", "6: has 1 values, expected 2"}));
}

TEST(Table, ABadTimeRefusesItsRowOnly) {
    const auto layout = detect("time,a\n2020-01-01,1\n2020-01-02,2\n", {});
    ASSERT_TRUE(layout);
    Parser parser(*layout);
    Kept kept;
    parser.feed("time,a\n2020-01-01,1\n2020-13-01,2\n,3\n2020-01-03,4\n", kept);
    parser.finish(kept);
    EXPECT_EQ(kept.rows.size(), 2U);
    ASSERT_EQ(kept.refusals.size(), 2U);
    EXPECT_EQ(kept.refusals[0], "3: the time '2020-13-01' cannot be read");
    EXPECT_EQ(parser.refused(), 2U);
    EXPECT_EQ(parser.lines(), 5U);
}

TEST(Table, AForgottenQuoteCostsOneLine) {
    const auto layout = detect("a,b\nx,1\ny,2\n", {});
    ASSERT_TRUE(layout);
    Parser parser(*layout);
    Kept kept;
    std::string text = "a,b\nx,1\n\"open,2\n";
    for (int i = 0; i < 20'000; ++i) text += "y,3\n";
    for (std::size_t at = 0; at < text.size(); at += 1000) parser.feed(std::string_view(text).substr(at, 1000), kept);
    parser.finish(kept);
    EXPECT_EQ(kept.rows.size(), 20'001U);
    EXPECT_EQ(kept.refusals, (std::vector<std::string>{"3: a quote is opened and not closed"}));
}

TEST(Table, ALineWithoutEndDoesNotFillTheMemory) {
    const auto layout = detect("a,b\nx,1\n", {});
    ASSERT_TRUE(layout);
    Parser parser(*layout);
    Kept kept;
    parser.feed("a,b\n", kept);
    const std::string piece(100'000, 'x');
    for (int i = 0; i < 30; ++i) parser.feed(piece, kept);
    parser.feed("\ny,2\n", kept);
    parser.finish(kept);
    EXPECT_EQ(kept.rows, (std::vector<std::string>{"y|i2"}));
    EXPECT_EQ(kept.lines, (std::vector<std::uint64_t>{3}));
    EXPECT_EQ(kept.refusals.size(), 1U);
}

TEST(Table, SaysWhichDelimiterItFound) {
    EXPECT_EQ(detect("a\tb\n1\t2\n", {})->delimiter, '\t');
    EXPECT_EQ(detect("a;b\n1,5;2,5\n", {})->delimiter, ';');
    EXPECT_EQ(detect("a|b\n1|2\n", {})->delimiter, '|');
    EXPECT_EQ(detect("a b\n 1   2\n", {})->delimiter, blanks);
    EXPECT_EQ(detect("acc_g\n-0.17\n-0.52\n", {})->columns.size(), 1U);
    EXPECT_EQ(detect("time,v\n2020-01-01 00:00:00,1\n2020-01-01 00:00:01,1\n", {})->delimiter, ',');
}

TEST(Table, DecimalCommasWhereTheDelimiterIsAnother) {
    const Kept kept = parse("1,5;2,25;3\n-0,5;1e3;4\n");
    EXPECT_EQ(kept.rows, (std::vector<std::string>{"d1.5|d2.25|i3", "d-0.5|d1000|i4"}));
}

TEST(Table, AMatrixWithoutAHeaderGetsNames) {
    const auto layout = detect("   2.5e-01   3.6e+03\n   2.6e-01   3.7e+03\n", {});
    ASSERT_TRUE(layout);
    EXPECT_FALSE(layout->has_header);
    EXPECT_EQ(layout->columns, (std::vector<std::string>{"V1", "V2"}));
    EXPECT_EQ(layout->time_kind, TimeKind::None);
}

TEST(Table, NamesAreMadeUnique) {
    const auto layout = detect("a,a,,a\n1,2,3,4\n", {});
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->columns, (std::vector<std::string>{"a", "a_2", "V3", "a_3"}));
}

TEST(Table, DaysAndMonthsAreToldApart) {
    EXPECT_EQ(detect("d,v\n13/1/2018 00:00,1\n14/1/2018 00:00,1\n", {})->date_order, DateOrder::DayFirst);
    EXPECT_EQ(detect("d,v\n1/13/2018 00:00,1\n1/14/2018 00:00,1\n", {})->date_order, DateOrder::MonthFirst);
    const auto guessed = detect("d,v\n1/1/2018 00:00,1\n2/1/2018 00:00,1\n3/1/2018 00:00,1\n", {});
    EXPECT_EQ(guessed->date_order, DateOrder::DayFirst);
    EXPECT_FALSE(guessed->date_order_is_certain);
    const auto month = detect("d,v\n1/1/2018 00:00,1\n1/2/2018 00:00,1\n1/3/2018 00:00,1\n", {});
    EXPECT_EQ(month->date_order, DateOrder::MonthFirst);
    const auto said = detect("d,v\n1/1/2018 00:00,1\n1/2/2018 00:00,1\n", {.date_order = DateOrder::DayFirst});
    EXPECT_EQ(said->date_order, DateOrder::DayFirst);
    EXPECT_TRUE(said->date_order_is_certain);
}

TEST(Table, ATimeColumnMayBeNamed) {
    const std::string text = "when,Stamp,v\n2020-01-01,1500914348721,1\n2020-01-02,1500914348722,1\n";
    EXPECT_EQ(detect(text, {})->time_column, 0U);
    EXPECT_EQ(detect(text, {.time_column = "stamp"})->time_column, 1U);
    EXPECT_EQ(detect(text, {.time_column = "2"})->time_kind, TimeKind::Epoch);
    EXPECT_FALSE(detect(text, {.time_column = "none"})->time_column);
    EXPECT_EQ(detect(text, {.time_column = "x"}).error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(detect(text, {.time_column = "v"}).error().code(), ErrorCode::InvalidArgument);
}

TEST(Table, CalendarTimes) {
    const auto day = [](const char* text) { return parse_calendar(text, DateOrder::DayFirst, {}); };
    EXPECT_EQ(day("2020-02-08 13:30:47"), utc("2020-02-08T13:30:47Z"));
    EXPECT_EQ(day("2020/2/8T13:30"), utc("2020-02-08T13:30:00Z"));
    EXPECT_EQ(day("2022-08-08T13:51:34.7167146Z"), utc("2022-08-08T13:51:34.7167146Z"));
    EXPECT_EQ(day("1/1/2018 00:15"), utc("2018-01-01T00:15:00Z"));
    EXPECT_EQ(day("31.12.2018 7:05:09 PM"), utc("2018-12-31T19:05:09Z"));
    EXPECT_EQ(day("2/3/18"), utc("2018-03-02T00:00:00Z"));
    EXPECT_EQ(parse_calendar("2/3/18", DateOrder::MonthFirst, {}), utc("2018-02-03T00:00:00Z"));
    EXPECT_EQ(day("2020-02-08T13:30:47+01:30"), utc("2020-02-08T12:00:47Z"));
    EXPECT_EQ(parse_calendar("2020-02-08 13:00", DateOrder::DayFirst, 1h), utc("2020-02-08T12:00:00Z"));
    EXPECT_EQ(day("2020-02-29"), utc("2020-02-29T00:00:00Z"));
    for (const char* text : {"", "2021-02-29", "32/1/2018", "2020-02-08 25:00", "2020-02-08x", "12:00", "1.5",
                             "2020-02-08 13:30:47+99"}) {
        EXPECT_FALSE(day(text)) << text;
    }
}

TEST(Table, EpochsAreToldApartBySize) {
    EXPECT_EQ(parse_epoch("1500914348"), UtcTime(1'500'914'348'000'000'000));
    EXPECT_EQ(parse_epoch("1500914348721"), UtcTime(1'500'914'348'721'000'000));
    EXPECT_EQ(parse_epoch("1500914348721123"), UtcTime(1'500'914'348'721'123'000));
    EXPECT_EQ(parse_epoch("1500914348721123456"), UtcTime(1'500'914'348'721'123'456));
    EXPECT_EQ(parse_epoch("1500914348.25"), UtcTime(1'500'914'348'250'000'000));
    EXPECT_EQ(parse_epoch("1500914348721.5"), UtcTime(1'500'914'348'721'500'000));
    for (const char* text : {"", "0", "42", "-1500914348", "99999999999999999999", "1500914348x"})
        EXPECT_FALSE(parse_epoch(text)) << text;
}

TEST(Table, BinaryIsNotATable) {
    EXPECT_EQ(detect(std::string_view("a,b\0c\n", 6), {}).error().code(), ErrorCode::Malformed);
    EXPECT_EQ(detect("", {}).error().code(), ErrorCode::Malformed);
    EXPECT_EQ(detect("\n\n  \n", {}).error().code(), ErrorCode::Malformed);
}

namespace {

struct Count final : RowSink {
    void on_row(const Row& row) override {
        ++rows;
        if (first.is_none()) first = row.time;
        last = row.time;
        for (const Cell& cell : row.cells) {
            if (cell.kind == ColumnKind::Int || cell.kind == ColumnKind::Double) sum += cell.number, ++numbers;
        }
    }
    void on_refused(const Refused& refused) override { refusals.push_back(refused.reason); }
    std::uint64_t rows = 0, numbers = 0;
    double sum = 0;
    UtcTime first, last;
    std::vector<std::string> refusals;
};

/// The whole text of a data file, decompressed in small pieces.
std::string plain_text(const std::filesystem::path& path) {
    const std::string packed = lineshaft::testing::read_whole_file(path);
    auto unpacker = Decompressor::create(as_bytes(packed));
    std::string text;
    for (std::size_t at = 0; at < packed.size(); at += 1000) {
        const auto fed = unpacker->feed(as_bytes(std::string_view(packed).substr(at, 1000)),
                                        [&](ByteView bytes) { text.append(as_text(bytes)); });
        EXPECT_TRUE(fed) << path;
    }
    EXPECT_TRUE(unpacker->finish()) << path;
    return text;
}

struct Recording {
    const char* file;
    char delimiter;
    bool has_header;
    std::size_t columns;
    TimeKind time;
    std::uint64_t rows;
    const char* first;
    const char* last;
};

}  // namespace

TEST(Table, ReadsTheRecordedDataSets) {
    const auto folder = lineshaft::testing::data_sets();
    if (!folder) GTEST_SKIP() << "the folder with the recorded data sets is not here (set LINESHAFT_DATA)";
    const Recording recordings[] = {
        {"skab-pump-loop/valve1/00.csv.gz", ';', true, 11, TimeKind::Calendar, 1147, "2020-03-09T10:14:33Z", nullptr},
        {"skab-pump-loop/anomaly-free.csv.gz", ';', true, 9, TimeKind::Calendar, 9405, "2020-02-08T13:30:47Z",
         nullptr},
        {"steel-energy/steel_2018_jan_sep.csv.gz", ',', true, 11, TimeKind::Calendar, 26208, "2018-01-01T00:15:00Z",
         "2018-09-30T00:00:00Z"},
        {"hydraulic-rig/TS1.txt.gz", '\t', false, 60, TimeKind::None, 1544, nullptr, nullptr},
        {"hydraulic-rig/FS1.txt.gz", '\t', false, 600, TimeKind::None, 1544, nullptr, nullptr},
        {"hydraulic-rig/profile.txt.gz", '\t', false, 6, TimeKind::None, 1544, nullptr, nullptr},
        {"tennessee-eastman/d01_te.dat.gz", blanks, false, 52, TimeKind::None, 960, nullptr, nullptr},
        {"tennessee-eastman/d00.dat.gz", blanks, false, 500, TimeKind::None, 52, nullptr, nullptr},
        {"nab-industrial/realKnownCause/machine_temperature_system_failure.csv.gz", ',', true, 2, TimeKind::Calendar,
         22695, "2013-12-02T21:15:00Z", nullptr},
        {"transformer-etth1/ETTh1.csv.gz", ',', true, 8, TimeKind::Calendar, 0, "2016-07-01T00:00:00Z", nullptr},
        {"gas-turbine-emissions/gt_2011.csv.gz", ',', true, 11, TimeKind::None, 7411, nullptr, nullptr},
        {"genesis-plc/Genesis_normal.csv.gz", ',', true, 0, TimeKind::Epoch, 7040, "2017-07-24T16:39:08.721Z",
         nullptr},
        {"cmapss-turbofan/train_FD001.txt.gz", blanks, false, 26, TimeKind::None, 20631, nullptr, nullptr},
        {"mfpt-bearing-vibration/InnerRaceFault_vload_1.csv.gz", ',', true, 1, TimeKind::None, 146484, nullptr,
         nullptr},
    };
    for (const Recording& expected : recordings) {
        SCOPED_TRACE(expected.file);
        const std::string text = plain_text(*folder / expected.file);
        const auto layout = detect(std::string_view(text).substr(0, detect_bytes), {});
        ASSERT_TRUE(layout) << layout.error().message();
        EXPECT_EQ(layout->delimiter, expected.delimiter);
        EXPECT_EQ(layout->has_header, expected.has_header);
        if (expected.columns) {
            EXPECT_EQ(layout->columns.size(), expected.columns);
        }
        EXPECT_EQ(layout->time_kind, expected.time);
        Count count;
        Parser parser(*layout);
        parser.feed(text, count);
        parser.finish(count);
        if (expected.rows) {
            EXPECT_EQ(count.rows, expected.rows);
        }
        EXPECT_TRUE(count.refusals.empty()) << count.refusals.front();
        EXPECT_GT(count.numbers, count.rows / 2);
        if (expected.first) {
            EXPECT_EQ(to_rfc3339(count.first), expected.first);
        }
        if (expected.last) {
            EXPECT_EQ(to_rfc3339(count.last), expected.last);
        }
    }
}

TEST(Table, ZstdIsUnpackedFrameAfterFrame) {
    std::string plain, packed;
    for (int frame = 0; frame < 3; ++frame) {
        std::string text;
        for (int row = 0; row < 5000; ++row) text += std::to_string(frame * 5000 + row) + ",1.5\n";
        std::string bytes(ZSTD_compressBound(text.size()), '\0');
        const std::size_t size = ZSTD_compress(bytes.data(), bytes.size(), text.data(), text.size(), 3);
        ASSERT_FALSE(ZSTD_isError(size));
        packed += bytes.substr(0, size);
        plain += text;
    }
    auto unpacker = Decompressor::create(as_bytes(packed));
    EXPECT_STREQ(unpacker->name(), "zstd");
    std::string text;
    for (std::size_t at = 0; at < packed.size(); at += 7) {
        ASSERT_TRUE(unpacker->feed(as_bytes(std::string_view(packed).substr(at, 7)),
                                   [&](ByteView bytes) { text.append(as_text(bytes)); }));
    }
    EXPECT_TRUE(unpacker->finish());
    EXPECT_EQ(text, plain);
    auto cut = Decompressor::create(as_bytes(packed));
    ASSERT_TRUE(cut->feed(as_bytes(std::string_view(packed).substr(0, packed.size() - 3)), [](ByteView) {}));
    EXPECT_FALSE(cut->finish());
}

TEST(Table, DamagedGzipIsNoticed) {
    const auto folder = lineshaft::testing::data_sets();
    if (!folder) GTEST_SKIP() << "the folder with the recorded data sets is not here (set LINESHAFT_DATA)";
    std::string packed = lineshaft::testing::read_whole_file(*folder / "skab-pump-loop/valve1/00.csv.gz");
    const auto nothing = [](ByteView) {};
    auto cut = Decompressor::create(as_bytes(packed));
    ASSERT_TRUE(cut->feed(as_bytes(std::string_view(packed).substr(0, packed.size() / 2)), nothing));
    EXPECT_EQ(cut->finish().error().code(), ErrorCode::Malformed);
    packed[packed.size() / 2] = static_cast<char>(packed[packed.size() / 2] ^ 0x55);
    auto damaged = Decompressor::create(as_bytes(packed));
    EXPECT_FALSE(damaged->feed(as_bytes(packed), nothing) && damaged->finish());
}
