#include "config/kubernetes_selector.h"

#include <algorithm>
#include <string>
#include <vector>

namespace epi::config {
namespace {

tl::unexpected<Error> InvalidSelector(std::string text) { return Fail(ErrorCode::kInvalid, std::move(text)); }

// Splits at commas that no backslash escapes.
std::vector<std::string_view> Terms(std::string_view selector) {
  std::vector<std::string_view> out;
  size_t begin = 0;
  for (size_t i = 0; i <= selector.size(); ++i) {
    if (i < selector.size() && selector[i] == '\\') {
      ++i;
      continue;
    }
    if (i >= selector.size() || selector[i] == ',') {
      out.push_back(selector.substr(begin, std::min(i, selector.size()) - begin));
      begin = i + 1;
    }
  }
  return out;
}

// The value of a term: backslashes escape only a backslash, a comma or an equals sign, which stand nowhere bare.
Result<void> CheckEscapes(std::string_view value) {
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == ',' || value[i] == '=') {
      return InvalidSelector("invalid field selector: unescaped character in value: " + std::to_string(value[i]));
    }
    if (value[i] != '\\') continue;
    if (++i == value.size() || (value[i] != '\\' && value[i] != ',' && value[i] != '=')) {
      return InvalidSelector("invalid field selector: invalid escape sequence: \\" +
                             (i < value.size() ? std::string(1, value[i]) : ""));
    }
  }
  return {};
}

}  // namespace

Result<void> CheckFieldSelector(std::string_view selector) {
  for (const std::string_view term : Terms(selector)) {
    if (term.empty()) continue;
    const size_t at = term.find('=');
    if (at == std::string_view::npos) {
      return InvalidSelector("invalid selector: '" + std::string(selector) + "'; can't understand '" +
                             std::string(term) + "'");
    }
    EPI_TRY(CheckEscapes(term.substr(at + (term.substr(at + 1).starts_with('=') ? 2 : 1))));
  }
  return {};
}

}  // namespace epi::config
