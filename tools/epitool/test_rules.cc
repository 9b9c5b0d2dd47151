// test rules: unit tests of rule files.
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "epitool/command.h"
#include "epitool/query_features.h"
#include "epitool/rule_check.h"
#include "rules/template/go_time.h"
#include "rules/unit_test/test_run.h"
#include "tsdb/memory_storage.h"

namespace epi::tool {
namespace {

constexpr FlagSpec kTestRulesFlags[] = {
    {"run", true, "",
     "If set, will only run test groups whose names match the regular expression. Can be specified multiple times.",
     true},
    {"debug", false, "", "Enable unit test debugging."},
    {"diff", false, "", "[Experimental] Print colored differential output between expected & received output."},
    {"ignore-unknown-fields", false, "",
     "Ignore unknown fields in the test files. This is useful when you want to "
     "extend rule files with custom metadata."},
    {"junit", true, "", "File path to store JUnit XML test results.", false, 0, ValueForm::kText, 1},
};

std::string XmlText(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\n':
        out += "&#xA;";
        break;
      case '\t':
        out += "&#x9;";
        break;
      default:
        // XML 1.0 has no way to write other control characters.
        out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    }
  }
  return out;
}

std::string SuiteXml(const std::string& name, const rules::RuleTestReport& report, const std::string& timestamp) {
  size_t failed = 0;
  for (const auto& group : report.groups) failed += group.failures.empty() ? 0 : 1;
  std::string out = "<testsuite name=\"" + XmlText(name) + "\" tests=\"" + std::to_string(report.groups.size()) +
                    "\" failures=\"" + std::to_string(failed) + "\" errors=\"" + std::to_string(report.errors.size()) +
                    "\" timestamp=\"" + timestamp + "\">";
  for (const auto& error : report.errors) {
    out += "<testcase name=\"\"><error message=\"" + XmlText(error) + "\" type=\"\"></error></testcase>";
  }
  for (const auto& group : report.groups) {
    out += "<testcase name=\"" + XmlText(group.name) + "\">";
    for (const auto& failure : group.failures) {
      out += "<failure message=\"" + XmlText(failure) + "\" type=\"\"></failure>";
    }
    out += "</testcase>";
  }
  return out + "</testsuite>";
}

// False when some test failed.
bool PrintReport(const rules::RuleTestReport& report, Console& console) {
  for (const auto& warning : report.warnings) console.err << warning << "\n";
  if (report.ok()) {
    console.out << "  SUCCESS\n\n";
    return true;
  }
  console.err << "  FAILED:\n";
  const auto print = [&console](const std::string& text) {
    console.err << text << "\n";
    console.out << "\n";
  };
  for (const auto& error : report.errors) print(error);
  for (const auto& group : report.groups) {
    for (const auto& failure : group.failures) print(failure);
  }
  console.out << "\n";
  return false;
}

int RunTestRules(const Arguments& arguments, Console& console) {
  rules::RuleTestOptions options;
  options.files = &console.files;
  options.clock = &SystemClock();
  options.make_storage = [] { return std::make_unique<tsdb::MemoryStorage>(); };
  const QueryFeatures features = ReadQueryFeatures(arguments, console);
  options.parser = features.parser;
  options.features = features.engine;
  options.ignore_unknown_fields = arguments.On("ignore-unknown-fields");
  options.run = arguments.Values("run");
  options.diff = arguments.On("diff");
  if (arguments.On("debug"))
    options.debug = [&console](const std::string& text) { console.err << "DEBUG: " << text << "\n"; };
  const int64_t now = SystemClock().NowMs();
  const std::string timestamp = rules::FormatTime({now / 1000, 0}, "2006-01-02T15:04:05");
  bool failed = false;
  std::string suites;
  for (const std::string& path : arguments.positional()) {
    const rules::RuleTestReport report = RunRuleTests(path, options);
    failed |= !PrintReport(report, console);
    suites += SuiteXml(path, report, timestamp);
  }
  if (const std::string junit(arguments.Value("junit")); !junit.empty()) {
    const std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>" + suites + "</testsuites>";
    if (auto written = console.files.WriteFileAtomically(junit, xml); !written) {
      console.err << "could not write to junit file: " << written.error().message() << "\n";
      return kFailure;
    }
  }
  return failed ? kFailure : kSuccess;
}

}  // namespace

const Command kTestRules = {
    "test rules", "<test-rule-file>...", "Unit tests for rules.", kTestRulesFlags, 1, SIZE_MAX, SIZE_MAX, &RunTestRules,
};

}  // namespace epi::tool
