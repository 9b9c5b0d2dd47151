// Go's built-in template functions.
#include "base/escaping.h"
#include "base/printable.h"
#include "base/utf8.h"
#include "model/labels.h"
#include "net/url.h"
#include "rules/template/go_format.h"
#include "rules/template/template_functions.h"
#include "rules/template/value_text.h"

namespace epi::rules {

namespace builtin {
namespace {

tl::unexpected<Error> BadArgument(std::string message) { return Fail(ErrorCode::kInvalid, std::move(message)); }

enum class Basic : unsigned char { kNone, kBool, kInt, kUint, kFloat, kComplex, kString };

Basic BasicKind(const TemplateValue& v) {
  if (v.As<bool>() != nullptr) return Basic::kBool;
  if (v.As<uint64_t>() != nullptr) return Basic::kUint;
  if (v.As<double>() != nullptr) return Basic::kFloat;
  if (v.As<ComplexValue>() != nullptr) return Basic::kComplex;
  if (v.As<std::string>() != nullptr || v.As<SafeHtmlValue>() != nullptr) return Basic::kString;
  if (const auto* duration = v.As<DurationValue>()) return duration->pointer ? Basic::kNone : Basic::kInt;
  if (v.As<int64_t>() != nullptr || v.As<MonthValue>() != nullptr || v.As<WeekdayValue>() != nullptr) {
    return Basic::kInt;
  }
  return Basic::kNone;
}

int64_t IntOf(const TemplateValue& v) {
  if (const auto* d = v.As<DurationValue>()) return d->nanoseconds;
  if (const auto* m = v.As<MonthValue>()) return m->number;
  if (const auto* w = v.As<WeekdayValue>()) return w->number;
  return *v.As<int64_t>();
}

std::string_view StringOf(const TemplateValue& v) {
  if (const auto* html = v.As<SafeHtmlValue>()) return html->text;
  return *v.As<std::string>();
}

bool IsAbsent(const TemplateValue& v) { return v.IsNone() || v.IsNil(); }

tl::unexpected<Error> Incompatible(const TemplateValue& a, const TemplateValue& b) {
  return BadArgument("incompatible types for comparison: " + a.TypeName() + " and " + b.TypeName());
}

// What Go's values without an order are made of. Only two of a kind can be compared.
enum class Shape : unsigned char { kList, kMap, kStruct, kPointer };
Shape ShapeOf(const TemplateValue& v) {
  if (v.As<ListValue>() != nullptr) return Shape::kList;
  if (v.As<MapValue>() != nullptr) return Shape::kMap;
  const auto* record = v.As<StructValue>();
  const auto* time = v.As<TimeValue>();
  const bool is_struct = record != nullptr ? !record->pointer : time != nullptr && !time->pointer;
  return is_struct ? Shape::kStruct : Shape::kPointer;
}

constexpr size_t kMaxShown = 1000;  // bytes of a value in an error text

// As %s prints it.
std::string AsString(const TemplateValue& v) {
  std::string text;
  WriteValue(text, v, 's', FormatFlags(), kMaxShown);
  return text;
}

Result<bool> Equal(const TemplateValue& a, const TemplateValue& b) {
  const Basic ka = BasicKind(a);
  const Basic kb = BasicKind(b);
  if (ka == Basic::kInt && kb == Basic::kUint)
    return IntOf(a) >= 0 && static_cast<uint64_t>(IntOf(a)) == *b.As<uint64_t>();
  if (ka == Basic::kUint && kb == Basic::kInt)
    return IntOf(b) >= 0 && *a.As<uint64_t>() == static_cast<uint64_t>(IntOf(b));
  if (ka != kb) {
    if (!IsAbsent(a) && !IsAbsent(b)) return Incompatible(a, b);
    return false;
  }
  switch (ka) {
    case Basic::kBool:
      return *a.As<bool>() == *b.As<bool>();
    case Basic::kInt:
      return IntOf(a) == IntOf(b);
    case Basic::kUint:
      return *a.As<uint64_t>() == *b.As<uint64_t>();
    case Basic::kFloat:
      return *a.As<double>() == *b.As<double>();
    case Basic::kComplex:
      return a.As<ComplexValue>()->real == b.As<ComplexValue>()->real &&
             a.As<ComplexValue>()->imaginary == b.As<ComplexValue>()->imaginary;
    case Basic::kString:
      return StringOf(a) == StringOf(b);
    case Basic::kNone:
      break;
  }
  if (IsAbsent(a) || IsAbsent(b)) return IsAbsent(a) && IsAbsent(b);
  if (ShapeOf(a) != ShapeOf(b)) {
    return BadArgument("non-comparable types " + AsString(a) + ": " + a.TypeName() + ", " + b.TypeName() + ": " +
                       ValueText(b, kMaxShown));
  }
  const auto* record = b.As<StructValue>();
  if (b.As<ListValue>() != nullptr || b.As<MapValue>() != nullptr || (record != nullptr && !record->pointer)) {
    return BadArgument("non-comparable type " + AsString(b) + ": " + b.TypeName());
  }
  if (record != nullptr) return a.As<StructValue>()->fields == record->fields;
  const auto* da = a.As<DurationValue>();
  const auto* db = b.As<DurationValue>();
  if (da != nullptr && db != nullptr) return da->nanoseconds == db->nanoseconds;
  const auto* ta = a.As<TimeValue>();
  const auto* tb = b.As<TimeValue>();
  if (ta != nullptr && tb != nullptr) return ta->seconds == tb->seconds && ta->nanoseconds == tb->nanoseconds;
  return false;
}

Result<bool> Less(const TemplateValue& a, const TemplateValue& b) {
  const Basic ka = BasicKind(a);
  const Basic kb = BasicKind(b);
  if (ka == Basic::kNone || kb == Basic::kNone) return BadArgument("invalid type for comparison");
  if (ka == Basic::kInt && kb == Basic::kUint)
    return IntOf(a) < 0 || static_cast<uint64_t>(IntOf(a)) < *b.As<uint64_t>();
  if (ka == Basic::kUint && kb == Basic::kInt)
    return IntOf(b) >= 0 && *a.As<uint64_t>() < static_cast<uint64_t>(IntOf(b));
  if (ka != kb) return Incompatible(a, b);
  switch (ka) {
    case Basic::kInt:
      return IntOf(a) < IntOf(b);
    case Basic::kUint:
      return *a.As<uint64_t>() < *b.As<uint64_t>();
    case Basic::kFloat:
      return *a.As<double>() < *b.As<double>();
    case Basic::kString:
      return StringOf(a) < StringOf(b);
    default:
      return BadArgument("invalid type for comparison");
  }
}

// The position an index argument names, within [0, limit].
Result<size_t> Position(const TemplateValue& index, size_t limit) {
  int64_t at = 0;
  if (const auto* i = index.As<int64_t>()) {
    at = *i;
  } else if (const auto* u = index.As<uint64_t>()) {
    at = *u > INT64_MAX ? -1 : static_cast<int64_t>(*u);
  } else if (IsAbsent(index)) {
    return BadArgument("cannot index slice/array with nil");
  } else {
    return BadArgument("cannot index slice/array with type " + index.TypeName());
  }
  if (at < 0 || static_cast<uint64_t>(at) > limit) return BadArgument("index out of range: " + std::to_string(at));
  return static_cast<size_t>(at);
}

std::string ArgsText(const TemplateEnvironment& environment, TemplateArgs args) {
  if (args.size() == 1 && args[0].As<std::string>() != nullptr) return *args[0].As<std::string>();
  TemplateList printable;
  for (const TemplateValue& arg : args) printable.push_back(Printable(arg.IsNil() ? TemplateValue() : arg));
  return GoSprint(printable, environment.max_output_bytes);
}

TemplateValue TextValue(std::string text) { return TemplateValue::Text(std::move(text)); }

}  // namespace

Result<TemplateValue> Not(const TemplateEnvironment&, TemplateArgs args) {
  return TemplateValue::Bool(!args[0].Truth());
}

Result<TemplateValue> Len(const TemplateEnvironment&, TemplateArgs args) {
  const TemplateValue& v = args[0];
  size_t length = 0;
  if (const auto* s = v.As<std::string>()) {
    length = s->size();
  } else if (const auto* list = v.As<ListValue>()) {
    length = list->items->size();
  } else if (const auto* map = v.As<MapValue>()) {
    length = map->entries->size();
  } else if (IsAbsent(v)) {
    return BadArgument("reflect: call of reflect.Value.Type on zero Value");
  } else {
    return BadArgument("len of type " + Pointee(v).TypeName());
  }
  return TemplateValue::Int(static_cast<int64_t>(length));
}

Result<TemplateValue> Index(const TemplateEnvironment&, TemplateArgs args) {
  TemplateValue item = args[0];
  if (IsAbsent(item)) return BadArgument("index of untyped nil");
  for (const TemplateValue& index : args.subspan(1)) {
    if (const auto* list = item.As<ListValue>()) {
      EPI_ASSIGN(const size_t at, Position(index, list->items->size()));
      if (at == list->items->size()) return BadArgument("reflect: slice index out of range");
      TemplateValue next = (*list->items)[at];
      item = std::move(next);
    } else if (const auto* text = item.As<std::string>()) {
      EPI_ASSIGN(const size_t at, Position(index, text->size()));
      if (at == text->size()) return BadArgument("reflect: string index out of range");
      item = TemplateValue::Int(static_cast<unsigned char>((*text)[at]));
    } else if (const auto* map = item.As<MapValue>()) {
      const auto* key = index.As<std::string>();
      if (key == nullptr) return BadArgument("value has type " + index.TypeName() + "; should be string");
      const auto found = map->entries->find(*key);
      TemplateValue next;
      if (found != map->entries->end()) {
        next = found->second;
      } else if (map->strings) {
        next = TextValue("");
      }
      item = std::move(next);
    } else if (IsAbsent(item)) {
      return BadArgument("index of nil pointer");
    } else {
      return BadArgument("can't index item of type " + Pointee(item).TypeName());
    }
  }
  return item;
}

Result<TemplateValue> Slice(const TemplateEnvironment&, TemplateArgs args) {
  const TemplateValue& item = args[0];
  const TemplateArgs indexes = args.subspan(1);
  if (IsAbsent(item)) return BadArgument("slice of untyped nil");
  if (indexes.size() > 3) return BadArgument("too many slice indexes: " + std::to_string(indexes.size()));
  const auto* text = item.As<std::string>();
  const auto* list = item.As<ListValue>();
  if (text == nullptr && list == nullptr) return BadArgument("can't slice item of type " + Pointee(item).TypeName());
  if (text != nullptr && indexes.size() == 3) return BadArgument("cannot 3-index slice a string");
  const size_t size = text != nullptr ? text->size() : list->items->size();
  size_t bounds[3] = {0, size, size};
  for (size_t i = 0; i < indexes.size(); ++i) {
    EPI_ASSIGN(bounds[i], Position(indexes[i], size));
  }
  if (bounds[0] > bounds[1]) {
    return BadArgument("invalid slice index: " + std::to_string(bounds[0]) + " > " + std::to_string(bounds[1]));
  }
  if (bounds[1] > bounds[2]) {
    return BadArgument("invalid slice index: " + std::to_string(bounds[1]) + " > " + std::to_string(bounds[2]));
  }
  if (text != nullptr) return TextValue(text->substr(bounds[0], bounds[1] - bounds[0]));
  TemplateList part(list->items->begin() + static_cast<int64_t>(bounds[0]),
                    list->items->begin() + static_cast<int64_t>(bounds[1]));
  return TemplateValue::List(std::move(part), list->go_type);
}

Result<TemplateValue> Printf(const TemplateEnvironment& environment, TemplateArgs args) {
  EPI_ASSIGN(std::string text, GoSprintf(*args[0].As<std::string>(), args.subspan(1), environment.max_output_bytes));
  return TextValue(std::move(text));
}
Result<TemplateValue> Print(const TemplateEnvironment& env, TemplateArgs args) {
  return TextValue(GoSprint(args, env.max_output_bytes));
}
Result<TemplateValue> Println(const TemplateEnvironment& env, TemplateArgs args) {
  return TextValue(GoSprintln(args, env.max_output_bytes));
}
Result<TemplateValue> Html(const TemplateEnvironment& env, TemplateArgs args) {
  return TextValue(EscapeHtml(ArgsText(env, args)));
}
Result<TemplateValue> UrlQuery(const TemplateEnvironment& env, TemplateArgs args) {
  return TextValue(net::EscapeQuery(ArgsText(env, args)));
}

Result<TemplateValue> Js(const TemplateEnvironment& env, TemplateArgs args) {
  const std::string text = ArgsText(env, args);
  std::string out;
  std::string_view rest = text;
  const auto code = [&out](uint32_t rune) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "\\u%04X", rune);
    out += buffer;
  };
  while (!rest.empty()) {
    uint32_t rune = 0;
    size_t width = DecodeUtf8(rest, rune);
    if (width == 0) {
      width = 1;
      rune = kReplacementRune;
    }
    switch (rune) {
      case '\\':
      case '\'':
      case '"':
        out += '\\';
        out += static_cast<char>(rune);
        break;
      case '<':
      case '>':
      case '&':
      case '=':
        code(rune);
        break;
      default:
        if (rune < ' ' || (rune >= 0x80 && !IsPrintable(rune))) {
          code(rune);
        } else {
          out += rest.substr(0, width);
        }
        break;
    }
    rest.remove_prefix(width);
  }
  return TextValue(std::move(out));
}

