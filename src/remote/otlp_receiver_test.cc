#include "remote/otlp_receiver.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>

#include "remote/otlp/delta_streams.h"
#include "testing/conformance.h"
#include "testing/memory_storage.h"
#include "testing/otlp_messages.h"
#include "testing/simulated_clock.h"

namespace epi::remote {
namespace {

using nlohmann::json;
using testing::ToWire;

constexpr int64_t kNowMs = 1'700'000'000'000;

std::string Nanos(int64_t ms) { return std::to_string(ms) + "000000"; }

// Lists are built element by element: compilers differ in what braces around one value mean.
json ListOf(std::initializer_list<json> elements) {
  json out = json::array();
  for (const auto& element : elements) out.push_back(element);
  return out;
}
json Request(std::initializer_list<json> metrics) {
  json attribute = {{"key", "service.name"}, {"value", {{"stringValue", "svc"}}}};
  json scope = {{"metrics", ListOf(metrics)}};
  json resource = {{"resource", {{"attributes", ListOf({attribute})}}}, {"scopeMetrics", ListOf({scope})}};
  return {{"resourceMetrics", ListOf({resource})}};
}
json Number(int64_t time_ms, double value, int64_t start_ms = 0) {
  return {{"timeUnixNano", Nanos(time_ms)}, {"startTimeUnixNano", Nanos(start_ms)}, {"asDouble", value}};
}
json Gauge(const std::string& name, std::initializer_list<json> points) {
  return {{"name", name}, {"gauge", {{"dataPoints", ListOf(points)}}}};
}
json Sum(const std::string& name, std::initializer_list<json> points, int temporality = 2) {
  return {{"name", name},
          {"sum", {{"dataPoints", ListOf(points)}, {"aggregationTemporality", temporality}, {"isMonotonic", true}}}};
}

class OtlpReceiverTest : public ::testing::Test {
 protected:
  void Make(OtlpReceiverOptions options = {}) {
    receiver = std::make_unique<OtlpReceiver>(options, storage, clock, metrics, Logger());
  }
  OtlpAnswer Send(const json& request) {
    return receiver->Receive("application/x-protobuf", "", ToWire("request", request), budget);
  }
  std::vector<std::pair<int64_t, double>> Stored(const Labels& labels) const {
    std::vector<std::pair<int64_t, double>> out;
    for (const auto& sample : storage.Samples(labels)) out.emplace_back(sample.t, sample.value);
    return out;
  }
  using Samples = std::vector<std::pair<int64_t, double>>;

