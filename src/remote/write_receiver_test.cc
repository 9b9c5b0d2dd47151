#include "remote/write_receiver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "remote/snappy_block.h"
#include "remote/write_negotiation.h"
#include "testing/conformance.h"
#include "testing/memory_storage.h"
#include "testing/simulated_clock.h"

namespace epi::remote {
namespace {

using nlohmann::json;

constexpr std::string_view kV2Type = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

std::string Bytes(const json& base64) { return testing::ConformanceText(json{{"_base64", base64}}); }

// A length-delimited field, a varint field and a fixed64 field of a message under construction.
std::string Field(int number, std::string_view bytes) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  for (size_t size = bytes.size();; size >>= 7) {
    out += static_cast<char>((size & 0x7f) | (size >= 0x80 ? 0x80 : 0));
    if (size < 0x80) break;
  }
  return out.append(bytes);
}
std::string Varint(int number, uint64_t value) {
  std::string out(1, static_cast<char>(number << 3));
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  return out += static_cast<char>(value);
}
std::string Double(int number, double value) {
  std::string out(1, static_cast<char>(number << 3 | 1));
  return out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
std::string SeriesV1(std::initializer_list<LabelView> labels,
                     std::initializer_list<std::pair<int64_t, double>> samples) {
  std::string out;
  for (const auto& label : labels) out += Field(1, Field(1, label.name) + Field(2, label.value));
  for (const auto& [time, value] : samples) out += Field(2, Double(1, value) + Varint(2, static_cast<uint64_t>(time)));
  return Field(1, out);
}

// An appender with the rules that upstream's table of cases was written for: floats and histograms of a series are
// judged apart, each must be newer than the last of its kind.
class TableStorage final : public Storage {
 public:
  std::optional<Error> commit_error;
  std::vector<Labels> series;

  Result<std::shared_ptr<const View>> OpenView(TimeRange) const override {
    return Fail(ErrorCode::kUnsupported, "nothing is read here");
  }
  Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity&) override {
    return std::make_unique<Appender>(*this);
  }
  TimestampMs OldestTime() const override { return 0; }

 private:
  class Appender final : public BatchAppender {
   public:
    explicit Appender(TableStorage& owner) : owner_(owner) {}
    Result<SeriesRef> Intern(const Labels& labels) override {
      const SeriesRef known = Find(labels);
      if (known != kNoSeries) return known;
      owner_.series.push_back(labels);
      return SeriesRef{owner_.series.size()};
    }
    SeriesRef Find(const Labels& labels) const override {
      const auto at = std::find(owner_.series.begin(), owner_.series.end(), labels);
      return at == owner_.series.end() ? kNoSeries : SeriesRef(at - owner_.series.begin() + 1);
    }
    void SetMetadata(SeriesRef, const MetricMetadata&) override {}
    Result<AppendReport> Commit(TimestampMs) override {
      if (owner_.commit_error) return Fail(*owner_.commit_error);
      AppendReport report;
      const auto judge = [&](SeriesRef ref, TimestampMs time, int kind, size_t index) {
        const auto [at, fresh] = newest_.try_emplace({ref, kind}, time);
        if (fresh || time > at->second) {
          at->second = time;
          return;
        }
        const auto why = time == at->second ? RejectReason::kDuplicate : RejectReason::kOutOfOrder;
        ++report.rejected[static_cast<size_t>(why)].count;
        report.refusals.push_back({ref, time, why, kind != 0, static_cast<uint32_t>(index), {}});
      };
      for (size_t i = 0; i < timed_.size(); ++i) judge(timed_[i].ref, timed_[i].time, 0, i);
      for (size_t i = 0; i < histograms_.size(); ++i)
        judge(histograms_[i].ref, histograms_[i].time, histograms_[i].integer ? 1 : 2, i);
      Rollback();
      return report;
    }

   private:
    TableStorage& owner_;
    std::map<std::pair<SeriesRef, int>, TimestampMs> newest_;
  };
};

class WriteReceiverTest : public ::testing::Test {
 protected:
  WriteReceiver& Receiver(WriteReceiverOptions options = {}) {
    receiver_ = std::make_unique<WriteReceiver>(std::move(options), storage_, clock_, metrics_, Logger());
    return *receiver_;
  }
  WriteAnswer Send(WriteReceiver& receiver, std::string_view type, std::string_view encoding, std::string_view body) {
    auto answer = receiver.Receive(type, encoding, body, budget_);
    EXPECT_EQ(budget_.used(), 0);
    return answer;
  }
  testing::MemoryStorage storage_;
  Budget budget_{"test"};
  testing::SimulatedClock clock_;
  MetricRegistry metrics_;
  std::unique_ptr<WriteReceiver> receiver_;
};

TEST_F(WriteReceiverTest, StoresAndAnswers204) {
  const auto body = SeriesV1({{"__name__", "up"}, {"job", "a"}}, {{1000, 1}, {2000, 0}});
  EXPECT_EQ(Send(Receiver(), "application/x-protobuf", "snappy", SnappyEncode(body)).status, 204);
  const auto samples = storage_.Samples({{"__name__", "up"}, {"job", "a"}});
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[1].t, 2000);
  EXPECT_EQ(samples[0].value, 1);
}

