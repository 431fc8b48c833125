#include "wire/dump/dump.h"

#include <bit>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lineshaft::wire::dump {
namespace {

/// Points as "device|address=value @time quality", so that a test reads like the file.
class Seen final : public Sink {
public:
    void on_point(const Point& point) override {
        std::string value;
        switch (point.type) {
            case ValueType::Bool: value = point.bits ? "true" : "false"; break;
            case ValueType::Int: value = fmt::format("{}i", static_cast<std::int64_t>(point.bits)); break;
            case ValueType::Double: value = fmt::format("{}", std::bit_cast<double>(point.bits)); break;
            case ValueType::String: value = fmt::format("'{}'", point.text); break;
        }
        std::string text = fmt::format("{}|{}={} @{}", point.device, point.address, value, to_rfc3339(point.time));
        if (point.quality != Quality::good) text += fmt::format(" {}", lineshaft::to_text(point.quality));
        if (!point.unit.empty()) text += fmt::format(" [{}]", point.unit);
        points.push_back(std::move(text));
    }
    void on_refused(std::uint64_t line, std::string reason) override {
        refused.push_back(fmt::format("{}: {}", line, reason));
    }
    std::vector<std::string> points, refused;
};

/// Whole and byte by byte must say the same.
Seen read(std::string_view text, Options options = {}, Format expected = Format::Auto) {
    Seen whole, pieces;
    Reader reader(options), slow(options);
    EXPECT_TRUE(reader.feed(text, whole));
    EXPECT_TRUE(reader.finish(whole));
    if (expected != Format::Auto) EXPECT_EQ(reader.format(), expected);
    for (const char& c : text) EXPECT_TRUE(slow.feed(std::string_view(&c, 1), pieces));
    EXPECT_TRUE(slow.finish(pieces));
    EXPECT_EQ(whole.points, pieces.points);
    EXPECT_EQ(whole.refused, pieces.refused);
    return whole;
}

using Texts = std::vector<std::string>;

TEST(DumpTest, OurOwnCsvComesBackWhole) {
    const Seen seen = read(
        "time,tag,value,quality,unit,type,device\n"
        "2023-11-14T22:13:20.123456789Z,Line/Pump/a,0.25,Good,bar,double,Line/Pump\n"
        "2023-11-14T22:13:21Z,Line/Pump/b/c,7,BadNoCommunication,,int,Line/Pump\n"
        "2023-11-14T22:13:22Z,Line/Pump/d,\"two\nlines, \"\"quoted\"\"\",0x00A20000,,string,Line/Pump\n"
        "2023-11-14T22:13:23Z,Line/Pump/e,true,Good,,bool,Line/Pump\n"
        "2023-11-14T22:13:24Z,renamed,nan,Good,,double,Line/Pump\n"
        "2023-11-14T22:13:24Z,Line/Pump/a,much,Good,,double,Line/Pump\n"
        "never,Line/Pump/a,1,Good,,double,Line/Pump\n"
        "1,2\n",
        {}, Format::Csv);
    EXPECT_EQ(seen.points,
              (Texts{"Line/Pump|a=0.25 @2023-11-14T22:13:20.123456789Z [bar]",
                     "Line/Pump|b/c=7i @2023-11-14T22:13:21Z BadNoCommunication",
                     "Line/Pump|d='two\nlines, \"quoted\"' @2023-11-14T22:13:22Z Good",
                     "Line/Pump|e=true @2023-11-14T22:13:23Z", "Line/Pump|renamed=nan @2023-11-14T22:13:24Z"}));
    EXPECT_EQ(seen.refused,
              (Texts{"8: 'much' is no double", "9: 'never' is not a time", "10: has 2 values, expected 7"}));
}

TEST(DumpTest, JsonLinesComeBackWhole) {
    const Seen seen = read(
        R"({"time":"2023-11-14T22:13:20Z","tag":"Line/Pump/a","value":9007199254740993,"quality":"Good","unit":"","type":"int","device":"Line/Pump"})"
        "\n"
        R"({"time":"2023-11-14T22:13:20Z","tag":"Line/Pump/b","value":"inf","type":"double","device":"Line/Pump"})"
        "\n\n"
        R"({"time":1700000000,"tag":"Line/Pump/c","value":"a\u0001\"b"})"
        "\n"
        R"({"time":1700000000000,"tag":"single","value":20})"
        "\n{broken\n[1]\n"
        R"({"time":1700000000,"tag":"x","value":null})",
        {}, Format::JsonLines);
    EXPECT_EQ(seen.points,
              (Texts{"Line/Pump|a=9007199254740993i @2023-11-14T22:13:20Z", "Line/Pump|b=inf @2023-11-14T22:13:20Z",
                     "Line/Pump|c='a\x01\"b' @2023-11-14T22:13:20Z", "single|value=20 @2023-11-14T22:13:20Z"}));
    EXPECT_EQ(seen.refused.size(), 3u);
}

