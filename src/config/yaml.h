// YAML documents as trees with line numbers: the only place that sees the YAML library.
//
// The reading follows go-yaml, which Prometheus uses: plain scalars are typed by YAML 1.1's rules (yaml_scalar.h), `<<`
// merges are resolved (a mapping's own keys win, then the first merged mapping), aliases share their target. Size,
// depth and the number of nodes after expanding aliases are capped, so that a small file cannot ask for much work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace epi::config {

enum class YamlKind : unsigned char { kNull, kScalar, kSequence, kMapping };

struct YamlEntry;
struct YamlData;

// A handle to one node; valid as long as its document. Cheap to copy.
class YamlNode {
 public:
  explicit YamlNode(const YamlData* data) : data_(data) {}
  YamlKind kind() const;
  bool IsNull() const { return kind() == YamlKind::kNull; }  // empty, ~ or null
  bool IsScalar() const { return kind() == YamlKind::kScalar; }
  bool IsSequence() const { return kind() == YamlKind::kSequence; }
  bool IsMapping() const { return kind() == YamlKind::kMapping; }
  int line() const;                            // of its first character, from 1
  int column() const;                          // in bytes, from 1
  const std::string& text() const;             // of a scalar, unescaped; empty otherwise
  bool quoted() const;                         // a scalar in quotes or a block scalar: always a string
  const std::string& tag() const;              // an explicit tag in short form, "!!str"; empty when there is none
  std::span<const YamlNode> items() const;     // of a sequence
  std::span<const YamlEntry> entries() const;  // of a mapping, in file order, merged ones last
  // The value of a key; the first of duplicates. Linear.
  std::optional<YamlNode> Find(std::string_view key) const;

 private:
  const YamlData* data_;
};

struct YamlEntry {
  YamlNode key;
  YamlNode value;
};

struct YamlLimits {
  size_t max_bytes = size_t{64} << 20;
  size_t max_nodes = 2'000'000;  // after expanding aliases
  size_t max_depth = 100;
};

enum class DuplicateKeys : unsigned char {
  kReject,  // as go-yaml v3: `line 4: mapping key "a" already defined at line 3`
  kKeep,    // left to whoever reads the mapping, as YamlReader does in go-yaml v2's words
};

// The first document of a stream. Immutable; movable (nodes stay valid).
class YamlDocument {
 public:
  // An empty stream is a document whose root is null. kInvalid: "yaml: line N: …" for what is not YAML, "yaml:
  // unmarshal errors:\n  line N: …" for duplicate keys; kLimit over a limit.
  static Result<YamlDocument> Parse(std::string_view text, DuplicateKeys duplicates = DuplicateKeys::kReject,
                                    const YamlLimits& limits = {});
  YamlDocument(YamlDocument&&) noexcept;
  YamlDocument& operator=(YamlDocument&&) noexcept;
  ~YamlDocument();
  YamlNode root() const;
  bool has_more_documents() const;
  // Gives every scalar, keys too, the text that `replace` makes of it; the first error ends it.
  Result<void> ReplaceScalars(const std::function<Result<std::string>(const std::string& text)>& replace);

 private:
  struct Impl;
  explicit YamlDocument(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace epi::config