TEST_F(WriteReceiverTest, Version1RollsBackTheWholeRequest) {
  auto& receiver = Receiver();
  ASSERT_EQ(Send(receiver, "", "snappy", SnappyEncode(SeriesV1({{"__name__", "a"}}, {{5000, 1}}))).status, 204);
  const auto late = SeriesV1({{"__name__", "b"}}, {{6000, 1}}) + SeriesV1({{"__name__", "a"}}, {{4000, 2}});
  const auto answer = Send(receiver, "", "snappy", SnappyEncode(late));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, "out of order sample\n");
  EXPECT_TRUE(storage_.Samples({{"__name__", "b"}}).empty());
  EXPECT_EQ(storage_.Samples({{"__name__", "a"}}).size(), 1u);
}

TEST_F(WriteReceiverTest, Version1SkipsSeriesWithInvalidLabels) {
  const auto body = SeriesV1({{"job", "nameless"}}, {{1, 1}}) +
                    SeriesV1({{"__name__", "x"}, {"a", "1"}, {"a", "2"}}, {{1, 1}}) +
                    SeriesV1({{"__name__", "ok"}}, {{1, 1}});
  EXPECT_EQ(Send(Receiver(), "", "", SnappyEncode(body)).status, 204);
  EXPECT_EQ(storage_.SeriesLabels(), std::vector<Labels>({Labels{{"__name__", "ok"}}}));
}

