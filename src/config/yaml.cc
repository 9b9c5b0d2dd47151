#include "config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <deque>
#include <istream>
#include <streambuf>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/escaping.h"
#include "config/yaml_scalar.h"
#include "config/yaml_syntax.h"
#include "model/labels.h"

namespace epi::config {

struct YamlData {
  YamlKind kind = YamlKind::kNull;
  bool quoted = false;
  int line = 0;
  int column = 0;
  size_t nodes = 1;  // in the tree below, aliases expanded
  std::string text;
  std::string tag;
  std::vector<YamlNode> items;
  std::vector<YamlEntry> entries;
};

struct YamlDocument::Impl {
  std::deque<YamlData> nodes;  // addresses stay
  const YamlData* root = nullptr;
  bool more = false;
};

namespace {

constexpr std::string_view kMergeKey = "<<";
constexpr std::string_view kCoreTagPrefix = "tag:yaml.org,2002:";

// Reads the caller's bytes without a copy.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());
    setg(begin, begin, begin + text.size());
  }
};

std::string LineError(int line, std::string_view text) {
  return "yaml: line " + std::to_string(line) + ": " + std::string(text);
}

// Bytes of UTF-8 text that YAML does not allow: the control characters of ASCII but for tab and line ends, and those
// behind it (C2 80 to C2 9F) but for U+0085, a line break.
bool HasControlCharacters(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte == 0x7f || (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r')) return true;
    if (byte != 0xc2 || i + 1 == text.size()) continue;
    const auto next = static_cast<uint8_t>(text[i + 1]);
    if (next < 0xa0 && next != 0x85) return true;
  }
  return false;
}

// YAML 1.1 breaks lines at U+0085, U+2028 and U+2029 too, the library does not.
constexpr std::string_view kUnicodeLineBreaks[] = {"\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};

bool HasUnicodeLineBreaks(std::string_view text) {
  return std::any_of(std::begin(kUnicodeLineBreaks), std::end(kUnicodeLineBreaks),
                     [text](std::string_view line_break) { return text.find(line_break) != std::string_view::npos; });
}

std::string WithNewlines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    size_t width = 1;
    for (const std::string_view line_break : kUnicodeLineBreaks) {
      if (text.starts_with(line_break)) width = line_break.size();
    }
    out += width == 1 ? text.front() : '\n';
    text.remove_prefix(width);
  }
  return out;
}

