#include "config/flag_usage.h"

#include "config/features.h"
#include "config/flag_table.h"

namespace epi::config {
namespace {

constexpr std::string_view kTitle = "The Prometheus monitoring server";
// kingpin's two columns on a terminal of 80.
constexpr size_t kHelpColumn = 33;
constexpr size_t kHelpWidth = 80;

bool TakesDefaultInUsage(const FlagSpec& spec) { return spec.placeholder.empty() && spec.kind != FlagKind::kBool; }

std::string UsageName(const FlagSpec& spec) {
  std::string out = "--";
  if (spec.kind == FlagKind::kBool) return out + "[no-]" + std::string(spec.name);
  out += spec.name;
  out += '=';
  const auto comma = spec.fallback.find(',');
  if (!TakesDefaultInUsage(spec)) {
    out += spec.placeholder;
  } else if (spec.kind == FlagKind::kText) {
    out += "\"" + std::string(spec.fallback) + "\"";
  } else {
    out += spec.fallback.substr(0, comma);
    if (comma != std::string_view::npos) out += "...";
  }
  if (spec.kind == FlagKind::kTexts) out += " ...";
  return out;
}

void AppendWrapped(std::string& out, std::string_view text, size_t indent, size_t width) {
  size_t column = indent;
  while (!text.empty()) {
    const auto space = text.find(' ');
    const auto word = text.substr(0, space);
    text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
    if (column + 1 + word.size() > width && column > indent) {
      out += '\n';
      out.append(indent, ' ');
      column = indent;
    }
    if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  out += '\n';
}

void AppendUsageRow(std::string& out, std::string_view left, std::string_view help) {
  out += left;
  if (left.size() + 2 > kHelpColumn) {
    out += "  \n";
    out.append(kHelpColumn, ' ');
  } else {
    out.append(kHelpColumn - left.size(), ' ');
  }
  AppendWrapped(out, help, kHelpColumn, kHelpWidth);
}

std::string HelpOf(const FlagSpec& spec) {
  std::string out(spec.help);
  if (spec.name == "enable-feature") out += " Valid options: " + FeatureNames() + ".";
  if (spec.mode == FlagMode::kServer) out += " Use with server mode only.";
  if (spec.mode == FlagMode::kAgent) out += " Use with agent mode only.";
  if (spec.choices.empty()) return out;
  out += " One of: [";
  for (const char c : spec.choices) out += c == ',' ? std::string(", ") : std::string(1, c);
  return out + "]";
}

std::string Code(std::string_view text) { return "<code class=\"text-nowrap\">" + std::string(text) + "</code>"; }

// Of several defaults the first.
std::string DefaultOf(const FlagSpec& spec) {
  const auto first = spec.fallback.substr(0, spec.fallback.find(','));
  return first.empty() || !spec.placeholder.empty() ? std::string() : "`" + std::string(first) + "`";
}

void AppendDocumentationRow(std::string& out, const std::string& flag, std::string_view help,
                            const std::string& defaults) {
  out += "| " + flag + " | " + std::string(help) + " | " + defaults + " |\n";
}

}  // namespace

std::string UsageText(std::string_view program) {
  std::string out = "usage: " + std::string(program) + " [<flags>]\n\n" + std::string(kTitle) + "\n\n\nFlags:\n";
  AppendUsageRow(out, "  -h, --[no-]help", "Show this text.");
  AppendUsageRow(out, "      --[no-]version", "Show the version.");
  for (const auto& spec : FlagTable()) {
    if (!spec.hidden) AppendUsageRow(out, "      " + UsageName(spec), HelpOf(spec));
  }
  return out;
}

std::string DocumentationText(std::string_view program) {
  std::string out = "---\ntitle: " + std::string(program) + "\n---\n\n" + std::string(kTitle) + "\n\n\n## Flags\n\n";
  out += "| Flag | Description | Default |\n| --- | --- | --- |\n";
  AppendDocumentationRow(out, Code("-h") + ", " + Code("--help"), "Show this text.", "");
  AppendDocumentationRow(out, Code("--version"), "Show the version.", "");
  for (const auto& spec : FlagTable()) {
    if (spec.hidden) continue;
    std::string flag = Code("--" + std::string(spec.name));
    if (spec.kind == FlagKind::kTexts) flag += " " + Code("...");
    AppendDocumentationRow(out, flag, HelpOf(spec), DefaultOf(spec));
  }
  return out + "\n\n";
}

}  // namespace epi::config
