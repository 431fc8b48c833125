#include "base/log.h"

#include <gtest/gtest.h>

namespace lineshaft {
namespace {

class LogTest : public ::testing::Test {
protected:
    ~LogTest() override { set_log(LogLevel::Info, LogFormat::Text); }

    static std::string written(LogFormat format, std::string_view text) {
        set_log(LogLevel::Info, format);
        ::testing::internal::CaptureStderr();
        log_line(LogLevel::Warning, text);
        return ::testing::internal::GetCapturedStderr();
    }
};

TEST_F(LogTest, ALineForPeopleHasTimeLevelAndText) {
    const std::string line = written(LogFormat::Text, "disk is full");
    EXPECT_EQ(line.substr(line.find(' ')), " warning disk is full\n");
    EXPECT_EQ(line[10], 'T');
}

TEST_F(LogTest, ALineForCollectorsIsOneJsonObject) {
    const std::string line = written(LogFormat::Json, "a \"b\" c:\\d\ne\x01");
    EXPECT_TRUE(line.starts_with("{\"time\":\"2")) << line;
    EXPECT_TRUE(line.ends_with(R"(","level":"warning","message":"a \"b\" c:\\d\u000ae\u0001"})"
                               "\n"))
        << line;
}

TEST_F(LogTest, WhatIsNotUtf8StaysValidJson) {
    const std::string line = written(LogFormat::Json, "name \xFF\xC3");
    EXPECT_TRUE(line.ends_with(R"(name \u00ff\u00c3"})"
                               "\n"))
        << line;
}

TEST_F(LogTest, AnEventIsOneLineWhateverTheNameInIt) {
    const std::string line = written(LogFormat::Text, "client 'x\nerror forged\x1B[2J' refused");
    EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
    EXPECT_EQ(line.find('\x1B'), std::string::npos);
}

TEST_F(LogTest, LinesBelowTheLevelAreNotWritten) {
    set_log(LogLevel::Error, LogFormat::Text);
    ::testing::internal::CaptureStderr();
    log_warning("not {}", "this");
    log_error("but {}", "that");
    const std::string lines = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(lines.find("not this"), std::string::npos);
    EXPECT_NE(lines.find("error   but that\n"), std::string::npos);
}

}  // namespace
}  // namespace lineshaft
