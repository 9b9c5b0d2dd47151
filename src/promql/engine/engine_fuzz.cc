// Any text that parses is evaluated over a small fixed store, as instant and as range query: an answer or an error,
// within limits.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "promql/engine/engine.h"
#include "testing/memory_storage.h"

namespace {

using namespace epi;
using namespace epi::promql;

const testing::MemoryStorage& Store() {
  static const testing::MemoryStorage* store = [] {
    auto* made = new testing::MemoryStorage();
    for (int s = 0; s < 4; ++s) {
      const Labels counter = {{kMetricName, "a"}, {"job", s % 2 == 0 ? "x" : "y"}, {"le", std::to_string(s)}};
      const Labels gauge = {{kMetricName, "b"}, {"job", s % 2 == 0 ? "x" : "y"}, {"n", std::to_string(s)}};
      for (int i = 0; i < 10; ++i) {
        made->Append(counter, i * 15'000, i == 6 ? 1 : i * (s + 1));
        made->Append(gauge, i * 15'000 + s, i == 3 ? StaleNaN() : i == 4 ? -1e308 * s : 0.5 * i - s);
      }
    }
    for (int s = 0; s < 3; ++s) {
      for (int i = 0; i < 8; ++i) {
        FloatHistogram h;
        h.schema = s == 2 ? kCustomBucketsSchema : s;
        h.count = 3 * i;
        h.sum = i;
        h.positive_spans = {{0, 2}};
        h.positive_buckets = {1.0 * i, 2.0 * i};
        if (s == 2) h.custom_values = {1, 2, 4};
        made->Append({{kMetricName, "h"}, {"job", s == 0 ? "x" : "y"}, {"n", std::to_string(s)}}, i * 15'000, h);
      }
    }
    made->Append({{kMetricName, "target_info"}, {"job", "x"}, {"instance", "i"}, {"version", "1"}}, 60'000, 1);
    return made;
  }();
  return *store;
}

const Engine& TheEngine() {
  static const Engine engine([] {
    EngineOptions options;
    options.features.experimental_functions = true;
    options.features.extended_range_selectors = true;
    options.features.binop_fill_modifiers = true;
    options.features.use_start_timestamps = true;
    options.max_samples = 20'000;
    options.max_memory_per_query = 64 << 20;
    options.timeout_ms = 2000;
    return options;
  }());
  return engine;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 400) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = TheEngine().Parse(text);
  if (!parsed) return 0;
  static_cast<void>(TheEngine().Run(**parsed, QuerySpec::Instant("", 100'000), Store()));
  static_cast<void>(TheEngine().Run(**parsed, QuerySpec::Range("", 0, 150'000, 30'000), Store()));
  return 0;
}