TEST(DumpTest, AnInfluxExportIsLineProtocolWithAHead) {
    const Seen seen = read(
        "# INFLUXDB EXPORT: 1677-09-21T00:12:43Z - 2262-04-11T23:47:16Z\n# DDL\n"
        "CREATE DATABASE plant WITH NAME autogen\n# DML\n# CONTEXT-DATABASE:plant\n# "
        "CONTEXT-RETENTION-POLICY:autogen\n"
        "# writing tsm data\n"
        "cpu,host=a,region=west load=0.5 1700000000000000000\n"
        "cpu,host=a,region=west cores=8i 1700000000000000000\n"
        "cpu,host=a,region=west state=\"up \\\"1\\\"\" 1700000001000000000\n"
        "cpu,host=b load=1\nCREATE nothing\n",
        {}, Format::LineProtocol);
    EXPECT_EQ(seen.points,
              (Texts{"cpu/a/west|load=0.5 @2023-11-14T22:13:20Z", "cpu/a/west|cores=8i @2023-11-14T22:13:20Z",
                     "cpu/a/west|state='up \"1\"' @2023-11-14T22:13:21Z"}));
    EXPECT_EQ(seen.refused.size(), 2u);
    EXPECT_EQ(seen.refused[0].substr(0, 3), "11:");
}

TEST(DumpTest, AnnotatedCsvHasTablesOneAfterTheOther) {
    const Seen seen = read(
        "#group,false,false,true,true,false,false,true,true,true\r\n"
        "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string\r\n"
        "#default,_result,,,,,,,,\r\n"
        ",result,table,_start,_stop,_time,_value,_field,_measurement,host\r\n"
        ",,0,2023-11-01T00:00:00Z,2023-12-01T00:00:00Z,2023-11-14T22:13:20Z,0.5,load,cpu,a\r\n"
        ",,0,2023-11-01T00:00:00Z,2023-12-01T00:00:00Z,2023-11-14T22:13:30Z,oops,load,cpu,a\r\n"
        "\r\n"
        "#group,false,false,false,false,true\r\n"
        "#datatype,string,long,dateTime:RFC3339,long,string\r\n"
        "#default,_result,,,,\r\n"
        ",result,table,_time,cores,host\r\n"
        ",,1,2023-11-14T22:13:20Z,8,b\r\n",
        {}, Format::InfluxCsv);
    EXPECT_EQ(seen.points, (Texts{"cpu/a|load=0.5 @2023-11-14T22:13:20Z", "b|cores=8i @2023-11-14T22:13:20Z"}));
    EXPECT_EQ(seen.refused, (Texts{"6: 'oops' is no double"}));
}

TEST(DumpTest, PrometheusTextNeedsTimes) {
    const Seen seen = read(
        "# HELP http_requests_total Requests\n# TYPE http_requests_total counter\n"
        "http_requests_total{method=\"post\",code=\"200\",job=\"api\",instance=\"h:1\"} 1027 1700000000000\n"
        "http_requests_total{method=\"post\",code=\"400\",job=\"api\",instance=\"h:1\"}    3 1700000000000\n"
        "temperature_celsius 21.5 1700000000.25\n"
        "up{msg=\"a \\\"b\\\\c\\nd\"} +Inf 1700000000 # {trace=\"1\"} 5\n"
        "gone NaN 1700000000000\n"
        "timeless 1\n"
        "broken{a=\"b 1 2\n"
        "# EOF\n",
        {}, Format::Prometheus);
    EXPECT_EQ(seen.points, (Texts{"api/h:1|http_requests_total/200/post=1027 @2023-11-14T22:13:20Z",
                                  "api/h:1|http_requests_total/400/post=3 @2023-11-14T22:13:20Z",
                                  "prometheus|temperature_celsius=21.5 @2023-11-14T22:13:20.250Z",
                                  "prometheus|up/a \"b\\c\nd=inf @2023-11-14T22:13:20Z",
                                  "prometheus|gone=nan @2023-11-14T22:13:20Z BadNoCommunication"}));
    EXPECT_EQ(seen.refused.size(), 2u);
}

TEST(DumpTest, PromtoolNamesTheMetricWithin) {
    const Seen seen = read("{__name__=\"up\", instance=\"localhost:9090\", job=\"prometheus\"} 1 1700000000000\n", {},
                           Format::Prometheus);
    EXPECT_EQ(seen.points, (Texts{"prometheus/localhost:9090|up=1 @2023-11-14T22:13:20Z"}));
}