  testing::MemoryStorage storage;
  testing::SimulatedClock clock{kNowMs};
  MetricRegistry metrics;
  Budget budget{"test"};
  std::unique_ptr<OtlpReceiver> receiver;
};

std::string Gzip(std::string_view plain) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, plain.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST_F(OtlpReceiverTest, StoresBothEncodingsPlainAndCompressed) {
  Make();
  const json request = Request({Gauge("g", {Number(kNowMs, 1)})});
  struct Row {
    const char* type;
    const char* encoding;
    std::string body;
  };
  const Row kRows[] = {{"application/x-protobuf", "", ToWire("request", request)},
                       {"application/json", "", request.dump()},
                       {"application/x-protobuf", "gzip", Gzip(ToWire("request", request))},
                       {"application/json", "gzip", Gzip(request.dump())}};
  for (const auto& row : kRows) {
    const auto answer = receiver->Receive(row.type, row.encoding, row.body, budget);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.body, "");
  }
  EXPECT_EQ(Stored({{"__name__", "g"}, {"job", "svc"}}), (Samples{{kNowMs, 1}}));
  EXPECT_EQ(budget.used(), 0);
}

// A member that means nothing to us is of its type all the same; null is an empty object, list or text, and no number.
TEST_F(OtlpReceiverTest, JsonMembersHaveTheirTypes) {
  Make();
  const auto send = [&](const std::string& text) { return receiver->Receive("application/json", "", text, budget); };
  const auto in_resource = [](const std::string& members) { return "{\"resourceMetrics\":[{" + members + "}]}"; };
  const auto in_metric = [&](const std::string& members) {
    return in_resource("\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\"," + members + "}]}]");
  };
  const auto in_exemplar = [&](const std::string& members) {
    return in_metric(
        "\"sum\":{\"aggregationTemporality\":\"AGGREGATION_TEMPORALITY_CUMULATIVE\",\"dataPoints\":[{"
        "\"timeUnixNano\":\"" +
        Nanos(kNowMs) + "\",\"exemplars\":[{" + members + "}]}]}");
  };
  const std::string kWrong[] = {
      in_resource("\"schemaUrl\":3"),
      in_resource("\"resource\":{\"droppedAttributesCount\":\"some\"}"),
      in_resource("\"resource\":{\"dropped_attributes_count\":null}"),
      in_resource("\"scopeMetrics\":[{\"scope\":{\"droppedAttributesCount\":-1}}]"),
      in_metric("\"metadata\":[{\"key\":1}]"),
      in_metric("\"sum\":{\"aggregationTemporality\":\"CUMULATIVE\"}"),
      in_metric("\"sum\":{\"isMonotonic\":null}"),
      in_metric("\"histogram\":{\"dataPoints\":[{\"max\":false}]}"),
      in_metric("\"histogram\":{\"dataPoints\":[{\"count\":null}]}"),
      in_metric("\"exponentialHistogram\":{\"dataPoints\":[{\"zeroThreshold\":\"few\"}]}"),
      in_exemplar("\"traceId\":null,\"asInt\":1"),
  };
  for (const auto& text : kWrong) EXPECT_EQ(send(text).status, 400) << text;
  const std::string kRight[] = {
      "{\"resourceMetrics\":null}", "{\"resourceMetrics\":[null]}",
      in_resource("\"schemaUrl\":null,\"resource\":{\"attributes\":[null],\"droppedAttributesCount\":\"1\"}"),
      in_metric("\"gauge\":{\"dataPoints\":null},\"nobody\":[\"knows\"]"), in_exemplar("\"asInt\":\"1\"")};
  for (const auto& text : kRight) EXPECT_EQ(send(text).status, 200) << text << send(text).body;
  EXPECT_EQ(send(in_metric("\"histogram\":null")).body, "invalid temporality and type combination for metric \"m\"\n");
  EXPECT_EQ(send(in_exemplar("\"traceId\":\"\"")).body, "unsupported exemplar value type: Empty\n");
  EXPECT_EQ(send(in_exemplar("\"traceId\":\"\"")).status, 500);
}

TEST_F(OtlpReceiverTest, AttributesOfOneLabel) {
  Make();
  const auto send = [&](const std::string& name,
                        std::initializer_list<std::pair<const char*, const char*>> attributes) {
    json point = Number(kNowMs, 1);
    for (const auto& [key, value] : attributes)
      point["attributes"].push_back({{"key", key}, {"value", {{"stringValue", value}}}});
    return Send(Request({Gauge(name, {point})}));
  };
  EXPECT_EQ(send("a", {{"x.y", "1"}, {"x_y", "2"}}).status, 200);
  EXPECT_EQ(Stored({{"__name__", "a"}, {"x_y", "1;2"}, {"job", "svc"}}).size(), 1u);
  EXPECT_EQ(send("b", {{"x.y", ""}, {"x_y", "2"}}).status, 200);
  EXPECT_EQ(Stored({{"__name__", "b"}, {"x_y", "2"}, {"job", "svc"}}).size(), 1u);
  config::OtlpConfig free;
  free.translation_strategy = "NoTranslation";
  receiver->SetConfig(free);
  EXPECT_EQ(send("c", {{"x.y", "1"}, {"x_y", "2"}}).status, 200);
  EXPECT_EQ(Stored({{"__name__", "c"}, {"x.y", "1"}, {"x_y", "2"}, {"job", "svc"}}).size(), 1u);
  const auto twice = send("d", {{"x.y", "1"}, {"x.y", "2"}});
  EXPECT_EQ(twice.status, 500);
  EXPECT_EQ(twice.body, "label name \"x.y\" is not unique: invalid sample\n");
}

TEST_F(OtlpReceiverTest, BytesThatAreNoTextBecomeTheCharacterForThem) {
  Make();
  json point = Number(kNowMs, 1);
  point["attributes"] = ListOf({{{"key", "city"}, {"value", {{"stringValue", "K\xf6ln"}}}}});
  EXPECT_EQ(Send(Request({Gauge("g", {point})})).status, 200);
  EXPECT_EQ(Stored({{"__name__", "g"}, {"city", "K\xef\xbf\xbdln"}, {"job", "svc"}}), (Samples{{kNowMs, 1}}));
}

// As signed numbers: what is beyond 2262 is older than anything, not newer.
TEST_F(OtlpReceiverTest, TimesThatDoNotFitAreOfThePast) {
  Make();
  json point = Number(kNowMs, 1);
  EXPECT_EQ(Send(Request({Gauge("g", {point})})).status, 200);
  point["timeUnixNano"] = "9223372036854775808";
  const auto answer = Send(Request({Gauge("g", {point})}));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body.find("future"), std::string::npos) << answer.body;
}

