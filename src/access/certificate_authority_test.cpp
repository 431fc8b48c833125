#include "access/certificate_authority.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "access/internal/certificate.h"
#include "support/forgetful_disk.h"

namespace lineshaft::access {
namespace {

using testing::ForgetfulDisk;

constexpr UtcTime start{1'767'225'600'000'000'000};

class CertificateAuthorityTest : public ::testing::Test {
protected:
    ServerCertificate ensure(UtcTime now, std::vector<std::string> names = {"Plant-PC", "10.0.0.7", "fe80::1"}) {
        auto made = ensure_server_certificate(disk, {"data/pki", std::move(names)}, now);
        EXPECT_TRUE(made) << made.error().message();
        return made.value_or(ServerCertificate{});
    }
    ForgetfulDisk disk;
};

TEST_F(CertificateAuthorityTest, MakesACertificateForAllNamesOfTheMachine) {
    const auto made = ensure(start);
    EXPECT_TRUE(made.made_now);
    for (const char* name : {"localhost", "127.0.0.1", "::1", "plant-pc", "10.0.0.7", "fe80::1"}) {
        EXPECT_NE(std::find(made.names.begin(), made.names.end(), name), made.names.end()) << name;
    }
    EXPECT_EQ(made.expires, start + 397 * 24h);
    EXPECT_TRUE(is_signed_by(made.certificate_pem, made.authority_pem));
    EXPECT_TRUE(read_pair({made.certificate_pem, made.key_pem}));
    EXPECT_EQ(made.fingerprint.size(), 95u);
}

TEST_F(CertificateAuthorityTest, KeepsItUntilThirtyDaysBeforeItEnds) {
    const auto first = ensure(start);
    EXPECT_EQ(ensure(start + 366 * 24h).fingerprint, first.fingerprint);
    const auto renewed = ensure(start + 368 * 24h);
    EXPECT_TRUE(renewed.made_now);
    EXPECT_NE(renewed.fingerprint, first.fingerprint);
    EXPECT_EQ(renewed.authority_pem, first.authority_pem) << "clients go on trusting";
}

TEST_F(CertificateAuthorityTest, ANewNameMakesANewCertificate) {
    const auto first = ensure(start);
    EXPECT_TRUE(ensure(start, {"plant-pc", "10.0.0.8"}).made_now);
    EXPECT_FALSE(ensure(start, {"plant-pc", "10.0.0.8"}).made_now);
    EXPECT_FALSE(ensure(start, {"plant-pc"}).made_now) << "one name less is no reason";
    EXPECT_TRUE(ensure(start, {"evil,DNS:bank.example"}).names.size() > 2);
    EXPECT_EQ(ensure(start, {"evil,DNS:bank.example"}).names.size(), ensure(start, {}).names.size());
}

TEST_F(CertificateAuthorityTest, SurvivesAPowerCutAtAnySync) {
    for (std::uint64_t cut = 0; cut < 16; ++cut) {
        disk = ForgetfulDisk();
        disk.lose_power_at_sync(cut);
        if (ensure_server_certificate(disk, {"data/pki", {}}, start)) {
            (void)ensure_server_certificate(disk, {"data/pki", {"renewed"}}, start);
        }
        disk.lose_power();
        const auto after = ensure_server_certificate(disk, {"data/pki", {}}, start);
        ASSERT_TRUE(after) << cut << after.error().message();
        EXPECT_TRUE(is_signed_by(after->certificate_pem, after->authority_pem));
    }
}

TEST_F(CertificateAuthorityTest, SaysWhichFileIsDamaged) {
    ensure(start);
    ASSERT_TRUE(disk.replace("data/pki/server.pem", as_bytes("rubbish")));
    const auto broken = ensure_server_certificate(disk, {"data/pki", {}}, start);
    EXPECT_EQ(broken.error().code(), ErrorCode::Corrupt);
    EXPECT_NE(broken.error().detail().find("server.pem"), std::string::npos);
    ASSERT_TRUE(disk.remove("data/pki/server.pem"));
    EXPECT_TRUE(ensure(start).made_now);
}

TEST_F(CertificateAuthorityTest, MakesANewAuthorityBeforeTheOldOneEnds) {
    const auto first = ensure(start);
    const auto last = ensure(start + 3600 * 24h);
    EXPECT_EQ(last.authority_pem, first.authority_pem);
    EXPECT_LE(last.expires, start + 3653 * 24h) << "not longer than the authority";
    EXPECT_NE(ensure(start + 3640 * 24h).authority_pem, first.authority_pem);
}

TEST(LocalNames, NameThisMachineWithoutLoopback) {
    const auto names = local_names();
    EXPECT_EQ(std::find(names.begin(), names.end(), "127.0.0.1"), names.end());
}

}  // namespace
}  // namespace lineshaft::access
