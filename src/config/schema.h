// Tables that say how a plain struct is read from YAML and written back: one row a key, in the order Prometheus prints.
//
// A struct T takes part by a specialisation of Schema<T>:
//   static constexpr std::string_view kGoType = "config.plain";   // in `field x not found in type …`
//   static std::span<const FieldSpec> Fields();
//   static Result<void> Validate(T&);                             // optional; runs when nothing inside was wrong
//   static T Zero();                                              // optional; what an explicit null makes of it, else
//   T{}
// The members' initialisers are the defaults.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/yaml_reader.h"
#include "config/yaml_writer.h"

namespace epi::config {

struct WriteOptions {
  bool redact = true;  // secrets as <secret>, passwords in URLs as xxxxx
};

enum class Omit : unsigned char { kNever, kEmpty };

struct FieldSpec {
  std::string_view key;  // empty: an inlined block, described by `inlined`
  Omit omit = Omit::kNever;
  void (*read)(YamlReader& reader, const YamlNode& node, void* object) = nullptr;
  YamlValue (*write)(const void* object, const WriteOptions& options) = nullptr;
  bool (*is_empty)(const void* object) = nullptr;
  std::span<const FieldSpec> (*inlined)() = nullptr;
  void* (*inlined_object)(void* object) = nullptr;
};

// Reads the entries that `fields` describe. Others go to `extra` (which returns false for keys it does not know
// either).
using ExtraReader = bool (*)(YamlReader& reader, const YamlEntry& entry, void* object);
void ReadFields(YamlReader& reader, const YamlNode& mapping, void* object, std::span<const FieldSpec> fields,
                std::string_view go_type, ExtraReader extra = nullptr);
void WriteFields(const void* object, std::span<const FieldSpec> fields, const WriteOptions& options,
                 YamlValue& mapping);
bool AreFieldsEmpty(const void* object, std::span<const FieldSpec> fields);

template <typename T>
struct Schema;

// How a value of type T stands in YAML: Read, Write, IsEmpty. The primary template is for structs with a Schema.
template <typename T>
struct Codec {
  static void Read(YamlReader& reader, const YamlNode& node, T& out) {
    if (node.IsNull()) {
      if constexpr (requires { Schema<T>::Zero(); }) {
        out = Schema<T>::Zero();
      } else {
        out = T{};
      }
      return;
    }
    if (!node.IsMapping()) {
      reader.WrongType(node, Schema<T>::kGoType);
      return;
    }
    const size_t errors_before = reader.error_count();
    auto outer = reader.ExchangeLater(std::nullopt);
    ReadFields(reader, node, &out, Schema<T>::Fields(), Schema<T>::kGoType, Extra());
    auto refused_later = reader.ExchangeLater(std::move(outer));
    if (reader.error_count() != errors_before) return;
    if constexpr (requires { Schema<T>::Validate(out); }) {
      if (auto valid = Schema<T>::Validate(out); !valid) reader.Refuse(std::move(valid).error());
    }
    if (refused_later) reader.Refuse(std::move(*refused_later));
  }
  static YamlValue Write(const T& value, const WriteOptions& options) {
    YamlValue out = YamlValue::Mapping();
    WriteFields(&value, Schema<T>::Fields(), options, out);
    if constexpr (requires { Schema<T>::WriteExtra(value, options, out); }) Schema<T>::WriteExtra(value, options, out);
    return out;
  }
  static bool IsEmpty(const T& value) { return AreFieldsEmpty(&value, Schema<T>::Fields()); }

