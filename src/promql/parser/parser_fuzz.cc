// Whatever text comes in, lexer, parser and printers end, and an accepted expression prints as one that is accepted.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "promql/parser/parser.h"
#include "promql/parser/printer.h"

namespace {

void CheckExpression(std::string_view text) {
  const auto options = epi::promql::ParseOptions::AllEnabled();
  const auto outcome = epi::promql::ParseExprCollectingErrors(text, options);
  EPI_CHECK(outcome.errors.empty() == (outcome.expr != nullptr));
  for (const auto& error : outcome.errors) epi::promql::FormatParseError(error, text);
  if (outcome.expr == nullptr) return;
  const std::string printed = epi::promql::ToString(*outcome.expr);
  const auto again = epi::promql::ParseExprCollectingErrors(printed, options);
  // Numbers print without exponent, so a short text can print as one that is too long for the limits.
  if (again.expr != nullptr) {
    EPI_CHECK(epi::promql::ToString(*epi::promql::Clone(*again.expr)).size() ==
              epi::promql::ToString(*again.expr).size());
  }
  epi::promql::ToAstJson(*outcome.expr);
  static_cast<void>(epi::promql::ToPrettyString(*outcome.expr, 20, size_t{1} << 20));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kInteresting = 4096;
  if (size == 0 || size > kInteresting) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 4) {
    case 0:
      static_cast<void>(epi::promql::ParseMetricSelector(text));
      break;
    case 1:
      static_cast<void>(epi::promql::ParseSeriesDescription(text, 1000));
      break;
    default:
      CheckExpression(text);
      break;
  }
  return 0;
}
