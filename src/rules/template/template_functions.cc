// The table of functions, and Prometheus's own.
#include "rules/template/template_functions.h"

#include <algorithm>
#include <array>

#include "base/printable.h"
#include "base/utf8.h"
#include "model/case_mapping.h"
#include "model/duration.h"
#include "model/label_names.h"
#include "model/search_regex.h"
#include "net/url.h"
#include "rules/template/value_text.h"

namespace epi::rules {
namespace {

using Env = TemplateEnvironment;

tl::unexpected<Error> Bad(std::string message) { return Fail(ErrorCode::kInvalid, std::move(message)); }
TemplateValue Text(std::string text) { return TemplateValue::Text(std::move(text)); }
const std::string& StringArg(TemplateArgs args, size_t i) { return *args[i].As<std::string>(); }

constexpr std::string_view kNilPointer = "runtime error: invalid memory address or nil pointer dereference";

Result<TemplateValue> Now(const Env& env, TemplateArgs) {
  return TemplateValue::Float(static_cast<double>(env.now_ms) / 1000.0);
}

Result<TemplateValue> ParseDurationText(const Env&, TemplateArgs args) {
  EPI_ASSIGN(const DurationMs ms, ParseDurationAllowNegative(StringArg(args, 0)));
  return TemplateValue::Float(static_cast<double>(ms) / 1000);
}

// The upper-case form of the first letter of each word; apostrophes, points and colons between letters do not end a
// word.
Result<TemplateValue> Title(const Env&, TemplateArgs args) {
  std::string_view rest = StringArg(args, 0);
  std::string out;
  bool in_word = false;
  const auto is_letter = [](std::string_view text) {
    if (text.empty()) return false;
    const auto c = static_cast<unsigned char>(text.front());
    return c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  while (!rest.empty()) {
    uint32_t rune = 0;
    const size_t width = std::max<size_t>(1, DecodeUtf8(rest, rune));
    const std::string_view character = rest.substr(0, width);
    rest.remove_prefix(width);
    const bool digit = character.front() >= '0' && character.front() <= '9';
    if (is_letter(character) || digit || character == "_") {
      out += in_word || digit ? std::string(character) : ToUpperUtf8(character);
      in_word = in_word || is_letter(character) || character == "_";
    } else {
      out += character;
      const bool middle = (character == "'" || character == "." || character == ":") && is_letter(rest);
      in_word = in_word && middle;
    }
  }
  return Text(std::move(out));
}

Result<TemplateValue> ToUpper(const Env&, TemplateArgs args) { return Text(ToUpperUtf8(StringArg(args, 0))); }
Result<TemplateValue> ToLower(const Env&, TemplateArgs args) { return Text(ToLowerUtf8(StringArg(args, 0))); }

Result<TemplateValue> Match(const Env&, TemplateArgs args) {
  EPI_ASSIGN(const auto regex, SearchRegex::Compile(StringArg(args, 0)));
  return TemplateValue::Bool(regex->Matches(StringArg(args, 1)));
}

Result<TemplateValue> ReReplaceAll(const Env& env, TemplateArgs args) {
  auto regex = SearchRegex::Compile(StringArg(args, 0));
  if (!regex) return Bad("regexp: Compile(`" + StringArg(args, 0) + "`): " + regex.error().message());
  EPI_ASSIGN(std::string out, (*regex)->ReplaceAll(StringArg(args, 2), StringArg(args, 1), env.max_output_bytes));
  return Text(std::move(out));
}

// net.SplitHostPort; false when it would be an error.
bool SplitHostPort(std::string_view text, std::string& host, std::string& port) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string_view before = text.substr(0, colon);
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos || close + 1 != colon) return false;
    before = text.substr(1, close - 1);
    if (before.find('[') != std::string_view::npos) return false;
  } else if (before.find(':') != std::string_view::npos || before.find_first_of("[]") != std::string_view::npos) {
    return false;
  }
  if (text.substr(colon).find_first_of("[]") != std::string_view::npos) return false;
  host = std::string(before);
  port = std::string(text.substr(colon + 1));
  return true;
}

bool IsIpAddress(std::string_view text) {
  if (text.find(':') != std::string_view::npos) {
    return text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
  }
  int parts = 0;
  while (true) {
    const size_t end = std::min(text.size(), text.find('.'));
    const std::string_view part = text.substr(0, end);
    if (part.empty() || part.size() > 3 || part.find_first_not_of("0123456789") != std::string_view::npos) return false;
    if ((part.size() > 1 && part.front() == '0') || std::stoi(std::string(part)) > 255) return false;
    ++parts;
    if (end == text.size()) return parts == 4;
    text.remove_prefix(end + 1);
  }
}

Result<TemplateValue> StripPort(const Env&, TemplateArgs args) {
  std::string host;
  std::string port;
  return Text(SplitHostPort(StringArg(args, 0), host, port) ? host : StringArg(args, 0));
}

