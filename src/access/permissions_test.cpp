#include "access/permissions.h"

#include <gtest/gtest.h>

namespace lineshaft::access {
namespace {

Principal token(Role role, std::initializer_list<Scope> scopes = {}) {
    Principal principal;
    principal.kind = Principal::Kind::Token;
    principal.name = "t";
    principal.role = role;
    for (const Scope scope : scopes) principal.scopes.add(scope);
    return principal;
}

TEST(Permissions, EachRoleMayWhatTheTableSays) {
    EXPECT_TRUE(allowed(Role::Viewer, Action::ReadData));
    EXPECT_FALSE(allowed(Role::Viewer, Action::AcknowledgeAlarms));
    EXPECT_TRUE(allowed(Role::Operator, Action::AcknowledgeAlarms));
    EXPECT_TRUE(allowed(Role::Operator, Action::WriteCommands));
    EXPECT_FALSE(allowed(Role::Operator, Action::EditDevices));
    EXPECT_TRUE(allowed(Role::Engineer, Action::EditRules));
    EXPECT_FALSE(allowed(Role::Engineer, Action::EditUsers));
    EXPECT_FALSE(allowed(Role::Engineer, Action::ReadAudit));
    for (std::size_t i = 0; i < action_count; ++i) {
        EXPECT_TRUE(allowed(Role::Administrator, static_cast<Action>(i))) << to_text(static_cast<Action>(i));
    }
}

TEST(Permissions, AScopeNarrowsATokenToWhatItNames) {
    const Principal reader = token(Role::Administrator, {Scope::DataRead});
    EXPECT_TRUE(allowed(reader, Action::ReadData));
    EXPECT_FALSE(allowed(reader, Action::EditUsers));
    EXPECT_FALSE(allowed(reader, Action::WriteTelemetry));
    EXPECT_TRUE(allowed(token(Role::Administrator), Action::EditUsers));
    EXPECT_TRUE(allowed(token(Role::Administrator, {Scope::Admin}), Action::EditUsers));
    EXPECT_FALSE(allowed(token(Role::Viewer, {Scope::Admin}), Action::EditUsers)) << "never more than the role";
    EXPECT_FALSE(allowed(token(Role::Viewer, {Scope::CommandWrite}), Action::WriteCommands));
}

TEST(Permissions, ACollectorNeedsNoRoleToWriteWhatItCollects) {
    EXPECT_TRUE(allowed(token(Role::Viewer, {Scope::TelemetryWrite}), Action::WriteTelemetry));
    EXPECT_FALSE(allowed(token(Role::Viewer, {Scope::TelemetryWrite}), Action::ReadData));
    EXPECT_FALSE(allowed(token(Role::Viewer), Action::WriteTelemetry));
}

TEST(Permissions, ADeviceMaySpeakForItselfAndNothingElse) {
    Principal device = token(Role::Administrator);
    device.kind = Principal::Kind::Device;
    device.device = "Line3/Filler";
    EXPECT_TRUE(allowed(device, Action::WriteTelemetry));
    EXPECT_FALSE(allowed(device, Action::ReadData));
    EXPECT_FALSE(allowed(device, Action::EditUsers));
    EXPECT_EQ(device.actor(), "device Line3/Filler");
    EXPECT_EQ(check(device, Action::ReadData).error().code(), ErrorCode::Forbidden);
}

TEST(Permissions, NamesGoBothWays) {
    for (const Role role : {Role::Viewer, Role::Operator, Role::Engineer, Role::Administrator}) {
        EXPECT_EQ(role_from_text(to_text(role)).value(), role);
    }
    EXPECT_EQ(role_from_text("root").error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(scope_from_text("data:read").value(), Scope::DataRead);
    EXPECT_EQ(scope_from_text("all").error().code(), ErrorCode::InvalidArgument);
    Scopes scopes;
    scopes.add(Scope::DataRead);
    scopes.add(Scope::TelemetryWrite);
    EXPECT_EQ(to_text(scopes), "telemetry:write data:read");
}

}  // namespace
}  // namespace lineshaft::access
