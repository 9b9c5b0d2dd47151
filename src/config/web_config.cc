#include "config/web_config.h"

#include <algorithm>

#include "base/escaping.h"
#include "base/file_system.h"
#include "config/http_client_config.h"
#include "config/schema.h"
#include "config/yaml_scalar.h"
#include "model/duration.h"
#include "model/labels.h"

namespace epi::config {
namespace {

using net::TlsServerSettings;
using net::TlsVersion;
using net::WebSettings;

template <typename Value>
struct Word {
  std::string_view text;
  Value value;
};

constexpr Word<TlsVersion> kVersions[] = {{"TLS10", TlsVersion::kTls10},
                                          {"TLS11", TlsVersion::kTls11},
                                          {"TLS12", TlsVersion::kTls12},
                                          {"TLS13", TlsVersion::kTls13}};

// The headers that may be set, and the values they may have; none: any.
struct HeaderRule {
  std::string_view name;
  std::string_view values[2];
};
constexpr HeaderRule kHeaders[] = {
    {"Strict-Transport-Security", {}},
    {"X-Content-Type-Options", {"nosniff", ""}},
    {"X-Frame-Options", {"deny", "sameorigin"}},
    {"X-XSS-Protection", {}},
    {"Content-Security-Policy", {}},
};

tl::unexpected<Error> InvalidWebConfig(std::string text) { return Fail(ErrorCode::kInvalid, std::move(text)); }

std::string QuotedInWebConfig(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

template <typename Value, size_t N>
void ReadWord(YamlReader& reader, const YamlNode& node, Value& out, const Word<Value> (&words)[N],
              std::string_view complaint) {
  std::string text;
  if (node.IsNull() || !reader.ReadString(node, text)) return;
  for (const auto& word : words) {
    if (word.text == text) {
      out = word.value;
      return;
    }
  }
  reader.Refuse(Error(ErrorCode::kInvalid, std::string(complaint) + text));
}

struct VersionCodec {
  static void Read(YamlReader& reader, const YamlNode& node, TlsVersion& out) {
    ReadWord(reader, node, out, kVersions, "unknown TLS version: ");
  }
  static YamlValue Write(TlsVersion, const WriteOptions&) { return YamlValue::Null(); }
  static bool IsEmpty(TlsVersion) { return true; }
};

// Lists of text that Go has types of its own for.
constexpr std::string_view kCipherList = "[]web.Cipher";
constexpr std::string_view kCurveList = "[]web.Curve";
template <const std::string_view& kGoType>
struct TypedListCodec : Codec<std::vector<std::string>> {
  static void Read(YamlReader& reader, const YamlNode& node, std::vector<std::string>& out) {
    if (!node.IsNull() && !node.IsSequence()) return reader.WrongType(node, kGoType);
    Codec<std::vector<std::string>>::Read(reader, node, out);
  }
};

struct SansCodec {
  static void Read(YamlReader& reader, const YamlNode& node, std::optional<std::vector<std::string>>& out) {
    if (!node.IsNull()) Codec<std::vector<std::string>>::Read(reader, node, out.emplace());
  }
  static YamlValue Write(const std::optional<std::vector<std::string>>&, const WriteOptions&) {
    return YamlValue::Null();
  }
  static bool IsEmpty(const std::optional<std::vector<std::string>>&) { return true; }
};

struct UsersCodec : Codec<StringMap> {
  static void Read(YamlReader& reader, const YamlNode& node, StringMap& out) {
    ReadAs(reader, node, out, "map[string]config.Secret", "config.plain");
  }
};

// Go's time.Duration: text such as "1s", or nanoseconds as a number.
struct GoDurationCodec {
  static void Read(YamlReader& reader, const YamlNode& node, int64_t& out) {
    if (const auto nanoseconds = YamlInt(node)) {
      out = *nanoseconds;
      return;
    }
    std::string text;
    if (node.IsNull() || !reader.ReadString(node, text, "time.Duration")) return;
    const auto parsed = ParseGoDuration(text);
    if (!parsed) {
      reader.WrongType(node, "time.Duration");
      return;
    }
    out = *parsed;
  }
  static YamlValue Write(int64_t, const WriteOptions&) { return YamlValue::Null(); }
  static bool IsEmpty(int64_t) { return true; }
};

constexpr Word<net::Role> kRoles[] = {{"read", net::Role::kRead},
                                      {"write", net::Role::kWrite},
                                      {"admin", net::Role::kAdmin},
                                      {"metrics", net::Role::kMetrics}};

// A list of words.
struct RolesCodec {
  static void Read(YamlReader& reader, const YamlNode& node, net::RoleSet& out) {
    std::vector<std::string> words;
    Codec<std::vector<std::string>>::Read(reader, node, words);
    for (const auto& word : words) {
      const auto row =
          std::find_if(std::begin(kRoles), std::end(kRoles), [&](const auto& role) { return role.text == word; });
      if (row == std::end(kRoles)) return reader.Refuse(Error(ErrorCode::kInvalid, "unknown role: " + word));
      out |= net::RoleBit(row->value);
    }
  }
  static YamlValue Write(net::RoleSet, const WriteOptions&) { return YamlValue::Null(); }
  static bool IsEmpty(net::RoleSet) { return true; }
};

Result<void> ValidateHeaders(const StringMap& headers) {
  for (const auto& [name, value] : headers) {
    const auto rule = std::find_if(std::begin(kHeaders), std::end(kHeaders),
                                   [&wanted = name](const HeaderRule& row) { return row.name == wanted; });
    if (rule == std::end(kHeaders))
      return InvalidWebConfig("HTTP header " + QuotedInWebConfig(name) + " can not be configured");
    if (rule->values[0].empty()) continue;
    if (std::find(std::begin(rule->values), std::end(rule->values), value) == std::end(rule->values)) {
      return InvalidWebConfig("invalid value for " + std::string(name) + ". Expected one of: [" +
                              QuotedInWebConfig(rule->values[0]) +
                              (rule->values[1].empty() ? "" : " " + QuotedInWebConfig(rule->values[1])) +
                              "], but got: " + QuotedInWebConfig(value));
    }
  }
  return {};
}

constexpr FieldSpec kHttpFields[] = {
    Key<WebSettings, &WebSettings::http2>("http2"),
    Key<WebSettings, &WebSettings::headers>("headers"),
};
constexpr FieldSpec kRateLimitFields[] = {
    Key<WebSettings, &WebSettings::rate_limit_interval_ns, GoDurationCodec>("interval"),
    Key<WebSettings, &WebSettings::rate_limit_burst>("burst"),
};

constexpr FieldSpec kAccessFields[] = {
    Key<WebSettings, &WebSettings::access_tokens>("tokens"),
    Key<WebSettings, &WebSettings::audit_log_file>("audit_log_file"),
};

constexpr std::string_view kHttpType = "web.HTTPConfig";
constexpr std::string_view kRateLimitType = "web.RateLimiterConfig";
constexpr std::string_view kAccessType = "web.AccessControl";

// Blocks whose keys are members of WebSettings itself.
template <const auto& kFields, const std::string_view& kGoType>
constexpr FieldSpec Block(std::string_view key) {
  FieldSpec out;
  out.key = key;
  out.read = [](YamlReader& reader, const YamlNode& node, void* object) {
    if (node.IsNull()) return;
    if (!node.IsMapping()) {
      reader.WrongType(node, kGoType);
      return;
    }
    ReadFields(reader, node, object, kFields, kGoType);
  };
  return out;
}

}  // namespace

template <>
struct Schema<net::AccessToken> {
  static constexpr std::string_view kGoType = "web.AccessToken";
  static std::span<const FieldSpec> Fields() {
    using T = net::AccessToken;
    static constexpr FieldSpec kFields[] = {
        Key<T, &T::name>("name"),
        Key<T, &T::sha256>("sha256"),
        Key<T, &T::roles, RolesCodec>("roles"),
        Key<T, &T::scope>("scope"),
        Key<T, &T::requests_per_second>("requests_per_second"),
        Key<T, &T::requests_burst>("requests_burst"),
        Key<T, &T::bytes_per_second>("bytes_per_second"),
        Key<T, &T::bytes_burst>("bytes_burst"),
    };
    return kFields;
  }
};

template <>
struct Schema<TlsServerSettings> {
  static constexpr std::string_view kGoType = "web.TLSConfig";
  static std::span<const FieldSpec> Fields() {
    using T = TlsServerSettings;
    static constexpr FieldSpec kFields[] = {
        Key<T, &T::cert>("cert"),
        Key<T, &T::key>("key"),
        Key<T, &T::client_ca>("client_ca"),
        Key<T, &T::cert_file>("cert_file"),
        Key<T, &T::key_file>("key_file"),
        Key<T, &T::client_auth_type>("client_auth_type"),
        Key<T, &T::client_ca_file>("client_ca_file"),
        Key<T, &T::cipher_suites, TypedListCodec<kCipherList>>("cipher_suites"),
        Key<T, &T::curve_preferences, TypedListCodec<kCurveList>>("curve_preferences"),
        Key<T, &T::min_version, VersionCodec>("min_version"),
        Key<T, &T::max_version, VersionCodec>("max_version"),
        Key<T, &T::prefer_server_cipher_suites>("prefer_server_cipher_suites"),
        Key<T, &T::client_allowed_sans, SansCodec>("client_allowed_sans"),
    };
    return kFields;
  }
};

template <>
struct Schema<WebSettings> {
  static constexpr std::string_view kGoType = "web.Config";
  static std::span<const FieldSpec> Fields() {
    using T = WebSettings;
    static constexpr FieldSpec kFields[] = {
        Key<T, &T::tls>("tls_server_config"),
        Block<kHttpFields, kHttpType>("http_server_config"),
        Block<kRateLimitFields, kRateLimitType>("rate_limit"),
        Key<T, &T::basic_auth_users, UsersCodec>("basic_auth_users"),
        Block<kAccessFields, kAccessType>("access_control"),
    };
    return kFields;
  }
  static Result<void> Validate(WebSettings& settings) {
    EPI_TRY(ValidateHeaders(settings.headers));
    return net::ValidateWebSettings(settings);
  }
};

Result<WebSettings> ParseWebConfig(std::string_view text) {
  WebSettings out;
  EPI_TRY(ReadDocument(text, out));
  return out;
}

Result<WebSettings> LoadWebConfig(FileSystem& files, const std::string& path) {
  EPI_ASSIGN(const std::string text, files.ReadFile(path));
  auto out = ParseWebConfig(text);
  if (!out) return Fail(out.error());
  const std::string_view directory = DirectoryName(path);
  for (std::string* file : {&out->tls.cert_file, &out->tls.key_file, &out->tls.client_ca_file, &out->audit_log_file}) {
    *file = JoinDirectory(directory, *file);
  }
  return out;
}

}  // namespace epi::config
