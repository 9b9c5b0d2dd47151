// Errors as values: every call that can fail across a module boundary returns Result<T>.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

namespace epi {

// Chosen by what the caller can do about it. base/result.cc names them; web maps them to HTTP status and errorType.
enum class ErrorCode : unsigned char {
  kInvalid,      // the caller's input is wrong and will stay wrong: a bad query, parameter, file, flag
  kNotFound,     // no such thing
  kExists,       // it is there already, or somebody else holds it
  kExecution,    // input was well-formed but evaluating it failed: many-to-many matching, limits of a query
  kLimit,        // a budget or configured limit would be passed
  kTimeout,      // the deadline passed
  kCanceled,     // the caller asked to stop
  kUnavailable,  // not now: starting, stopping, peer down
  kDenied,       // not allowed
  kUnsupported,  // well-formed but not built
  kDataLoss,     // stored bytes are damaged: checksum, length, order
  kIo,           // the operating system refused
  kInternal,     // a broken expectation of our own
};

std::string_view ErrorCodeName(ErrorCode code);

// One sentence for a person. Where it is known, the message names file, line, field or offset; add context once.
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : message_(std::move(message)), code_(code) {}
  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  // The same error with "context: " in front of the message.
  Error WithContext(std::string_view context) const;

 private:
  std::string message_;
  ErrorCode code_;
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error(code, std::move(message)));
}
inline tl::unexpected<Error> Fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

namespace internal {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);
}  // namespace internal

}  // namespace epi

// Returns the error of `expression` from the enclosing function, if it has one.
#define EPI_TRY(expression)                                                                       \
  do {                                                                                            \
    if (auto epi_try_ = (expression); !epi_try_) return ::epi::Fail(std::move(epi_try_).error()); \
  } while (false)

#define EPI_CONCAT_INNER(a, b) a##b
#define EPI_CONCAT(a, b) EPI_CONCAT_INNER(a, b)
// EPI_ASSIGN(auto x, Call()): x is the value of Call(), or the enclosing function returns its error.
#define EPI_ASSIGN(target, expression) EPI_ASSIGN_INNER(EPI_CONCAT(epi_result_, __LINE__), target, expression)
#define EPI_ASSIGN_INNER(name, target, expression)        \
  auto name = (expression);                               \
  if (!name) return ::epi::Fail(std::move(name).error()); \
  target = std::move(*name)

// A broken invariant of our own stops the process, in release builds too. Not for user input.
#define EPI_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::epi::internal::CheckFailed(__FILE__, __LINE__, #condition))