// Builds the tree from the library's events. The first complaint stops all work; later events are ignored.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view source, std::deque<YamlData>& nodes, const YamlLimits& limits, YamlErrorPlace told)
      : source_(source), nodes_(nodes), limits_(limits), told_(told) {}

  const YamlData* root() const { return root_; }
  const std::optional<Error>& error() const { return error_; }
  bool finished() const { return finished_; }
  std::optional<YamlOpenCollection> Innermost() const {
    if (open_.empty()) return std::nullopt;
    const YamlData* node = open_.back().node;
    const YamlData* parent = open_.size() < 2 ? nullptr : open_[open_.size() - 2].node;
    const bool indentless = node->kind == YamlKind::kSequence && parent != nullptr &&
                            parent->kind == YamlKind::kMapping && parent->column == node->column;
    return YamlOpenCollection{PlaceOf(indentless ? *parent : *node), indentless};
  }
  // The library takes a quote for closed that the text ends in. The line of one, from 0.
  std::optional<int> LineOfUnclosedQuote() {
    if (last_quoted_ == nullptr || YamlQuotedSource(From(*last_quoted_))) return std::nullopt;
    return last_quoted_->line - 1;
  }
  // In which the last node ends, or, of a plain or a block text, begins; from 0.
  int LastLine() {
    // What is left out stands where the next thing would.
    const bool left_out = nodes_.back().kind == YamlKind::kNull && nodes_.size() > 1;
    const YamlData& last = left_out ? nodes_[nodes_.size() - 2] : nodes_.back();
    const auto written = last_quoted_ == &last ? YamlQuotedSource(From(last)).value_or("") : std::string_view();
    return last.line - 1 + static_cast<int>(std::count(written.begin(), written.end(), '\n'));
  }
  // Of the first scalar that is not what its tag says.
  const std::optional<Error>& wrong_tag() const { return wrong_tag_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override { finished_ = true; }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (YamlData* node = Make(YamlKind::kNull, mark, anchor)) Place(node);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlData* node = Make(YamlKind::kScalar, mark, anchor);
    if (node == nullptr) return;
    node->text = value;
    node->quoted = tag == "!";
    if (tag != "?") {  // no plain scalar
      last_quoted_ = node;
      if (value.empty()) RestoreBlankLines(*node);
    }
    SetTag(*node, tag);
    CheckTag(*node);
    // In a flow a colon ends a key, whatever stands behind it.
    if (tag == "?" && value.starts_with(':') && !open_.empty() && !open_.back().block)
      Refuse(ErrorCode::kInvalid, YamlMissingNode(mark.line));
    Place(node);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (error_) return;
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end() || IsOpen(found->second)) {
      Refuse(ErrorCode::kInvalid, LineError(mark.line + 1, "an alias to what contains it"));
      return;
    }
    Count(found->second->nodes);
    Place(found->second);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    Open(YamlKind::kSequence, mark, tag, anchor, style);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    Open(YamlKind::kMapping, mark, tag, anchor, style);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override { Close(); }

 private:
  struct OpenNode {
    YamlData* node;
    bool block = false;
    const YamlData* key = nullptr;  // of a mapping, waiting for its value
  };

  static YamlPlace PlaceOf(const YamlData& node) { return {node.line - 1, node.column - 1}; }

  // The source from a node on. Nodes are asked for in the order of the source: it is walked once.
  std::string_view From(const YamlData& node) {
    for (; line_ < node.line; ++line_) {
      line_start_ = std::min(source_.find('\n', line_start_), source_.size() - 1) + 1;
    }
    return source_.substr(std::min(source_.size(), line_start_ + static_cast<size_t>(node.column - 1)));
  }

  void RestoreBlankLines(YamlData& node) {
    const auto written = YamlQuotedSource(From(node));
    if (written && written->size() > 2) node.text = YamlBlankLines(*written);
  }

  // The library takes a plain text in a block mapping for a key without a value.
  bool LacksColon(const YamlData& mapping, const YamlData& key) {
    if (key.kind != YamlKind::kScalar || !key.tag.empty()) return false;
    const std::string_view source = From(key);
    const std::string_view written = key.quoted ? YamlQuotedSource(source).value_or("") : std::string_view(key.text);
    // Not behind a '?'.
    if (key.column != mapping.column || written.empty() || !source.starts_with(written)) return false;
    const size_t next = source.find_first_not_of(" \t", written.size());
    return next == std::string_view::npos || source[next] != ':';
  }

  void Refuse(ErrorCode code, std::string message) {
    if (!error_) error_.emplace(code, std::move(message));
  }

  void Count(size_t nodes) {
    count_ += nodes;
    if (count_ > limits_.max_nodes) Refuse(ErrorCode::kLimit, "yaml: document contains too many nodes");
  }

  YamlData* Make(YamlKind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (error_) return nullptr;
    Count(1);
    if (error_) return nullptr;
    YamlData& node = nodes_.emplace_back();
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    if (anchor != 0) anchors_[anchor] = &node;
    return &node;
  }

  static void SetTag(YamlData& node, const std::string& tag) {
    if (tag == "?" || tag == "!") return;
    node.tag = tag.starts_with(kCoreTagPrefix) ? "!!" + tag.substr(kCoreTagPrefix.size()) : tag;
  }

  // A scalar has to be what its tag says; a null by its tag is one.
  void CheckTag(YamlData& node) {
    constexpr std::string_view kChecked[] = {"!!bool", "!!float", "!!int", "!!null", "!!timestamp"};
    if (std::find(std::begin(kChecked), std::end(kChecked), node.tag) == std::end(kChecked)) return;
    const std::string is = YamlTagOfPlain(node.text);
    if (is == "!!null" && node.tag == is) {
      node.kind = YamlKind::kNull;
      node.text.clear();
      node.tag.clear();
    } else if (is != node.tag && !(is == "!!int" && node.tag == "!!float") && !wrong_tag_) {
      wrong_tag_.emplace(ErrorCode::kInvalid, "yaml: cannot decode " + is + " `" + node.text + "` as a " + node.tag);
    }
  }

  void Open(YamlKind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YAML::EmitterStyle::value style) {
    YamlData* node = Make(kind, mark, anchor);
    if (node == nullptr) return;
    SetTag(*node, tag);
    if (open_.size() >= limits_.max_depth) Refuse(ErrorCode::kLimit, LineError(node->line, "nested too deeply"));
    open_.push_back({node, style == YAML::EmitterStyle::Block});
  }

  void Close() {
    if (error_) return;
    YamlData* node = open_.back().node;
    open_.pop_back();
    Place(node);
  }

  bool IsOpen(const YamlData* node) const {
    for (const auto& open : open_) {
      if (open.node == node) return true;
    }
    return false;
  }

  void Place(const YamlData* node) {
    if (error_) return;
    if (open_.empty()) {
      root_ = node;
      return;
    }
    OpenNode& parent = open_.back();
    parent.node->nodes += node->nodes;
    if (parent.node->kind == YamlKind::kSequence) {
      parent.node->items.emplace_back(node);
    } else if (parent.key == nullptr) {
      parent.key = node;
    } else if (node->kind == YamlKind::kNull && parent.block && LacksColon(*parent.node, *parent.key)) {
      Refuse(ErrorCode::kInvalid, YamlMissingColon(source_, PlaceOf(*parent.key), told_));
    } else {
      parent.node->entries.push_back({YamlNode(parent.key), YamlNode(node)});
      parent.key = nullptr;
    }
  }

  const std::string_view source_;
  std::deque<YamlData>& nodes_;
  const YamlLimits& limits_;
  const YamlErrorPlace told_;
  const YamlData* last_quoted_ = nullptr;  // or tagged, or a block
  int line_ = 1;                           // that From() has come to, and where it begins
  size_t line_start_ = 0;
  std::unordered_map<YAML::anchor_t, YamlData*> anchors_;
  std::vector<OpenNode> open_;
  const YamlData* root_ = nullptr;
  std::optional<Error> error_;
  std::optional<Error> wrong_tag_;
  size_t count_ = 0;
  bool finished_ = false;
};

