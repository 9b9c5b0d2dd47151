#include "discovery/kubernetes_watch.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "discovery/waiting.h"
#include "net/url.h"

namespace epi::discovery {
namespace {

constexpr int kPageSize = 500;             // client-go's
constexpr int kWatchSeconds = 300;         // after which the server ends a watch; then it is begun anew
constexpr int64_t kWatchSlackMs = 30'000;  // and how much later we give up on it ourselves
constexpr int64_t kFirstRetryMs = 1'000;
constexpr int64_t kMostRetryMs = 30'000;
constexpr size_t kMaxBufferedBytes = size_t{64} << 20;  // of a watch that is read too slowly
constexpr int kGone = 410;                              // HTTP status: too old a version, list again

std::string Path(const KubeWatch& watch) {
  const KubeResource& resource = KubeResourceOf(watch.kind);
  std::string out(resource.group);
  if (resource.namespaced && !watch.name_space.empty())
    out += "/namespaces/" + net::EscapePathSegment(watch.name_space);
  return out + "/" + std::string(resource.plural);
}

std::string Selectors(const KubeWatch& watch) {
  std::string out;
  if (!watch.label_selector.empty()) out += "&labelSelector=" + net::EscapeQuery(watch.label_selector);
  if (!watch.field_selector.empty()) out += "&fieldSelector=" + net::EscapeQuery(watch.field_selector);
  return out;
}

// Without the bookkeeping that is most of an object and of no use here.
KubeObject Shared(Json object) {
  if (Json* metadata = object.mutable_member("metadata")) metadata->Remove("managedFields");
  return std::make_shared<const Json>(std::move(object));
}

// Lines of a running watch, handed from the HTTP client's thread to the watch's own.
class LineStream {
 public:
  Result<void> Append(std::string_view bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (buffer_.size() + bytes.size() > kMaxBufferedBytes)
      return Fail(ErrorCode::kLimit, "the watch sends faster than it is read");
    buffer_ += bytes;
    wake_.notify_all();
    return {};
  }
  void End(Result<net::HttpResponse> response) {
    const std::lock_guard<std::mutex> lock(mutex_);
    end_ = std::move(response);
    wake_.notify_all();
  }
  // All whole lines so far, waiting for the first; empty at the end.
  std::string TakeLines() {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [this] { return end_.has_value() || buffer_.find('\n') != std::string::npos; });
    const size_t end = buffer_.rfind('\n');
    if (end == std::string::npos) return {};
    std::string out = buffer_.substr(0, end + 1);
    buffer_.erase(0, end + 1);
    return out;
  }
  void AwaitEnd() {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [this] { return end_.has_value(); });
  }
  const Result<net::HttpResponse>& end() const { return *end_; }  // after TakeLines() was empty

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string buffer_;                            // guarded by mutex_
  std::optional<Result<net::HttpResponse>> end_;  // guarded by mutex_
};

class Watcher {
 public:
  Watcher(const KubeWatch& watch, const ApiClient& api, const DiscoveryLog& logger, KubeChanges& changes)
      : watch_(watch),
        api_(api),
        logger_(logger),
        changes_(changes),
        path_(Path(watch)),
        selectors_(Selectors(watch)) {}

  // Reads all pages. The version to watch from is kept.
  Result<void> List(std::stop_token stop) {
    std::vector<KubeObject> objects;
    std::string next;
    std::string version;
    do {
      std::string query = "?limit=" + std::to_string(kPageSize) + selectors_;
      if (!next.empty()) query += "&continue=" + net::EscapeQuery(next);
      EPI_ASSIGN(auto page, api_.Get(path_ + query, stop));
      if (Json* items = page.json.mutable_member("items")) {
        for (Json& item : items->mutable_items()) objects.push_back(Shared(std::move(item)));
      }
      version = page.json["metadata"]["resourceVersion"].text();
      next = page.json["metadata"]["continue"].text();
    } while (!next.empty());
    version_ = version;
    changes_.Replaced(watch_.id, std::move(objects));
    return {};
  }