TEST_F(OtlpReceiverTest, RefusesOtherTypesEncodingsAndGarbage) {
  Make();
  struct Row {
    const char* type;
    const char* encoding;
    std::string body;
    const char* text;
  };
  const Row kRows[] = {
      {"text/plain", "", "",
       "unsupported content type: text/plain, supported: [application/json, application/x-protobuf]\n"},
      {"application/json; charset=utf-8", "", "{}",
       "unsupported content type: application/json; charset=utf-8, supported: [application/json, "
       "application/x-protobuf]\n"},
      {"application/json", "snappy", "{}",
       "unsupported compression: snappy. Only \"gzip\" or no compression supported\n"},
      {"application/json", "gzip", "{}", nullptr},
      {"application/json", "", "[]", "json: an object is expected\n"},
      {"application/json", "", "", "json: an object is expected\n"},
      {"application/x-protobuf", "", "\x0a\xff", nullptr},
      {"application/x-protobuf", "gzip", Gzip(std::string(40u << 20, '\0')), "body size limit exceeded\n"},
  };
  for (const auto& row : kRows) {
    const auto answer = receiver->Receive(row.type, row.encoding, row.body, budget);
    EXPECT_EQ(answer.status, 400);
    if (row.text != nullptr) {
      EXPECT_EQ(answer.body, row.text);
    }
  }
  EXPECT_TRUE(storage.SeriesLabels().empty());
  EXPECT_LT(budget.peak(), 64 << 20);
}

TEST_F(OtlpReceiverTest, OneBadMetricRefusesTheRequest) {
  Make();
  const auto answer = Send(Request({Gauge("g", {Number(kNowMs, 1)}), Sum("d.x", {Number(kNowMs, 1)}, 1)}));
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, "invalid temporality and type combination for metric \"d.x\"\n");
  EXPECT_TRUE(Stored({{"__name__", "g"}, {"job", "svc"}}).empty());
}

TEST_F(OtlpReceiverTest, LateSamplesAndThoseOfTheFutureAreBadRequests) {
  Make();
  EXPECT_EQ(Send(Request({Gauge("g", {Number(kNowMs, 1)})})).status, 200);
  const auto late = Send(Request({Gauge("new", {Number(kNowMs, 1)}), Gauge("g", {Number(kNowMs - 1000, 2)})}));
  EXPECT_EQ(late.status, 400);
  EXPECT_EQ(late.body, "out of order sample\n");
  EXPECT_TRUE(Stored({{"__name__", "new"}, {"job", "svc"}}).empty());
  const auto other = Send(Request({Gauge("g", {Number(kNowMs, 2)})}));
  EXPECT_EQ(other.status, 400);
  EXPECT_EQ(other.body, "duplicate sample for timestamp\n");
  const auto future = Send(Request({Gauge("g", {Number(kNowMs + 11 * 60 * 1000, 2)})}));
  EXPECT_EQ(future.status, 400);
  EXPECT_EQ(future.body, "out of bounds: timestamp is too far in the future\n");
}

