#include "discovery/kubernetes_watch.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "discovery/listing_bounds.h"
#include "discovery/waiting.h"
#include "net/url.h"

namespace epi::discovery {
namespace {

constexpr char kDiscovery[] = "kubernetes";
constexpr int kPageSize = 500;             // client-go's
constexpr int kWatchSeconds = 300;         // after which the server ends a watch; then it is begun anew
constexpr int64_t kWatchSlackMs = 30'000;  // and how much later we give up on it ourselves
constexpr int64_t kFirstRetryMs = 1'000;
constexpr int64_t kMostRetryMs = 30'000;
// A watch that ends sooner found no use; begun again at once it would go round and round.
constexpr MonotonicNs kShortestWatchNs = 1'000'000'000;
constexpr size_t kMaxBufferedBytes = size_t{64} << 20;  // of one event, or of those not read yet
// HTTP status
constexpr int kOk = 200;
constexpr int kGone = 410;  // too old a version: list again

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

std::string ObjectShape(const KubeWatch& watch) {
  const std::string members(KubeResourceOf(watch.kind).members);
  return R"({"metadata":{"name":"","namespace":"","uid":"","resourceVersion":"","labels":{"*":""},
               "annotations":{"*":""},"ownerReferences":[{"kind":"","name":"","controller":false}]})" +
         (members.empty() ? members : "," + members) + "}";
}

// Without the bookkeeping that is most of an object and of no use here.
KubeObject Shared(Json object) {
  if (Json* metadata = object.mutable_member("metadata")) metadata->Remove("managedFields");
  return std::make_shared<const Json>(std::move(object));
}

// Lines of a running watch, handed from the HTTP client's thread to the watch's own.
class LineStream {
 public:
  Result<void> Append(const net::HttpResponse& head, std::string_view bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    status_ = head.status;
    // What a refusal says is no event, and may have no end.
    if (head.status != kOk) return Fail(ErrorCode::kUnavailable, head.status_text);
    if (buffer_.size() + bytes.size() > kMaxBufferedBytes)
      return Fail(ErrorCode::kLimit, "an event is too large, or events come faster than they are read");
    const size_t newline = bytes.rfind('\n');
    if (newline != std::string_view::npos) whole_ = buffer_.size() + newline + 1;
    buffer_ += bytes;
    if (whole_ > 0) wake_.notify_all();
    return {};
  }
  void End(Result<net::HttpResponse> response) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (response) status_ = response->status;
    end_ = std::move(response);
    wake_.notify_all();
  }
  // All whole lines so far, waiting for the first; empty at the end.
  std::string TakeLines() {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [this] { return end_.has_value() || whole_ > 0; });
    std::string out = buffer_.substr(0, whole_);
    buffer_.erase(0, whole_);
    whole_ = 0;
    return out;
  }
  void AwaitEnd() {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [this] { return end_.has_value(); });
  }
  // Both after TakeLines() was empty.
  const Result<net::HttpResponse>& end() const { return *end_; }
  int status() const { return status_; }  // 0 when there was no answer

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string buffer_;                            // guarded by mutex_
  size_t whole_ = 0;                              // guarded by mutex_: bytes at its front that are whole lines
  int status_ = 0;                                // guarded by mutex_
  std::optional<Result<net::HttpResponse>> end_;  // guarded by mutex_
};

class Watcher {
 public:
  Watcher(const KubeWatch& watch, const ApiClient& api, Clock& clock, const DiscoveryLog& logger, KubeChanges& changes)
      : watch_(watch),
        api_(api),
        clock_(clock),
        logger_(logger),
        changes_(changes),
        path_(Path(watch)),
        selectors_(Selectors(watch)),
        list_shape_(R"({"metadata":{"resourceVersion":"","continue":""},"items":[)" + ObjectShape(watch) + "]}"),
        event_shape_(R"({"type":"","object":)" + ObjectShape(watch) + "}") {}

  // Lists where that is needed and follows changes from there, until the server ends the watch.
  Result<void> Run(std::stop_token stop) {
    watched_ns_ = 0;
    if (!listed_) EPI_TRY(List(stop));
    listed_ = true;
    const MonotonicNs begin = clock_.Monotonic();
    const auto followed = Follow(stop);
    watched_ns_ = clock_.Monotonic() - begin;
    if (!followed) return Fail(followed.error());
    listed_ = *followed;
    return {};
  }
  // How long the watch of the last Run() lived.
  MonotonicNs watched_ns() const { return watched_ns_; }

