// How remote endpoints are read and written; see schema.h.
#pragma once

#include "config/remote_config.h"
#include "config/schema.h"

namespace epi::config {

#define EPI_REMOTE_SCHEMA(type, go_type)                 \
  template <>                                            \
  struct Schema<type> {                                  \
    static constexpr std::string_view kGoType = go_type; \
    static std::span<const FieldSpec> Fields();          \
    static Result<void> Validate(type& config);          \
  }
EPI_REMOTE_SCHEMA(SigV4Config, "sigv4.plain");
EPI_REMOTE_SCHEMA(AzureAdConfig, "azuread.plain");
#undef EPI_REMOTE_SCHEMA

template <>
struct Schema<RemoteWriteConfig> {
  static constexpr std::string_view kGoType = "config.plain";
  static constexpr std::string_view kGoListType = "[]*config.RemoteWriteConfig";
  static std::span<const FieldSpec> Fields();
  static Result<void> Validate(RemoteWriteConfig& config);
};
template <>
struct Schema<RemoteReadConfig> {
  static constexpr std::string_view kGoType = "config.plain";
  static constexpr std::string_view kGoListType = "[]*config.RemoteReadConfig";
  static std::span<const FieldSpec> Fields();
  static Result<void> Validate(RemoteReadConfig& config);
};

}  // namespace epi::config
