// Label selectors of Kubernetes: "app=x,tier in (a,b),!old". The words of the errors are the API's.
#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "base/escaping.h"
#include "config/kubernetes_selector.h"
#include "model/labels.h"

namespace epi::config {
namespace {

constexpr size_t kMaxNameBytes = 63;
constexpr size_t kMaxPrefixBytes = 253;
constexpr std::string_view kNameRule =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
constexpr std::string_view kPrefixRule =
    "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
    "must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr std::string_view kValueRule =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsLetterOrDigit(char c) { return IsLowerOrDigit(c) || (c >= 'A' && c <= 'Z'); }

// Begins and ends with `end`, and has `inner` between.
template <typename End, typename Inner>
bool HasForm(std::string_view text, const End& end, const Inner& inner) {
  return !text.empty() && end(text.front()) && end(text.back()) && std::all_of(text.begin(), text.end(), inner);
}

bool IsQualifiedName(std::string_view text) {
  return HasForm(text, IsLetterOrDigit, [](char c) { return IsLetterOrDigit(c) || c == '-' || c == '_' || c == '.'; });
}

bool IsSubdomain(std::string_view text) {
  while (true) {
    const size_t dot = text.find('.');
    if (!HasForm(text.substr(0, dot), IsLowerOrDigit, [](char c) { return IsLowerOrDigit(c) || c == '-'; }))
      return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

// What is wrong with a key, sentences joined by "; "; empty when nothing is.
std::string WrongWithKey(std::string_view key) {
  std::string out;
  const auto add = [&out](std::string_view text) { out.append(out.empty() ? "" : "; ").append(text); };
  if (std::count(key.begin(), key.end(), '/') > 1) {
    add("a valid label key " + std::string(kNameRule) +
        " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')");
    return out;
  }
  std::string_view name = key;
  if (const size_t slash = key.find('/'); slash != std::string_view::npos) {
    const std::string_view prefix = key.substr(0, slash);
    name = key.substr(slash + 1);
    if (prefix.empty()) {
      add("prefix part must be non-empty");
    } else {
      if (prefix.size() > kMaxPrefixBytes) add("prefix part must be no more than 253 bytes");
      if (!IsSubdomain(prefix)) add(kPrefixRule);
    }
  }
  if (name.empty()) {
    add("name part must be non-empty");
  } else if (name.size() > kMaxNameBytes) {
    add("name part must be no more than 63 bytes");
  }
  if (!IsQualifiedName(name)) add("name part " + std::string(kNameRule));
  return out;
}

std::string WrongWithValue(std::string_view value) {
  std::string out;
  if (value.size() > kMaxNameBytes) out = "must be no more than 63 bytes";
  if (!value.empty() && !IsQualifiedName(value)) out.append(out.empty() ? "" : "; ").append(kValueRule);
  return out;
}

tl::unexpected<Error> Unparsable(std::string text) { return Fail(ErrorCode::kInvalid, std::move(text)); }

class LabelSelectorParser {
 public:
  explicit LabelSelectorParser(std::string_view text) : rest_(text) { Advance(); }

  Result<void> Run() {
    while (!token_.empty()) {
      if (!IsIdentifier() && token_ != "!") return Expected("!, identifier, or 'end of string'");
      if (auto read = Requirement(); !read) return Fail(read.error().WithContext("unable to parse requirement"));
      if (token_.empty()) break;
      if (token_ != ",") return Expected("',' or 'end of string'");
      Advance();
      if (!IsIdentifier() && token_ != "!") return Expected("identifier after ','");
    }
    return {};
  }

 private:
  static bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  static bool IsSign(char c) { return std::string_view("=!(),><").find(c) != std::string_view::npos; }
  bool IsIdentifier() const { return !token_.empty() && !IsSign(token_.front()); }

  void Advance() {
    while (!rest_.empty() && IsBlank(rest_.front())) rest_.remove_prefix(1);
    size_t length = std::min<size_t>(1, rest_.size());
    if (rest_.starts_with("==") || rest_.starts_with("!=")) {
      length = 2;
    } else if (!rest_.empty() && !IsSign(rest_.front())) {
      length = static_cast<size_t>(
          std::find_if(rest_.begin(), rest_.end(), [](char c) { return IsBlank(c) || IsSign(c); }) - rest_.begin());
    }
    token_ = rest_.substr(0, length);
    rest_.remove_prefix(length);
  }
  std::string_view Take() {
    const std::string_view taken = token_;
    Advance();
    return taken;
  }
  tl::unexpected<Error> Expected(std::string_view what, std::string_view comma = ",") const {
    return Unparsable("found '" + std::string(token_) + "'" + std::string(comma) + " expected: " + std::string(what));
  }
  static tl::unexpected<Error> InvalidValue(const std::string& where, std::string_view value, const std::string& why) {
    std::string quoted;
    AppendQuoted(quoted, value);
    return Unparsable(where + ": Invalid value: " + quoted + ": " + why);
  }

  Result<void> Requirement() {
    const bool negated = token_ == "!";
    if (negated) Advance();
    if (!IsIdentifier()) return Expected("identifier");
    const std::string key(Take());
    if (const std::string wrong = WrongWithKey(key); !wrong.empty()) return InvalidValue("<nil>", key, wrong);
    if (negated || token_.empty() || token_ == ",") return {};
    constexpr std::string_view kOperators[] = {"in", "notin", "=", "==", "!=", ">", "<"};
    if (std::find(std::begin(kOperators), std::end(kOperators), token_) == std::end(kOperators))
      return Expected("in, notin, =, ==, !=, gt, lt");
    const std::string_view sign = Take();
    std::vector<std::string_view> values;
    EPI_TRY(sign == "in" || sign == "notin" ? List(values) : One(values));
    if (sign == ">" || sign == "<") EPI_TRY(CheckInteger(values.front()));
    std::sort(values.begin(), values.end());
    for (size_t i = 0; i < values.size(); ++i) {
      const std::string wrong = WrongWithValue(values[i]);
      if (!wrong.empty()) return InvalidValue("values[" + std::to_string(i) + "][" + key + "]", values[i], wrong);
    }
    return {};
  }

  Result<void> One(std::vector<std::string_view>& values) {
    if (token_.empty() || token_ == ",") {
      values.push_back({});
      return {};
    }
    if (!IsIdentifier()) return Expected("identifier");
    values.push_back(Take());
    return {};
  }

  // "(a,b)"; a value may be left out.
  Result<void> List(std::vector<std::string_view>& values) {
    if (token_ != "(") return Expected("'('", "");
    Advance();
    while (true) {
      values.push_back(IsIdentifier() ? Take() : std::string_view());
      if (token_ == ")") {
        Advance();
        return {};
      }
      if (token_ != ",") return Expected("',' or ')'");
      Advance();
    }
  }

  static Result<void> CheckInteger(std::string_view text) {
    int64_t value = 0;
    const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (!digits.empty() && parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size()) return {};
    return InvalidValue("values[0]", text, "for 'Gt', 'Lt' operators, the value must be an integer");
  }

  std::string_view rest_;
  std::string_view token_;  // the next; empty at the end
};

}  // namespace

Result<void> CheckLabelSelector(std::string_view selector) { return LabelSelectorParser(selector).Run(); }

}  // namespace epi::config
