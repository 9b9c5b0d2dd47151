#include "scrape/parse/sample_tail.h"

#include <fast_float/fast_float.h>
#include <cmath>
#include <limits>

#include "model/sample.h"

namespace epi::scrape::internal {

bool ParseDecimal(const char* begin, const char* end, double& value) {
  const auto result = fast_float::from_chars(begin, end, value);
  return result.ec == std::errc() && result.ptr == end && std::isfinite(value);
}

const char* TakeSpecialValue(const char* at, double& value) {
  const auto ends = [](char c) { return c == '\n' || c == ' ' || c == '\t'; };
  if (at[0] == 'N' && at[1] == 'a' && at[2] == 'N' && ends(at[3])) {
    value = NormalNaN();
    return at + 3;
  }
  if ((at[0] == '+' || at[0] == '-') && at[1] == 'I' && at[2] == 'n' && at[3] == 'f' && ends(at[4])) {
    value = at[0] == '+' ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
    return at + 4;
  }
  return nullptr;
}

}  // namespace epi::scrape::internal
