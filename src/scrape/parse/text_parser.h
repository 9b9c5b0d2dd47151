// The text formats 0.0.4 and 1.0.0 (which adds quoted UTF-8 names).
#pragma once

#include <string>
#include <string_view>

#include "scrape/parse/exposed_labels.h"
#include "scrape/parse/exposition.h"
#include "scrape/parse/text_cursor.h"

namespace epi::scrape {

// Reads one line after the other, accepting what Prometheus's parser accepts: blanks are free, commas between labels
// may be missing, label values may hold newlines. A body without a final newline is read as if it had one.
class TextParser final : public ExpositionParser {
 public:
  TextParser(std::string_view body, ParserOptions options);

  Result<EntryKind> Next() override;
  Labels SampleLabels() override;
  bool HasEmptyLabel(std::string_view name) const override {
    return epi::scrape::HasEmptyLabel(Exposed().views(), name);
  }
  std::string RepeatedLabel(const Labels& stored) const override {
    return epi::scrape::RepeatedLabel(Exposed().views(), stored);
  }
  bool NextExemplar(Exemplar&) override { return false; }
  TimestampMs StartTime() override { return 0; }

  // For readers that take known lines by themselves: where the next entry begins, and going on behind such lines.
  std::string_view body() const { return cursor_.body(); }
  size_t position() const { return cursor_.at(); }
  void MoveTo(size_t position) { cursor_.MoveTo(position); }
  // The TYPE in force, when TYPE lines were taken that way.
  void SetType(MetricType type) { type_ = type; }

 private:
  RawLabelViews Exposed() const { return RawLabelViews(raw_, {type_, {}}, options_.type_and_unit_labels); }
  Result<EntryKind> ReadHash();
  Result<EntryKind> ReadMetadata(Token keyword);
  Result<EntryKind> ReadComment(bool blank);
  Result<EntryKind> ReadSample();
  Result<void> ReadLabels();
  Result<EntryKind> ReadSampleTail();
  // A token where only a label name, a quoted name, '=', ',' or '}' can stand.
  Token LexInBraces();

  std::string_view Body(std::string_view body);

  std::string terminated_;  // the body with a newline, when it came without
  TextCursor cursor_;
  ParserOptions options_;
  RawLabels raw_;
  MetricType type_ = MetricType::kUnknown;
  std::string help_;  // of the current entry, where escapes had to be undone
};

}  // namespace epi::scrape
