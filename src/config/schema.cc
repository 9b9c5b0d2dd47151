#include "config/schema.h"

#include <algorithm>
#include <unordered_set>

#include "base/escaping.h"
#include "config/byte_size.h"
#include "model/duration.h"
#include "model/labels.h"
#include "net/url.h"

namespace epi::config {
namespace {

constexpr std::string_view kRedactedSecret = "<secret>";
constexpr std::string_view kRedactedPassword = "xxxxx";  // "<secret>" would be escaped inside a URL

// The row for a key, in an inlined block too; `object` becomes the block that holds the member.
const FieldSpec* FindField(std::string_view key, std::span<const FieldSpec> fields, void*& object) {
  for (const auto& field : fields) {
    if (field.inlined == nullptr) {
      if (field.key == key) return &field;
      continue;
    }
    void* block = field.inlined_object(object);
    if (const FieldSpec* found = FindField(key, field.inlined(), block)) {
      object = block;
      return found;
    }
  }
  return nullptr;
}

}  // namespace

void ReadFields(YamlReader& reader, const YamlNode& mapping, void* object, std::span<const FieldSpec> fields,
                std::string_view go_type, ExtraReader extra) {
  std::unordered_set<std::string_view> seen;
  for (const auto& entry : mapping.entries()) {
    if (reader.refused()) return;
    // A null is the empty name.
    if (!entry.key.IsScalar() && !entry.key.IsNull()) {
      reader.WrongType(entry.key, "string");
      continue;
    }
    void* owner = object;
    const FieldSpec* field = FindField(entry.key.text(), fields, owner);
    if (seen.contains(entry.key.text())) {
      reader.DuplicateField(entry.key, go_type);
      continue;
    }
    if (field != nullptr) {
      field->read(reader, entry.value, owner);
    } else if (extra == nullptr || !extra(reader, entry, object)) {
      reader.UnknownField(entry.key, go_type);
      continue;
    }
    seen.insert(entry.key.text());
  }
}

void WriteFields(const void* object, std::span<const FieldSpec> fields, const WriteOptions& options,
                 YamlValue& mapping) {
  for (const auto& field : fields) {
    if (field.inlined != nullptr) {
      WriteFields(field.inlined_object(const_cast<void*>(object)), field.inlined(), options, mapping);
    } else if (field.omit == Omit::kNever || !field.is_empty(object)) {
      mapping.Set(std::string(field.key), field.write(object, options));
    }
  }
}

bool AreFieldsEmpty(const void* object, std::span<const FieldSpec> fields) {
  return std::all_of(fields.begin(), fields.end(), [&](const FieldSpec& field) {
    if (field.inlined != nullptr)
      return AreFieldsEmpty(field.inlined_object(const_cast<void*>(object)), field.inlined());
    return field.is_empty(object);
  });
}

void Codec<std::string>::Read(YamlReader& reader, const YamlNode& node, std::string& out) {
  if (node.IsNull()) out.clear();
  reader.ReadString(node, out);
}

void Codec<bool>::Read(YamlReader& reader, const YamlNode& node, bool& out) {
  if (node.IsNull()) out = false;
  reader.ReadBool(node, out);
}

void Codec<int64_t>::Read(YamlReader& reader, const YamlNode& node, int64_t& out) {
  if (node.IsNull()) out = 0;
  reader.ReadInt(node, out);
}

void Codec<uint64_t>::Read(YamlReader& reader, const YamlNode& node, uint64_t& out) {
  if (node.IsNull()) out = 0;
  reader.ReadUint(node, out);
}

void Uint64Codec::Read(YamlReader& reader, const YamlNode& node, uint64_t& out) {
  if (node.IsNull()) out = 0;
  reader.ReadUint(node, out, "uint64");
}

void Int64Codec::Read(YamlReader& reader, const YamlNode& node, int64_t& out) {
  if (node.IsNull()) out = 0;
  reader.ReadInt(node, out, "int64");
}

void Codec<double>::Read(YamlReader& reader, const YamlNode& node, double& out) {
  if (node.IsNull()) out = 0;
  reader.ReadFloat(node, out);
}

void Codec<StringMap>::ReadAs(YamlReader& reader, const YamlNode& node, StringMap& out, std::string_view go_type,
                              std::string_view go_value_type) {
  out.clear();
  if (node.IsNull()) return;
  if (!node.IsMapping()) {
    reader.WrongType(node, std::string(go_type));
    return;
  }
  std::unordered_set<std::string> seen;
  for (const auto& entry : node.entries()) {
    std::pair<std::string, std::string> pair;
    if (!reader.ReadString(entry.key, pair.first) || !reader.ReadString(entry.value, pair.second, go_value_type))
      continue;
    if (!seen.insert(pair.first).second) {
      reader.DuplicateKey(entry.key);
      continue;
    }
    out.push_back(std::move(pair));
  }
  std::sort(out.begin(), out.end());
}

void LabelSetCodec::Read(YamlReader& reader, const YamlNode& node, StringMap& out) {
  ReadAs(reader, node, out, "model.LabelSet", "model.LabelValue");
  for (const auto& [name, value] : out) {
    if (!name.empty() && IsValidUtf8(name)) continue;
    std::string text;
    AppendQuoted(text, name);
    reader.Refuse(Error(ErrorCode::kInvalid, text + " is not a valid label name"));
  }
}

void DurationCodec::Read(YamlReader& reader, const YamlNode& node, int64_t& out) {
  out = node.IsNull() ? 0 : out;
  std::string text;
  if (node.IsNull() || !reader.ReadString(node, text)) return;
  auto parsed = ParseDuration(text);
  if (!parsed) {
    reader.Refuse(std::move(parsed).error());
    return;
  }
  out = *parsed;
}

YamlValue DurationCodec::Write(int64_t value, const WriteOptions&) { return YamlValue::String(FormatDuration(value)); }

void ByteSizeCodec::Read(YamlReader& reader, const YamlNode& node, int64_t& out) {
  out = node.IsNull() ? 0 : out;
  std::string text;
  if (node.IsNull() || !reader.ReadString(node, text, "units.Base2Bytes")) return;
  auto parsed = ParseByteSize(text);
  if (!parsed) {
    reader.Refuse(std::move(parsed).error());
    return;
  }
  out = *parsed;
}

YamlValue ByteSizeCodec::Write(int64_t value, const WriteOptions&) { return YamlValue::String(FormatByteSize(value)); }

YamlValue SecretCodec::Write(const std::string& value, const WriteOptions& options) {
  if (!options.redact) return YamlValue::String(value);
  return value.empty() ? YamlValue::Null() : YamlValue::String(std::string(kRedactedSecret));
}

void UrlCodec::Read(YamlReader& reader, const YamlNode& node, std::string& out) {
  out.clear();
  std::string text;
  if (node.IsNull() || !reader.ReadString(node, text)) return;
  const auto url = net::ParseUrl(text);
  if (!url) {
    reader.Refuse(url.error());
    return;
  }
  out = url->ToString();
}

YamlValue UrlCodec::Write(const std::string& value, const WriteOptions& options) {
  if (value.empty()) return YamlValue::Null();
  auto url = net::ParseUrl(value);
  if (!options.redact || !url) return YamlValue::String(value);
  const size_t colon = url->userinfo.find(':');
  if (colon != std::string::npos) url->userinfo = url->userinfo.substr(0, colon + 1) + std::string(kRedactedPassword);
  return YamlValue::String(url->ToString());
}

}  // namespace epi::config