TEST(DumpTest, CopyAsTextAndADumpOfPgDump) {
    const Seen seen = read(
        "--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n\n"
        "COPY public.conditions (\"time\", location, temperature, humidity, door) FROM stdin;\n"
        "2023-11-14 22:13:20+00\toffice\\tA\t20.5\t\\N\tt\n"
        "2023-11-14 22:13:21.5+01\toffice\\tA\t21\t40\tf\n"
        "bad\toffice\t1\t2\tt\n"
        "\\.\n\nSELECT 1;\n"
        "COPY _timescaledb_internal._hyper_1_2_chunk (ts, sensor_id, value) FROM stdin;\n"
        "2023-11-14 22:13:20+00\t17\t3.5\n\\.\n",
        {}, Format::Postgres);
    EXPECT_EQ(seen.points, (Texts{"conditions/office\tA|temperature=20.5 @2023-11-14T22:13:20Z",
                                  "conditions/office\tA|door=true @2023-11-14T22:13:20Z",
                                  "conditions/office\tA|temperature=21 @2023-11-14T21:13:21.500Z",
                                  "conditions/office\tA|humidity=40 @2023-11-14T21:13:21.500Z",
                                  "conditions/office\tA|door=false @2023-11-14T21:13:21.500Z",
                                  "17|value=3.5 @2023-11-14T22:13:20Z"}));
    EXPECT_EQ(seen.refused, (Texts{"10: 'bad' is not a time"}));
}

TEST(DumpTest, CopyAsCsvWideAndNarrow) {
    Options options;
    options.format = Format::Postgres;
    const Seen wide = read("time,device_id,temperature,state\n2023-11-14T22:13:20Z,7,20.5,\n", options);
    EXPECT_EQ(wide.points, (Texts{"7|temperature=20.5 @2023-11-14T22:13:20Z"}));
    const Seen narrow = read("at,site,metric,value\n2023-11-14 22:13:20,Lyon,speed,5\n", options);
    EXPECT_EQ(narrow.points, (Texts{"Lyon|speed=5 @2023-11-14T22:13:20Z"}));
    options.tag_columns = {"metric"};
    const Seen told = read("at,site,metric,value\n2023-11-14 22:13:20,1,Lyon/speed,5\n", options);
    EXPECT_EQ(told.points.back(), "Lyon/speed|value=5 @2023-11-14T22:13:20Z");
    options.tag_columns = {"nothing"};
    Seen seen;
    Reader reader(options);
    EXPECT_TRUE(reader.feed("at,value\n2023-11-14 22:13:20,1\n", seen));
    EXPECT_EQ(reader.finish(seen).error().code(), ErrorCode::InvalidArgument);
}

TEST(DumpTest, AnyOtherTableIsATagAColumn) {
    Options options;
    options.device = "Lab";
    const Seen seen = read("when;pressure;note\n2023-11-14 22:13:20;1,5;ok\n2023-11-14 22:13:21;2,5;late\n", options,
                           Format::Table);
    EXPECT_EQ(seen.points,
              (Texts{"Lab|pressure=1.5 @2023-11-14T22:13:20Z", "Lab|note='ok' @2023-11-14T22:13:20Z",
                     "Lab|pressure=2.5 @2023-11-14T22:13:21Z", "Lab|note='late' @2023-11-14T22:13:21Z"}));
}

TEST(DumpTest, ParquetIsNamedAndNotRead) { EXPECT_EQ(detect("PAR1\x15").error().code(), ErrorCode::NotSupported); }

TEST(DumpTest, AnEndlessLineIsRefusedOnceAndTheNextIsRead) {
    Options options;
    options.format = Format::Prometheus;
    Seen seen;
    Reader reader(options);
    const std::string piece(1024 * 1024, 'x');
    ASSERT_TRUE(reader.feed("a 1 1700000000000\n", seen));
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(reader.feed(piece, seen));
    ASSERT_TRUE(reader.feed("\nb 2 1700000000000\n", seen));
    ASSERT_TRUE(reader.finish(seen));
    EXPECT_EQ(seen.points.size(), 2u);
    EXPECT_EQ(seen.refused.size(), 1u);
}

TEST(DumpTest, TagsAreCutAtTheirDevice) {
    using Pair = std::pair<std::string_view, std::string_view>;
    EXPECT_EQ(split_tag("a/b/c", "a/b"), Pair("a/b", "c"));
    EXPECT_EQ(split_tag("a/b/c", "a"), Pair("a", "b/c"));
    EXPECT_EQ(split_tag("a/b/c", ""), Pair("a/b", "c"));
    EXPECT_EQ(split_tag("other", "a"), Pair("a", "other"));
    EXPECT_EQ(split_tag("a", ""), Pair("a", "value"));
    EXPECT_EQ(split_tag("/", ""), Pair("/", "value"));
}

}  // namespace
}  // namespace lineshaft::wire::dump