 private:
  // Reads all pages. The version to watch from is kept.
  Result<void> List(std::stop_token stop) {
    std::vector<KubeObject> objects;
    ListingBounds bounds(kDiscovery);
    std::string next;
    while (true) {
      std::string query = "?limit=" + std::to_string(kPageSize) + selectors_;
      if (!next.empty()) query += "&continue=" + net::EscapeQuery(next);
      EPI_ASSIGN(auto page, api_.Get(path_ + query, list_shape_, stop));
      EPI_TRY(bounds.AddAnswer(page.bytes));
      if (Json* items = page.json.mutable_member("items")) {
        for (Json& item : items->mutable_items()) objects.push_back(Shared(std::move(item)));
      }
      version_ = page.json["metadata"]["resourceVersion"].text();
      next = page.json["metadata"]["continue"].text();
      if (next.empty()) break;
      EPI_TRY(bounds.Follow(next));
    }
    changes_.Replaced(watch_.id, std::move(objects));
    events_ = ListingBounds(kDiscovery);
    return {};
  }

  // False when a new list is needed.
  Result<bool> Follow(std::stop_token stop) {
    std::string query = "?watch=1&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(kWatchSeconds);
    query += "&resourceVersion=" + net::EscapeQuery(version_) + selectors_;
    net::HttpRequest request = api_.MakeRequest(path_ + query);
    request.timeout_ms = kWatchSeconds * 1000 + kWatchSlackMs;
    auto stream = std::make_shared<LineStream>();
    request.on_bytes = [stream](const net::HttpResponse& head, std::string_view bytes) {
      return stream->Append(head, bytes);
    };
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
    if (stream->status() == kGone) return false;
    if (!stream->end()) return Fail(stream->end().error());
    if (stream->status() != kOk) return Fail(ErrorCode::kUnavailable, stream->end()->status_text);
    return true;
  }

  // False when the server says that it has forgotten our version.
  Result<bool> Apply(std::string_view lines) {
    while (!lines.empty()) {
      const size_t end = lines.find('\n');
      const std::string_view line = lines.substr(0, end);
      lines.remove_prefix(end + 1);
      if (line.empty()) continue;
      // Objects that only ever come and never go fill the memory; a new list tells which of them there are.
      EPI_TRY(events_.AddAnswer(line.size()));
      EPI_ASSIGN(Json event, Json::Parse(line));
      const std::string type = event["type"].text();
      if (type == "ERROR") return false;
      EPI_TRY(event_shape_.Check(event));
      Json* object = event.mutable_member("object");
      if (object == nullptr || !object->IsObject()) return Fail(ErrorCode::kInvalid, "an event without an object");
      EPI_TRY(Apply(type, std::move(*object)));
    }
    return true;
  }

  Result<void> Apply(const std::string& type, Json object) {
    const std::string version = object["metadata"]["resourceVersion"].text();
    if (type == "DELETED") {
      changes_.Deleted(watch_.id, KubeKey(object));
    } else if (type == "ADDED" || type == "MODIFIED") {
      changes_.Changed(watch_.id, Shared(std::move(object)));
    } else if (type != "BOOKMARK") {
      return Fail(ErrorCode::kInvalid, "got invalid watch event type: " + type);
    }
    if (!version.empty()) version_ = version;
    return {};
  }

  const KubeWatch& watch_;
  const ApiClient& api_;
  Clock& clock_;
  const DiscoveryLog& logger_;
  KubeChanges& changes_;
  std::string path_;
  std::string selectors_;
  JsonShape list_shape_;
  JsonShape event_shape_;
  std::string version_;  // of the newest thing seen: what to watch from
  MonotonicNs watched_ns_ = 0;
  bool listed_ = false;               // and `version_` is one that the server should still know
  ListingBounds events_{kDiscovery};  // since the last list
};

}  // namespace

void RunKubeWatch(const KubeWatch& watch, const ApiClient& api, Clock& clock, const DiscoveryLog& logger,
                  Counter& failures, KubeChanges& changes, std::stop_token stop) {
  Watcher watcher(watch, api, clock, logger, changes);
  int64_t retry_ms = kFirstRetryMs;
  while (true) {
    const auto outcome = watcher.Run(stop);
    if (stop.stop_requested()) return;
    const bool useful = watcher.watched_ns() >= kShortestWatchNs;
    if (useful) retry_ms = kFirstRetryMs;
    if (!outcome) {
      failures.Increment();
      logger.Error("Kubernetes watch failed",
                   {{"resource", std::string(KubeResourceOf(watch.kind).plural)}, {"err", outcome.error().message()}});
    } else if (useful) {
      continue;
    }
    if (!WaitFor(clock, retry_ms, stop)) return;
    retry_ms = std::min(retry_ms * 2, kMostRetryMs);
  }
}

}  // namespace epi::discovery
