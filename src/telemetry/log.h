// Structured logs: logfmt or JSON on stderr, keys as Prometheus has them (time, level, source, msg, then the fields).
// Logging never blocks ingest: lines go through a bounded queue, and a line that does not fit is counted and dropped.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace epi {

enum class LogLevel : unsigned char { kDebug, kInfo, kWarn, kError };
enum class LogFormat : unsigned char { kLogfmt, kJson };

// One key and its value, printed.
struct LogField {
  template <typename T>
  LogField(std::string_view k, const T& v) : key(k) {
    if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      value = std::string(std::string_view(v));
    } else if constexpr (std::is_same_v<T, bool>) {
      value = v ? "true" : "false";
    } else {
      value = std::to_string(v);
    }
  }
  std::string_view key;
  std::string value;
};

// Thread-safe. Copies share the sink. A default-constructed logger drops everything.
class Logger {
 public:
  Logger() = default;
  // Writes to stderr (file descriptor 2).
  static Logger ToStderr(LogLevel level, LogFormat format);
  // For tests: every finished line is handed to `sink`, synchronously.
  static Logger ToFunction(LogLevel level, LogFormat format, void (*sink)(void* context, std::string_view line),
                           void* context);
  // A logger that adds component=name to each line.
  Logger Named(std::string_view component) const;

  void Debug(std::string_view msg, std::initializer_list<LogField> fields = {}) const {
    Log(LogLevel::kDebug, msg, fields);
  }
  void Info(std::string_view msg, std::initializer_list<LogField> fields = {}) const {
    Log(LogLevel::kInfo, msg, fields);
  }
  void Warn(std::string_view msg, std::initializer_list<LogField> fields = {}) const {
    Log(LogLevel::kWarn, msg, fields);
  }
  void Error(std::string_view msg, std::initializer_list<LogField> fields = {}) const {
    Log(LogLevel::kError, msg, fields);
  }
  bool enabled(LogLevel level) const;
  void Flush() const;

 private:
  void Log(LogLevel level, std::string_view msg, std::initializer_list<LogField> fields) const;
  struct Core;
  std::shared_ptr<Core> core_;
  std::string component_;
};

}  // namespace epi
