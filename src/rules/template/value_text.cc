#include "rules/template/value_text.h"

#include "base/utf8.h"
#include "model/duration.h"
#include "model/histogram_format.h"
#include "model/labels.h"
#include "rules/template/go_time.h"

namespace epi::rules {
namespace {

bool IsAbsentValue(const TemplateValue& value) { return value.IsNone() || value.IsNil(); }

// Values with a String method, which the verbs that take strings print.
bool HasStringMethod(const TemplateValue& value) {
  return value.As<TimeValue>() != nullptr || value.As<DurationValue>() != nullptr ||
         value.As<MonthValue>() != nullptr || value.As<WeekdayValue>() != nullptr ||
         value.As<HistogramPointer>() != nullptr;
}

std::string StringMethod(const TemplateValue& value) {
  if (const auto* time = value.As<TimeValue>()) return FormatTime(*time, kGoDefaultTimeLayout);
  if (const auto* duration = value.As<DurationValue>()) return FormatGoDuration(duration->nanoseconds);
  if (const auto* month = value.As<MonthValue>()) return std::string(MonthName(month->number));
  if (const auto* weekday = value.As<WeekdayValue>()) return std::string(WeekdayName(weekday->number));
  const auto* histogram = value.As<HistogramPointer>();
  return histogram == nullptr || *histogram == nullptr ? "<nil>" : HistogramToString(**histogram);
}

class ValuePrinter {
 public:
  ValuePrinter(std::string& out, const FormatFlags& flags, size_t limit) : out_(out), flags_(flags), limit_(limit) {}

  void Operand(const TemplateValue& value, FormatVerb verb) {
    if (out_.size() > limit_) return;
    if (IsAbsentValue(value)) {
      if (verb != 'v' && verb != 'T') return BadVerb(value, verb);
      return WritePadded(out_, "<nil>", flags_);
    }
    if (verb == 'T') {
      WriteText(out_, value.TypeName(), 's', flags_);
      return;
    }
    if (!Scalar(value, verb) && !Composite(value, verb)) BadVerb(value, verb);
  }

 private:
  // The verb does not fit: the value follows as %v prints it, with the width and the other flags.
  void BadVerb(const TemplateValue& value, FormatVerb verb) {
    out_ += "%!";
    AppendUtf8(out_, verb);
    out_ += '(';
    if (IsAbsentValue(value)) {
      out_ += "<nil>";
    } else {
      out_ += value.TypeName() + "=";
      bad_verb_ = true;  // String methods are not asked
      Operand(value, 'v');
      bad_verb_ = false;
    }
    out_ += ')';
  }

  bool Scalar(const TemplateValue& value, FormatVerb verb) {
    if (const auto* b = value.As<bool>()) return WriteBool(out_, *b, verb, flags_);
    if (const auto* i = value.As<int64_t>()) return WriteInteger(out_, SignedInteger(*i), verb, flags_);
    if (const auto* u = value.As<uint64_t>()) return WriteInteger(out_, {*u, false, false}, verb, flags_);
    if (const auto* f = value.As<double>()) return WriteFloat(out_, *f, verb, flags_);
    if (const auto* c = value.As<ComplexValue>()) return WriteComplex(out_, c->real, c->imaginary, verb, flags_);
    if (const auto* s = value.As<std::string>()) return WriteText(out_, *s, verb, flags_);
    if (const auto* s = value.As<SafeHtmlValue>()) return WriteText(out_, s->text, verb, flags_);
    if (HasStringMethod(value)) return Named(value, verb);
    return false;
  }

  // Values with a String method; times have no other form here, the rest are numbers below.
  bool Named(const TemplateValue& value, FormatVerb verb) {
    const auto* duration = value.As<DurationValue>();
    const auto* month = value.As<MonthValue>();
    const auto* weekday = value.As<WeekdayValue>();
    const bool number = month != nullptr || weekday != nullptr || (duration != nullptr && !duration->pointer);
    const bool strings_fit = verb == 'v' || verb == 's' || verb == 'x' || verb == 'X' || verb == 'q';
    FormatFlags plain = flags_;
    plain.go_syntax = false;
    if (strings_fit && !(number && (bad_verb_ || flags_.go_syntax))) {
      return WriteText(out_, StringMethod(value), verb, plain);
    }
    if (month != nullptr) return WriteInteger(out_, SignedInteger(month->number), verb, flags_);
    if (weekday != nullptr) return WriteInteger(out_, SignedInteger(weekday->number), verb, flags_);
    return duration != nullptr && WriteInteger(out_, SignedInteger(duration->nanoseconds), verb, flags_);
  }

