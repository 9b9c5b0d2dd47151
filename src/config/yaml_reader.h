// Reading of YAML trees into plain structs, with go-yaml's error texts. Wrong types, unknown and duplicate fields are
// collected, so that one run names them all; what a validation refuses ends the reading at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/yaml.h"

namespace epi::config {

// Not thread-safe. Every Read leaves `out` alone when the node is null or of the wrong type.
class YamlReader {
 public:
  // Whether anything was wrong so far; validations of a struct run only while nothing was wrong inside it.
  bool ok() const { return errors_.empty() && !refusal_; }
  size_t error_count() const { return errors_.size() + (refusal_ ? 1 : 0); }
  // Set by the first Refuse: nothing more needs to be read.
  bool refused() const { return refusal_.has_value(); }

  // `line 3: cannot unmarshal !!str ` + "`abc`" + ` into []string`. The type in Go's words.
  void WrongType(const YamlNode& node, std::string_view go_type);
  // `line 3: field foo not found in type config.plain`
  void UnknownField(const YamlNode& key, std::string_view go_type);
  // `line 3: field foo already set in type config.plain`
  void DuplicateField(const YamlNode& key, std::string_view go_type);
  // `line 3: key "foo" already set in map`
  void DuplicateKey(const YamlNode& key);
  // A validation failed: this error alone is the outcome.
  void Refuse(Error error);

  // The same, but only when nothing is wrong in what surrounds it: checks that Prometheus makes of the whole.
  void RefuseLater(Error error);
  // For whoever reads what surrounds it: gives away what was refused for later and takes `error` in its place.
  std::optional<Error> ExchangeLater(std::optional<Error> error);

  // Each is true when the node was null or had the type. `go_type` is for the error text.
  bool ReadString(const YamlNode& node, std::string& out, std::string_view go_type = "string");
  bool ReadBool(const YamlNode& node, bool& out);
  bool ReadInt(const YamlNode& node, int64_t& out, std::string_view go_type = "int");
  bool ReadUint(const YamlNode& node, uint64_t& out, std::string_view go_type = "uint");
  bool ReadFloat(const YamlNode& node, double& out);
  bool ReadStrings(const YamlNode& node, std::vector<std::string>& out, std::string_view go_type = "[]string",
                   std::string_view go_item_type = "string");

  // kInvalid with everything that was wrong: "yaml: unmarshal errors:\n  line 3: …\n  line 9: …", or the refusal.
  Result<void> Finish() const;

 private:
  void Add(int line, std::string text);
  std::vector<std::string> errors_;
  std::optional<Error> refusal_;
  std::optional<Error> later_;
};

}  // namespace epi::config
