#include "rules/template/template_node.h"

namespace epi::rules {
namespace {

std::string Joined(const std::vector<TemplateNodePtr>& nodes, std::string_view separator) {
  std::string out;
  for (const auto& node : nodes) {
    if (!out.empty()) out += separator;
    out += node->ToString();
  }
  return out;
}

std::string Fields(const std::vector<std::string>& names, size_t from) {
  std::string out;
  for (size_t i = from; i < names.size(); ++i) out += "." + names[i];
  return out;
}

std::string InParens(const TemplateNode& node) {
  const bool pipe = node.kind == TemplateNodeKind::kPipe;
  return pipe ? "(" + node.ToString() + ")" : node.ToString();
}

std::string_view BranchWord(TemplateNodeKind kind) {
  return kind == TemplateNodeKind::kIf ? "if" : kind == TemplateNodeKind::kRange ? "range" : "with";
}

}  // namespace

std::string TemplateNode::ToString() const {
  switch (kind) {
    case TemplateNodeKind::kText:
      return text;
    case TemplateNodeKind::kAction:
      return "{{" + pipe->ToString() + "}}";
    case TemplateNodeKind::kIf:
    case TemplateNodeKind::kRange:
    case TemplateNodeKind::kWith: {
      std::string out = "{{" + std::string(BranchWord(kind)) + " " + pipe->ToString() + "}}" + Joined(body, "");
      if (!otherwise.empty()) out += "{{else}}" + Joined(otherwise, "");
      return out + "{{end}}";
    }
    case TemplateNodeKind::kTemplate:
      return "{{template " + source + (pipe == nullptr ? "" : " " + pipe->ToString()) + "}}";
    case TemplateNodeKind::kBreak:
      return "{{break}}";
    case TemplateNodeKind::kContinue:
      return "{{continue}}";
    case TemplateNodeKind::kEnd:
      return "{{end}}";
    case TemplateNodeKind::kElse:
      return "{{else}}";
    case TemplateNodeKind::kPipe: {
      std::string out;
      for (size_t i = 0; i < names.size(); ++i) out += (i > 0 ? ", " : "") + names[i];
      if (!names.empty()) out += assigns ? " = " : " := ";
      return out + Joined(children, " | ");
    }
    case TemplateNodeKind::kCommand: {
      std::string out;
      for (const auto& child : children) out += (out.empty() ? "" : " ") + InParens(*child);
      return out;
    }
    case TemplateNodeKind::kVariable:
      return names.front() + Fields(names, 1);
    case TemplateNodeKind::kDot:
      return ".";
    case TemplateNodeKind::kNil:
      return "nil";
    case TemplateNodeKind::kField:
      return Fields(names, 0);
    case TemplateNodeKind::kChain:
      return InParens(*children.front()) + Fields(names, 0);
    case TemplateNodeKind::kBool:
      return boolean ? "true" : "false";
    case TemplateNodeKind::kString:
      return source;
    case TemplateNodeKind::kIdentifier:
    case TemplateNodeKind::kNumber:
      return text;
  }
  return {};
}

}  // namespace epi::rules
