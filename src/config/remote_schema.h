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
EPI_REMOTE_SCHEMA(RemoteWriteConfig, "config.plain");
EPI_REMOTE_SCHEMA(RemoteReadConfig, "config.plain");
#undef EPI_REMOTE_SCHEMA

}  // namespace epi::config
