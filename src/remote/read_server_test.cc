#include "remote/read_server.h"

#include <gtest/gtest.h>

#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "chunkenc/float_chunk.h"
#include "remote/read_request.h"
#include "remote/snappy_block.h"
#include "testing/memory_storage.h"

namespace epi::remote {
namespace {

class Collected final : public ReadSink {
 public:
  void Begin(std::string_view content_type, std::string_view content_encoding) override {
    type = content_type;
    encoding = content_encoding;
  }
  Result<void> Write(std::string_view bytes) override {
    body += bytes;
    return {};
  }
  std::string type, encoding, body;
};

std::string RequestFor(TimestampMs start, TimestampMs end, const std::vector<Matcher>& matchers,
                       const std::vector<int>& types) {
  std::string out;
  protozero::pbf_writer request(out);
  {
    protozero::pbf_writer query(request, 1);
    query.add_int64(1, start);
    query.add_int64(2, end);
    for (const auto& m : matchers) {
      protozero::pbf_writer matcher(query, 3);
      matcher.add_enum(1, static_cast<int>(m.type()));
      matcher.add_string(2, m.name());
      matcher.add_string(3, m.value());
    }
  }
  for (const int type : types) request.add_enum(2, type);
  return SnappyEncode(out);
}

struct Series {
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::pair<TimestampMs, double>> samples;
  size_t chunks = 0;
};

std::pair<std::string, std::string> ReadLabel(protozero::pbf_reader label) {
  std::pair<std::string, std::string> out;
  while (label.next()) {
    std::string& part = label.tag() == 1 ? out.first : out.second;
    part = label.get_string();
  }
  return out;
}

// Series of all results of a samples response.
std::vector<Series> DecodeSamples(const std::string& body) {
  BudgetCharge unmetered;
  const std::string plain = SnappyDecode(body, 1 << 30, unmetered).value();
  std::vector<Series> out;
  protozero::pbf_reader response(plain);
  while (response.next(1)) {
    auto result = response.get_message();
    while (result.next(1)) {
      auto message = result.get_message();
      Series series;
      while (message.next()) {
        if (message.tag() == 1) {
          series.labels.push_back(ReadLabel(message.get_message()));
        } else {
          auto sample = message.get_message();
          std::pair<TimestampMs, double> point;
          while (sample.next()) {
            if (sample.tag() == 1) {
              point.second = sample.get_double();
            } else {
              point.first = sample.get_int64();
            }
          }
          series.samples.push_back(point);
        }
      }
      out.push_back(std::move(series));
    }
  }
  return out;
}

std::vector<size_t> SeriesPerResult(const std::string& body) {
  BudgetCharge unmetered;
  const std::string plain = SnappyDecode(body, 1 << 30, unmetered).value();
  std::vector<size_t> out;
  protozero::pbf_reader response(plain);
  while (response.next(1)) {
    out.push_back(0);
    auto result = response.get_message();
    while (result.next(1)) {
      result.skip();
      ++out.back();
    }
  }
  return out;
}

// The queries of all of them in one request.
std::string Joined(const std::vector<std::string>& requests) {
  BudgetCharge unmetered;
  std::string plain;
  for (const auto& request : requests) plain += SnappyDecode(request, 1 << 30, unmetered).value();
  return SnappyEncode(plain);
}

// One entry a frame.
std::vector<Series> DecodeFrames(std::string_view body) {
  std::vector<Series> out;
  ByteReader reader(body);
  while (!reader.empty()) {
    const uint64_t size = reader.Uvarint();
    const uint32_t crc = reader.Big32();
    const auto message = reader.Bytes(size);
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(crc, Crc32c(message));
    protozero::pbf_reader response(message.data(), message.size());
    Series series;
    while (response.next()) {
      if (response.tag() != 1) {
        response.skip();
        continue;
      }
      auto chunked = response.get_message();
      while (chunked.next()) {
        if (chunked.tag() == 1) {
          series.labels.push_back(ReadLabel(chunked.get_message()));
          continue;
        }
        ++series.chunks;
        auto chunk = chunked.get_message();
        std::string data;
        while (chunk.next()) {
          if (chunk.tag() == 4) {
            data = chunk.get_bytes();
          } else {
            chunk.skip();
          }
        }
        const uint32_t count = ChunkSampleCount(ChunkEncoding::kXor, data);
        std::vector<TimestampMs> t(count);
        std::vector<double> v(count);
        EXPECT_TRUE(DecodeFloatChunk(ChunkEncoding::kXor, data, t.data(), v.data(), nullptr));
        for (size_t i = 0; i < count; ++i) series.samples.emplace_back(t[i], v[i]);
      }
    }
    out.push_back(std::move(series));
  }
  return out;
}

class ReadServerTest : public ::testing::Test {
 protected:
  ReadServerTest() {
    for (int i = 0; i < 500; ++i) {
      storage_.Append({{"__name__", "m"}, {"job", "a"}}, 1000 * i, i);
      storage_.Append({{"__name__", "m"}, {"job", "b"}}, 1000 * i + 5, 2.5 * i);
    }
  }
  Result<Collected> Ask(ReadServerOptions options, const std::string& body, Labels external = {}) {
    MetricRegistry metrics;
    ReadServer server(options, storage_, metrics);
    server.SetExternalLabels(std::move(external));
    Collected out;
    if (auto done = server.Read(body, {}, budget_, out); !done) return Fail(done.error());
    return out;
  }
  testing::MemoryStorage storage_;
  Budget budget_{"test"};
};

TEST_F(ReadServerTest, SamplesInTheClosedRangeOnly) {
  const auto got =
      Ask({}, RequestFor(10'000, 12'000, {Matcher::Equal("__name__", "m"), Matcher::Equal("job", "a")}, {}));
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(got->type, "application/x-protobuf");
  EXPECT_EQ(got->encoding, "snappy");
  const auto series = DecodeSamples(got->body);
  ASSERT_EQ(series.size(), 1u);
  EXPECT_EQ(series[0].samples,
            (std::vector<std::pair<TimestampMs, double>>{{10'000, 10.0}, {11'000, 11.0}, {12'000, 12.0}}));
}

TEST_F(ReadServerTest, StreamedChunksHoldTheSameSamples) {
  ReadServerOptions small;
  small.max_bytes_in_frame = 300;
  const auto body = RequestFor(0, 400'000, {Matcher::Equal("__name__", "m")}, {7, 1, 0});
  const auto got = Ask(small, body);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(got->type, "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse");
  const auto frames = DecodeFrames(got->body);
  EXPECT_GT(frames.size(), 2u);  // the small frame splits a series between chunks
  std::vector<std::pair<TimestampMs, double>> a;
  for (const auto& frame : frames) {
    EXPECT_LE(frame.samples.size(), frame.chunks * 120);
    if (frame.labels[1].second == "a") a.insert(a.end(), frame.samples.begin(), frame.samples.end());
  }
  ASSERT_EQ(a.size(), 401u);
  EXPECT_EQ(a[400], std::pair(TimestampMs{400'000}, 400.0));
}

// A frame of one series each ends with the chunk that fills it.
TEST_F(ReadServerTest, FramesEndWithTheChunkThatFillsThem) {
  const auto chunks_of_frames = [&](size_t max_bytes) {
    ReadServerOptions options;
    options.max_bytes_in_frame = max_bytes;
    const auto got =
        Ask(options, RequestFor(0, 400'000, {Matcher::Equal("__name__", "m"), Matcher::Equal("job", "a")}, {1}));
    std::vector<size_t> out;
    for (const auto& frame : DecodeFrames(got->body)) out.push_back(frame.chunks);
    return out;
  };
  EXPECT_EQ(chunks_of_frames(1), (std::vector<size_t>{1, 1, 1, 1}));
  EXPECT_EQ(chunks_of_frames(300), (std::vector<size_t>{2, 2}));
  EXPECT_EQ(chunks_of_frames(1 << 20), (std::vector<size_t>{4}));
}

TEST_F(ReadServerTest, EachQueryHasItsResultAndItsLimit) {
  ReadServerOptions few;
  few.sample_limit = 11;
  const std::vector<Matcher> m = {Matcher::Equal("__name__", "m"), Matcher::Equal("job", "a")};
  const auto body = Joined({RequestFor(0, 9'000, m, {}), RequestFor(0, 9'000, {Matcher::Equal("__name__", "no")}, {}),
                            RequestFor(0, 9'000, m, {}), RequestFor(0, 9'000, {}, {})});
  const auto got = Ask(few, body);
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(SeriesPerResult(got->body), (std::vector<size_t>{1, 0, 1, 0}));  // without matchers there are none
}

// The first field of this number, inside the first of those before it.
std::string Inside(std::string bytes, std::initializer_list<protozero::pbf_tag_type> path) {
  for (const auto tag : path) {
    protozero::pbf_reader message(bytes);
    EXPECT_TRUE(message.next(tag)) << tag;
    bytes = std::string(message.get_view());
  }
  return bytes;
}

TEST_F(ReadServerTest, IntegerHistogramsStayInteger) {
  Histogram h;
  h.count = 6;
  h.sum = 9.5;
  h.zero_count = 1;
  h.positive_spans = {{2, 2}};
  h.positive_buckets = {4, -3};
  auto appender = std::move(*storage_.OpenGroup({}));
  for (const bool stale : {false, true}) {
    if (stale) h.sum = StaleNaN();
    appender->AddHistogram({appender->Intern(Labels{{"__name__", "h"}}).value(), stale ? 2000 : 1000, 0,
                            std::make_shared<const Histogram>(h), nullptr});
    ASSERT_TRUE(appender->Commit(2000));
  }
  const auto ask = [&](TimestampMs time, int type) {
    return Ask({}, RequestFor(time, time, {Matcher::Equal("__name__", "h")}, {type}))->body;
  };
  BudgetCharge unmetered;
  const auto sample = [&](TimestampMs time) {
    return Inside(SnappyDecode(ask(time, 0), 1 << 20, unmetered).value(), {1, 1, 4});
  };
  const std::string whole = sample(1000);
  protozero::pbf_reader fields(whole);
  std::vector<protozero::pbf_tag_type> tags;
  while (fields.next()) {
    tags.push_back(fields.tag());
    fields.skip();
  }
  // Count, sum, schema, zero threshold, zero count, a span, its deltas, hint, time: no float counts.
  EXPECT_EQ(tags, (std::vector<protozero::pbf_tag_type>{1, 3, 4, 5, 6, 11, 12, 14, 15}));
  EXPECT_EQ(Inside(whole, {12}), "\x08\x05");  // 4 and -3, zigzag
  const std::string stale = sample(2000);
  protozero::pbf_reader marker(stale);
  while (marker.next()) {
    EXPECT_NE(marker.tag(), 12u) << "nothing but the sum of a stale marker";
    marker.skip();
  }

  const std::string frame = ask(1000, 1);
  ByteReader reader(frame);
  const uint64_t size = reader.Uvarint();
  reader.Big32();
  const std::string first = Inside(std::string(reader.Bytes(size)), {1, 2});
  protozero::pbf_reader chunk(first);
  ASSERT_TRUE(chunk.next(3));
  EXPECT_EQ(chunk.get_enum(), static_cast<int>(ChunkEncoding::kHistogram));
}

TEST_F(ReadServerTest, HintsSayWhichSamplesAreWanted) {
  const auto ask = [&](TimestampMs start, TimestampMs end, std::string_view function, int type) {
    std::string plain;
    protozero::pbf_writer request(plain);
    {
      protozero::pbf_writer query(request, 1);
      query.add_int64(1, 0);
      query.add_int64(2, 400'000);
      {
        protozero::pbf_writer matcher(query, 3);
        matcher.add_string(2, "job");
        matcher.add_string(3, "a");
      }
      protozero::pbf_writer hints(query, 4);
      hints.add_string(2, function.data(), function.size());
      hints.add_int64(3, start);
      hints.add_int64(4, end);
    }
    request.add_enum(2, type);
    const auto got = Ask({}, SnappyEncode(plain));
    return type == 0 ? DecodeSamples(got->body) : DecodeFrames(got->body);
  };
  for (const int type : {0, 1}) {
    const auto some = ask(10'000, 12'000, "rate", type);
    ASSERT_EQ(some.size(), 1u);
    EXPECT_EQ(some[0].samples.size(), 3u);
  }
  const auto alone = ask(0, 400'000, "series", 0);
  ASSERT_EQ(alone.size(), 1u);
  EXPECT_EQ(alone[0].labels.size(), 2u);
  EXPECT_TRUE(alone[0].samples.empty());
  EXPECT_EQ(ask(0, 400'000, "series", 1).at(0).samples.size(), 401u);
}

TEST_F(ReadServerTest, WhatDoesNotCompileIsAFailureOfTheQuery) {
  const auto error_of = [&](int type) {
    std::string plain;
    {
      protozero::pbf_writer request(plain);
      protozero::pbf_writer query(request, 1);
      protozero::pbf_writer matcher(query, 3);
      matcher.add_enum(1, type);
      matcher.add_string(2, "a");
      matcher.add_string(3, "(");
    }
    return Ask({}, SnappyEncode(plain)).error();
  };
  EXPECT_EQ(error_of(2).message(), "error parsing regexp: missing closing ): `(`");
  EXPECT_EQ(error_of(2).code(), ErrorCode::kExecution);
  EXPECT_EQ(error_of(9).message(), "invalid matcher type");
}

TEST_F(ReadServerTest, ExternalLabelsAreMatchedAndMerged) {
  const Labels external{{"region", "eu"}, {"job", "never seen: the series has its own"}};
  const auto got =
      Ask({}, RequestFor(0, 0, {Matcher::Equal("region", "eu"), Matcher::Equal("job", "a")}, {}), external);
  ASSERT_TRUE(got) << got.error().message();
  const auto series = DecodeSamples(got->body);
  ASSERT_EQ(series.size(), 1u);
  EXPECT_EQ(series[0].labels,
            (std::vector<std::pair<std::string, std::string>>{{"__name__", "m"}, {"job", "a"}, {"region", "eu"}}));
  const auto other = Ask({}, RequestFor(0, 0, {Matcher::Equal("region", "us")}, {}), external);
  ASSERT_TRUE(other);
  EXPECT_TRUE(DecodeSamples(other->body).empty());
}

Result<ReadRequest> Decode(std::string_view bytes) {
  Budget budget("test");
  MessageMeter meter(budget, kMaxReadRequestMemory);
  return DecodeReadRequest(bytes, meter);
}

TEST(ReadRequestBytes, SmallMessagesThatNameManyObjectsAreRefused) {
  const auto repeated = [](std::string_view part, size_t times) {
    std::string out;
    for (size_t i = 0; i < times; ++i) out += part;
    return out;
  };
  const auto query = [](const std::string& parts) {
    std::string out;
    protozero::pbf_writer(out).add_message(1, parts);
    return out;
  };
  const std::string_view none("\x0a\x00", 2), matcher("\x1a\x00", 2), expression("\x1a\x02\x08\x02", 4);
  const std::string groupings = repeated(std::string_view("\x2a\x00", 2), 2'000'000);
  std::string hints;
  protozero::pbf_writer(hints).add_message(4, groupings);
  for (const auto& bytes :
       {repeated(none, 1'000'000), query(repeated(matcher, 1'000'000)), query(repeated(expression, 2'000)),
        query(hints), repeated(std::string_view("\x10\x00", 2), 10'000'000)}) {
    const auto request = Decode(bytes);
    ASSERT_FALSE(request.has_value());
    EXPECT_EQ(request.error().message(), "the request takes more than 67108864 bytes of memory");
    EXPECT_EQ(request.error().code(), ErrorCode::kInvalid);
  }
}

TEST(ReadRequestBytes, AFlagThatIsCutOffIsRefusedAndOneInTwoBytesIsRead) {
  // Query (1) with hints (4) that end behind the tag of "by" (6). On the heap, so that a read too far is seen.
  const std::vector<char> cut = {0x0a, 0x03, 0x22, 0x01, 0x30};
  EXPECT_FALSE(Decode({cut.data(), cut.size()}).has_value());
  const auto by = [](char low, char high) {
    const std::vector<char> bytes = {0x0a, 0x05, 0x22, 0x03, 0x30, low, high};
    return Decode({bytes.data(), bytes.size()}).value().queries.at(0).hints.by;
  };
  EXPECT_FALSE(by('\x80', '\x00'));
  EXPECT_TRUE(by('\x80', '\x01'));
}

TEST_F(ReadServerTest, LimitsAndNonsense) {
  ReadServerOptions few;
  few.sample_limit = 10;
  const auto body = RequestFor(0, 400'000, {Matcher::Equal("__name__", "m")}, {});
  const auto over = Ask(few, body);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().message(), "exceeded sample limit (10)");
  EXPECT_EQ(over.error().code(), ErrorCode::kInvalid);
  const auto types = Ask({}, RequestFor(0, 1, {Matcher::Equal("a", "b")}, {5, 6}));
  ASSERT_FALSE(types);
  EXPECT_EQ(types.error().message(),
            "server does not support any of the requested response types: [5 6]; supported: map[SAMPLES:{} "
            "STREAMED_XOR_CHUNKS:{}]");
  EXPECT_FALSE(Ask({}, "nonsense"));
  EXPECT_EQ(Ask({}, "\xff\xff\xff\xff\x0f").error().message(),
            "snappy: decoded length 4294967295 exceeds limit 33554432");
  EXPECT_EQ(Ask({}, SnappyEncode("\x0a\xff\xff")).error().message(), "unexpected EOF");
  EXPECT_EQ(budget_.used(), 0);
}

}  // namespace
}  // namespace epi::remote
