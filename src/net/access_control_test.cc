#include "net/access_control.h"

#include <gtest/gtest.h>

#include "net/digest.h"
#include "testing/simulated_clock.h"

namespace epi::net {
namespace {

WebSettings SettingsWith(AccessToken token, const std::string& secret = "secret") {
  token.name = "t";
  token.sha256 = Sha256Hex(secret);
  if (token.roles == 0) token.roles = RoleBit(Role::kRead);
  WebSettings out;
  out.access_tokens.push_back(std::move(token));
  return out;
}

TEST(AccessControl, OnlyTheWholeTokenIsTaken) {
  testing::SimulatedClock clock;
  AccessControl access(clock);
  AccessToken token;
  token.scope = {"{a=\"b\"}"};
  const auto settings = SettingsWith(token);
  struct Row {
    const char* authorization;
    AccessControl::Outcome outcome;
  };
  using Outcome = AccessControl::Outcome;
  const Row kRows[] = {
      {"Bearer secret", Outcome::kAllowed},
      {"bearer secret", Outcome::kAllowed},
      {"", Outcome::kNoToken},
      {"Basic c2VjcmV0", Outcome::kNoToken},
      {"Bearer", Outcome::kNoToken},
      {"Bearer ", Outcome::kUnknown},
      {"Bearer  secret", Outcome::kUnknown},
      {"Bearer secre", Outcome::kUnknown},
      {"Bearer secret ", Outcome::kUnknown},
      {"Bearer SECRET", Outcome::kUnknown},
      {"Bearer secret,x", Outcome::kUnknown},
      {"secret", Outcome::kNoToken},
      {"Token secret", Outcome::kNoToken},
      // The digest in the file is not the token.
      {"Bearer 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", Outcome::kUnknown},
  };
  for (const auto& row : kRows) {
    Identity identity;
    EXPECT_EQ(access.Check(settings, row.authorization, identity), row.outcome) << row.authorization;
    if (row.outcome != Outcome::kAllowed) continue;
    EXPECT_EQ(identity.name, "t");
    EXPECT_EQ(identity.roles, RoleBit(Role::kRead));
    EXPECT_EQ(identity.label_scope, token.scope);
  }
}

TEST(AccessControl, RequestsAreLimited) {
  testing::SimulatedClock clock;
  AccessControl access(clock);
  AccessToken token;
  token.requests_per_second = 2;
  token.requests_burst = 3;
  const auto settings = SettingsWith(token);
  const auto passes = [&] {
    Identity identity;
    return access.Check(settings, "Bearer secret", identity) == AccessControl::Outcome::kAllowed;
  };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(passes());
  EXPECT_FALSE(passes());
  clock.AdvanceMs(500);
  EXPECT_TRUE(passes());
  EXPECT_FALSE(passes());
}

TEST(AccessControl, BytesAreLimitedAfterTheFact) {
  testing::SimulatedClock clock;
  AccessControl access(clock);
  AccessToken token;
  token.bytes_per_second = 100;
  const auto settings = SettingsWith(token);
  Identity identity;
  EXPECT_EQ(access.Check(settings, "Bearer secret", identity), AccessControl::Outcome::kAllowed);
  access.Charge(settings, identity, 250);
  EXPECT_EQ(access.Check(settings, "Bearer secret", identity), AccessControl::Outcome::kOverLimit);
  clock.AdvanceMs(1000);
  EXPECT_EQ(access.Check(settings, "Bearer secret", identity), AccessControl::Outcome::kOverLimit);
  clock.AdvanceMs(1000);
  EXPECT_EQ(access.Check(settings, "Bearer secret", identity), AccessControl::Outcome::kAllowed);
}

TEST(AccessControl, SettingsAreChecked) {
  AccessToken good;
  EXPECT_TRUE(ValidateWebSettings(SettingsWith(good)));
  WebSettings twice = SettingsWith(good);
  twice.access_tokens.push_back(twice.access_tokens[0]);
  EXPECT_EQ(ValidateWebSettings(twice).error().message(), "access token t is there twice");
  WebSettings plain = SettingsWith(good);
  plain.access_tokens[0].sha256 = "secret";
  EXPECT_EQ(ValidateWebSettings(plain).error().message(),
            "access token t: sha256 is not 64 lower-case hexadecimal digits");
  WebSettings powerless = SettingsWith(good);
  powerless.access_tokens[0].roles = 0;
  EXPECT_EQ(ValidateWebSettings(powerless).error().message(), "access token t has no roles");
}

}  // namespace
}  // namespace epi::net
