#include "config/flags.h"

#include <gtest/gtest.h>

#include "testing/temp_dir.h"

namespace epi::config {
namespace {

constexpr std::string_view kComplaint = "Error parsing command line arguments: ";

ParsedFlags Parse(const std::vector<std::string>& arguments) {
  return ParseFlags("prometheus", arguments, PosixFileSystem(), "prometheus, version 3.14.0 (branch: b, revision: r)");
}
// What is said about arguments that cannot be taken apart: two lines and exit code 1.
std::string SyntaxErrorOf(const std::vector<std::string>& arguments) {
  const auto parsed = Parse(arguments);
  if (parsed.exit_code != 1) return "exit code " + std::to_string(parsed.exit_code);
  EXPECT_EQ(parsed.output, "");
  const auto problem = parsed.complaint.substr(0, parsed.complaint.find('\n')).substr(kComplaint.size());
  EXPECT_EQ(parsed.complaint, std::string(kComplaint) + problem + "\nprometheus: error: " + problem + "\n");
  return problem;
}
// What is said about a value that is none: one line, then the usage on stdout, and exit code 2.
std::string ValueErrorOf(const std::vector<std::string>& arguments) {
  const auto parsed = Parse(arguments);
  if (parsed.exit_code != 2) return "exit code " + std::to_string(parsed.exit_code);
  EXPECT_TRUE(parsed.output.starts_with("usage: prometheus [<flags>]\n"));
  EXPECT_TRUE(parsed.complaint.starts_with(kComplaint) && parsed.complaint.ends_with('\n'));
  return parsed.complaint.substr(kComplaint.size(), parsed.complaint.size() - kComplaint.size() - 1);
}

TEST(Flags, DefaultsAreShownAsPrometheusShowsThem) {
  const auto parsed = Parse({});
  EXPECT_EQ(parsed.flags.query_lookback_delta_ms, 300'000);
  EXPECT_EQ(parsed.flags.web_listen_addresses, std::vector<std::string>{"0.0.0.0:9090"});
  const auto& shown = parsed.shown;
  EXPECT_EQ(shown.at("query.lookback-delta"), "5m");
  EXPECT_EQ(shown.at("storage.agent.retention.min-time"), "5m");
  EXPECT_EQ(shown.at("storage.agent.retention.max-time"), "4h");
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
                             "--no-storage.tsdb.wal-compression", "--storage.tsdb.retention.size=1GB512MB"});
  EXPECT_EQ(parsed.flags.config_file, "a.yml");
  EXPECT_EQ(parsed.flags.query_timeout_ms, 90'000);
  EXPECT_EQ(parsed.shown.at("query.timeout"), "1m30s");
  EXPECT_TRUE(parsed.flags.web_enable_lifecycle);
  EXPECT_FALSE(parsed.flags.tsdb_wal_compression);
  EXPECT_EQ(parsed.flags.tsdb_retention_bytes, (int64_t{1} << 30) + (512 << 20));
}

TEST(Flags, RepeatableFlagsReplaceTheirDefaultOnce) {
  const auto parsed =
      Parse({"--web.listen-address=:1", "--web.listen-address=:2", "--enable-feature=a,b", "--enable-feature=c"});
  EXPECT_EQ(parsed.flags.web_listen_addresses, (std::vector<std::string>{":1", ":2"}));
  EXPECT_EQ(parsed.flags.enabled_features, (std::vector<std::string>{"a,b", "c"}));
  EXPECT_EQ(parsed.shown.at("enable-feature"), "a,b,c");
}

TEST(Flags, WhatIsNoFlagEndsWithOne) {
  EXPECT_EQ(SyntaxErrorOf({"--nonsense"}), "unknown long flag '--nonsense'");
  EXPECT_EQ(SyntaxErrorOf({"--nonsense=5"}), "unknown long flag '--nonsense'");
  EXPECT_EQ(SyntaxErrorOf({"--no-nonsense"}), "unknown long flag '--no-nonsense'");
  EXPECT_EQ(SyntaxErrorOf({"-xy"}), "unknown short flag '-x'");
  EXPECT_EQ(SyntaxErrorOf({"-hx"}), "unknown short flag '-x'");
  EXPECT_EQ(SyntaxErrorOf({"positional"}), "unexpected positional");
  EXPECT_EQ(SyntaxErrorOf({"-"}), "unexpected ");
  EXPECT_EQ(SyntaxErrorOf({"--web.enable-lifecycle=true"}), "unexpected true");
  EXPECT_EQ(SyntaxErrorOf({"--no-config.file"}), "unknown long flag '--no-config.file'");
  EXPECT_EQ(SyntaxErrorOf({"--config.file"}), "expected argument for flag '--config.file'");
  EXPECT_EQ(SyntaxErrorOf({"--config.file", "--agent"}), "expected argument for flag '--config.file'");
  EXPECT_EQ(SyntaxErrorOf({"--storage.tsdb.retention"}), "unknown long flag '--storage.tsdb.retention'");
  // It comes before a wrong value, wherever it stands.
  EXPECT_EQ(SyntaxErrorOf({"--query.timeout=x", "--nonsense"}), "unknown long flag '--nonsense'");
}

TEST(Flags, WhatIsNoValueEndsWithTwo) {
  EXPECT_EQ(ValueErrorOf({"--config.file=a", "--config.file=b"}), "flag 'config.file' cannot be repeated");
  EXPECT_EQ(ValueErrorOf({"--agent", "--no-agent"}), "flag 'agent' cannot be repeated");
  EXPECT_EQ(ValueErrorOf({"--query.timeout=5x"}), "unknown unit \"x\" in duration \"5x\"");
  EXPECT_EQ(ValueErrorOf({"--query.max-samples=many"}), "strconv.ParseFloat: parsing \"many\": invalid syntax");
  EXPECT_EQ(ValueErrorOf({"--query.max-samples=1e19"}), "strconv.ParseFloat: parsing \"1e19\": value out of range");
  EXPECT_EQ(ValueErrorOf({"--query.max-samples=nan"}), "strconv.ParseFloat: parsing \"nan\": value out of range");
  EXPECT_EQ(ValueErrorOf({"--rules.max-concurrent-evals=1e3"}), "strconv.ParseInt: parsing \"1e3\": invalid syntax");
  EXPECT_EQ(ValueErrorOf({"--rules.max-concurrent-evals=--1"}), "strconv.ParseInt: parsing \"--1\": invalid syntax");
  EXPECT_EQ(ValueErrorOf({"--rules.max-concurrent-evals=99999999999999999999"}),
            "strconv.ParseInt: parsing \"99999999999999999999\": value out of range");
  EXPECT_EQ(ValueErrorOf({"--log.level=loud"}), "unrecognized log level loud");
  EXPECT_EQ(ValueErrorOf({"--log.level", "-"}), "unrecognized log level ");
  EXPECT_EQ(ValueErrorOf({"--log.format=JSON"}), "unrecognized log format JSON");
  EXPECT_EQ(ValueErrorOf({"--storage.tsdb.wal-compression-type=x"}), "enum value must be one of snappy,zstd, got 'x'");
}

TEST(Flags, IntegersAreFloatingPointNumbersWithoutTheirFraction) {
  const auto parsed = Parse({"--query.max-samples=1e3", "--web.max-connections=2.9",
                             "--rules.max-concurrent-evals=0x10", "--log.level=WARN"});
  EXPECT_EQ(parsed.flags.query_max_samples, 1000);
  EXPECT_EQ(parsed.flags.web_max_connections, 2);
  EXPECT_EQ(parsed.flags.rules_max_concurrent_evals, 16);
  EXPECT_EQ(parsed.shown.at("query.max-samples"), "1000");
  EXPECT_EQ(parsed.shown.at("storage.remote.read-sample-limit"), "50000000");
  EXPECT_EQ(parsed.shown.at("log.level"), "warn");
}

TEST(Flags, BehindTwoDashesThereAreOnlyValues) {
  EXPECT_EQ(Parse({"--"}).action, ParsedFlags::Action::kRun);
  EXPECT_EQ(SyntaxErrorOf({"--", "--agent"}), "unexpected --agent");
  EXPECT_EQ(Parse({"--config.file", "--", "--agent"}).flags.config_file, "--agent");
}

TEST(Flags, ArgumentsFromAFile) {
  testing::TempDir dir;
  const std::string path = dir.path() + "/args";
  ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(path, "# comment\n\n--config.file=x.yml\n--agent\n"));
  const auto parsed = Parse({"@" + path, "--log.level=debug"});
  EXPECT_EQ(parsed.flags.config_file, "x.yml");
  EXPECT_TRUE(parsed.flags.agent);
  EXPECT_EQ(parsed.flags.log_level, "debug");
  EXPECT_EQ(SyntaxErrorOf({"@/no/such/file"}),
            "failed to open arguments file \"/no/such/file\": open /no/such/file: no such file or directory");
  EXPECT_EQ(SyntaxErrorOf({"@"}), "expected @ file to expand arguments from");
  ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(path, "@" + path + "\n"));
  EXPECT_EQ(SyntaxErrorOf({"@" + path}), "more than 100 argument files, the last \"" + path + "\"");
}

