// The OpenMetrics project's own cases: what is valid must be read; what is not must do no harm (Prometheus's parser,
// which ours follows, checks syntax only).
#include <gtest/gtest.h>

#include "scrape/parse/format.h"
#include "testing/conformance.h"

namespace epi::scrape {
namespace {

TEST(OpenMetricsSuite, EveryCase) {
  EPI_CONFORMANCE_OR_SKIP(data, "exposition/openmetrics_suite.json");
  for (const auto& c : data.at("cases")) {
    const std::string body = epi::testing::ConformanceText(c.at("input"));
    const auto parser = MakeParser(ExpositionFormat::kOpenMetrics, body, {});
    while (true) {
      const auto kind = parser->Next();
      if (!kind) {
        EXPECT_FALSE(c.at("valid_openmetrics").get<bool>()) << c.at("id") << ": " << kind.error().message();
        break;
      }
      if (*kind == EntryKind::kEnd) break;
      if (*kind == EntryKind::kSeries) static_cast<void>(parser->SampleLabels());
    }
  }
}

}  // namespace
}  // namespace epi::scrape
