// Floating-point numbers as Go prints and reads them: every number Prometheus shows is one of these forms.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace epi {

// strconv.FormatFloat(v, 'f', -1, 64): shortest digits that read back, never an exponent; "NaN", "+Inf", "-Inf".
void AppendFloatPlain(std::string& out, double value);
std::string FormatFloatPlain(double value);
// 'e', -1: "1e+00", "1.5e-07".
void AppendFloatExponent(std::string& out, double value);
std::string FormatFloatExponent(double value);
// 'g', -1 and fmt's %v: exponent form below 1e-4 and from 1e6 ("1e+06"), plain otherwise.
void AppendFloatGeneral(std::string& out, double value);
std::string FormatFloatGeneral(double value);
// 'f', 'e', 'g' or 'G' with a number of digits, as fmt's %.3f, %.3e, %.3g.
std::string FormatFloatPrecision(double value, char format, int precision);

// Sample values in the HTTP API's JSON (without the quotes): plain, but exponent form when 0 < |v| < 1e-6 or |v| >=
// 1e21.
void AppendJsonSampleValue(std::string& out, double value);
// Sample times in the HTTP API's JSON: seconds with no or exactly three decimals.
void AppendJsonSampleTime(std::string& out, int64_t time_ms);
// What encoding/json does with a float64 (no NaN or Inf there): "1e-07" becomes "1e-7". For numbers that are not
// samples.
void AppendJsonNumber(std::string& out, double value);
// Sample values in the text format 0.0.4 and in relabeling, le and quantile labels: 'g', -1, with 0, 1 and -1 short.
void AppendExpositionValue(std::string& out, double value);
// OpenMetrics: as above, but with ".0" after a number that would read as an integer.
void AppendOpenMetricsValue(std::string& out, double value);

// strconv.ParseFloat(text, 64): decimal, hex floats (0x1p-2), single underscores between digits, "inf", "+Infinity",
// "nan" in any case. The whole text must be a number. nullopt otherwise; a number too large is +-Inf, and then
// *out_of_range is true (false otherwise) when it is given.
std::optional<double> ParseGoFloat(std::string_view text, bool* out_of_range = nullptr);
// ParseGoFloat with Go's error text: `strconv.ParseFloat: parsing "x": invalid syntax`, "… value out of range".
Result<double> ParseGoFloatOrError(std::string_view text);

}  // namespace epi
