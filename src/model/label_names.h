// Rules for metric and label names: which are valid, how UTF-8 names are written where only legacy names may stand, and
// how foreign text becomes part of a label name.
#pragma once

#include <string>
#include <string_view>

#include "model/labels.h"

namespace epi {

enum class NameScheme : unsigned char {
  kUtf8,    // any non-empty valid UTF-8
  kLegacy,  // [a-zA-Z_][a-zA-Z0-9_]*, with ':' in metric names
};

enum class NameEscaping : unsigned char {
  kNone,         // "allow-utf-8"
  kUnderscores,  // every other character becomes '_'
  kDots,         // '.' becomes _dot_, '_' becomes __, every other character __
  kValues,       // U__ in front, '_' becomes __, every other character _<hex>_
};

std::string_view NameSchemeText(NameScheme scheme);        // "utf8", "legacy"
std::string_view NameEscapingText(NameEscaping escaping);  // "allow-utf-8", "underscores", "dots", "values"

bool IsValidMetricName(std::string_view name, NameScheme scheme);
bool IsValidLabelName(std::string_view name, NameScheme scheme);
// Every name is valid under the scheme, the metric name's value too, and every value is UTF-8.
bool AreValidLabels(const Labels& labels, NameScheme scheme);

std::string EscapeName(std::string_view name, NameEscaping escaping);
// Undoes EscapeName as far as the scheme keeps the information; text that is no escaped name comes back as it is.
std::string UnescapeName(std::string_view name, NameEscaping escaping);

// Every character outside [a-zA-Z0-9_] becomes '_': for the part of a label name behind a prefix of ours.
std::string SanitizeLabelName(std::string_view text);
// The same for a whole label name: a leading digit becomes '_' too, and an empty text is "_".
std::string SanitizeFullLabelName(std::string_view text);

}  // namespace epi
