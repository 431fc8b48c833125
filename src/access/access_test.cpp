#include "access/access.h"

#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "access/internal/password.h"
#include "support/forgetful_disk.h"
#include "support/manual_shard.h"

namespace lineshaft::access {
namespace {

using testing::ForgetfulDisk;
using testing::ManualClock;
using testing::ManualShards;

constexpr TenantId tenant{1};
constexpr const char* password = "three small brown foxes";

class AccessTest : public ::testing::Test {
protected:
    AccessTest() {
        const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
        directory =
            std::filesystem::path(::testing::TempDir()) / fmt::format("access-{}-{}", info->name(), ::getpid());
        std::filesystem::remove_all(directory);
        std::filesystem::create_directories(directory);
        path = registry::database_path(directory.string());
        reopen();
    }
    ~AccessTest() override {
        access.reset();
        registry.reset();
        std::filesystem::remove_all(directory);
    }

    void reopen() {
        if (access) {
            access->close(shards.at(0), [] {});
            shards.run();
        }
        access.reset();
        registry.reset();
        log = audit::Log::open(disk, clock, *pool, {"audit"}).value();
        registry = registry::Registry::create(shards, *pool, log.get(), {path}).value();
        access = Access::create(*registry, *pool, {.argon2_kib = 64, .argon2_passes = 1}).value();
    }
    /// Calls `post(done)` and runs until the answer is there.
    template <class T, class Post>
    Result<T> ask(Post post) {
        std::optional<Result<T>> answer;
        post([&](Result<T> result) { answer = std::move(result); });
        shards.run();
        return std::move(*answer);
    }
    Result<SignedIn> claim(std::string secret, std::string chosen = password) {
        return ask<SignedIn>([&](auto done) {
            access->post_claim(shards.at(1), secret, "anna", chosen, "10.0.0.7", std::move(done));
        });
    }
    Result<SignedIn> sign_in(std::string name, std::string given, std::string address = "10.0.0.7") {
        return ask<SignedIn>(
            [&](auto done) { access->post_sign_in(shards.at(1), name, given, address, std::move(done)); });
    }
    Result<User> create_user(std::string name, Role role) {
        return ask<User>([&](auto done) {
            access->post_create_user(shards.at(1), tenant, name, role, password, actor, std::move(done));
        });
    }
    Result<User> update_user(UserId id, UserChange change) {
        return ask<User>(
            [&](auto done) { access->post_update_user(shards.at(1), tenant, id, change, actor, std::move(done)); });
    }
    Result<MadeToken> create_token(NewToken token) {
        return ask<MadeToken>(
            [&](auto done) { access->post_create_token(shards.at(1), tenant, token, actor, std::move(done)); });
    }
    Result<Principal> post_check(std::string secret) {
        return ask<Principal>([&](auto done) { access->post_check_token(shards.at(1), secret, std::move(done)); });
    }
    bool is_signed_in(const std::string& secret) { return access->check_session(shards.at(1), secret).has_value(); }
    std::vector<std::string> audited() {
        std::vector<std::string> actions;
        for (const auto& kept : log->list({}, {}, 100)->items) {
            actions.push_back(
                fmt::format("{} {} {}", kept.entry.actor, kept.entry.action, to_text(kept.entry.outcome)));
        }
        return actions;
    }

