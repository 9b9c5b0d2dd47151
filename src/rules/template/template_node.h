// The syntax tree of a template. Immutable once parsed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace epi::rules {

enum class TemplateNodeKind : unsigned char {
  // What stands in a text.
  kText,
  kAction,    // pipe
  kIf,        // pipe, body, otherwise
  kRange,     // pipe, body, otherwise
  kWith,      // pipe, body, otherwise
  kTemplate,  // text is the name; pipe may be absent
  kBreak,
  kContinue,
  kEnd,   // only while parsing
  kElse,  // only while parsing
  // What stands in an action.
  kPipe,     // variables declared or assigned; children are commands
  kCommand,  // children are operands
  kIdentifier,
  kVariable,  // names: "$x", then fields
  kDot,
  kNil,
  kField,  // names
  kChain,  // children[0], then fields in names
  kBool,
  kNumber,
  kString,  // text is the value, source the literal
};

struct TemplateNode;
using TemplateNodePtr = std::unique_ptr<TemplateNode>;

struct TemplateNode {
  TemplateNodeKind kind = TemplateNodeKind::kText;
  int32_t pos = 0;  // byte in the source
  int32_t line = 1;
  std::string text;
  std::string source;
  std::vector<std::string> names;
  std::vector<TemplateNodePtr> children;
  TemplateNodePtr pipe;
  std::vector<TemplateNodePtr> body;
  std::vector<TemplateNodePtr> otherwise;
  bool assigns = false;  // kPipe: "=" and not ":="
  // kNumber.
  bool is_int = false;
  bool is_float = false;
  bool written_as_float = false;  // with a point or an exponent
  int64_t integer = 0;
  double floating = 0;
  bool is_complex = false;  // floating is the real part
  double imaginary = 0;
  bool boolean = false;

  // As Go prints the node; error texts quote it.
  std::string ToString() const;
};

// Templates by name; the main one has the name it was parsed under.
struct TemplateSet {
  std::string name;
  std::string source;
  std::map<std::string, std::vector<TemplateNodePtr>, std::less<>> templates;
};

// "template: name:3: unexpected EOF". `has_function` says which names may be called.
Result<TemplateSet> ParseTemplate(std::string name, std::string source, bool (*has_function)(std::string_view name));

}  // namespace epi::rules
