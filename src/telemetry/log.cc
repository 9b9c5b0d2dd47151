#include "telemetry/log.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <condition_variable>
#include <ctime>
#include <mutex>

#include "base/clock.h"
#include "base/escaping.h"
#include "base/file_system.h"
#include "base/printable.h"
#include "base/utf8.h"

namespace epi {
namespace {

constexpr size_t kQueueLines = 8192;
constexpr std::string_view kLevelNames[] = {"DEBUG", "INFO", "WARN", "ERROR"};

// Finished lines to file descriptor 2. Counts flushes, so that a caller can wait for its own.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  uint64_t flushes() {
    const std::lock_guard lock(flush_mutex_);
    return flushes_;
  }
  void AwaitFlushAfter(uint64_t seen) {
    constexpr MonotonicNs kPatience = 1'000'000'000;
    std::unique_lock lock(flush_mutex_);
    SystemClock().WaitUntil(lock, flushed_, SystemClock().Monotonic() + kPatience, [&] { return flushes_ > seen; });
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::string_view line(message.payload.data(), message.payload.size());
    while (!line.empty()) {
      const ssize_t written = ::write(2, line.data(), line.size());
      if (written <= 0) return;  // nowhere left to report it
      line.remove_prefix(static_cast<size_t>(written));
    }
  }
  void flush_() override {
    {
      const std::lock_guard lock(flush_mutex_);
      ++flushes_;
    }
    flushed_.notify_all();
  }

 private:
  std::mutex flush_mutex_;
  std::condition_variable flushed_;
  uint64_t flushes_ = 0;  // guarded by flush_mutex_
};

std::string FormatTime(int64_t now_ns) {
  const std::time_t seconds = now_ns / 1'000'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  const auto ms = std::to_string(now_ns / 1'000'000 % 1000 + 1000);
  return std::string(text, size) + "." + ms.substr(1) + "Z";
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  while (!text.empty()) {
    uint32_t rune = 0;
    const size_t length = DecodeUtf8(text, rune);
    if (length == 0 || rune <= ' ' || rune == '=' || rune == '"' || !IsPrintable(rune)) return true;
    text.remove_prefix(length);
  }
  return false;
}

// As log/slog's text handler: quoted only where a reader needs it.
void AppendLogfmtValue(std::string& out, std::string_view text) {
  if (NeedsQuotes(text)) {
    AppendQuoted(out, text);
  } else {
    out += text;
  }
}

class LineWriter {
 public:
  explicit LineWriter(LogFormat format) : json_(format == LogFormat::kJson) {
    if (json_) line_ += '{';
  }
  void Field(std::string_view key, std::string_view value, bool is_text = true) {
    if (!first_) line_ += json_ ? ',' : ' ';
    first_ = false;
    if (json_) {
      AppendJsonString(line_, key, JsonStyle::kEncoding);
      line_ += ':';
      // Numbers that JSON has no form for (nan, inf) are written as text.
      const bool bare = !is_text && !value.empty() && value.find_first_of("ni") == std::string_view::npos;
      const bool literal = !is_text && (value == "true" || value == "false");
      if (bare || literal) {
        line_ += value;
      } else {
        AppendJsonString(line_, value, JsonStyle::kEncoding);
      }
    } else {
      AppendLogfmtValue(line_, key);
      line_ += '=';
      AppendLogfmtValue(line_, value);
    }
  }
  std::string Finish() {
    line_ += json_ ? "}\n" : "\n";
    return std::move(line_);
  }

 private:
  std::string line_;
  bool json_;
  bool first_ = true;
};

}  // namespace

// Either `async` (to stderr) or `function` receives the lines.
struct Logger::Core {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kLogfmt;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<StderrSink> sink;
  std::shared_ptr<spdlog::async_logger> async;
  void (*function)(void*, std::string_view) = nullptr;
  void* context = nullptr;
};

Logger Logger::ToStderr(LogLevel level, LogFormat format) {
  Logger logger;
  logger.core_ = std::make_shared<Core>();
  logger.core_->level = level;
  logger.core_->format = format;
  try {
    logger.core_->pool = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
    logger.core_->sink = std::make_shared<StderrSink>();
    logger.core_->async = std::make_shared<spdlog::async_logger>("stderr", logger.core_->sink, logger.core_->pool,
                                                                 spdlog::async_overflow_policy::overrun_oldest);
    logger.core_->async->set_level(spdlog::level::trace);
  } catch (const std::exception&) {
    logger.core_.reset();  // no thread to be had: a logger that drops
  }
  return logger;
}

Logger Logger::ToFunction(LogLevel level, LogFormat format, void (*sink)(void* context, std::string_view line),
                          void* context) {
  Logger logger;
  logger.core_ = std::make_shared<Core>();
  logger.core_->level = level;
  logger.core_->format = format;
  logger.core_->function = sink;
  logger.core_->context = context;
  return logger;
}

Logger Logger::Named(std::string_view component) const {
  Logger named = *this;
  named.component_ = component;
  return named;
}

bool Logger::enabled(LogLevel level) const { return core_ != nullptr && level >= core_->level; }

void Logger::Write(LogLevel level, std::string_view msg, std::span<const LogField> fields, LogSource source) const {
  if (!enabled(level)) return;
  LineWriter line(core_->format);
  line.Field("time", FormatTime(SystemClock().NowNs()));
  line.Field("level", kLevelNames[static_cast<unsigned>(level)]);
  line.Field("source", std::string(BaseName(source.file)) + ":" + std::to_string(source.line));
  line.Field("msg", msg);
  if (!component_.empty()) line.Field("component", component_);
  for (const auto& field : fields) line.Field(field.key, field.value, field.is_text);
  const std::string finished = line.Finish();
  if (core_->function != nullptr) {
    core_->function(core_->context, finished);
  } else {
    core_->async->log(spdlog::level::info, spdlog::string_view_t(finished.data(), finished.size()));
  }
}

void Logger::Flush() const {
  if (core_ == nullptr || core_->async == nullptr) return;
  const uint64_t seen = core_->sink->flushes();
  core_->async->flush();
  core_->sink->AwaitFlushAfter(seen);
}

uint64_t Logger::dropped() const {
  return core_ != nullptr && core_->pool != nullptr ? core_->pool->overrun_counter() : 0;
}

}  // namespace epi
