// tsdb_make_blocks DIRECTORY SEED: writes a block with every chunk encoding and prints what is in it, sample by sample,
// from the values that went in. tsdb_read_block.py prints the same from the block.
#include <bit>
#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/random.h"
#include "chunkenc/sample_chunker.h"
#include "model/histogram.h"
#include "model/histogram_convert.h"
#include "model/sample.h"
#include "tsdb/block/block_writer.h"

namespace epi {
namespace {

constexpr TimestampMs kEncodingsStart = 1'700'000'000'000;

std::string Bits(double value) {
  std::ostringstream out;
  out << std::hex << std::bit_cast<uint64_t>(value);
  return out.str();
}

// Times with jitter, gaps, and steps beyond every width of a field.
class Times {
 public:
  explicit Times(SeededRandom& random)
      : random_(random), t_(kEncodingsStart + static_cast<TimestampMs>(random.Below(5000))) {}
  TimestampMs Next() {
    const uint64_t kind = random_.Below(20);
    t_ += kind < 14    ? 15'000
          : kind < 17  ? 15'000 + static_cast<int64_t>(random_.Below(9000)) - 4500
          : kind == 17 ? 1 + static_cast<int64_t>(random_.Below(1'200'000))
                       : 1 + static_cast<int64_t>(random_.Below(60));
    return t_;
  }

 private:
  SeededRandom& random_;
  TimestampMs t_;
};

// A start time that stays, moves, or is missing.
class Starts {
 public:
  Starts(SeededRandom& random, bool any)
      : random_(random), any_(any), from_(random.Below(3) == 0 ? 0 : random.Below(200)) {}
  TimestampMs Next(TimestampMs t) {
    if (!any_ || number_++ < from_) return 0;
    if (start_ == 0 || random_.Below(12) == 0)
      start_ = random_.Below(5) == 0 ? t - 1 : t - 1 - static_cast<TimestampMs>(random_.Below(90'000'000));
    return random_.Below(40) == 0 ? 0 : start_;
  }

 private:
  SeededRandom& random_;
  const bool any_;
  const uint64_t from_;
  uint64_t number_ = 0;
  TimestampMs start_ = 0;
};

double NextValue(SeededRandom& random, double before) {
  switch (random.Below(8)) {
    case 0:
    case 1:
    case 2:
      return before;
    case 3:
      return StaleNaN();
    case 4:
      return std::bit_cast<double>(random.Next());
    default:
      return (IsStaleNaN(before) ? 0 : before) + static_cast<double>(random.Below(1000)) - 200;
  }
}

std::string FloatLine(const Labels& labels, TimestampMs t, TimestampMs start, double value) {
  return "F " + labels.ToString() + " " + std::to_string(t) + " " + std::to_string(start) + " " + Bits(value) + "\n";
}

// Buckets that are not empty, by index.
std::string Buckets(const std::vector<HistogramSpan>& spans, const std::vector<double>& counts) {
  std::string out;
  int32_t index = 0;
  size_t next = 0;
  for (const auto& span : spans) {
    index += span.offset;
    for (uint32_t i = 0; i < span.length; ++i, ++index, ++next)
      if (counts[next] != 0) out += std::to_string(index) + ":" + Bits(counts[next]) + ",";
  }
  return out;
}

std::string HistogramLine(const Labels& labels, TimestampMs t, TimestampMs start, const FloatHistogram& h) {
  std::string out = "H " + labels.ToString() + " " + std::to_string(t) + " " + std::to_string(start) + " ";
  if (IsStaleNaN(h.sum)) return out + "stale\n";
  out += std::to_string(h.schema) + " " + Bits(h.zero_threshold) + " " + Bits(h.zero_count) + " " + Bits(h.count) +
         " " + Bits(h.sum) + " [";
  for (const double bound : h.custom_values) out += Bits(bound) + ",";
  return out + "] [" + Buckets(h.positive_spans, h.positive_buckets) + "] [" +
         Buckets(h.negative_spans, h.negative_buckets) + "]\n";
}

// Cumulative counts that grow, get new buckets, start anew, and change their layout now and then.
class HistogramSource {
 public:
  HistogramSource(SeededRandom& random, bool custom, bool whole) : random_(random), custom_(custom), whole_(whole) {
    Reset();
  }
  FloatHistogram Next() {
    if (random_.Below(25) == 0) Reset();
    for (uint64_t i = random_.Below(4); i > 0; --i) {
      const auto index = static_cast<int32_t>(random_.Below(custom_ ? bounds_.size() + 1 : 30));
      (custom_ || random_.Below(3) > 0 ? positive_ : negative_)[index] += Amount();
    }
    if (!custom_) zero_ += random_.Below(3) == 0 ? Amount() : 0;
    FloatHistogram h;
    h.schema = custom_ ? kCustomBucketsSchema : schema_;
    h.zero_threshold = custom_ ? 0 : threshold_;
    h.zero_count = zero_;
    h.custom_values = custom_ ? bounds_ : std::vector<double>();
    h.count = zero_;
    for (const auto* side : {&positive_, &negative_})
      for (const auto& [index, count] : *side) h.count += count;
    h.sum = h.count * 1.5 + 0.25;
    Fill(positive_, h.positive_spans, h.positive_buckets);
    Fill(negative_, h.negative_spans, h.negative_buckets);
    return h;
  }

