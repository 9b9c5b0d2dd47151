// Conversion of classic histograms to native histograms with custom buckets (NHCB), on top of any parser.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/classic_histogram.h"
#include "scrape/parse/exposition.h"

namespace epi::scrape {

// The series of a classic histogram are held back (or, with `keep_classic`, handed out) and followed by one histogram
// entry. Histograms that come with exponential buckets too are left alone, and so is what does not add up to a
// histogram; of a protobuf body that is an error.
class NhcbParser final : public ExpositionParser {
 public:
  // `protobuf`: the body is one. Then gauge histograms are converted too, and exemplars without a time are left out of
  // the histogram entries.
  NhcbParser(std::unique_ptr<ExpositionParser> parser, bool keep_classic, bool protobuf)
      : parser_(std::move(parser)), keep_classic_(keep_classic), protobuf_(protobuf) {}

  Result<EntryKind> Next() override;
  Labels SampleLabels() override;
  bool HasEmptyLabel(std::string_view name) const override;
  std::string RepeatedLabel(const Labels& stored) const override;
  bool NextExemplar(Exemplar& exemplar) override;
  TimestampMs StartTime() override;

 private:
  enum class State : unsigned char {
    kPlain,       // no classic histogram at hand
    kCollecting,  // its series are coming in
    kEmitting,    // its histogram is the current entry; what came behind it is in pending_
  };
  enum class Part : unsigned char { kNone, kBucket, kCount, kSum };

  Part PartOf(const Labels& labels) const;
  // Takes the current series into the histogram being collected; false when it is no part of one.
  bool Collect(const Labels& labels);
  // Whether the current series belongs to another histogram than the one being collected.
  bool IsOther(const Labels& labels) const;
  bool IsHistogramFamily() const;
  // Turns what was collected into the current entry; false when there is nothing, or it makes no histogram.
  Result<bool> Emit();
  Result<void> TakeConverted(ClassicHistogram::Converted converted);
  EntryKind Forward(EntryKind kind);

  std::unique_ptr<ExpositionParser> parser_;
  const bool keep_classic_;
  const bool protobuf_;
  State state_ = State::kPlain;
  EntryKind pending_ = EntryKind::kEnd;
  std::optional<Error> failure_;  // of the body, behind what is being emitted
  std::string family_;            // of the last TYPE line
  MetricType type_ = MetricType::kUnknown;

  // The histogram that was met last: name, and its labels without le.
  std::string last_name_;
  Labels last_labels_;
  bool last_exponential_ = false;

  ClassicHistogram collected_;
  Labels collected_labels_;
  std::string collected_repeated_;  // a label name that they have twice
  bool collected_gauge_ = false;
  bool collected_has_time_ = false;
  TimestampMs collected_time_ = 0;
  TimestampMs collected_start_ = 0;
  std::vector<Exemplar> collected_exemplars_;
  bool owns_exemplars_ = false;  // they are not those of its buckets
  bool held_exemplars_ = false;  // the current classic series' exemplars were taken already
  std::vector<Exemplar> series_exemplars_;

  // The histogram being emitted.
  Labels emitted_labels_;
  std::string emitted_repeated_;
  std::string emitted_series_;
  TimestampMs emitted_start_ = 0;
  std::vector<Exemplar> emitted_exemplars_;
  size_t next_exemplar_ = 0;
};

}  // namespace epi::scrape
