#include "remote/otlp/any_value.h"

#include <cmath>

#include "base/escaping.h"
#include "base/utf8.h"
#include "model/number_format.h"
#include "net/base64.h"

namespace epi::remote::otlp {
std::string DoubleText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  std::string out;
  AppendJsonNumber(out, value);
  return out;
}

std::string BytesText(std::string_view bytes) { return net::Base64Encode(bytes); }

std::string CompositeText::List() const {
  std::string out = "[";
  for (const auto& element : elements_) {
    if (out.size() > 1) out += ',';
    out += element;
  }
  return out + "]";
}

std::string CompositeText::Map() const {
  std::string out = "{";
  for (const auto& [key, json] : members_) {
    if (out.size() > 1) out += ',';
    AppendJsonString(out, key, JsonStyle::kEncoding);
    out += ':';
    out += json;
  }
  return out + "}";
}

ValueText StringValue(std::string_view value) {
  ValueText out{std::string(value), {}, false};
  AppendJsonString(out.json, value, JsonStyle::kEncoding);
  return out;
}
ValueText BoolValue(bool value) { return {std::string(BoolText(value)), std::string(BoolText(value)), false}; }
ValueText IntValue(int64_t value) { return {std::to_string(value), std::to_string(value), false}; }
ValueText DoubleValue(double value) {
  std::string text = DoubleText(value);
  return {text, text, !std::isfinite(value)};
}
ValueText BytesValue(std::string_view value) {
  std::string text = BytesText(value);
  return {text, '"' + text + '"', false};
}
ValueText ListValue(const CompositeText& value) {
  if (value.poisoned()) return {"", "null", true};
  std::string text = value.List();
  return {text, text, false};
}
ValueText MapValue(const CompositeText& value) {
  if (value.poisoned()) return {"", "null", true};
  std::string text = value.Map();
  return {text, text, false};
}

}  // namespace epi::remote::otlp
