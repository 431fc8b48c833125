#include "runtime/stream.h"

#include <gtest/gtest.h>

namespace lineshaft {
namespace {

TEST(Endpoint, IsReadAndWrittenTheSame) {
    for (const std::string text : {"127.0.0.1:1883", "[::1]:8080", ":8443", "plant.example:0", "[fe80::1%2]:65535"}) {
        const auto endpoint = parse_endpoint(text);
        ASSERT_TRUE(endpoint) << text;
        EXPECT_EQ(to_text(*endpoint), text);
    }
    EXPECT_EQ(parse_endpoint("[::1]:8080")->host, "::1");
    EXPECT_EQ(parse_endpoint(":8443")->host, "");
}

TEST(Endpoint, RefusesWhatIsNotHostAndPort) {
    for (const char* text : {"", "8080", "host", "host:", "host:65536", "host:-1", "host:80x", "::1:80", "[::1]",
                             "[]:1", "[::1:80", "a b:1", "[host]:1", "user@host:1", "host: 1"}) {
        const auto endpoint = parse_endpoint(text);
        ASSERT_FALSE(endpoint) << text;
        EXPECT_EQ(endpoint.error().code(), ErrorCode::InvalidArgument);
    }
}

TEST(Endpoint, KnowsLoopback) {
    for (const char* host : {"127.0.0.1", "127.1.2.3", "::1", "localhost", "::ffff:127.0.0.1"}) {
        EXPECT_TRUE(is_loopback({host, 1})) << host;
    }
    for (const char* host : {"", "0.0.0.0", "10.0.0.1", "127.evil.example", "128.0.0.1", "::", "::ffff:10.0.0.1"}) {
        EXPECT_FALSE(is_loopback({host, 1})) << host;
    }
}

}  // namespace
}  // namespace lineshaft