    const Actor actor{"user anna", "10.0.0.7"};
    ManualClock clock;
    ManualShards shards{2, clock};
    ForgetfulDisk disk;
    std::filesystem::path directory;
    std::string path;
    std::unique_ptr<WorkerPool> pool = make_inline_pool();
    std::unique_ptr<audit::Log> log;
    std::unique_ptr<registry::Registry> registry;
    std::unique_ptr<Access> access;
};

TEST_F(AccessTest, TheOneTimeLinkMakesTheFirstAdministratorOnce) {
    EXPECT_FALSE(access->is_claimed(shards.at(0)));
    const std::string secret = access->claim_secret();
    EXPECT_EQ(secret.size(), 43u);
    EXPECT_EQ(claim("guess").error().code(), ErrorCode::Unauthenticated);
    EXPECT_EQ(claim(secret, "short").error().code(), ErrorCode::InvalidArgument);
    const auto signed_in = claim(secret);
    ASSERT_TRUE(signed_in) << signed_in.error().message();
    EXPECT_EQ(signed_in->session.principal.role, Role::Administrator);
    EXPECT_TRUE(is_signed_in(signed_in->secret));
    EXPECT_TRUE(access->is_claimed(shards.at(0)));
    EXPECT_EQ(claim(secret).error().code(), ErrorCode::Conflict);
    reopen();
    EXPECT_TRUE(access->claim_secret().empty());
    EXPECT_TRUE(is_signed_in(signed_in->secret)) << "sessions survive a restart";
    EXPECT_EQ(audited(), (std::vector<std::string>{"user anna user.claim done", "user anna user.claim refused"}));
}

TEST_F(AccessTest, TheLinkOfAnEarlierStartIsWorthNothing) {
    const std::string old = access->claim_secret();
    reopen();
    EXPECT_NE(access->claim_secret(), old);
    EXPECT_EQ(claim(old).error().code(), ErrorCode::Unauthenticated);
}

TEST_F(AccessTest, SignsInWithNameAndPassword) {
    const auto user = create_user("Jörg", Role::Operator).value();
    const auto signed_in = sign_in("Jörg", password);
    ASSERT_TRUE(signed_in) << signed_in.error().message();
    const auto session = access->check_session(shards.at(0), signed_in->secret).value();
    EXPECT_EQ(session.principal.user, user.id);
    EXPECT_EQ(session.principal.role, Role::Operator);
    EXPECT_EQ(session.principal.actor(), "user Jörg");
    EXPECT_EQ(session.csrf, signed_in->session.csrf);
    EXPECT_NE(session.csrf, signed_in->secret);
    EXPECT_EQ(sign_in("Jörg", "wrong").error().code(), ErrorCode::Unauthenticated);
    EXPECT_EQ(sign_in("nobody", password).error().code(), ErrorCode::Unauthenticated);
    EXPECT_FALSE(is_signed_in("made up"));
    const auto users =
        ask<std::vector<User>>([&](auto done) { access->post_users(shards.at(1), tenant, std::move(done)); });
    EXPECT_EQ(users->at(0).last_sign_in, clock.utc_now());
}

TEST_F(AccessTest, SlowsDownGuessing) {
    ASSERT_TRUE(create_user("anna", Role::Operator));
    int answered = 0;
    for (int i = 0; i < 600; ++i) {
        if (sign_in("ANNA", "guess", fmt::format("10.0.1.{}", i % 200)).error().code() ==
            ErrorCode::Unauthenticated) {
            ++answered;
        }
        shards.advance(1s);
    }
    EXPECT_LE(answered, attempts_per_account_max);
    EXPECT_EQ(sign_in("anna", password, "10.0.9.9").error().code(), ErrorCode::TooManyAttempts);
    shards.advance(15min);
    EXPECT_TRUE(sign_in("anna", password, "10.0.9.9"));
}

TEST_F(AccessTest, ASessionEndsAfterTwelveIdleHours) {
    ASSERT_TRUE(create_user("anna", Role::Operator));
    const std::string idle = sign_in("anna", password)->secret;
    const std::string busy = sign_in("anna", password)->secret;
    shards.advance(11h);
    EXPECT_TRUE(is_signed_in(busy));
    shards.advance(2h);
    EXPECT_FALSE(is_signed_in(idle));
    EXPECT_TRUE(is_signed_in(busy));
    reopen();
    EXPECT_FALSE(is_signed_in(idle));
    EXPECT_TRUE(is_signed_in(busy)) << "when it was used survives a restart";
}

TEST_F(AccessTest, ASessionEndsAfterAWeekHoweverBusy) {
    ASSERT_TRUE(create_user("anna", Role::Operator));
    const std::string busy = sign_in("anna", password)->secret;
    for (int hours = 0; hours < 7 * 24; hours += 6) {
        EXPECT_TRUE(is_signed_in(busy)) << hours;
        clock.advance(6h);
    }
    EXPECT_FALSE(is_signed_in(busy));
}

TEST_F(AccessTest, ANewPasswordOrRoleEndsTheSessions) {
    const UserId id = create_user("anna", Role::Administrator)->id;
    ASSERT_TRUE(create_user("berta", Role::Administrator));
    std::string secret = sign_in("anna", password)->secret;
    ASSERT_TRUE(update_user(id, {.name = "Anna"}));
    EXPECT_TRUE(is_signed_in(secret));
    int told = 0;
    access->on_change(shards.at(1), [&] { ++told; });
    const Principal before = access->check_session(shards.at(1), secret)->principal;
    ASSERT_TRUE(update_user(id, {.role = Role::Viewer}));
    EXPECT_FALSE(is_signed_in(secret));
    EXPECT_EQ(told, 1);
    EXPECT_FALSE(access->is_valid(shards.at(1), before));
    secret = sign_in("anna", password)->secret;
    ASSERT_TRUE(update_user(id, {.password = "an entirely new one"}));
    EXPECT_FALSE(is_signed_in(secret));
    EXPECT_FALSE(sign_in("anna", password));
    EXPECT_TRUE(sign_in("anna", "an entirely new one"));
}

TEST_F(AccessTest, SignsOut) {
    ASSERT_TRUE(create_user("anna", Role::Operator));
    const std::string secret = sign_in("anna", password)->secret;
    const auto out = ask<void>([&](auto done) { access->post_sign_out(shards.at(1), secret, "", std::move(done)); });
    EXPECT_TRUE(out);
    EXPECT_FALSE(is_signed_in(secret));
}

TEST_F(AccessTest, KeepsOnlySoManySessionsOfAUser) {
    ASSERT_TRUE(create_user("anna", Role::Operator));
    std::vector<std::string> secrets;
    for (int i = 0; i <= sessions_per_user_max; ++i) {
        secrets.push_back(sign_in("anna", password)->secret);
        shards.advance(1min);
    }
    EXPECT_FALSE(is_signed_in(secrets.front()));
    EXPECT_TRUE(is_signed_in(secrets[1]));
    EXPECT_TRUE(is_signed_in(secrets.back()));
}

TEST_F(AccessTest, TheLastAdministratorStays) {
    const UserId anna = create_user("anna", Role::Administrator)->id;
    EXPECT_EQ(update_user(anna, {.role = Role::Viewer}).error().code(), ErrorCode::Conflict);
    const auto remove = [&](UserId id) {
        return ask<void>(
            [&](auto done) { access->post_delete_user(shards.at(1), tenant, id, actor, std::move(done)); });
    };
    EXPECT_EQ(remove(anna).error().code(), ErrorCode::Conflict);
    const UserId berta = create_user("berta", Role::Administrator)->id;
    const std::string secret = sign_in("anna", password)->secret;
    EXPECT_TRUE(remove(anna));
    EXPECT_FALSE(is_signed_in(secret));
    EXPECT_EQ(remove(anna).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(remove(berta).error().code(), ErrorCode::Conflict);
}

TEST_F(AccessTest, RefusesBadUsers) {
    ASSERT_TRUE(create_user("anna", Role::Operator));
    EXPECT_EQ(create_user("ANNA", Role::Operator).error().code(), ErrorCode::Conflict);
    EXPECT_EQ(create_user("", Role::Operator).error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(create_user("a:b", Role::Operator).error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(update_user(UserId(99), {.name = "x"}).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(update_user(UserId(1), {.password = "12345678"}).error().code(), ErrorCode::InvalidArgument);
}

TEST_F(AccessTest, ATokenOpensWithoutWaiting) {
    const auto made = create_token({.name = "telegraf", .role = Role::Engineer});
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_TRUE(made->secret.starts_with("ls_"));
    const auto principal = access->check_token(shards.at(0), made->secret);
    ASSERT_TRUE(principal);
    EXPECT_EQ(principal->actor(), "token telegraf");
    EXPECT_EQ(principal->role, Role::Engineer);
    EXPECT_FALSE(access->check_token(shards.at(0), made->secret + "x"));
    EXPECT_FALSE(access->check_token(shards.at(0), ""));
    reopen();
    EXPECT_TRUE(access->check_token(shards.at(0), made->secret));
    const auto gone = ask<void>(
        [&](auto done) { access->post_delete_token(shards.at(1), tenant, made->id, actor, std::move(done)); });
    EXPECT_TRUE(gone);
    EXPECT_FALSE(access->check_token(shards.at(0), made->secret));
    EXPECT_FALSE(access->is_valid(shards.at(0), *principal));
}

TEST_F(AccessTest, ATokenExpiresAndSaysWhenItWasUsed) {
    const auto made = create_token({.name = "ci", .expires = clock.utc_now() + 1h});
    const auto tokens = [&] {
        return ask<std::vector<Token>>([&](auto done) { access->post_tokens(shards.at(1), tenant, std::move(done)); })
            .value();
    };
    EXPECT_TRUE(tokens().at(0).last_used.is_none());
    shards.advance(59min);
    ASSERT_TRUE(access->check_token(shards.at(0), made->secret));
    const UtcTime used = clock.utc_now();
    shards.advance(2min);
    EXPECT_FALSE(access->check_token(shards.at(0), made->secret));
    reopen();
    EXPECT_EQ(tokens().at(0).last_used, used);
    EXPECT_EQ(create_token({.name = "late", .expires = clock.utc_now()}).error().code(), ErrorCode::InvalidArgument);
}

TEST_F(AccessTest, ADeviceTokenSpeaksForItsDevice) {
    const auto made = create_token({.name = "filler", .device = "Line3/Filler"});
    const auto principal = access->check_token(shards.at(0), made->secret).value();
    EXPECT_EQ(principal.kind, Principal::Kind::Device);
    EXPECT_EQ(principal.device, "Line3/Filler");
}

TEST_F(AccessTest, ATokenOfTheCommandLineWorksWhileTheServerRuns) {
    const auto made = create_token_offline(path, {.name = "cli", .role = Role::Administrator}, clock.utc_now());
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_FALSE(access->check_token(shards.at(1), made->secret));
    const auto principal = post_check(made->secret);
    ASSERT_TRUE(principal) << principal.error().message();
    EXPECT_EQ(principal->role, Role::Administrator);
    EXPECT_TRUE(access->check_token(shards.at(1), made->secret)) << "from now on without waiting";
    EXPECT_EQ(audited(), std::vector<std::string>{"local token.create done"});
    EXPECT_EQ(post_check("ls_unknown").error().code(), ErrorCode::Unauthenticated);
    EXPECT_EQ(audited().size(), 1u);
}

TEST_F(AccessTest, NoticesByItselfWhatTheCommandLineDid) {
    const auto made = create_token_offline(path, {.name = "cli"}, clock.utc_now());
    ASSERT_TRUE(set_password_offline(path, "anna", Role::Administrator, password, clock.utc_now()));
    shards.advance(2s);
    EXPECT_TRUE(access->check_token(shards.at(0), made->secret));
    EXPECT_TRUE(access->is_claimed(shards.at(0)));
    const std::string secret = sign_in("anna", password)->secret;
    ASSERT_TRUE(set_password_offline(path, "anna", Role::Viewer, "an entirely new one", clock.utc_now()));
    shards.advance(2s);
    EXPECT_FALSE(is_signed_in(secret));
    const auto again = sign_in("anna", "an entirely new one");
    ASSERT_TRUE(again);
    EXPECT_EQ(again->session.principal.role, Role::Administrator) << "the role stays";
}

TEST_F(AccessTest, MakesTheFileWhenTheServerHasNeverRun) {
    const std::string fresh = (directory / "fresh.db").string();
    const auto made = create_token_offline(fresh, {.name = "first"}, clock.utc_now());
    ASSERT_TRUE(made) << made.error().message();
    access.reset();
    registry.reset();
    path = fresh;
    reopen();
    EXPECT_TRUE(access->check_token(shards.at(0), made->secret));
    EXPECT_EQ(audited(), std::vector<std::string>{"local token.create done"});
}

TEST_F(AccessTest, NothingSecretIsInTheFile) {
    const std::string secret = claim(access->claim_secret())->secret;
    const auto made = create_token({.name = "ci"});
    shards.run();
    for (const auto& file : std::filesystem::directory_iterator(directory)) {
        const auto disk_now = make_system_disk();
        const Bytes bytes = disk_now->read(file.path().string()).value();
        EXPECT_EQ(as_text(bytes).find(secret), std::string_view::npos);
        EXPECT_EQ(as_text(bytes).find(made->secret.substr(3)), std::string_view::npos);
        EXPECT_EQ(as_text(bytes).find(password), std::string_view::npos);
    }
}

TEST_F(AccessTest, WhatCannotBeAuditedIsRefused) {
    disk.set_free_bytes(0);
    EXPECT_EQ(create_token({.name = "ci"}).error().code(), ErrorCode::DiskFull);
    EXPECT_EQ(claim(access->claim_secret()).error().code(), ErrorCode::DiskFull);
    EXPECT_FALSE(access->is_claimed(shards.at(0)));
    disk.set_free_bytes(1'000'000);
    EXPECT_TRUE(claim(access->claim_secret()));
}

TEST(Password, IsKeptAsArgon2idAndRecognised) {
    const std::string encoded = must_hash_password("correct horse", {});
    EXPECT_TRUE(encoded.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << encoded;
    EXPECT_TRUE(is_password("correct horse", encoded));
    EXPECT_FALSE(is_password("correct horsf", encoded));
    EXPECT_FALSE(is_password("", encoded));
    EXPECT_FALSE(is_password("x", "rubbish"));
    EXPECT_NE(encoded, must_hash_password("correct horse", {})) << "salted";
}

}  // namespace
}  // namespace lineshaft::access
