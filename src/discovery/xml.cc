#include "discovery/xml.h"

#include <charconv>

#include "base/utf8.h"

namespace epi::discovery {
namespace {

constexpr int kMaxXmlDepth = 100;
constexpr size_t kMaxXmlElements = size_t{8} << 20;  // 0.7 GB, where "<a/>" is four bytes of text

tl::unexpected<Error> NotWellFormed(std::string_view what) {
  return Fail(ErrorCode::kInvalid, "xml: " + std::string(what));
}

struct Entity {
  std::string_view name;
  char character;
};
constexpr Entity kEntities[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  Result<XmlElement> Run() {
    EPI_TRY(SkipProlog());
    XmlElement root;
    EPI_TRY(Element(root, 0));
    return root;
  }

 private:
  // Skips to behind `end`; false when it is not there.
  bool SkipPast(std::string_view end) {
    const size_t at = rest_.find(end);
    if (at == std::string_view::npos) return false;
    rest_.remove_prefix(at + end.size());
    return true;
  }

  Result<void> SkipProlog() {
    while (true) {
      const size_t open = rest_.find('<');
      if (open == std::string_view::npos) return NotWellFormed("no element");
      rest_.remove_prefix(open);
      if (rest_.starts_with("<?")) {
        if (!SkipPast("?>")) return NotWellFormed("an instruction does not end");
      } else if (rest_.starts_with("<!--")) {
        if (!SkipPast("-->")) return NotWellFormed("a comment does not end");
      } else if (rest_.starts_with("<!")) {
        return NotWellFormed("document types are not read");
      } else {
        return {};
      }
    }
  }

  Result<void> Element(XmlElement& out, int depth) {
    if (depth > kMaxXmlDepth) return NotWellFormed("nested too deeply");
    if (++elements_ > kMaxXmlElements) return NotWellFormed("too many elements");
    const size_t close = rest_.find('>');
    if (close == std::string_view::npos || close < 2) return NotWellFormed("a tag does not end");
    std::string_view tag = rest_.substr(1, close - 1);
    rest_.remove_prefix(close + 1);
    const bool empty = tag.ends_with('/');
    if (empty) tag.remove_suffix(1);
    tag = tag.substr(0, tag.find_first_of(" \t\r\n"));
    out.name = LocalName(tag);
    return empty ? Result<void>() : Content(out, tag, depth);
  }

  Result<void> Content(XmlElement& out, std::string_view tag, int depth) {
    while (true) {
      const size_t open = rest_.find('<');
      if (open == std::string_view::npos) return NotWellFormed("an element does not end");
      EPI_TRY(AppendText(rest_.substr(0, open), out.text));
      rest_.remove_prefix(open);
      if (rest_.starts_with("</")) {
        const size_t close = rest_.find('>');
        if (close == std::string_view::npos || !rest_.substr(2).starts_with(tag))
          return NotWellFormed("tags do not match");
        rest_.remove_prefix(close + 1);
        return {};
      }
      if (rest_.starts_with("<!--")) {
        if (!SkipPast("-->")) return NotWellFormed("a comment does not end");
      } else if (rest_.starts_with("<![CDATA[")) {
        const size_t end = rest_.find("]]>");
        if (end == std::string_view::npos) return NotWellFormed("a CDATA section does not end");
        out.text += rest_.substr(9, end - 9);
        rest_.remove_prefix(end + 3);
      } else {
        EPI_TRY(Element(out.children.emplace_back(), depth + 1));
      }
    }
  }

  static std::string_view LocalName(std::string_view tag) {
    const size_t colon = tag.find(':');
    return colon == std::string_view::npos ? tag : tag.substr(colon + 1);
  }

  static Result<void> AppendText(std::string_view text, std::string& out) {
    while (!text.empty()) {
      const size_t amp = text.find('&');
      out += text.substr(0, amp);
      if (amp == std::string_view::npos) return {};
      const size_t end = text.find(';', amp);
      if (end == std::string_view::npos || !AppendEntity(text.substr(amp + 1, end - amp - 1), out)) {
        return NotWellFormed("an unknown entity");
      }
      text.remove_prefix(end + 1);
    }
    return {};
  }

  static bool AppendEntity(std::string_view name, std::string& out) {
    for (const auto& entity : kEntities) {
      if (entity.name != name) continue;
      out += entity.character;
      return true;
    }
    if (!name.starts_with('#')) return false;
    const bool hex = name.starts_with("#x");
    name.remove_prefix(hex ? 2 : 1);
    uint32_t rune = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), rune, hex ? 16 : 10);
    if (error != std::errc() || end != name.data() + name.size() || !IsValidRune(rune)) return false;
    AppendUtf8(out, rune);
    return true;
  }

  std::string_view rest_;
  size_t elements_ = 0;
};

}  // namespace

const XmlElement& XmlElement::operator[](std::string_view child) const {
  static const auto* const kNone = new XmlElement();
  for (const auto& each : children) {
    if (each.name == child) return each;
  }
  return *kNone;
}

bool XmlElement::Has(std::string_view child) const {
  for (const auto& each : children) {
    if (each.name == child) return true;
  }
  return false;
}

Result<XmlElement> ParseXml(std::string_view text) { return Parser(text).Run(); }

}  // namespace epi::discovery
