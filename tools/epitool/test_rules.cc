// test rules: unit tests of rule files.
#include <algorithm>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/utf8.h"
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

// As Go's encoding/xml escapes text and attributes.
std::string XmlText(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string out;
  while (!text.empty()) {
    uint32_t rune = 0;
    const size_t size = DecodeUtf8(text, rune);
    const std::string_view character = text.substr(0, std::max<size_t>(1, size));
    text.remove_prefix(character.size());
    switch (size == 0 ? 0 : rune) {
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
      case '\'':
        out += "&#39;";
        break;
      case '\n':
        out += "&#xA;";
        break;
      case '\r':
        out += "&#xD;";
        break;
      case '\t':
        out += "&#x9;";
        break;
      default:
        // XML 1.0 has no way to write other control characters.
        out += size == 0 || rune < 0x20 || rune == 0xFFFE || rune == 0xFFFF ? kReplacement : character;
    }
  }
  return out;
}

std::string CaseXml(const std::string& name, std::string_view element, const std::vector<std::string>& texts) {
  std::string out = "<testcase name=\"" + XmlText(name) + "\">";
  for (const std::string& text : texts) {
    out.append("<").append(element).append(">").append(XmlText(text)).append("</").append(element).append(">");
  }
  return out + "</testcase>";
}

// A file that could not be run has one case, "unknown", with the last of its errors, and no time.
std::string SuiteXml(const std::string& name, const rules::RuleTestReport& report, const std::string& timestamp) {
  std::string cases;
  size_t failures = 0;
  for (const auto& group : report.groups) {
    failures += group.failures.size();
    cases += CaseXml(group.name, "failure", group.failures);
  }
  const bool unknown = !report.errors.empty();
  if (unknown) cases += CaseXml("unknown", "error", {report.errors.back()});
  const auto attribute = [](std::string_view key, const std::string& value) {
    return " " + std::string(key) + "=\"" + value + "\"";
  };
  return "<testsuite" + attribute("name", XmlText(name)) +
         attribute("tests", std::to_string(report.groups.size() + (unknown ? 1 : 0))) +
         attribute("failures", std::to_string(failures)) + attribute("errors", std::to_string(report.errors.size())) +
         attribute("skipped", "0") + attribute("timestamp", unknown ? "" : timestamp) + ">" + cases + "</testsuite>";
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
    const std::string xml = "<testsuites>" + suites + "</testsuites>";
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
