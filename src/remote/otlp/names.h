// Names of OpenTelemetry as names of metrics, units and labels here.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/config.h"
#include "remote/otlp/export_request.h"

namespace epi::remote::otlp {

// What the configured translation strategy and its switches mean. Each method is pure.
class Namer {
 public:
  explicit Namer(const config::OtlpConfig& config);
  // kInvalid when nothing but underscores is left.
  Result<std::string> MetricName(const Metric& metric) const;
  // "By/s" becomes "bytes_per_second".
  std::string UnitName(std::string_view unit) const;
  Result<std::string> LabelName(std::string_view attribute) const;
  bool escapes() const { return escape_; }

 private:
  bool escape_;    // names keep to [a-zA-Z0-9_:]
  bool suffixes_;  // unit and type become part of the name
  bool prefix_single_underscore_;
  bool keep_underscore_runs_;
};

}  // namespace epi::remote::otlp