TEST_F(OtlpReceiverTest, OrderWithinARequestDoesNotMatter) {
  Make();
  EXPECT_EQ(Send(Request({Gauge("g", {Number(kNowMs, 2), Number(kNowMs - 1000, 1), Number(kNowMs, 7)})})).status, 200);
  EXPECT_EQ(Stored({{"__name__", "g"}, {"job", "svc"}}), (Samples{{kNowMs - 1000, 1}, {kNowMs, 2}}));
}

TEST_F(OtlpReceiverTest, NoRecordedValueIsAStaleMarker) {
  Make();
  json point = Number(kNowMs, 1);
  point["flags"] = 1;
  EXPECT_EQ(Send(Request({Gauge("g", {point})})).status, 200);
  const auto samples = storage.Samples({{"__name__", "g"}, {"job", "svc"}});
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_TRUE(IsStaleNaN(samples[0].value));
}

TEST_F(OtlpReceiverTest, SummariesAndNativeHistograms) {
  Make();
  config::OtlpConfig config;
  config.convert_histograms_to_nhcb = true;
  receiver->SetConfig(config);
  const json summary = {{"name", "s"},
                        {"summary",
                         {{"dataPoints",
                           {{{"timeUnixNano", Nanos(kNowMs)},
                             {"count", 3},
                             {"sum", 4.5},
                             {"quantileValues", {{{"quantile", 0.5}, {"value", 1.5}}}}}}}}}};
  const json histogram = {{"name", "h"},
                          {"histogram",
                           {{"aggregationTemporality", 2},
                            {"dataPoints",
                             {{{"timeUnixNano", Nanos(kNowMs)},
                               {"count", 6},
                               {"sum", 3.0},
                               {"bucketCounts", {0, 1, 0, 0, 0, 5}},
                               {"explicitBounds", {1.0, 2.0, 3.0, 4.0, 5.0}}}}}}}};
  const json fine = {{"name", "e"},
                     {"exponentialHistogram",
                      {{"aggregationTemporality", 2},
                       {"dataPoints",
                        {{{"timeUnixNano", Nanos(kNowMs)},
                          {"count", 6},
                          {"sum", 3.0},
                          {"scale", 9},
                          {"positive", {{"offset", -3}, {"bucketCounts", {1, 2, 3}}}}}}}}}};
  ASSERT_EQ(Send(Request({summary, histogram, fine})).status, 200);
  EXPECT_EQ(Stored({{"__name__", "s"}, {"job", "svc"}, {"quantile", "0.5"}}), (Samples{{kNowMs, 1.5}}));
  EXPECT_EQ(Stored({{"__name__", "s_count"}, {"job", "svc"}}), (Samples{{kNowMs, 3}}));
  const auto custom = storage.Samples({{"__name__", "h"}, {"job", "svc"}});
  ASSERT_EQ(custom.size(), 1u);
  EXPECT_EQ(custom[0].integer->schema, kCustomBucketsSchema);
  EXPECT_EQ(custom[0].integer->positive_spans, (std::vector<HistogramSpan>{{1, 1}, {3, 1}}));
  EXPECT_EQ(custom[0].integer->positive_buckets, (std::vector<int64_t>{1, 4}));
  const auto exponential = storage.Samples({{"__name__", "e"}, {"job", "svc"}});
  ASSERT_EQ(exponential.size(), 1u);
  EXPECT_EQ(exponential[0].integer->schema, 8);
  // Indices -3, -2, -1 fall into -2, -1, -1, which are one more here.
  EXPECT_EQ(exponential[0].integer->positive_spans, (std::vector<HistogramSpan>{{-1, 2}}));
  EXPECT_EQ(exponential[0].integer->positive_buckets, (std::vector<int64_t>{1, 4}));

  json coarse = fine;
  coarse["exponentialHistogram"]["dataPoints"][0]["scale"] = -5;
  const auto refused = Send(Request({coarse}));
  EXPECT_EQ(refused.status, 500);
  EXPECT_EQ(refused.body, "cannot convert exponential to native histogram. Scale must be >= -4, was -5\n");
}