Result<TemplateValue> StripDomain(const Env&, TemplateArgs args) {
  const std::string& text = StringArg(args, 0);
  std::string host;
  std::string port;
  if (!SplitHostPort(text, host, port)) host = text;
  if (IsIpAddress(host)) return Text(text);
  host.resize(std::min(host.size(), host.find('.')));
  return Text(port.empty() ? host : host + ":" + port);
}

Result<TemplateValue> GraphLink(const Env&, TemplateArgs args) {
  return Text("/graph?g0.expr=" + net::EscapeQuery(StringArg(args, 0)) + "&g0.tab=0");
}
Result<TemplateValue> TableLink(const Env&, TemplateArgs args) {
  return Text("/graph?g0.expr=" + net::EscapeQuery(StringArg(args, 0)) + "&g0.tab=1");
}
Result<TemplateValue> UrlQueryEscape(const Env&, TemplateArgs args) {
  return Text(net::EscapeQuery(StringArg(args, 0)));
}
Result<TemplateValue> PathPrefix(const Env& env, TemplateArgs) { return Text(env.path_prefix); }
Result<TemplateValue> ExternalUrl(const Env& env, TemplateArgs) { return Text(env.external_url); }

Result<TemplateValue> ArgsFunction(const Env&, TemplateArgs args) {
  constexpr int kMaxDepth = 50;
  auto entries = std::make_shared<std::map<std::string, TemplateValue>>();
  int depth = 1;
  for (size_t i = 0; i < args.size(); ++i) {
    if (const auto* map = args[i].As<MapValue>()) depth = std::max(depth, map->depth + 1);
    entries->emplace("arg" + std::to_string(i), args[i]);
  }
  if (depth > kMaxDepth) return Bad("arguments are nested too deeply");
  return TemplateValue(TemplateValue::Data(MapValue{std::move(entries), false, depth}));
}

Result<TemplateValue> SafeHtml(const Env&, TemplateArgs args) {
  return TemplateValue(TemplateValue::Data(SafeHtmlValue{StringArg(args, 0)}));
}