 private:
  static constexpr ExtraReader Extra() {
    if constexpr (requires { Schema<T>::ReadExtra; }) {
      return [](YamlReader& reader, const YamlEntry& entry, void* object) {
        return Schema<T>::ReadExtra(reader, entry, *static_cast<T*>(object));
      };
    } else {
      return nullptr;
    }
  }
};

template <>
struct Codec<std::string> {
  static void Read(YamlReader& reader, const YamlNode& node, std::string& out);
  static YamlValue Write(const std::string& value, const WriteOptions&) { return YamlValue::String(value); }
  static bool IsEmpty(const std::string& value) { return value.empty(); }
};

template <>
struct Codec<bool> {
  static void Read(YamlReader& reader, const YamlNode& node, bool& out);
  static YamlValue Write(bool value, const WriteOptions&) { return YamlValue::Bool(value); }
  static bool IsEmpty(bool value) { return !value; }
};

template <>
struct Codec<int64_t> {
  static void Read(YamlReader& reader, const YamlNode& node, int64_t& out);
  static YamlValue Write(int64_t value, const WriteOptions&) { return YamlValue::Int(value); }
  static bool IsEmpty(int64_t value) { return value == 0; }
};

template <>
struct Codec<uint64_t> {
  static void Read(YamlReader& reader, const YamlNode& node, uint64_t& out);
  static YamlValue Write(uint64_t value, const WriteOptions&) { return YamlValue::Uint(value); }
  static bool IsEmpty(uint64_t value) { return value == 0; }
};

template <>
struct Codec<double> {
  static void Read(YamlReader& reader, const YamlNode& node, double& out);
  static YamlValue Write(double value, const WriteOptions&) { return YamlValue::Float(value); }
  static bool IsEmpty(double value) { return value == 0; }
};

// A number whose field has a size of its own in Go, which only its errors tell.
struct Uint64Codec : Codec<uint64_t> {
  static void Read(YamlReader& reader, const YamlNode& node, uint64_t& out);
};
struct Int64Codec : Codec<int64_t> {
  static void Read(YamlReader& reader, const YamlNode& node, int64_t& out);
};

// An explicit false or zero struct differs from an absent one.
template <typename T>
struct Codec<std::optional<T>> {
  static void Read(YamlReader& reader, const YamlNode& node, std::optional<T>& out) {
    if (node.IsNull()) {
      out.reset();
      return;
    }
    Codec<T>::Read(reader, node, out.emplace());
  }
  static YamlValue Write(const std::optional<T>& value, const WriteOptions& options) {
    return value ? Codec<T>::Write(*value, options) : YamlValue::Null();
  }
  static bool IsEmpty(const std::optional<T>& value) { return !value.has_value(); }
};

// For WrongType. A schema names the type of its lists where Prometheus has such lists.
template <typename T>
constexpr std::string_view GoListType() {
  if constexpr (std::is_same_v<T, std::string>) return "[]string";
  if constexpr (requires { Schema<T>::kGoListType; }) return Schema<T>::kGoListType;
  return "[]struct";
}

template <typename T>
struct Codec<std::vector<T>> {
  static void Read(YamlReader& reader, const YamlNode& node, std::vector<T>& out) {
    ReadList<Codec<T>>(reader, node, out, {});
  }
  template <typename ItemCodec>
  static void ReadList(YamlReader& reader, const YamlNode& node, std::vector<T>& out, std::string_view null_text) {
    out.clear();
    if (node.IsNull()) return;
    if (!node.IsSequence()) {
      reader.WrongType(node, GoListType<T>());
      return;
    }
    for (const YamlNode& item : node.items()) {
      if (item.IsNull() && !null_text.empty()) {
        reader.RefuseLater(Error(ErrorCode::kInvalid, std::string(null_text)));
        continue;
      }
      ItemCodec::Read(reader, item, out.emplace_back());
    }
  }
  static YamlValue Write(const std::vector<T>& value, const WriteOptions& options) {
    YamlValue out = YamlValue::Sequence();
    for (const auto& item : value) out.Add(Codec<T>::Write(item, options));
    return out;
  }
  static bool IsEmpty(const std::vector<T>& value) { return value.empty(); }
};

// A Go string map: pairs sorted by name.
using StringMap = std::vector<std::pair<std::string, std::string>>;
template <>
struct Codec<StringMap> {
  static void Read(YamlReader& reader, const YamlNode& node, StringMap& out) {
    ReadAs(reader, node, out, "map[string]string", "string");
  }
  // In words of Go's types for the whole and the values.
  static void ReadAs(YamlReader& reader, const YamlNode& node, StringMap& out, std::string_view go_type,
                     std::string_view go_value_type);
  static YamlValue Write(const StringMap& value, const WriteOptions&) { return YamlValue::StringMap(value); }
  static bool IsEmpty(const StringMap& value) { return value.empty(); }
};

// Prometheus's model.LabelSet: names must be valid.
struct LabelSetCodec : Codec<StringMap> {
  static void Read(YamlReader& reader, const YamlNode& node, StringMap& out);
};

// Prometheus durations, in milliseconds.
struct DurationCodec {
  static void Read(YamlReader& reader, const YamlNode& node, int64_t& out);
  static YamlValue Write(int64_t value, const WriteOptions&);
  static bool IsEmpty(int64_t value) { return value == 0; }
};

struct ByteSizeCodec {
  static void Read(YamlReader& reader, const YamlNode& node, int64_t& out);
  static YamlValue Write(int64_t value, const WriteOptions&);
  static bool IsEmpty(int64_t value) { return value == 0; }
};

// A string that Go has a type of its own for.
template <const std::string_view& kGoType>
struct TypedString : Codec<std::string> {
  static void Read(YamlReader& reader, const YamlNode& node, std::string& out) {
    if (node.IsNull()) out.clear();
    reader.ReadString(node, out, kGoType);
  }
};

struct SecretCodec {
  static void Read(YamlReader& reader, const YamlNode& node, std::string& out) {
    if (node.IsNull()) out.clear();
    reader.ReadString(node, out, "config.plain");
  }
  static YamlValue Write(const std::string& value, const WriteOptions& options);
  static bool IsEmpty(const std::string& value) { return value.empty(); }
};

// A URL as Go's net/url prints it; empty: none.
struct UrlCodec {
  static void Read(YamlReader& reader, const YamlNode& node, std::string& out);
  static YamlValue Write(const std::string& value, const WriteOptions& options);
  static bool IsEmpty(const std::string& value) { return value.empty(); }
};

// A value that is printed where the file gave one, if an empty one.
template <typename ItemCodec>
struct Given {
  template <typename T>
  static void Read(YamlReader& reader, const YamlNode& node, std::optional<T>& out) {
    if (node.IsNull()) {
      out.reset();
    } else {
      ItemCodec::Read(reader, node, out.emplace());
    }
  }
  template <typename T>
  static YamlValue Write(const std::optional<T>& value, const WriteOptions& options) {
    if (!value) return YamlValue::Null();
    // An empty address is one all the same.
    if constexpr (std::is_same_v<T, std::string>) {
      if (value->empty()) return YamlValue::String("");
    }
    return ItemCodec::Write(*value, options);
  }
  template <typename T>
  static bool IsEmpty(const std::optional<T>& value) {
    return !value.has_value();
  }
};

// A list whose null items are refused with a sentence.
template <const char* kNullText>
struct NoNullItems {
  template <typename T>
  static void Read(YamlReader& reader, const YamlNode& node, std::vector<T>& out) {
    Codec<std::vector<T>>::template ReadList<Codec<T>>(reader, node, out, kNullText);
  }
  template <typename T>
  static YamlValue Write(const std::vector<T>& value, const WriteOptions& options) {
    return Codec<std::vector<T>>::Write(value, options);
  }
  template <typename T>
  static bool IsEmpty(const std::vector<T>& value) {
    return value.empty();
  }
};

inline constexpr std::string_view kGoString = "string";

// A string that a check refuses or changes while it is read.
template <Result<void> (*kCheck)(std::string& text), const std::string_view& kGoType = kGoString>
struct CheckedString {
  static void Read(YamlReader& reader, const YamlNode& node, std::string& out) {
    if (node.IsNull()) {
      out.clear();
      return;
    }
    if (!reader.ReadString(node, out, kGoType)) return;
    if (auto valid = kCheck(out); !valid) reader.Refuse(std::move(valid).error());
  }
  static YamlValue Write(const std::string& value, const WriteOptions&) { return YamlValue::String(value); }
  static bool IsEmpty(const std::string& value) { return value.empty(); }
};

namespace internal {
template <typename T>
struct MemberOf;
template <typename Owner, typename Member>
struct MemberOf<Member Owner::*> {
  using Type = Member;
};
}  // namespace internal

// A row: Key<Owner, &Owner::member>("key"), with a codec where the type's own is not the right one.
template <typename Owner, auto kMember, typename C = Codec<typename internal::MemberOf<decltype(kMember)>::Type>>
constexpr FieldSpec Key(std::string_view key, Omit omit = Omit::kNever) {
  FieldSpec out;
  out.key = key;
  out.omit = omit;
  out.read = [](YamlReader& reader, const YamlNode& node, void* object) {
    C::Read(reader, node, static_cast<Owner*>(object)->*kMember);
  };
  out.write = [](const void* object, const WriteOptions& options) {
    return C::Write(static_cast<const Owner*>(object)->*kMember, options);
  };
  out.is_empty = [](const void* object) { return C::IsEmpty(static_cast<const Owner*>(object)->*kMember); };
  return out;
}

// All keys of a member struct, as if they were the owner's.
template <typename Owner, auto kMember>
constexpr FieldSpec Inline() {
  FieldSpec out;
  out.inlined = [] { return Schema<typename internal::MemberOf<decltype(kMember)>::Type>::Fields(); };
  out.inlined_object = [](void* object) -> void* { return &(static_cast<Owner*>(object)->*kMember); };
  return out;
}

using ScalarReplacer = std::function<Result<std::string>(const std::string& text)>;

// Reads a whole document into `out`, with every scalar replaced first when there is a replacer. The error is go-yaml's.
template <typename T>
Result<void> ReadDocument(std::string_view text, T& out, const ScalarReplacer& replace = nullptr) {
  EPI_ASSIGN(YamlDocument document, YamlDocument::Parse(text, DuplicateKeys::kKeep));
  if (replace) EPI_TRY(document.ReplaceScalars(replace));
  YamlReader reader;
  if (!document.root().IsNull()) Codec<T>::Read(reader, document.root(), out);
  return reader.Finish();
}

}  // namespace epi::config
