// What a caller may see who is restricted to some of the series.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/matcher.h"
#include "net/http_message.h"
#include "storage/storage.h"

namespace epi::web {

// What a route does for a caller whose token has a scope.
enum class ScopeRule : unsigned char {
  kClosed,    // it tells about more than series, or about all of them: refused
  kEnforced,  // it reads through ScopedStorage
  kHarmless,  // it tells nothing about series
};
// By the pattern of the route. A route that is not in the table is closed.
ScopeRule ScopeRuleOf(std::string_view route);

// The matchers of all selectors together. kInvalid for text that is no series selector; then nothing may be served.
Result<std::vector<Matcher>> ParseScope(const std::vector<std::string>& selectors);

// Storage with only those series that match. Every way to read adds the matchers to those asked for, so that the shape
// of a query does not matter. Nothing can be written through it. The storage behind it outlives it.
class ScopedStorage final : public Storage {
 public:
  ScopedStorage(const Storage& inner, std::vector<Matcher> scope);
  Result<std::shared_ptr<const View>> OpenView(TimeRange range) const override;
  Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity& identity) override;
  TimestampMs OldestTime() const override { return inner_.OldestTime(); }
  ChangeLog* changes() const override { return inner_.changes(); }

 private:
  const Storage& inner_;
  const std::shared_ptr<const std::vector<Matcher>> scope_;
};

// The storage that one request may see: all of it, or the part in its token's scope. Lives as long as the request is
// served.
class RequestStorage {
 public:
  // kUnavailable `TSDB not ready` without storage.
  static Result<RequestStorage> For(const Storage* storage, const net::Request& request);
  const Storage& get() const { return scoped_ ? *scoped_ : *whole_; }

 private:
  const Storage* whole_ = nullptr;
  std::unique_ptr<ScopedStorage> scoped_;
};

// The view that the request may see.
Result<std::shared_ptr<const View>> OpenView(const Storage* storage, const net::Request& request, TimeRange range);

}  // namespace epi::web