  // The verb goes to each element.
  bool Composite(const TemplateValue& value, FormatVerb verb) {
    // %w takes errors alone, %p addresses.
    if (verb == 'w' || verb == 'p') return false;
    if (const auto* list = value.As<ListValue>()) {
      List(*list, value, verb);
    } else if (const auto* map = value.As<MapValue>()) {
      Map(*map, value, verb);
    } else if (const auto* record = value.As<StructValue>()) {
      Struct(*record, verb);
    } else {
      return false;
    }
    return true;
  }

  std::string_view Separator() const { return flags_.go_syntax ? ", " : " "; }

  void List(const ListValue& list, const TemplateValue& value, FormatVerb verb) {
    out_ += flags_.go_syntax ? value.TypeName() + "{" : "[";
    for (size_t i = 0; i < list.items->size() && out_.size() <= limit_; ++i) {
      if (i > 0) out_ += Separator();
      Element((*list.items)[i], verb);
    }
    out_ += flags_.go_syntax ? '}' : ']';
  }

  void Map(const MapValue& map, const TemplateValue& value, FormatVerb verb) {
    out_ += flags_.go_syntax ? value.TypeName() + "{" : "map[";
    std::string_view separator;
    for (const auto& [key, item] : *map.entries) {
      if (out_.size() > limit_) break;
      out_ += separator;
      separator = Separator();
      Operand(TemplateValue::Text(key), verb);
      out_ += ':';
      Element(item, verb);
    }
    out_ += flags_.go_syntax ? '}' : ']';
  }

  void Struct(const StructValue& record, FormatVerb verb) {
    if (record.pointer) out_ += '&';
    if (flags_.go_syntax) out_ += record.go_type;
    out_ += '{';
    std::string_view separator;
    for (const auto& [name, item] : *record.fields) {
      if (out_.size() > limit_) break;
      out_ += separator;
      separator = Separator();
      if (flags_.go_syntax || flags_.field_names) out_ += name + ":";
      Element(item, verb);
    }
    out_ += '}';
  }

  void Element(const TemplateValue& value, FormatVerb verb) {
    if (IsAbsentValue(value)) {
      out_ += flags_.go_syntax ? "interface {}(nil)" : "<nil>";
      return;
    }
    // A pointer inside something else is an address, which these verbs cannot print.
    const auto* record = value.As<StructValue>();
    constexpr std::u32string_view kVerbsOfAddresses = U"vbodxX";
    if (record != nullptr && record->pointer && kVerbsOfAddresses.find(verb) == std::u32string_view::npos) {
      return BadVerb(value, verb);
    }
    Operand(value, verb);
  }

  std::string& out_;
  const FormatFlags flags_;
  const size_t limit_;
  bool bad_verb_ = false;
};

}  // namespace

void WriteValue(std::string& out, const TemplateValue& value, FormatVerb verb, const FormatFlags& flags, size_t limit) {
  ValuePrinter(out, flags, limit).Operand(value, verb);
}

void AppendValue(std::string& out, const TemplateValue& value, size_t limit) {
  WriteValue(out, value, 'v', FormatFlags(), limit);
}

std::string ValueText(const TemplateValue& value, size_t limit) {
  std::string out;
  AppendValue(out, value, limit);
  return out;
}

TemplateValue Printable(const TemplateValue& value) {
  return value.IsNone() ? TemplateValue::Text("<no value>") : Pointee(value);
}

TemplateValue Pointee(const TemplateValue& value) {
  TemplateValue::Data target = value.data();
  if (auto* record = std::get_if<StructValue>(&target)) record->pointer = false;
  if (auto* time = std::get_if<TimeValue>(&target)) time->pointer = false;
  if (auto* duration = std::get_if<DurationValue>(&target)) duration->pointer = false;
  return TemplateValue(std::move(target));
}

}  // namespace epi::rules
