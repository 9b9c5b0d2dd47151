#include "web/json_writer.h"

#include <gtest/gtest.h>

#include "testing/conformance.h"
#include "web/rules_source.h"

namespace epi::web {
namespace {

std::string Written(const std::function<void(JsonWriter&)>& write) {
  std::string out;
  JsonWriter json([&](std::string_view bytes) -> Result<void> {
    out += bytes;
    return {};
  });
  write(json);
  EXPECT_TRUE(json.Finish().has_value());
  return out;
}

TEST(JsonWriter, CommasAndNesting) {
  EXPECT_EQ(Written([](JsonWriter& json) {
              json.BeginObject();
              json.Key("a");
              json.BeginArray();
              json.EndArray();
              json.Key("b");
              json.BeginArray();
              json.Integer(-1);
              json.Bool(true);
              json.Null();
              json.BeginObject();
              json.EndObject();
              json.Number(0.5);
              json.EndArray();
              json.EndObject();
            }),
            R"({"a":[],"b":[-1,true,null,{},0.5]})");
}

TEST(JsonWriter, Times) {
  EXPECT_EQ(FormatTime(kNever), "0001-01-01T00:00:00Z");
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatTime(1'500'000'000), "1970-01-01T00:00:01.5Z");
  EXPECT_EQ(FormatTime(-1), "1969-12-31T23:59:59.999999999Z");
}

// However long an answer is, little more than 32 KiB of its text is held at a time.
TEST(JsonWriter, LongAnswersGoOnInPieces) {
  size_t written = 0;
  size_t largest = 0;
  JsonWriter json([&](std::string_view bytes) -> Result<void> {
    written += bytes.size();
    largest = std::max(largest, bytes.size());
    return {};
  });
  json.BeginArray();
  for (int i = 0; i < 500'000 && json.Drain(); ++i) json.Sample("1435781451.781", i * 0.1);
  json.EndArray();
  EXPECT_TRUE(json.Finish().has_value());
  EXPECT_GT(written, 10'000'000u);
  EXPECT_LE(largest, (size_t{32} << 10) + 64);
}

TEST(JsonWriter, FailureOfTheSinkIsRemembered) {
  int calls = 0;
  JsonWriter json([&](std::string_view) -> Result<void> {
    ++calls;
    return Fail(ErrorCode::kCanceled, "gone");
  });
  json.BeginArray();
  while (json.Drain()) json.PlainString("0123456789");
  json.EndArray();
  EXPECT_FALSE(json.Finish().has_value());
  EXPECT_EQ(calls, 1);
}

// One point of a series, an exemplar or a histogram, as the answers hold them.
TEST(JsonWriter, ConformancePoints) {
  EPI_CONFORMANCE_OR_SKIP(file, "api/json_encoding.json");
  const auto number = [](const nlohmann::json& value) {
    return value.is_string() ? std::stod(value.get<std::string>()) : value.get<double>();
  };
  const auto time = [](const nlohmann::json& value) {
    return value.is_string() ? std::stoll(value.get<std::string>()) : value.get<int64_t>();
  };
  int ran = 0;
  for (const auto& c : file["cases"]) {
    const auto& response = c["response"];
    if (!response.is_object() || response["_type"] != "FPoint") continue;
    ++ran;
    const std::string point = Written([&](JsonWriter& json) {
      json.BeginArray();
      json.SampleTime(time(response["T"]));
      json.SampleValue(number(response["F"]));
      json.EndArray();
    });
    EXPECT_EQ("{\"status\":\"success\",\"data\":" + point + "}", c["expected"].get<std::string>());
  }
  EXPECT_GE(ran, 10);
}

}  // namespace
}  // namespace epi::web
