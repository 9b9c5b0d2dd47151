// What the schemas of service discoveries share.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "config/discovery_config.h"
#include "config/http_client_schema.h"

namespace epi::config {

inline tl::unexpected<Error> InvalidSd(std::string text) { return Fail(ErrorCode::kInvalid, std::move(text)); }

// Go's %q.
std::string SdQuoted(std::string_view text);
// Parses as a URL, or Go's error.
Result<void> CheckSdUrl(std::string_view text);
// http or https with a host, in the words of the http and puppetdb discoveries.
Result<void> CheckSdHttpUrl(const std::string& text);
// One of the words, or `complaint` and what it is instead.
Result<void> CheckSdWord(const std::string& value, std::span<const std::string_view> words, std::string_view complaint);
Result<void> RequireOneSdSecret(const std::string& secret, const std::string& file);
// Scheme and host are there; else `text`, or Go's error when it is no URL.
Result<void> CheckSdServerUrl(const std::string& url, std::string text);

template <>
struct Schema<NamedFilter> {
  static constexpr std::string_view kGoType = "moby.Filter";
  static constexpr std::string_view kGoListType = "[]moby.Filter";
  static std::span<const FieldSpec> Fields();
};

// The filters of AWS's kinds, which differ by what their types are called.
struct AwsFiltersCodec : Codec<std::vector<NamedFilter>> {
  static void Read(YamlReader& reader, const YamlNode& node, std::vector<NamedFilter>& out);
};

#define EPI_SD_SCHEMA(type, go_type)                            \
  template <>                                                   \
  struct Schema<type> {                                         \
    static constexpr std::string_view kGoType = go_type;        \
    static std::span<const FieldSpec> Fields();                 \
    static Result<void> Validate(type& config);                 \
    static void SetDirectory(type& config, std::string_view d); \
  }

// A table row for a struct with a schema.
template <typename T>
constexpr SdKind MakeSdKind(std::string_view name, std::string_view key, bool built) {
  SdKind out{};
  out.name = name;
  out.key = key;
  out.built = built;
  out.read = [](YamlReader& reader, const YamlNode& node) -> std::shared_ptr<void> {
    auto config = std::make_shared<T>();
    Codec<T>::Read(reader, node, *config);
    return config;
  };
  out.write = [](const void* config, const WriteOptions& options) {
    return Codec<T>::Write(*static_cast<const T*>(config), options);
  };
  out.set_directory = [](void* config, std::string_view directory) {
    Schema<T>::SetDirectory(*static_cast<T*>(config), directory);
  };
  return out;
}

// The rows of each sd_*_schema.cc.
std::span<const SdKind> CommonSdKinds();
std::span<const SdKind> KubernetesSdKinds();
std::span<const SdKind> AwsSdKinds();
std::span<const SdKind> CloudSdKinds();
std::span<const SdKind> HosterSdKinds();
std::span<const SdKind> RegistrySdKinds();

}  // namespace epi::config