TEST_F(OtlpReceiverTest, ExemplarsGoToTheirBuckets) {
  Make();
  const json histogram = {
      {"name", "h"},
      {"histogram",
       {{"aggregationTemporality", 2},
        {"dataPoints",
         {{{"timeUnixNano", Nanos(kNowMs)},
           {"count", 4},
           {"bucketCounts", {3, 1}},
           {"explicitBounds", {1.0}},
           {"exemplars",
            {{{"timeUnixNano", Nanos(kNowMs)}, {"asDouble", 0.5}, {"traceId", "000102030405060708090A0B0C0D0E0F"}},
             {{"timeUnixNano", Nanos(kNowMs + 1)}, {"asDouble", std::nan("")}},
             {{"timeUnixNano", Nanos(kNowMs)}, {"asDouble", 7.0}},
             {{"timeUnixNano", Nanos(kNowMs + 1)}, {"asDouble", 0.25}}}}}}}}}};
  ASSERT_EQ(Send(Request({histogram})).status, 200);
  const auto low = storage.ExemplarsOf({{"__name__", "h_bucket"}, {"job", "svc"}, {"le", "1"}});
  ASSERT_EQ(low.size(), 2u);  // with what is not above its bound
  EXPECT_TRUE(std::isnan(low[1].value));
  EXPECT_EQ(low[0].labels, (Labels{{"trace_id", "000102030405060708090a0b0c0d0e0f"}}));
  EXPECT_EQ(storage.ExemplarsOf({{"__name__", "h_bucket"}, {"job", "svc"}, {"le", "+Inf"}}).size(),
            2u);  // and all after it
}

