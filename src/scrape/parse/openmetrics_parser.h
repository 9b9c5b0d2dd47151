// OpenMetrics text, 0.0.1 and 1.0.0.
#pragma once

#include <string>
#include <string_view>

#include "scrape/parse/exposed_labels.h"
#include "scrape/parse/exposition.h"
#include "scrape/parse/text_cursor.h"

namespace epi::scrape {

// As strict as Prometheus's parser: single spaces, `# EOF` at the end.
class OpenMetricsParser final : public ExpositionParser {
 public:
  OpenMetricsParser(std::string_view body, ParserOptions options);

  Result<EntryKind> Next() override;
  Labels SampleLabels() override;
  bool HasEmptyLabel(std::string_view name) const override {
    return epi::scrape::HasEmptyLabel(Exposed().views(), name);
  }
  std::string RepeatedLabel(const Labels& stored) const override {
    return epi::scrape::RepeatedLabel(Exposed().views(), stored);
  }
  bool NextExemplar(Exemplar& exemplar) override;
  // Looks ahead for the series's _created line within its family, as long as no other series's comes first.
  TimestampMs StartTime() override;

  // See TextParser.
  std::string_view body() const { return cursor_.body(); }
  size_t position() const { return cursor_.at(); }
  void MoveTo(size_t position) { cursor_.MoveTo(position); }
  void SetType(MetricType type) { type_ = type; }

 private:
  RawLabelViews Exposed() const { return RawLabelViews(raw_, {type_, unit_}, options_.type_and_unit_labels); }
  Result<EntryKind> NextLine();
  Result<EntryKind> ReadHash();
  Result<EntryKind> ReadMetadata(Token keyword);
  Result<EntryKind> FinishMetadata(Token keyword);
  Result<EntryKind> ReadSample();
  Result<void> ReadLabels(bool exemplar);
  Result<EntryKind> ReadSampleTail();
  Result<double> ReadValue(std::string_view after, Token other);
  Result<TimestampMs> ReadTime(std::string_view invalid);
  Result<void> ReadExemplar();
  Token LexInBraces(bool exemplar);
  // A token behind a value: end, linebreak, timestamp, or the opening of an exemplar.
  Token LexAfterValue(bool exemplar_allowed);
  bool IsCreatedLine() const;
  // The next _created line ahead in the same family, found once and kept until it is passed.
  void FindCreated();

  TextCursor cursor_;
  ParserOptions options_;
  RawLabels raw_;
  MetricType type_ = MetricType::kUnknown;
  std::string_view family_;
  std::string unit_;
  std::string help_;

  std::vector<RawLabels::Pair> exemplar_labels_;
  Exemplar exemplar_;
  bool has_exemplar_ = false;
  bool stray_ = false;  // the last sample's line has something behind it that is neither timestamp nor exemplar

  struct Created {
    size_t searched_until = 0;  // no other search needed while the cursor is before this
    bool found = false;
    Labels labels;  // of the line, without name, le and quantile
    TimestampMs time = 0;
  };
  Created created_;
};

}  // namespace epi::scrape
