#include "base/result.h"

#include <set>

#include <gtest/gtest.h>

#include "base/strong.h"

namespace lineshaft {
namespace {

Result<int> half(int number) {
    if (number % 2 != 0) return fail(ErrorCode::InvalidArgument, "odd");
    return number / 2;
}

Result<int> quarter(int number) {
    const int once = TRY(half(number));
    return TRY(half(once));
}

TEST(Result, TryGivesTheValueOrReturnsTheError) {
    EXPECT_EQ(*quarter(8), 2);
    EXPECT_EQ(quarter(6).error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(quarter(5).error().detail(), "odd");
}

TEST(Result, AMessageNamesTheNumberTheSentenceAndTheDetail) {
    const Error error(ErrorCode::NotFound, "device 7");
    const std::string message = error.message();
    EXPECT_TRUE(message.starts_with("error[LS-")) << message;
    EXPECT_NE(message.find(error.text().says), std::string::npos);
    EXPECT_TRUE(message.ends_with("(device 7)")) << message;
}

TEST(Result, EveryErrorHasItsOwnNumberASentenceAndAnHttpStatus) {
    std::set<unsigned> numbers;
    for (const ErrorText& text : error_texts) {
        EXPECT_TRUE(numbers.insert(static_cast<unsigned>(text.code)).second) << text.says;
        EXPECT_FALSE(std::string_view(text.says).empty());
        EXPECT_FALSE(std::string_view(text.remedy).empty()) << text.says;
        EXPECT_GE(text.http_status, 200) << text.says;
        EXPECT_LT(text.http_status, 600) << text.says;
    }
    EXPECT_EQ(error_text(static_cast<ErrorCode>(9)).code, ErrorCode::Internal);
}

TEST(Strong, IdsCompareAndHashAndDefaultToNone) {
    EXPECT_EQ(TagId().value(), 0u);
    EXPECT_LT(TagId(1), TagId(2));
    EXPECT_EQ(std::hash<TagId>{}(TagId(7)), std::hash<TagId>{}(TagId(7)));
    static_assert(!std::is_convertible_v<std::uint64_t, TagId> && !std::is_convertible_v<TagId, std::uint64_t>);
}

}  // namespace
}  // namespace lineshaft
