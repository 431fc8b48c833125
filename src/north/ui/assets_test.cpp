#include "north/ui/assets.h"

#include <string>

#include <gtest/gtest.h>

#include "north/ui/internal/embedded.h"

namespace lineshaft::ui {
namespace {

net::HttpRequest get(std::string path, std::string accept_encoding = {}) {
    net::HttpRequest request;
    request.method = "GET";
    request.path = std::move(path);
    if (!accept_encoding.empty()) request.headers.emplace_back("accept-encoding", std::move(accept_encoding));
    return request;
}

std::string header_of(const net::HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
        if (key == name) return value;
    }
    return {};
}

TEST(Assets, TheTableIsSortedSoThatItCanBeSearched) {
    const auto files = embedded_files();
    ASSERT_FALSE(files.empty());
    for (std::size_t i = 1; i < files.size(); ++i) EXPECT_LT(files[i - 1].path, files[i].path);
}

TEST(Assets, AFileIsFoundWithAndWithoutTheLeadingSlash) {
    ASSERT_TRUE(find_asset("index.html"));
    EXPECT_EQ(find_asset("/index.html")->raw, find_asset("index.html")->raw);
    EXPECT_FALSE(find_asset("no-such-file.js"));
    EXPECT_FALSE(find_asset(""));
}

TEST(Assets, TheRootAndEveryRouteOfTheAppIsTheOnePage) {
    const auto index = find_asset("index.html");
    ASSERT_TRUE(index);
    for (const char* path : {"/", "/claim", "/trends/42", "/devices/filler"}) {
        const auto response = answer(get(path));
        EXPECT_EQ(response.status, 200u) << path;
        EXPECT_EQ(response.static_body, index->raw) << path;
        EXPECT_EQ(header_of(response, "Content-Type"), "text/html; charset=utf-8");
    }
}

TEST(Assets, AMissingFileIsNotTheOnePage) {
    EXPECT_EQ(answer(get("/assets/old-1234.js")).status, 404u);
    EXPECT_EQ(answer(get("/favicon.bmp")).status, 404u);
}

TEST(Assets, TheBrowserGetsTheSmallestFormItAccepts) {
    const auto index = find_asset("index.html");
    ASSERT_TRUE(index);
    ASSERT_FALSE(index->gzip.empty());
    const auto packed = answer(get("/", "gzip, deflate"));
    EXPECT_EQ(header_of(packed, "Content-Encoding"), "gzip");
    EXPECT_EQ(packed.static_body, index->gzip);
    EXPECT_EQ(header_of(packed, "Vary"), "Accept-Encoding");

    const auto best = answer(get("/", "gzip;q=1.0, br;q=0.5"));
    EXPECT_EQ(header_of(best, "Content-Encoding"), index->brotli.empty() ? "gzip" : "br");
}

TEST(Assets, AFormWithWeightZeroIsRefused) {
    EXPECT_EQ(header_of(answer(get("/", "gzip;q=0, br;q=0.000")), "Content-Encoding"), "");
    EXPECT_EQ(header_of(answer(get("/", "*;q=0")), "Content-Encoding"), "");
    EXPECT_NE(header_of(answer(get("/", "*")), "Content-Encoding"), "");
    EXPECT_NE(header_of(answer(get("/", "GZip; q=0.1")), "Content-Encoding"), "");
}

TEST(Assets, ABrowserThatHasThePageIsToldSo) {
    const auto first = answer(get("/", "gzip"));
    const auto tag = header_of(first, "ETag");
    ASSERT_FALSE(tag.empty());
    for (const auto& sent : {tag, "W/" + tag, "\"other\", " + tag, std::string("*")}) {
        auto again = get("/", "gzip");
        again.headers.emplace_back("if-none-match", sent);
        const auto response = answer(again);
        EXPECT_EQ(response.status, 304u) << sent;
        EXPECT_TRUE(response.static_body.empty());
    }
    auto other_form = get("/");
    other_form.headers.emplace_back("if-none-match", tag);
    EXPECT_EQ(answer(other_form).status, 200u) << "the tag of the packed form is not the tag of the plain one";
}

TEST(Assets, OnlyNamesWithAHashAreKeptForEver) {
    for (const auto& asset : embedded_files()) {
        const auto response = answer(get("/" + std::string(asset.path)));
        const auto cache = header_of(response, "Cache-Control");
        EXPECT_EQ(cache.find("immutable") != std::string::npos, asset.path.starts_with("assets/")) << asset.path;
    }
}

TEST(Assets, EveryAnswerForbidsForeignHostsFramesAndGuessing) {
    for (const char* path : {"/", "/no-such-file.js"}) {
        const auto response = answer(get(path));
        const auto policy = header_of(response, "Content-Security-Policy");
        EXPECT_NE(policy.find("default-src 'self'"), std::string::npos);
        EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
        EXPECT_EQ(policy.find("unsafe"), std::string::npos);
        EXPECT_EQ(header_of(response, "X-Content-Type-Options"), "nosniff");
        EXPECT_EQ(header_of(response, "Referrer-Policy"), "no-referrer");
    }
}

TEST(Assets, ThePolicyStandsOnceHoweverOftenItIsAdded) {
    auto response = answer(get("/"));
    const auto before = response.headers.size();
    add_security_headers(response);
    EXPECT_EQ(response.headers.size(), before);
}

TEST(Assets, NothingIsChangedHere) {
    auto request = get("/");
    request.method = "POST";
    const auto response = answer(request);
    EXPECT_EQ(response.status, 405u);
    EXPECT_EQ(header_of(response, "Allow"), "GET, HEAD");
}

}  // namespace
}  // namespace lineshaft::ui