 private:
  void Reset() {
    positive_.clear();
    negative_.clear();
    zero_ = 0;
    schema_ = static_cast<int32_t>(random_.Below(13)) - 4;
    threshold_ = random_.Below(2) == 0 ? 0x1p-128 : 0.001;
    bounds_.clear();
    double bound = random_.Below(2) == 0 ? -3.5 : 0.005;
    for (uint64_t i = 1 + random_.Below(8); i > 0; --i) {
      bounds_.push_back(bound);
      bound += random_.Below(2) == 0 ? 0.25 : random_.Unit();
    }
  }
  double Amount() { return whole_ ? static_cast<double>(1 + random_.Below(1000)) : random_.Unit() * 100; }
  static void Fill(const std::map<int32_t, double>& from, std::vector<HistogramSpan>& spans,
                   std::vector<double>& counts) {
    int32_t next = 0;
    for (const auto& [index, count] : from) {
      if (spans.empty() || index != next) {
        spans.push_back({spans.empty() ? index : index - next, 0});
      }
      ++spans.back().length;
      next = index + 1;
      counts.push_back(count);
    }
  }

  SeededRandom& random_;
  const bool custom_;
  const bool whole_;
  std::map<int32_t, double> positive_;
  std::map<int32_t, double> negative_;
  double zero_ = 0;
  int32_t schema_ = 0;
  double threshold_ = 0;
  std::vector<double> bounds_;
};

Result<void> WriteEncodings(const std::string& directory, uint64_t seed) {
  SeededRandom random{seed};
  EPI_ASSIGN(auto writer,
             tsdb::BlockWriter::Create(PosixFileSystem(), directory, tsdb::Ulid::Make(kEncodingsStart, random)));
  tsdb::BlockMeta meta;
  meta.min_time = kEncodingsStart;
  meta.max_time = kEncodingsStart;
  const auto add = [&](const Labels& labels, SampleChunker& chunker) -> Result<void> {
    const auto chunks = chunker.Take();
    meta.max_time = std::max(meta.max_time, chunks.back().max_time + 1);
    return writer->AddSeries(labels, chunks);
  };
  constexpr int kKinds = 12;
  for (int number = 0; number < 3 * kKinds; ++number) {
    const int kind = number % kKinds;
    const bool starts_kept = kind % 2 == 1;
    ChunkerOptions options;
    options.samples_per_chunk = static_cast<uint32_t>(100 + random.Below(200));
    options.keep_start_times = starts_kept;
    options.float_encoding = kind / 2 % 2 == 0 ? ChunkEncoding::kXor : ChunkEncoding::kXor2;
    SampleChunker chunker(options);
    char name[16];
    std::snprintf(name, sizeof name, "s%02d", number);
    const Labels labels{{"__name__", name}, {"k", "a\"b\\ü" + std::to_string(kind)}};
    Times times(random);
    Starts starts(random, starts_kept);
    HistogramSource source(random, kind >= 8, kind % 4 < 2);
    double value = 1;
    for (uint64_t i = 200 + random.Below(400); i > 0; --i) {
      const TimestampMs t = times.Next();
      const TimestampMs start = starts.Next(t);
      if (kind < 4) {
        value = NextValue(random, value);
        chunker.Add(t, value, start);
        std::cout << FloatLine(labels, t, start, value);
        continue;
      }
      FloatHistogram h = source.Next();
      if (random.Below(30) == 0) {
        h = FloatHistogram();
        h.sum = StaleNaN();
      }
      if (kind % 4 < 2) {
        chunker.Add(t, ToInteger(h), start);
      } else {
        chunker.Add(t, h, start);
      }
      std::cout << HistogramLine(labels, t, start, h);
    }
    EPI_TRY(add(labels, chunker));
  }
  EPI_TRY(writer->Finish(meta));
  return {};
}

}  // namespace
}  // namespace epi

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  if (const auto done = epi::WriteEncodings(argv[1], std::strtoull(argv[2], nullptr, 10)); !done) {
    std::cerr << done.error().message() << "\n";
    return 1;
  }
  return 0;
}