// Samples: structs of Labels and Value.
const TemplateValue* FieldOf(const TemplateValue& sample, std::string_view name) {
  const auto* fields = sample.As<StructValue>();
  if (fields == nullptr) return nullptr;
  for (const auto& [key, value] : *fields->fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string LabelOf(const TemplateValue& sample, const std::string& name) {
  const TemplateValue* labels = FieldOf(sample, "Labels");
  const auto* map = labels == nullptr ? nullptr : labels->As<MapValue>();
  if (map == nullptr) return {};
  const auto found = map->entries->find(name);
  return found == map->entries->end() ? "" : ValueText(found->second);
}

Result<TemplateValue> Query(const Env& env, TemplateArgs args) {
  if (!env.query) return Bad("queries are not possible here");
  EPI_ASSIGN(const std::vector<TemplateSample> samples, env.query(StringArg(args, 0)));
  TemplateList out;
  for (const TemplateSample& sample : samples) {
    auto fields = std::make_shared<std::vector<std::pair<std::string, TemplateValue>>>();
    fields->emplace_back("Labels", LabelsValue(sample.labels));
    fields->emplace_back("Value", SampleValue(sample.value, sample.histogram));
    out.push_back(TemplateValue(TemplateValue::Data(StructValue{std::move(fields), "template.sample", true})));
  }
  return TemplateValue::List(std::move(out), "template.queryResult");
}

Result<TemplateValue> First(const Env&, TemplateArgs args) {
  const auto* list = args[0].As<ListValue>();
  if (list == nullptr || list->items->empty()) return Bad("first() called on vector with no elements");
  return list->items->front();
}

Result<TemplateValue> Label(const Env&, TemplateArgs args) {
  if (args[1].As<StructValue>() == nullptr) return Bad(std::string(kNilPointer));
  return Text(LabelOf(args[1], StringArg(args, 0)));
}

Result<TemplateValue> Value(const Env&, TemplateArgs args) {
  const TemplateValue* value = FieldOf(args[0], "Value");
  if (value == nullptr) return Bad(std::string(kNilPointer));
  return *value;
}

Result<TemplateValue> StrValue(const Env&, TemplateArgs args) {
  if (args[0].As<StructValue>() == nullptr) return Bad(std::string(kNilPointer));
  return Text(LabelOf(args[0], "__value__"));
}

Result<TemplateValue> SortByLabel(const Env&, TemplateArgs args) {
  const auto* list = args[1].As<ListValue>();
  if (list == nullptr) return TemplateValue::List({}, "template.queryResult");
  TemplateList sorted = *list->items;
  const std::string& name = StringArg(args, 0);
  std::stable_sort(sorted.begin(), sorted.end(), [&name](const TemplateValue& a, const TemplateValue& b) {
    return LabelOf(a, name) < LabelOf(b, name);
  });
  return TemplateValue::List(std::move(sorted), list->go_type);
}

// call, tmpl and the two short-circuit operators are evaluated by the executor.
Result<TemplateValue> EvaluatedElsewhere(const Env&, TemplateArgs) { return TemplateValue(); }

using P = ParameterType;
constexpr std::array<P, 1> kAny1{P::kAny};
constexpr std::array<P, 2> kAny2{P::kAny, P::kAny};
constexpr std::array<P, 1> kString1{P::kString};
constexpr std::array<P, 2> kString2{P::kString, P::kString};
constexpr std::array<P, 3> kString3{P::kString, P::kString, P::kString};
constexpr std::array<P, 2> kStringAny{P::kString, P::kAny};
constexpr std::array<P, 2> kStringSample{P::kString, P::kSample};
constexpr std::array<P, 1> kSample1{P::kSample};
constexpr std::array<P, 1> kResult1{P::kQueryResult};
constexpr std::array<P, 2> kStringResult{P::kString, P::kQueryResult};
constexpr std::span<const P> kNone{};

constexpr TemplateFunction kFunctions[] = {
    {"and", kAny2, true, EvaluatedElsewhere},
    {"args", kAny1, true, ArgsFunction},
    {"call", kAny2, true, EvaluatedElsewhere},
    {"eq", kAny2, true, builtin::Eq},
    {"externalURL", kNone, false, ExternalUrl},
    {"first", kResult1, false, First},
    {"ge", kAny2, false, builtin::Ge},
    {"graphLink", kString1, false, GraphLink},
    {"gt", kAny2, false, builtin::Gt},
    {"html", kAny1, true, builtin::Html},
    {"humanize", kAny1, false, number::Humanize},
    {"humanize1024", kAny1, false, number::Humanize1024},
    {"humanizeDuration", kAny1, false, number::HumanizeDuration},
    {"humanizePercentage", kAny1, false, number::HumanizePercentage},
    {"humanizeTimestamp", kAny1, false, number::HumanizeTimestamp},
    {"index", kAny2, true, builtin::Index},
    {"js", kAny1, true, builtin::Js},
    {"label", kStringSample, false, Label},
    {"le", kAny2, false, builtin::Le},
    {"len", kAny1, false, builtin::Len},
    {"lt", kAny2, false, builtin::Lt},
    {"match", kString2, false, Match},
    {"ne", kAny2, false, builtin::Ne},
    {"not", kAny1, false, builtin::Not},
    {"now", kNone, false, Now},
    {"or", kAny2, true, EvaluatedElsewhere},
    {"parseDuration", kString1, false, ParseDurationText},
    {"pathPrefix", kNone, false, PathPrefix},
    {"print", kAny1, true, builtin::Print},
    {"printf", kStringAny, true, builtin::Printf},
    {"println", kAny1, true, builtin::Println},
    {"query", kString1, false, Query},
    {"reReplaceAll", kString3, false, ReReplaceAll},
    {"safeHtml", kString1, false, SafeHtml},
    {"slice", kAny2, true, builtin::Slice},
    {"sortByLabel", kStringResult, false, SortByLabel},
    {"stripDomain", kString1, false, StripDomain},
    {"stripPort", kString1, false, StripPort},
    {"strvalue", kSample1, false, StrValue},
    {"tableLink", kString1, false, TableLink},
    {"title", kString1, false, Title},
    {"tmpl", kStringAny, false, EvaluatedElsewhere, true},
    {"toDuration", kAny1, false, number::ToDuration},
    {"toLower", kString1, false, ToLower},
    {"toTime", kAny1, false, number::ToTime},
    {"toUpper", kString1, false, ToUpper},
    {"urlQueryEscape", kString1, false, UrlQueryEscape},
    {"urlquery", kAny1, true, builtin::UrlQuery},
    {"value", kSample1, false, Value},
};

constexpr bool IsSorted() {
  for (size_t i = 1; i < std::size(kFunctions); ++i) {
    if (kFunctions[i - 1].name >= kFunctions[i].name) return false;
  }
  return true;
}
static_assert(IsSorted(), "functions stand in the order of their names");

}  // namespace

std::string_view ParameterTypeName(ParameterType type) {
  switch (type) {
    case ParameterType::kAny:
      return "interface {}";
    case ParameterType::kString:
      return "string";
    case ParameterType::kInt:
      return "int";
    case ParameterType::kBool:
      return "bool";
    case ParameterType::kSample:
      return "*template.sample";
    case ParameterType::kQueryResult:
      return "template.queryResult";
    case ParameterType::kTime:
      return "time.Time";
    case ParameterType::kDuration:
      return "time.Duration";
  }
  return {};
}

const TemplateFunction* FindTemplateFunction(std::string_view name) {
  const auto* const end = std::end(kFunctions);
  const auto* const found =
      std::lower_bound(std::begin(kFunctions), end, name,
                       [](const TemplateFunction& row, std::string_view key) { return row.name < key; });
  return found != end && found->name == name ? found : nullptr;
}

}  // namespace epi::rules