bool IsMergeKey(const YamlNode& key) {
  return key.IsScalar() && key.text() == kMergeKey && (!key.quoted() || key.tag() == "!!merge");
}

// Merges into `node`, whose merged mappings were built (and so resolved) before it.
Result<void> ResolveMerges(YamlData& node, size_t& entries_left) {
  std::vector<YamlNode> sources;
  std::vector<YamlEntry> own;
  for (const auto& entry : node.entries) {
    if (!IsMergeKey(entry.key)) {
      own.push_back(entry);
      continue;
    }
    const std::vector<YamlNode> one{entry.value};
    for (const YamlNode& source : entry.value.IsSequence() ? entry.value.items() : std::span<const YamlNode>(one)) {
      if (!source.IsMapping()) {
        return Fail(ErrorCode::kInvalid, "yaml: map merge requires map or sequence of maps as the value");
      }
      sources.push_back(source);
    }
  }
  if (sources.empty()) return {};
  std::unordered_set<std::string_view> keys;
  for (const auto& entry : own) keys.insert(entry.key.text());
  for (const auto& source : sources) {
    if (source.entries().size() > entries_left)
      return Fail(ErrorCode::kLimit, "yaml: document contains too many nodes");
    entries_left -= source.entries().size();
    for (const auto& entry : source.entries()) {
      if (keys.insert(entry.key.text()).second) own.push_back(entry);
    }
  }
  node.entries = std::move(own);
  return {};
}

// Appends a line for each key that occurs twice.
void FindDuplicates(const YamlData& node, std::string& errors) {
  std::unordered_map<std::string_view, int> lines;
  for (const auto& entry : node.entries) {
    if (!entry.key.IsScalar()) continue;
    const auto [at, is_new] = lines.emplace(entry.key.text(), entry.key.line());
    if (is_new) continue;
    errors += "\n  line " + std::to_string(entry.key.line()) + ": mapping key ";
    AppendQuoted(errors, entry.key.text());
    errors += " already defined at line " + std::to_string(at->second);
  }
}

}  // namespace

YamlKind YamlNode::kind() const { return data_->kind; }
int YamlNode::line() const { return data_->line; }
int YamlNode::column() const { return data_->column; }
const std::string& YamlNode::text() const { return data_->text; }
bool YamlNode::quoted() const { return data_->quoted; }
const std::string& YamlNode::tag() const { return data_->tag; }
std::span<const YamlNode> YamlNode::items() const { return data_->items; }
std::span<const YamlEntry> YamlNode::entries() const { return data_->entries; }

std::optional<YamlNode> YamlNode::Find(std::string_view key) const {
  for (const auto& entry : data_->entries) {
    if (entry.key.IsScalar() && entry.key.text() == key) return entry.value;
  }
  return std::nullopt;
}