TEST_F(OtlpReceiverTest, TargetInfoFollowsTheSpanOfTheSamples) {
  OtlpReceiverOptions options;
  options.lookback_delta_ms = 60'000;
  Make(options);
  json request = Request({Gauge("g", {Number(kNowMs - 70'000, 1), Number(kNowMs, 2)})});
  request["resourceMetrics"][0]["resource"]["attributes"].push_back(
      {{"key", "host.name"}, {"value", {{"stringValue", "h"}}}});
  ASSERT_EQ(Send(request).status, 200);
  EXPECT_EQ(Stored({{"__name__", "target_info"}, {"host_name", "h"}, {"job", "svc"}}),
            (Samples{{kNowMs - 70'000, 1}, {kNowMs - 40'000, 1}, {kNowMs - 10'000, 1}, {kNowMs, 1}}));
}

TEST_F(OtlpReceiverTest, DeltasAreAddedUp) {
  OtlpReceiverOptions options;
  options.deltas = OtlpReceiverOptions::Deltas::kToCumulative;
  Make(options);
  const auto send = [&](int64_t time, double value) {
    return Send(Request({Sum("c", {Number(time, value, time - 1000)}, 1)})).status;
  };
  EXPECT_EQ(send(kNowMs - 3000, 2), 200);
  EXPECT_EQ(send(kNowMs - 2000, 3), 200);
  EXPECT_EQ(send(kNowMs - 2000, 100), 200);  // not newer: dropped
  EXPECT_EQ(send(kNowMs - 1000, 4), 200);
  EXPECT_EQ(Stored({{"__name__", "c_total"}, {"job", "svc"}}),
            (Samples{{kNowMs - 3000, 2}, {kNowMs - 2000, 5}, {kNowMs - 1000, 9}}));
}

TEST_F(OtlpReceiverTest, DeltasMayBeStoredAsTheyAre) {
  OtlpReceiverOptions options;
  options.deltas = OtlpReceiverOptions::Deltas::kStore;
  options.append_metadata = true;
  Make(options);
  EXPECT_EQ(Send(Request({Sum("c", {Number(kNowMs, 2)}, 1)})).status, 200);
  EXPECT_EQ(Stored({{"__name__", "c_total"}, {"job", "svc"}}), (Samples{{kNowMs, 2}}));
}

TEST_F(OtlpReceiverTest, ZeroSamplesAtTheStart) {
  OtlpReceiverOptions options;
  options.start_time_zero_samples = true;
  Make(options);
  EXPECT_EQ(Send(Request({Sum("c", {Number(kNowMs - 1000, 2, kNowMs - 5000)})})).status, 200);
  // Old news the second time; the rest is stored.
  EXPECT_EQ(Send(Request({Sum("c", {Number(kNowMs, 3, kNowMs - 5000)})})).status, 200);
  EXPECT_EQ(Stored({{"__name__", "c_total"}, {"job", "svc"}}),
            (Samples{{kNowMs - 5000, 0}, {kNowMs - 1000, 2}, {kNowMs, 3}}));
}

TEST_F(OtlpReceiverTest, WarningsAreCounted) {
  Make();
  EXPECT_EQ(Send(Request({Gauge("empty", {}), Gauge("g", {Number(kNowMs, 1)})})).status, 200);
  EXPECT_EQ(metrics
                .AddCounter("prometheus_api_otlp_translation_warnings_total",
                            "The total number of warnings while translating OTLP requests, by category.",
                            {{"category", "empty_data_points"}})
                .Value(),
            1);
}

// Prometheus goes on after what is wrong with one metric and tells of each that something was, in the request's order.
TEST_F(OtlpReceiverTest, AnAnswerTellsOfEachMetricAndOfWhatStorageSays) {
  OtlpReceiverOptions options;
  options.max_future_ms = 1000;
  Make(options);
  ASSERT_EQ(Send(Request({Gauge("old", {Number(kNowMs, 1)})})).status, 200);
  const json kinds = {{"name", "nothing"}};
  json bad_count = {{"name", "e"},
                    {"exponentialHistogram",
                     {{"aggregationTemporality", 2},
                      {"dataPoints",
                       {{{"timeUnixNano", Nanos(kNowMs)},
                         {"count", 7},
                         {"positive", {{"offset", 0}, {"bucketCounts", {1, 2, 3}}}}}}}}}};
  const auto answer = Send(Request({kinds, Gauge("old", {Number(kNowMs - 5, 1), Number(kNowMs - 6, 1)}), bad_count,
                                    Sum("d", {Number(kNowMs, 1)}, 1), Gauge("late", {Number(kNowMs + 2000, 1)}),
                                    Gauge("good", {Number(kNowMs, 1)})}));
  EXPECT_EQ(answer.status, 400);  // sending it again would help nobody
  EXPECT_EQ(answer.body,
            "could not get aggregation temporality for nothing as it has unsupported metric type Empty\n"
            "out of order sample\n"
            "6 observations found in buckets, but the Count field is 7: histogram's observation count should equal the "
            "number of observations found in the buckets (in absence of NaN)\n"
            "invalid temporality and type combination for metric \"d\"\n"
            "out of bounds: timestamp is too far in the future\n");
  EXPECT_TRUE(Stored({{"__name__", "good"}, {"job", "svc"}}).empty());
  EXPECT_EQ(Send(Request({kinds, Gauge("good", {Number(kNowMs, 1)})})).status, 500);
}

TEST_F(OtlpReceiverTest, NamesMayBeEmptyWhereNothingIsTranslated) {
  Make();
  config::OtlpConfig config;
  config.translation_strategy = "NoTranslation";
  receiver->SetConfig(config);
  EXPECT_EQ(Send(Request({Gauge("", {Number(kNowMs, 1)})})).status, 200);
  EXPECT_EQ(Stored({{"job", "svc"}}), (Samples{{kNowMs, 1}}));
  json point = Number(kNowMs, 1);
  point["attributes"] = ListOf({{{"key", ""}, {"value", {{"stringValue", "e"}}}}});
  const auto answer = Send(Request({Gauge("g", {point})}));
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, "label name \"\" is not unique: invalid sample\n");
  // Attributes of a point are labels as they are; names of promoted ones are made.
  point["attributes"] = ListOf({{{"key", "__"}, {"value", {{"stringValue", "e"}}}}});
  EXPECT_EQ(Send(Request({Gauge("h", {point})})).status, 200);
  config.promote_resource_attributes = {"", "__"};
  receiver->SetConfig(config);
  for (const auto& [key, error] :
       {std::pair("", "label name is empty\n"), std::pair("__", "label name \"__\" contains only underscores\n")}) {
    json request = Request({Gauge("p", {Number(kNowMs, 1)})});
    request["resourceMetrics"][0]["resource"]["attributes"].push_back(
        {{"key", key}, {"value", {{"stringValue", "e"}}}});
    EXPECT_EQ(Send(request).body, error);
  }
  receiver->SetConfig({});
  point["attributes"] = ListOf({{{"key", ""}, {"value", {{"stringValue", "e"}}}}});
  EXPECT_EQ(Send(Request({Gauge("g", {point})})).body, "label name is empty\n");
}

TEST_F(OtlpReceiverTest, AttributesCalledJobAndInstanceIdentifyATarget) {
  Make();
  json request = Request({Gauge("g", {Number(kNowMs, 1)})});
  auto& attributes = request["resourceMetrics"][0]["resource"]["attributes"];
  attributes = ListOf({{{"key", "job"}, {"value", {{"stringValue", "x"}}}}});
  ASSERT_EQ(Send(request).status, 200);
  EXPECT_EQ(Stored({{"__name__", "target_info"}, {"job", "x"}}), (Samples{{kNowMs, 1}}));
}

TEST_F(OtlpReceiverTest, StorageErrorsAreNotTheSendersFault) {
  Make();
  storage.FailCommits(Error(ErrorCode::kIo, "disk full"));
  const auto answer = Send(Request({Gauge("g", {Number(kNowMs, 1)})}));
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, "disk full\n");
}

otlp::ExportRequest DeltaHistogram(std::vector<uint64_t> counts, int32_t scale, int32_t offset, uint64_t time_ns) {
  otlp::ExportRequest request;
  auto& metric = request.resources.emplace_back().scopes.emplace_back().metrics.emplace_back();
  metric.name = "h";
  metric.kind = otlp::Kind::kExponentialHistogram;
  metric.temporality = otlp::Temporality::kDelta;
  auto& point = metric.points.emplace_back();
  point.time_ns = time_ns;
  point.distribution = std::make_unique<otlp::Distribution>();
  point.distribution->scale = scale;
  point.distribution->positive = {offset, std::move(counts)};
  return request;
}

TEST(OtlpDeltas, ExponentialHistogramsMeetAtTheCoarserScale) {
  otlp::DeltaStreams streams;
  auto first = DeltaHistogram({1, 1, 1, 1}, 2, 0, 1);
  EXPECT_EQ(streams.ToCumulative(first, 0), 0u);
  auto second = DeltaHistogram({5}, 1, 1, 2);
  EXPECT_EQ(streams.ToCumulative(second, 0), 0u);
  const auto& total = *second.resources[0].scopes[0].metrics[0].points[0].distribution;
  EXPECT_EQ(total.scale, 1);
  EXPECT_EQ(total.positive.offset, 0);
  EXPECT_EQ(total.positive.counts, (std::vector<uint64_t>{2, 7}));
  // Indices absurdly far apart are dropped rather than filled up.
  auto absurd = DeltaHistogram({1}, -4, 2'000'000'000, 3);
  EXPECT_EQ(streams.ToCumulative(absurd, 0), 1u);
  EXPECT_TRUE(absurd.resources[0].scopes[0].metrics.empty());
}

TEST(OtlpDeltas, StreamsAreBoundedAndForgotten) {
  otlp::DeltaLimits limits;
  limits.max_streams = 1;
  otlp::DeltaStreams streams(limits);
  auto first = DeltaHistogram({1}, 0, 0, 1);
  EXPECT_EQ(streams.ToCumulative(first, 0), 0u);
  auto other = DeltaHistogram({1}, 0, 0, 1);
  other.resources[0].scopes[0].metrics[0].name = "other";
  EXPECT_EQ(streams.ToCumulative(other, 0), 1u);
  auto later = DeltaHistogram({1}, 0, 0, 1);
  later.resources[0].scopes[0].metrics[0].name = "later";
  EXPECT_EQ(streams.ToCumulative(later, limits.stale_after_ms + 60'001), 0u);
  EXPECT_EQ(streams.streams(), 1u);
}

}  // namespace
}  // namespace epi::remote
