// How the HTTP client block is read and written; see schema.h.
#pragma once

#include "config/http_client_config.h"
#include "config/schema.h"

namespace epi::config {

template <>
struct Schema<net::TlsSettings> {
  static constexpr std::string_view kGoType = "config.plain";
  static std::span<const FieldSpec> Fields();
  static Result<void> Validate(net::TlsSettings& config) { return ValidateTlsConfig(config); }
};

template <>
struct Schema<net::BasicAuthSettings> {
  static constexpr std::string_view kGoType = "config.plain";
  static std::span<const FieldSpec> Fields();
};

template <>
struct Schema<net::AuthorizationSettings> {
  static constexpr std::string_view kGoType = "config.Authorization";
  static std::span<const FieldSpec> Fields();
};

template <>
struct Schema<net::ProxySettings> {
  static constexpr std::string_view kGoType = "config.ProxyConfig";
  static std::span<const FieldSpec> Fields();
};

template <>
struct Schema<net::OAuth2Settings> {
  static constexpr std::string_view kGoType = "config.plain";
  static std::span<const FieldSpec> Fields();
  static Result<void> Validate(net::OAuth2Settings& config);
};

template <>
struct Schema<HttpClientConfig> {
  static constexpr std::string_view kGoType = "config.plain";
  static std::span<const FieldSpec> Fields();
  static Result<void> Validate(HttpClientConfig& config) { return ValidateHttpClientConfig(config); }
};

}  // namespace epi::config
