// The naive evaluator must itself answer Prometheus's cases, as far as it goes.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "naive/evaluator.h"
#include "promqltest/compare.h"
#include "promqltest/script.h"
#include "testing/memory_storage.h"
#include "testing/temp_dir.h"

namespace epi::naive {
namespace {

using promqltest::EvalCommand;

struct Tally {
  int same = 0;
  int unsupported = 0;
};

void Store(const promqltest::LoadCommand& load, testing::MemoryStorage& storage) {
  for (const auto& [labels, samples] : load.series) {
    for (const auto& s : samples) {
      if (s.histogram != nullptr) {
        storage.Append(labels, s.t, *s.histogram);
      } else {
        storage.Append(labels, s.t, s.value);
      }
    }
  }
}

Data Stored(const testing::MemoryStorage& storage) {
  Data out;
  for (const Labels& labels : storage.SeriesLabels()) {
    Series s{labels, {}};
    for (const auto& sample : storage.Samples(labels)) s.samples.push_back({sample.t, sample.value, sample.floats});
    out.push_back(std::move(s));
  }
  return out;
}

void Check(const std::string& place, const EvalCommand& eval, const Data& data, Tally& tally) {
  const Query query =
      eval.is_range ? Query{eval.expr, eval.start, eval.end, eval.step} : Query{eval.expr, eval.eval, eval.eval, 0};
  const auto value = Evaluate(query, data);
  if (!value && value.error().code() == ErrorCode::kUnsupported) {
    ++tally.unsupported;
    return;
  }
  EvalCommand expected = eval;
  // Here order is nothing, and topk's among equals is not defined.
  expected.ordered = false;
  if (!value) {
    EXPECT_TRUE(eval.must_fail) << place << " " << eval.expr << ": " << value.error().message();
  } else if (!eval.must_fail) {
    EXPECT_EQ(promqltest::CompareValue(expected, *value), "") << place << " " << eval.expr;
  }
  ++tally.same;
}

void RunFile(const std::filesystem::path& path, Tally& tally) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  const auto commands = promqltest::ParseScript(text.str());
  ASSERT_TRUE(commands) << path << ":" << commands.error().line << " " << commands.error().text;
  auto storage = std::make_unique<testing::MemoryStorage>();
  for (const auto& command : *commands) {
    if (std::holds_alternative<promqltest::ClearCommand>(command.what))
      storage = std::make_unique<testing::MemoryStorage>();
    if (const auto* load = std::get_if<promqltest::LoadCommand>(&command.what)) {
      if (load->with_nhcb) return;  // needs the runner's conversion
      Store(*load, *storage);
    }
    if (const auto* eval = std::get_if<EvalCommand>(&command.what)) {
      Check(path.filename().string() + ":" + std::to_string(command.line), *eval, Stored(*storage), tally);
    }
  }
}

// Files whose cases the naive evaluator knows, but for single functions that it refuses.
TEST(NaiveEvaluatorTest, AnswersPrometheusCases) {
  const std::string directory = testing::ConformanceDir();
  if (directory.empty()) GTEST_SKIP() << "no conformance data; set EPI_CONFORMANCE";
  Tally tally;
  for (const char* name : {"aggregators", "at_modifier", "functions", "literals", "native_histograms", "operators",
                           "range_queries", "selectors", "staleness", "subquery", "collision"}) {
    RunFile(directory + "/promql/" + name + ".test", tally);
  }
  EXPECT_GT(tally.same, 800);
}

}  // namespace
}  // namespace epi::naive
