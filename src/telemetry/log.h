// Structured logs: logfmt or JSON on stderr, keys as Prometheus has them (time, level, source, msg, then the fields).
// Logging never blocks ingest: lines go through a bounded queue, and a line that does not fit is counted and dropped.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
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
      is_text = true;
    } else if constexpr (std::is_same_v<T, bool>) {
      value = v ? "true" : "false";
    } else {
      value = std::to_string(v);
    }
  }
  std::string_view key;
  std::string value;
  bool is_text = false;  // quoted in JSON; numbers and booleans are not
};

// Where the line was written: "head.cc:120". As a default argument it takes the caller's place.
struct LogSource {
  constexpr LogSource(const char* f = __builtin_FILE(), int l = __builtin_LINE()) : file(f), line(l) {}  // NOLINT
  const char* file;
  int line;
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

  void Debug(std::string_view msg, std::initializer_list<LogField> fields = {}, LogSource source = {}) const {
    Log(LogLevel::kDebug, msg, fields, source);
  }
  void Info(std::string_view msg, std::initializer_list<LogField> fields = {}, LogSource source = {}) const {
    Log(LogLevel::kInfo, msg, fields, source);
  }
  void Warn(std::string_view msg, std::initializer_list<LogField> fields = {}, LogSource source = {}) const {
    Log(LogLevel::kWarn, msg, fields, source);
  }
  void Error(std::string_view msg, std::initializer_list<LogField> fields = {}, LogSource source = {}) const {
    Log(LogLevel::kError, msg, fields, source);
  }
  // For fields whose number is not known beforehand.
  void Write(LogLevel level, std::string_view msg, std::span<const LogField> fields, LogSource source = {}) const;
  bool enabled(LogLevel level) const;
  // Returns once every line so far has reached stderr, or after a second.
  void Flush() const;
  // Lines lost because the queue was full.
  uint64_t dropped() const;

 private:
  void Log(LogLevel level, std::string_view msg, std::initializer_list<LogField> fields, LogSource source) const {
    Write(level, msg, std::span(fields.begin(), fields.size()), source);
  }
  struct Core;
  std::shared_ptr<Core> core_;
  std::string component_;
};

}  // namespace epi