  // Follows changes until the server ends the watch. False when a new list is needed.
  Result<bool> Follow(std::stop_token stop) {
    std::string query = "?watch=1&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(kWatchSeconds);
    query += "&resourceVersion=" + net::EscapeQuery(version_) + selectors_;
    net::HttpRequest request = api_.MakeRequest(path_ + query);
    request.timeout_ms = kWatchSeconds * 1000 + kWatchSlackMs;
    auto stream = std::make_shared<LineStream>();
    request.on_bytes = [stream](const net::HttpResponse&, std::string_view bytes) { return stream->Append(bytes); };
    net::HttpClient& http = api_.http();
    const auto id = http.Send(std::move(request),
                              [stream](Result<net::HttpResponse> response) { stream->End(std::move(response)); });
    const std::stop_callback cancel(stop, [&http, id] { http.Cancel(id); });
    bool current = true;
    for (std::string lines = stream->TakeLines(); !lines.empty() && current; lines = stream->TakeLines()) {
      auto applied = Apply(lines);
      current = applied && *applied;
      if (!applied) logger_.Warn("Unreadable watch event", {{"err", applied.error().message()}});
    }
    if (!current) {
      http.Cancel(id);
      stream->AwaitEnd();
      return false;
    }
    if (!stream->end()) return Fail(stream->end().error());
    if (stream->end()->status == kGone) return false;
    if (stream->end()->status != 200) return Fail(ErrorCode::kUnavailable, stream->end()->status_text);
    return true;
  }

 private:
  // False when the server says that it has forgotten our version.
  Result<bool> Apply(std::string_view lines) {
    while (!lines.empty()) {
      const size_t end = lines.find('\n');
      const std::string_view line = lines.substr(0, end);
      lines.remove_prefix(end + 1);
      if (line.empty()) continue;
      EPI_ASSIGN(Json event, Json::Parse(line));
      const std::string type = event["type"].text();
      Json* object = event.mutable_member("object");
      if (type == "ERROR" || object == nullptr) return false;
      version_ = (*object)["metadata"]["resourceVersion"].text();
      if (type == "DELETED") {
        changes_.Deleted(watch_.id, KubeKey(*object));
      } else if (type != "BOOKMARK") {
        changes_.Changed(watch_.id, Shared(std::move(*object)));
      }
    }
    return true;
  }

  const KubeWatch& watch_;
  const ApiClient& api_;
  const DiscoveryLog& logger_;
  KubeChanges& changes_;
  std::string path_;
  std::string selectors_;
  std::string version_;
};

}  // namespace

void RunKubeWatch(const KubeWatch& watch, const ApiClient& api, Clock& clock, const DiscoveryLog& logger,
                  Counter& failures, KubeChanges& changes, std::stop_token stop) {
  Watcher watcher(watch, api, logger, changes);
  bool listed = false;
  int64_t retry_ms = kFirstRetryMs;
  while (!stop.stop_requested()) {
    Result<void> outcome;
    if (!listed) {
      outcome = watcher.List(stop);
      listed = outcome.has_value();
    } else {
      const auto followed = watcher.Follow(stop);
      if (followed) {
        listed = *followed;
      } else {
        outcome = Fail(followed.error());
      }
    }
    if (outcome) {
      retry_ms = kFirstRetryMs;
      continue;
    }
    if (stop.stop_requested()) return;
    failures.Increment();
    logger.Error("Kubernetes watch failed",
                 {{"resource", std::string(KubeResourceOf(watch.kind).plural)}, {"err", outcome.error().message()}});
    if (!WaitFor(clock, retry_ms, stop)) return;
    retry_ms = std::min(retry_ms * 2, kMostRetryMs);
  }
}

}  // namespace epi::discovery