TEST_F(WriteReceiverTest, SamplesFarInTheFutureAreRefused) {
  const auto body = SeriesV1({{"__name__", "x"}}, {{clock_.NowMs() + 600'001, 1}});
  const auto answer = Send(Receiver(), "", "", SnappyEncode(body));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, "out of bounds: timestamp is too far in the future\n");
}

TEST_F(WriteReceiverTest, AnUnknownRefIsInternedAgain) {
  auto& receiver = Receiver();
  ASSERT_EQ(Send(receiver, "", "", SnappyEncode(SeriesV1({{"__name__", "a"}}, {{5000, 1}}))).status, 204);
  storage_.Clear();
  ASSERT_EQ(Send(receiver, "", "", SnappyEncode(SeriesV1({{"__name__", "a"}}, {{6000, 2}}))).status, 204);
  EXPECT_EQ(storage_.Samples({{"__name__", "a"}}).size(), 1u);
}

TEST_F(WriteReceiverTest, EveryTruncationIsAnsweredAndNothingIsStoredInPart) {
  const auto body = SeriesV1({{"__name__", "a"}}, {{5000, 1}}) + SeriesV1({{"__name__", "b"}}, {{5000, 1}});
  const size_t whole = SeriesV1({{"__name__", "a"}}, {{5000, 1}}).size();
  for (size_t cut = 1; cut < body.size(); ++cut) {
    storage_.Clear();
    const auto answer = Send(Receiver(), "", "", SnappyEncode(body.substr(0, cut)));
    if (cut == whole) continue;  // ends between two series: a request of its own
    EXPECT_EQ(answer.status, 400) << cut;
    EXPECT_TRUE(storage_.Samples({{"__name__", "a"}}).empty()) << cut;
  }
}

TEST_F(WriteReceiverTest, BombsAndLiesAreRefusedBeforeTheyCost) {
  std::string lie;
  for (const int byte : {0xff, 0xff, 0xff, 0xff, 0x0f}) lie += static_cast<char>(byte);  // declares 4 GiB
  EXPECT_EQ(Send(Receiver(), "", "", lie).body, "decoded size exceeds the 33554432 bytes limit\n");
  EXPECT_EQ(Send(Receiver(), "", "", std::string("\x80\x80\x80\x01\x00", 5)).body, "s2: corrupt input\n");
  EXPECT_EQ(Send(Receiver(), "", "", "").status, 400);
}

// What costs two bytes each on the wire must not cost hundreds of megabytes here.
TEST_F(WriteReceiverTest, SmallMessagesThatNameManyObjectsAreRefused) {
  struct Case {
    std::string_view what;
    std::string_view type;
    std::string part;  // repeated
    size_t times;
    int series;  // field of the request that all parts are in; 0: they are the request's own
  };
  const Case cases[] = {
      {"samples", "", Field(2, ""), 5'000'000, 1},          {"histograms", "", Field(4, ""), 3'000'000, 1},
      {"exemplars", "", Field(3, ""), 3'000'000, 1},        {"labels", "", Field(1, ""), 10'000'000, 1},
      {"references", kV2Type, Varint(1, 0), 16'000'000, 5}, {"symbols", kV2Type, Field(4, ""), 16'000'000, 0},
      {"series", kV2Type, Field(5, ""), 3'000'000, 0},
  };
  for (const auto& c : cases) {
    std::string body;
    for (size_t i = 0; i < c.times; ++i) body += c.part;
    if (c.series != 0) body = Field(c.series, body);
    const auto compressed = SnappyEncode(body);
    EXPECT_LT(compressed.size(), 4u << 20) << c.what;
    const auto answer = Send(Receiver(), c.type, "", compressed);
    EXPECT_EQ(answer.status, 400) << c.what;
    EXPECT_EQ(answer.body, "the request takes more than 536870912 bytes of memory\n") << c.what;
  }
}

TEST_F(WriteReceiverTest, WithoutRoomItMayComeAgain) {
  Budget small("small", 1 << 20);
  std::string series;
  for (int i = 0; i < 20'000; ++i) series += Field(2, Double(1, i) + Varint(2, 1000 + static_cast<uint64_t>(i)));
  const auto body = SnappyEncode(Field(1, Field(1, Field(1, "__name__") + Field(2, "m")) + series));
  const auto refused = Receiver().Receive("", "", body, small);
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_LE(small.peak(), 1 << 20);
  EXPECT_EQ(small.used(), 0);
  EXPECT_TRUE(storage_.Samples({{"__name__", "m"}}).empty());
  EXPECT_EQ(Send(Receiver(), "", "", body).status, 204);
}

std::string SeriesV2(std::initializer_list<unsigned> refs, std::string_view rest) {
  std::string packed;
  for (const unsigned ref : refs) packed += Varint(1, ref).substr(1);
  return Field(5, Field(1, packed) + std::string(rest));
}
std::string SampleV2(int64_t time, double value) {
  return Field(2, Double(1, value) + Varint(2, static_cast<uint64_t>(time)));
}

// One line for each refused sample, named by its own series; a hundred thousand of them take no longer than reading the
// request twice.
TEST_F(WriteReceiverTest, EveryRefusalOfALargeRequestIsNamed) {
  constexpr unsigned kSeries = 50'000;
  std::string symbols = Field(4, "") + Field(4, "__name__"), first, second;
  for (unsigned i = 0; i < kSeries; ++i) {
    symbols += Field(4, "m" + std::to_string(i));
    first += SeriesV2({1, i + 2}, SampleV2(5000, 1));
    second += SeriesV2({1, i + 2}, SampleV2(6000, 1) + SampleV2(4000, 1));
  }
  auto& receiver = Receiver();
  ASSERT_EQ(Send(receiver, kV2Type, "snappy", SnappyEncode(symbols + first)).status, 204);
  const auto answer = Send(receiver, kV2Type, "snappy", SnappyEncode(symbols + second));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.samples_written, kSeries);
  EXPECT_EQ(std::count(answer.body.begin(), answer.body.end(), '\n'), kSeries);
  EXPECT_TRUE(answer.body.starts_with("out of order sample for series {__name__=\"m0\"}\n"));
  EXPECT_TRUE(answer.body.ends_with("out of order sample for series {__name__=\"m49999\"}\n"));
}

// The samples of a series, its histograms, its exemplars, then the next series: whoever found the mistake.
TEST_F(WriteReceiverTest, LinesAreInTheOrderOfTheRequest) {
  auto& receiver = Receiver();
  const std::string symbols = Field(4, "") + Field(4, "__name__") + Field(4, "a") + Field(4, "b");
  const auto exemplar = [](int64_t time) {
    return Field(4, Field(1, "") + Double(2, 1) + Varint(3, static_cast<uint64_t>(time)));
  };
  ASSERT_EQ(Send(receiver, kV2Type, "snappy",
                 SnappyEncode(symbols + SeriesV2({1, 2}, SampleV2(5000, 1) + exemplar(5000)) +
                              SeriesV2({1, 3}, SampleV2(5000, 1))))
                .status,
            204);
  const auto answer =
      Send(receiver, kV2Type, "snappy",
           SnappyEncode(symbols +
                        SeriesV2({1, 2}, SampleV2(6000, 1) + SampleV2(clock_.NowMs() + 600'001, 1) + SampleV2(5000, 2) +
                                             exemplar(6000) + Field(4, Field(1, "\x01")) + exemplar(1000)) +
                        SeriesV2({1}, SampleV2(1, 1)) + SeriesV2({1, 3}, SampleV2(4000, 1))));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body,
            "out of bounds: timestamp is too far in the future for series {__name__=\"a\"}\n"
            "duplicate sample for timestamp for series {__name__=\"a\"}\n"
            "parsing exemplar for series {__name__=\"a\"}: invalid labelRefs length 1\n"
            "out of order exemplar for series {__name__=\"a\"}\n"
            "parsing labels for series [1]: invalid labelRefs length 1\n"
            "out of order sample for series {__name__=\"b\"}\n");
  EXPECT_EQ(answer.samples_written, 1u);
  EXPECT_EQ(answer.exemplars_written, 1u);
}

// Of version 1.0 the first mistake is told, and nothing is stored.
TEST_F(WriteReceiverTest, Version1TellsTheFirstMistake) {
  auto& receiver = Receiver();
  ASSERT_EQ(Send(receiver, "", "", SnappyEncode(SeriesV1({{"__name__", "a"}}, {{5000, 1}}))).status, 204);
  const auto far = clock_.NowMs() + 600'001;
  const auto both = SeriesV1({{"__name__", "b"}}, {{6000, 1}}) + SeriesV1({{"__name__", "a"}}, {{4000, 1}}) +
                    SeriesV1({{"__name__", "c"}}, {{far, 1}});
  EXPECT_EQ(Send(receiver, "", "", SnappyEncode(both)).body, "out of order sample\n");
  const auto only = SeriesV1({{"__name__", "b"}}, {{6000, 1}}) + SeriesV1({{"__name__", "c"}}, {{far, 1}}) +
                    SeriesV1({{"__name__", "a"}}, {{4000, 1}});
  EXPECT_EQ(Send(receiver, "", "", SnappyEncode(only)).body, "out of bounds: timestamp is too far in the future\n");
  EXPECT_TRUE(storage_.Samples({{"__name__", "b"}}).empty());
  // What cannot be read at all comes before everything else.
  EXPECT_EQ(Send(receiver, "", "", SnappyEncode(both.substr(0, both.size() - 1))).body, "unexpected EOF\n");
}

// The second could not be mended by sending it again.
TEST_F(WriteReceiverTest, OfTwoSamplesOfOneTimeTheFirstIsStored) {
  const auto body = SeriesV1({{"__name__", "a"}}, {{5000, 1}, {5000, 2}, {4000, 3}});
  EXPECT_EQ(Send(Receiver(), "", "", SnappyEncode(body)).status, 204);
  const auto samples = storage_.Samples({{"__name__", "a"}});
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_EQ(samples[0].value, 1);
}

TEST_F(WriteReceiverTest, TheEarliestTimeIsNoOther) {
  const auto earliest = std::numeric_limits<TimestampMs>::min();
  EXPECT_EQ(Send(Receiver(), "", "", SnappyEncode(SeriesV1({{"__name__", "a"}}, {{5000, 1}}))).status, 204);
  EXPECT_EQ(Send(Receiver(), "", "", SnappyEncode(SeriesV1({{"__name__", "a"}}, {{earliest, 2}}))).status, 400);
  EXPECT_EQ(storage_.Samples({{"__name__", "a"}}).size(), 1u);
}

// What a request is refused for at its headers is in the log only where its type is wrong, as in Prometheus's.
TEST_F(WriteReceiverTest, WhatIsLogged) {
  std::string log;
  const auto logger = Logger::ToFunction(
      LogLevel::kInfo, LogFormat::kLogfmt,
      [](void* to, std::string_view line) { *static_cast<std::string*>(to) += line; }, &log);
  WriteReceiver receiver({}, storage_, clock_, metrics_, logger);
  Send(receiver, "", "gzip", SnappyEncode(""));
  Send(receiver, "", "snappy", "damaged");
  EXPECT_EQ(log, "");
  Send(receiver, "text/plain", "snappy", SnappyEncode(""));
  EXPECT_NE(log.find("Error decoding remote write request"), std::string::npos);

  log.clear();
  const int64_t now = clock_.NowMs();
  const std::string sample = Field(2, Double(1, 1) + Varint(2, static_cast<uint64_t>(now)));
  const std::string ahead = Field(4, Double(2, 2.5) + Varint(3, static_cast<uint64_t>(now + 600'001)));
  std::string symbols;
  for (const auto* text : {"", "__name__", "a"}) symbols += Field(4, text);
  const std::string request = symbols + Field(5, Field(1, "\x01\x02") + sample + ahead);
  EXPECT_EQ(Send(receiver, kV2Type, "snappy", SnappyEncode(request)).status, 204);
  EXPECT_NE(log.find("failed to ingest exemplar, emitting error log, but no error for PRW caller"), std::string::npos);
  EXPECT_NE(log.find("{Labels:{} Value:2.5 Ts:" + std::to_string(now + 600'001) + " HasTs:true}"), std::string::npos)
      << log;
}

// No name of it is to be seen afterwards.
TEST_F(WriteReceiverTest, NoSeriesIsMadeForWhatIsRefusedAnyway) {
  const auto body = SeriesV1({{"__name__", "far"}}, {{clock_.NowMs() + 600'001, 1}});
  EXPECT_EQ(Send(Receiver(), "", "", SnappyEncode(body)).status, 400);
  EXPECT_TRUE(storage_.SeriesLabels().empty());
}

TEST_F(WriteReceiverTest, HeaderCases) {
  EPI_CONFORMANCE_OR_SKIP(data, "remote/write.json");
  std::map<std::string, std::string> bodies;
  size_t tried = 0;
  for (const auto& c : data["cases"]) {
    if (c["kind"] == "codec") bodies[c["message"]] = Bytes(c["snappy_base64"]);
    if (c["kind"] != "headers") continue;
    ++tried;
    WriteReceiverOptions options;
    options.accepted.clear();
    for (const auto& name : c["server_accepts"])
      options.accepted.push_back(*WriteMessageFromName(name.get<std::string>()));
    const auto header = [&](const char* name) { return c["headers"].value(name, std::string()); };
    const std::string message = c["body"].get<std::string>().find("v2") != std::string::npos
                                    ? "io.prometheus.write.v2.Request"
                                    : "prometheus.WriteRequest";
    TableStorage table;
    WriteReceiver receiver(options, table, clock_, metrics_, Logger());
    const auto answer = Send(receiver, header("Content-Type"), header("Content-Encoding"), bodies.at(message));
    EXPECT_EQ(answer.status, c["code"].get<int>()) << c.dump() << answer.body;
    if (c.contains("error_text")) {
      EXPECT_EQ(answer.body, c["error_text"].get<std::string>() + "\n") << c["id"];
    }
  }
  EXPECT_GT(tried, 10u);
}

TEST_F(WriteReceiverTest, Version2Cases) {
  EPI_CONFORMANCE_OR_SKIP(data, "remote/write.json");
  size_t tried = 0;
  // These make an appender fail in ways that belong to an appender's own rules: it has none for metadata, and exemplars
  // never fail a request here.
  const std::set<std::string> other_failures = {"appendExemplarErr", "updateMetadataErr"};
  for (const auto& c : data["cases"]) {
    if (c["kind"] != "v2_write") continue;
    ++tried;
    WriteReceiverOptions options;
    options.type_and_unit_labels = c.value("type_and_unit_labels", false);
    options.append_metadata = c.value("append_metadata", false);
    options.start_time_zero_samples = c.value("ingest_start_timestamp_zero_sample", false);
    TableStorage table;
    if (c.contains("storage_error") && !other_failures.contains(c["storage_error"].begin().key())) {
      table.commit_error = Error(ErrorCode::kInternal, c["storage_error"].begin().value().get<std::string>());
    }
    WriteReceiver receiver(options, table, clock_, metrics_, Logger());
    const auto answer = Send(receiver, kV2Type, "snappy", SnappyEncode(Bytes(c["protobuf_base64"])));
    EXPECT_EQ(answer.status, c["code"].get<int>()) << c["name"] << answer.body;
    EXPECT_EQ(answer.body, c.value("body", std::string())) << c["name"];
    if (c.contains("expected_labels")) {
      std::vector<LabelView> pairs;
      const auto& labels = c["expected_labels"];
      for (const auto& [name, value] : labels.items()) pairs.push_back({name, value.get_ref<const std::string&>()});
      EXPECT_EQ(table.series, std::vector<Labels>({Labels::FromPairs(pairs)})) << c["name"];
    }
    if (answer.status == 204 && c["name"].get<std::string>().starts_with("All")) {
      uint64_t samples = 0, histograms = 0, exemplars = 0;
      for (const auto& series : c["timeseries"]) {
        samples += series["samples"].size();
        histograms += series["histograms"].size();
        exemplars += series["exemplars"].size();
      }
      EXPECT_EQ(answer.samples_written, samples);
      EXPECT_EQ(answer.histograms_written, histograms);
      EXPECT_EQ(answer.exemplars_written, exemplars);
    }
  }
  EXPECT_GT(tried, 20u);
}

}  // namespace
}  // namespace epi::remote