Result<TemplateValue> Eq(const TemplateEnvironment&, TemplateArgs args) {
  if (args.size() < 2) return BadArgument("missing argument for comparison");
  for (const TemplateValue& other : args.subspan(1)) {
    EPI_ASSIGN(const bool equal, Equal(args[0], other));
    if (equal) return TemplateValue::Bool(true);
  }
  return TemplateValue::Bool(false);
}
Result<TemplateValue> Ne(const TemplateEnvironment&, TemplateArgs args) {
  EPI_ASSIGN(const bool equal, Equal(args[0], args[1]));
  return TemplateValue::Bool(!equal);
}
Result<TemplateValue> Lt(const TemplateEnvironment&, TemplateArgs args) {
  EPI_ASSIGN(const bool less, Less(args[0], args[1]));
  return TemplateValue::Bool(less);
}
Result<TemplateValue> Le(const TemplateEnvironment&, TemplateArgs args) {
  EPI_ASSIGN(const bool less, Less(args[0], args[1]));
  if (less) return TemplateValue::Bool(true);
  EPI_ASSIGN(const bool equal, Equal(args[0], args[1]));
  return TemplateValue::Bool(equal);
}
Result<TemplateValue> Gt(const TemplateEnvironment& environment, TemplateArgs args) {
  EPI_ASSIGN(const TemplateValue le, Le(environment, args));
  return TemplateValue::Bool(!*le.As<bool>());
}
Result<TemplateValue> Ge(const TemplateEnvironment&, TemplateArgs args) {
  EPI_ASSIGN(const bool less, Less(args[0], args[1]));
  return TemplateValue::Bool(!less);
}

}  // namespace builtin
}  // namespace epi::rules