TEST(Flags, PrintingEndsTheRun) {
  const auto version = Parse({"--version"});
  EXPECT_EQ(version.action, ParsedFlags::Action::kExit);
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.output, "prometheus, version 3.14.0 (branch: b, revision: r)\n");
  const auto help = Parse({"-h"});
  EXPECT_NE(
      help.output.find("\n      --config.file=\"prometheus.yml\"  \n                                 Configuration"),
      std::string::npos)
      << help.output;
  EXPECT_NE(help.output.find("      --[no-]web.enable-lifecycle"), std::string::npos);
  EXPECT_EQ(help.output.find("wal-segment-size"), std::string::npos);
  EXPECT_NE(help.output.find("      --web.listen-address=0.0.0.0:9090 ...  \n"), std::string::npos);
  EXPECT_NE(help.output.find("messages=prometheus.WriteRequest... ...  \n"), std::string::npos);
  EXPECT_NE(help.output.find(" auto-reload-config,"), std::string::npos);
  EXPECT_NE(help.output.find(" xor2-encoding."), std::string::npos);
  EXPECT_EQ(help.output.find("ooo-native-histograms"), std::string::npos);  // on for good
  const auto documentation = Parse({"--write-documentation"}).output;
  EXPECT_TRUE(documentation.starts_with("---\ntitle: prometheus\n---\n\n")) << documentation;
  EXPECT_NE(documentation.find("| <code class=\"text-nowrap\">--query.timeout</code> | "), std::string::npos);
  EXPECT_NE(documentation.find("Use with server mode only. | `2m` |\n"), std::string::npos);
  // Version and help answer beside what is wrong, each as far as kingpin lets it.
  EXPECT_EQ(Parse({"--version", "--nonsense"}).exit_code, 0);
  EXPECT_EQ(Parse({"--no-help", "--query.timeout=x"}).exit_code, 0);
  EXPECT_EQ(Parse({"--help", "--nonsense"}).exit_code, 1);
  EXPECT_EQ(Parse({"--write-documentation", "--query.timeout=x"}).exit_code, 2);
}

TEST(Flags, EachModeRefusesTheOthersFlags) {
  EXPECT_EQ(ModeProblem(Parse({"--agent", "--storage.tsdb.path=x", "--query.timeout=1m"})),
            "The following flag(s) can not be used in agent mode: [\"--storage.tsdb.path\" \"--query.timeout\"]");
  EXPECT_EQ(ModeProblem(Parse({"--storage.agent.path=x"})),
            "The following flag(s) can only be used in agent mode: [\"--storage.agent.path\"]");
  EXPECT_EQ(ModeProblem(Parse({"--agent", "--storage.agent.path=x", "--log.level=warn"})), "");
}

TEST(Flags, RemoteWriteMessagesAreChecked) {
  const std::string flag = "--web.remote-write-receiver.accepted-protobuf-messages=";
  EXPECT_EQ(Parse({flag + "prometheus.WriteRequest"}).exit_code, 0);
  EXPECT_NE(ValueErrorOf({flag + "x"}).find("unknown type for remote write protobuf message x"), std::string::npos);
  EXPECT_NE(ValueErrorOf({flag + "prometheus.WriteRequest", flag + "prometheus.WriteRequest"}).find("duplicate"),
            std::string::npos);
}

}  // namespace
}  // namespace epi::config