YamlDocument::YamlDocument(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
YamlDocument::YamlDocument(YamlDocument&&) noexcept = default;
YamlDocument& YamlDocument::operator=(YamlDocument&&) noexcept = default;
YamlDocument::~YamlDocument() = default;
YamlNode YamlDocument::root() const { return YamlNode(impl_->root); }
bool YamlDocument::has_more_documents() const { return impl_->more; }

Result<void> YamlDocument::ReplaceScalars(const std::function<Result<std::string>(const std::string& text)>& replace) {
  for (YamlData& node : impl_->nodes) {
    if (node.kind != YamlKind::kScalar) continue;
    auto text = replace(node.text);
    if (!text) return Fail(text.error().WithContext("line " + std::to_string(node.line)));
    if (*text == node.text) continue;
    node.text = std::move(*text);
    node.quoted = true;  // what comes from elsewhere is text, whatever it looks like
  }
  return {};
}

Result<YamlDocument> YamlDocument::Parse(std::string_view text, DuplicateKeys duplicates, const YamlLimits& limits) {
  if (text.size() > limits.max_bytes) return Fail(ErrorCode::kLimit, "yaml: document is larger than allowed");
  // A byte order mark would count as a column.
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (!IsValidUtf8(text)) return Fail(ErrorCode::kInvalid, "yaml: invalid leading UTF-8 octet");
  if (HasControlCharacters(text)) return Fail(ErrorCode::kInvalid, "yaml: control characters are not allowed");
  std::string with_newlines;
  if (HasUnicodeLineBreaks(text)) text = with_newlines = WithNewlines(text);
  auto impl = std::make_unique<Impl>();
  const YamlErrorPlace told = duplicates == DuplicateKeys::kReject ? YamlErrorPlace::kStart : YamlErrorPlace::kProblem;
  TreeBuilder builder(text, impl->nodes, limits, told);
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    if (builder.error()) return Fail(*builder.error());
    impl->more = builder.finished() && static_cast<bool>(parser);
  } catch (const YAML::Exception& exception) {
    if (builder.error()) return Fail(*builder.error());
    if (const auto line = builder.LineOfUnclosedQuote()) {
      return Fail(ErrorCode::kInvalid, YamlUnclosedQuote(text, *line, told));
    }
    const YamlPlace place{exception.mark.line, exception.mark.column};
    return Fail(ErrorCode::kInvalid, YamlSyntaxError(exception.msg, place, text, builder.Innermost(), told));
  } catch (const std::exception& exception) {
    return Fail(ErrorCode::kInvalid, std::string("yaml: ") + exception.what());
  }
  if (const auto line = builder.LineOfUnclosedQuote()) {
    return Fail(ErrorCode::kInvalid, YamlUnclosedQuote(text, *line, told));
  }
  impl->root = builder.root();
  const int first = impl->root == nullptr ? 0 : impl->root->line - 1;
  const int last = impl->root == nullptr ? -1 : builder.LastLine();
  if (std::string error = YamlDirectiveError(text, first, last); !error.empty())
    return Fail(ErrorCode::kInvalid, std::move(error));
  if (impl->more && impl->root != nullptr && impl->root->kind == YamlKind::kSequence) {
    const YamlPlace root{impl->root->line - 1, impl->root->column - 1};
    if (std::string error = YamlAfterSequence(text, root, impl->nodes.back().line, told); !error.empty()) {
      return Fail(ErrorCode::kInvalid, std::move(error));
    }
  }
  if (impl->root == nullptr) {
    if (std::string error = YamlTabError(text); !error.empty()) return Fail(ErrorCode::kInvalid, std::move(error));
  }
  if (impl->root == nullptr) impl->root = &impl->nodes.emplace_back();
  std::string errors;
  for (YamlData& node : impl->nodes) {
    if (node.kind != YamlKind::kMapping) continue;
    if (duplicates == DuplicateKeys::kReject) FindDuplicates(node, errors);
  }
  if (builder.wrong_tag()) return Fail(*builder.wrong_tag());
  if (!errors.empty()) return Fail(ErrorCode::kInvalid, "yaml: unmarshal errors:" + errors);
  // Nodes are in file order and an anchor comes before its aliases: what a mapping merges is resolved before it. Only a
  // mapping anchored inside the merging one comes later; it has no merge of its own in any sane file.
  size_t entries_left = limits.max_nodes;
  for (YamlData& node : impl->nodes) {
    if (node.kind == YamlKind::kMapping) EPI_TRY(ResolveMerges(node, entries_left));
  }
  return YamlDocument(std::move(impl));
}

}  // namespace epi::config
