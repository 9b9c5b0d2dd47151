#include "remote/read_server.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <protozero/pbf_writer.hpp>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "chunkenc/sample_chunker.h"
#include "model/histogram_convert.h"
#include "remote/snappy_block.h"

namespace epi::remote {
namespace {

using protozero::pbf_writer;

// What storage does not know of: a matcher that asks for exactly our own external label is satisfied by its absence.
std::vector<Matcher> WithoutExternal(const std::vector<Matcher>& matchers, const Labels& external) {
  std::vector<Matcher> out;
  for (const auto& matcher : matchers) {
    const bool ours = matcher.type() == MatchType::kEqual && !matcher.value().empty() &&
                      external.Get(matcher.name()) == matcher.value();
    out.push_back(ours ? Matcher::Equal(matcher.name(), "") : matcher);
  }
  return out;
}

Labels WithExternal(const Labels& labels, const Labels& external) {
  LabelsBuilder builder(external);
  for (const auto label : labels) builder.Set(label.name, label.value);
  return builder.Build();
}

void WriteLabels(pbf_writer& series, const Labels& labels) {
  for (const auto label : labels) {
    pbf_writer out(series, 1);
    out.add_string(1, label.name.data(), label.name.size());
    out.add_string(2, label.value.data(), label.value.size());
  }
}

void WriteSpans(pbf_writer& histogram, uint32_t tag, const std::vector<HistogramSpan>& spans) {
  for (const auto& span : spans) {
    pbf_writer out(histogram, tag);
    out.add_sint32(1, span.offset);
    out.add_uint32(2, span.length);
  }
}

void WriteHistogram(pbf_writer& series, const HistogramPoint& point) {
  // A chunk gives nothing but the sum of a stale marker.
  const FloatHistogram marker{.sum = point.h->sum};
  const FloatHistogram& h = IsStaleNaN(point.h->sum) ? marker : *point.h;
  pbf_writer out(series, 4);
  const Histogram integer = point.integer ? ToInteger(h) : Histogram();
  if (point.integer) {
    out.add_uint64(1, integer.count);
  } else {
    out.add_double(2, h.count);
  }
  out.add_double(3, h.sum);
  out.add_sint32(4, h.schema);
  out.add_double(5, h.zero_threshold);
  if (point.integer) {
    out.add_uint64(6, integer.zero_count);
  } else {
    out.add_double(7, h.zero_count);
  }
  WriteSpans(out, 8, h.negative_spans);
  if (point.integer) {
    out.add_packed_sint64(9, integer.negative_buckets.begin(), integer.negative_buckets.end());
  } else {
    out.add_packed_double(10, h.negative_buckets.begin(), h.negative_buckets.end());
  }
  WriteSpans(out, 11, h.positive_spans);
  if (point.integer) {
    out.add_packed_sint64(12, integer.positive_buckets.begin(), integer.positive_buckets.end());
  } else {
    out.add_packed_double(13, h.positive_buckets.begin(), h.positive_buckets.end());
  }
  out.add_enum(14, static_cast<int>(h.counter_reset_hint));
  out.add_int64(15, point.t);
  out.add_packed_double(16, h.custom_values.begin(), h.custom_values.end());
}

// The samples of one series as chunks, cut as a block would.
std::vector<EncodedChunk> ToChunks(const SeriesSamples& samples, SampleChunker& chunker) {
  auto point = samples.histograms.begin();
  const auto add_histograms = [&](TimestampMs before) {
    for (; point != samples.histograms.end() && point->t < before; ++point) {
      if (point->integer) {
        chunker.Add(point->t, ToInteger(*point->h));
      } else {
        chunker.Add(point->t, *point->h);
      }
    }
  };
  for (size_t i = 0; i < samples.t.size(); ++i) {
    add_histograms(samples.t[i]);
    chunker.Add(samples.t[i], samples.v[i]);
  }
  add_histograms(std::numeric_limits<TimestampMs>::max());
  return chunker.Take();
}

// What Prometheus calls the function of a query for series alone; heeded where samples are asked for, not chunks.
constexpr std::string_view kSeriesFunction = "series";

// Calls visit(labels, samples) for every series of the query that has samples, in label order; with `series_alone` for
// every series, and without samples. Without matchers there are no series.
template <typename Visit>
Result<void> ForEachSeries(const Storage& storage, const ReadQuery& query, bool series_alone, const Labels& external,
                           std::stop_token stop, Budget& budget, Visit visit) {
  EPI_ASSIGN(const auto matchers, CompileMatchers(query));
  if (matchers.empty()) return {};
  SelectHints hints = query.hints;
  hints.labels_only = series_alone;
  EPI_ASSIGN(const auto view, storage.OpenView(query.range));
  EPI_ASSIGN(const auto selection, view->Select(WithoutExternal(matchers, external), hints, budget));
  const auto labels_of = [&](size_t index) {
    return WithExternal(ToLabels(selection->labels(index), view->symbols()), external);
  };
  SeriesBatch batch;
  for (size_t first = 0; first < selection->size(); first += SeriesBatch::kMaxSeries) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCanceled, "the client went away");
    const size_t count = std::min(SeriesBatch::kMaxSeries, selection->size() - first);
    if (!hints.labels_only) EPI_TRY(selection->Read(first, count, batch));
    for (size_t i = 0; i < count; ++i) {
      if (hints.labels_only) {
        EPI_TRY(visit(labels_of(first + i), SeriesSamples()));
        continue;
      }
      const SeriesSamples& samples = batch.series[i];
      if (samples.t.empty() && samples.histograms.empty()) continue;
      EPI_TRY(visit(labels_of(first + i), samples));
    }
  }
  return {};
}

