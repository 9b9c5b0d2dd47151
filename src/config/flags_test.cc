#include "config/flags.h"

#include <gtest/gtest.h>

#include "testing/temp_dir.h"

namespace epi::config {
namespace {

Result<ParsedFlags> Parse(const std::vector<std::string>& arguments) {
  return ParseFlags(arguments, PosixFileSystem(), "prometheus, version 3.14.0 (branch: b, revision: r)");
}
std::string ErrorOf(const std::vector<std::string>& arguments) {
  const auto parsed = Parse(arguments);
  return parsed ? "no error" : parsed.error().message();
}

TEST(Flags, DefaultsAreShownAsPrometheusShowsThem) {
  const auto parsed = Parse({}).value();
  EXPECT_EQ(parsed.flags.query_lookback_delta_ms, 300'000);
  EXPECT_EQ(parsed.flags.web_listen_addresses, std::vector<std::string>{"0.0.0.0:9090"});
  const auto& shown = parsed.shown;
  EXPECT_EQ(shown.at("query.lookback-delta"), "5m");
  EXPECT_EQ(shown.at("scrape.timestamp-tolerance"), "2ms");
  EXPECT_EQ(shown.at("storage.tsdb.wal-segment-size"), "0B");
  EXPECT_EQ(shown.at("storage.tsdb.retention.time"), "0s");
  EXPECT_EQ(shown.at("auto-gomemlimit.ratio"), "0.9");
  EXPECT_EQ(shown.at("web.enable-lifecycle"), "false");
  EXPECT_EQ(shown.at("web.remote-write-receiver.accepted-protobuf-messages"),
            "prometheus.WriteRequest,io.prometheus.write.v2.Request");
  EXPECT_EQ(shown.count("help"), 0u);
  EXPECT_TRUE(parsed.given.empty());
}

TEST(Flags, BothFormsOfAValueAndBothSensesOfABoolean) {
  const auto parsed = Parse({"--config.file", "a.yml", "--query.timeout=90s", "--web.enable-lifecycle",
                             "--no-storage.tsdb.wal-compression", "--storage.tsdb.retention.size=1GB512MB"})
                          .value();
  EXPECT_EQ(parsed.flags.config_file, "a.yml");
  EXPECT_EQ(parsed.flags.query_timeout_ms, 90'000);
  EXPECT_EQ(parsed.shown.at("query.timeout"), "1m30s");
  EXPECT_TRUE(parsed.flags.web_enable_lifecycle);
  EXPECT_FALSE(parsed.flags.tsdb_wal_compression);
  EXPECT_EQ(parsed.flags.tsdb_retention_bytes, (int64_t{1} << 30) + (512 << 20));
}

TEST(Flags, RepeatableFlagsReplaceTheirDefaultOnce) {
  const auto parsed =
      Parse({"--web.listen-address=:1", "--web.listen-address=:2", "--enable-feature=a,b", "--enable-feature=c"})
          .value();
  EXPECT_EQ(parsed.flags.web_listen_addresses, (std::vector<std::string>{":1", ":2"}));
  EXPECT_EQ(parsed.flags.enabled_features, (std::vector<std::string>{"a,b", "c"}));
  EXPECT_EQ(parsed.shown.at("enable-feature"), "a,b,c");
}

TEST(Flags, ErrorsAreKingpins) {
  EXPECT_EQ(ErrorOf({"--nonsense"}), "unknown long flag '--nonsense'");
  EXPECT_EQ(ErrorOf({"-x"}), "unknown short flag '-x'");
  EXPECT_EQ(ErrorOf({"positional"}), "unexpected positional");
  EXPECT_EQ(ErrorOf({"--web.enable-lifecycle=true"}), "unexpected true");
  EXPECT_EQ(ErrorOf({"--no-config.file"}), "unknown long flag '--no-config.file'");
  EXPECT_EQ(ErrorOf({"--config.file"}), "expected argument for flag '--config.file'");
  EXPECT_EQ(ErrorOf({"--config.file=a", "--config.file=b"}), "flag 'config.file' cannot be repeated");
  EXPECT_EQ(ErrorOf({"--agent", "--no-agent"}), "flag 'agent' cannot be repeated");
  EXPECT_EQ(ErrorOf({"--query.timeout=5x"}), "unknown unit \"x\" in duration \"5x\"");
  EXPECT_EQ(ErrorOf({"--query.max-samples=many"}), "strconv.ParseInt: parsing \"many\": invalid syntax");
  EXPECT_EQ(ErrorOf({"--log.level=loud"}), "enum value must be one of debug,info,warn,error, got 'loud'");
  EXPECT_EQ(ErrorOf({"--storage.tsdb.retention"}), "unknown long flag '--storage.tsdb.retention'");
}

TEST(Flags, ArgumentsFromAFile) {
  testing::TempDir dir;
  const std::string path = dir.path() + "/args";
  ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(path, "# comment\n\n--config.file=x.yml\n--agent\n"));
  const auto parsed = Parse({"@" + path, "--log.level=debug"}).value();
  EXPECT_EQ(parsed.flags.config_file, "x.yml");
  EXPECT_TRUE(parsed.flags.agent);
  EXPECT_EQ(parsed.flags.log_level, "debug");
  EXPECT_FALSE(Parse({"@/no/such/file"}));
}

TEST(Flags, PrintingEndsTheRun) {
  const auto version = Parse({"--version"}).value();
  EXPECT_EQ(version.action, ParsedFlags::Action::kPrintAndExit);
  EXPECT_EQ(version.output, "prometheus, version 3.14.0 (branch: b, revision: r)\n");
  const auto help = Parse({"-h"}).value();
  EXPECT_NE(
      help.output.find("\n      --config.file=\"prometheus.yml\"  \n                                 Configuration"),
      std::string::npos)
      << help.output;
  EXPECT_NE(help.output.find("      --[no-]web.enable-lifecycle"), std::string::npos);
  EXPECT_EQ(help.output.find("wal-segment-size"), std::string::npos);
  EXPECT_NE(Parse({"--write-documentation"}).value().output.find("| `--query.timeout` |"), std::string::npos);
}

TEST(Flags, EachModeRefusesTheOthersFlags) {
  EXPECT_EQ(ModeProblem(Parse({"--agent", "--storage.tsdb.path=x", "--query.timeout=1m"}).value()),
            "The following flag(s) can not be used in agent mode: [\"--storage.tsdb.path\" \"--query.timeout\"]");
  EXPECT_EQ(ModeProblem(Parse({"--storage.agent.path=x"}).value()),
            "The following flag(s) can only be used in agent mode: [\"--storage.agent.path\"]");
  EXPECT_EQ(ModeProblem(Parse({"--agent", "--storage.agent.path=x", "--log.level=warn"}).value()), "");
}

TEST(Flags, RemoteWriteMessagesAreChecked) {
  const std::string flag = "--web.remote-write-receiver.accepted-protobuf-messages=";
  EXPECT_TRUE(Parse({flag + "prometheus.WriteRequest"}));
  EXPECT_NE(ErrorOf({flag + "x"}).find("unknown type for remote write protobuf message x"), std::string::npos);
  EXPECT_NE(ErrorOf({flag + "prometheus.WriteRequest", flag + "prometheus.WriteRequest"}).find("duplicate"),
            std::string::npos);
}

}  // namespace
}  // namespace epi::config