// What a message takes on the wire, as Prometheus counts it to fill its frames: fields of no value are left out.
int64_t VarintSize(uint64_t value) { return (std::bit_width(value | 1) + 6) / 7; }
int64_t NumberSize(int64_t value) { return value == 0 ? 0 : 1 + VarintSize(static_cast<uint64_t>(value)); }
int64_t BytesSize(size_t bytes) { return bytes == 0 ? 0 : 1 + VarintSize(bytes) + static_cast<int64_t>(bytes); }
int64_t LabelsSize(const Labels& labels) {
  int64_t size = 0;
  for (const auto label : labels) size += BytesSize(label.name.size()) + BytesSize(label.value.size());
  return size;
}
int64_t ChunkSize(const EncodedChunk& chunk) {
  return NumberSize(chunk.min_time) + NumberSize(chunk.max_time) + NumberSize(static_cast<int64_t>(chunk.encoding)) +
         BytesSize(chunk.data.size());
}

}  // namespace

// Holds one of the limited places of requests under way.
class ReadServer::Slot {
 public:
  static Result<std::unique_ptr<Slot>> Take(ReadServer& server, const std::stop_token& stop) {
    auto slot = std::unique_ptr<Slot>(new Slot(server));
    std::unique_lock lock(server.mutex_);
    const auto is_free = [&] {
      return server.options_.concurrent_limit == 0 || server.active_ < server.options_.concurrent_limit;
    };
    if (!server.freed_.wait(lock, stop, is_free)) return Fail(ErrorCode::kCanceled, "the client went away");
    ++server.active_;
    slot->active_ = true;
    return slot;
  }
  ~Slot() {
    server_.queries_.Add(-1);
    if (!active_) return;
    {
      const std::lock_guard lock(server_.mutex_);
      --server_.active_;
    }
    server_.freed_.notify_one();
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

 private:
  explicit Slot(ReadServer& server) : server_(server) { server_.queries_.Add(1); }
  ReadServer& server_;
  bool active_ = false;
};

ReadServer::ReadServer(ReadServerOptions options, const Storage& storage, MetricRegistry& metrics)
    : options_(options),
      storage_(storage),
      queries_(metrics.AddGauge("prometheus_remote_read_handler_queries",
                                "The current number of remote read queries that are either in execution or queued on "
                                "the handler.")),
      external_(std::make_shared<const Labels>()) {}

void ReadServer::SetExternalLabels(Labels labels) {
  const std::lock_guard lock(mutex_);
  external_ = std::make_shared<const Labels>(std::move(labels));
}

Result<void> ReadServer::Read(std::string_view body, std::stop_token stop, Budget& budget, ReadSink& sink,
                              const Storage* storage) {
  EPI_ASSIGN(const auto slot, Slot::Take(*this, stop));
  BudgetCharge plain_charge(budget);
  EPI_ASSIGN(const auto plain, SnappyDecode(body, options_.max_decoded_bytes, plain_charge));
  MessageMeter meter(budget, kMaxReadRequestMemory);
  EPI_ASSIGN(const auto request, DecodeReadRequest(plain, meter));
  EPI_ASSIGN(const auto type, ChooseResponseType(request.accepted_types));
  std::shared_ptr<const Labels> external;
  {
    const std::lock_guard lock(mutex_);
    external = external_;
  }
  const Storage& source = storage != nullptr ? *storage : storage_;
  return type == ReadResponseType::kSamples ? Samples(source, request, *external, stop, budget, sink)
                                            : Chunks(source, request, *external, stop, budget, sink);
}

Result<void> ReadServer::Samples(const Storage& storage, const ReadRequest& request, const Labels& external,
                                 std::stop_token stop, Budget& budget, ReadSink& sink) {
  // Before anything can go wrong: Prometheus names the encoding of its plain errors so too.
  sink.Begin("application/x-protobuf", "snappy");
  std::string message;
  BudgetCharge charge(budget);
  pbf_writer response(message);
  for (const auto& query : request.queries) {
    const size_t begin = message.size();
    std::optional<pbf_writer> result(std::in_place, response, 1);
    int64_t total = 0;
    const auto add = [&](const Labels& labels, const SeriesSamples& samples) -> Result<void> {
      total += static_cast<int64_t>(samples.t.size() + samples.histograms.size());
      if (options_.sample_limit > 0 && total > options_.sample_limit) {
        return Fail(ErrorCode::kInvalid, "exceeded sample limit (" + std::to_string(options_.sample_limit) + ")");
      }
      const size_t before = message.size();
      pbf_writer series(*result, 1);
      WriteLabels(series, labels);
      for (size_t i = 0; i < samples.t.size(); ++i) {
        pbf_writer sample(series, 2);
        sample.add_double(1, samples.v[i]);
        sample.add_int64(2, samples.t[i]);
      }
      for (const auto& point : samples.histograms) WriteHistogram(series, point);
      return charge.Add(static_cast<int64_t>(message.size() - before));
    };
    const bool series_alone = query.hints.function == kSeriesFunction;
    EPI_TRY(ForEachSeries(storage, query, series_alone, external, stop, budget, add));
    result.reset();
    // There is a result for each query: the writer leaves out what nothing was written to.
    if (message.size() == begin) response.add_message(1, std::string());
  }
  return sink.Write(SnappyEncode(message));
}

Result<void> ReadServer::Chunks(const Storage& storage, const ReadRequest& request, const Labels& external,
                                std::stop_token stop, Budget& budget, ReadSink& sink) {
  bool begun = false;
  std::string message, frame;
  std::vector<EncodedChunk> chunks;
  SampleChunker chunker;
  for (size_t index = 0; index < request.queries.size(); ++index) {
    // A frame of one series, chunks [from, to).
    const auto send = [&](const Labels& labels, size_t from, size_t to) -> Result<void> {
      message.clear();
      {
        pbf_writer response(message);
        {
          pbf_writer series(response, 1);
          WriteLabels(series, labels);
          for (size_t i = from; i < to; ++i) {
            pbf_writer chunk(series, 2);
            chunk.add_int64(1, chunks[i].min_time);
            chunk.add_int64(2, chunks[i].max_time);
            chunk.add_enum(3, static_cast<int>(chunks[i].encoding));
            chunk.add_bytes(4, chunks[i].data);
          }
        }
        response.add_int64(2, static_cast<int64_t>(index));
      }
      frame.clear();
      ByteWriter writer(frame);
      writer.Uvarint(message.size());
      writer.Big32(Crc32c(message));
      writer.Bytes(message);
      return sink.Write(frame);
    };
    const auto stream = [&](const Labels& labels, const SeriesSamples& samples) -> Result<void> {
      if (!begun) sink.Begin("application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse", "");
      begun = true;
      chunks = ToChunks(samples, chunker);
      // A frame ends with the chunk that fills it.
      const int64_t room = static_cast<int64_t>(options_.max_bytes_in_frame) - LabelsSize(labels);
      int64_t left = room;
      for (size_t from = 0, at = 0; at < chunks.size(); ++at) {
        left -= ChunkSize(chunks[at]);
        if (left > 0 && at + 1 < chunks.size()) continue;
        EPI_TRY(send(labels, from, at + 1));
        from = at + 1;
        left = room;
      }
      return {};
    };
    EPI_TRY(ForEachSeries(storage, request.queries[index], false, external, stop, budget, stream));
  }
  if (!begun) sink.Begin("application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse", "");
  return {};
}

}  // namespace epi::remote
