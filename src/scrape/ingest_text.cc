#include <algorithm>
#include <string>
#include <utility>

#include "scrape/ingest_run.h"
#include "scrape/parse/openmetrics_parser.h"
#include "scrape/parse/text_parser.h"

namespace epi::scrape {

Result<void> SampleIngest::Run::ReadText(ExpositionParser& parser, ExpositionFormat format) {
  if (format == ExpositionFormat::kText) {
    return ReadLines<TextDialect::kPrometheus>(static_cast<TextParser&>(parser));
  }
  return ReadLines<TextDialect::kOpenMetrics>(static_cast<OpenMetricsParser&>(parser));
}

template <TextDialect dialect, typename Parser>
Result<void> SampleIngest::Run::ReadLines(Parser& parser) {
  // Known lines are taken only as far as a newline is certain to follow.
  const size_t last_newline = parser.body().rfind('\n');
  const size_t limit = last_newline == std::string_view::npos ? 0 : last_newline + 1;
  while (true) {
    if (!family_changed_) TakeKnownLines<dialect>(parser, limit);
    const size_t begin = parser.position();
    const auto next = parser.Next();
    if (!next) return epi::Fail(next.error());
    const EntryKind kind = *next;
    switch (kind) {
      case EntryKind::kEnd:
        return {};
      case EntryKind::kSeries:
      case EntryKind::kHistogram:
        EPI_TRY(TakeSample(parser, kind));
        break;
      default:
        RememberMetadataLine(parser, begin, kind);
    }
  }
}

template <TextDialect dialect, typename Parser>
void SampleIngest::Run::TakeKnownLines(Parser& parser, size_t limit) {
  const char* const body = parser.body().data();
  const char* const end = body + limit;
  const char* at = body + parser.position();
  const TextHashKey key = cache_.key();
  const auto expected = cache_.ExpectedRun();
  const uint32_t scrape = cache_.scrape();
  const TimestampMs latest = time_ + kMaxFutureMs;
  if (time_ < too_old_before_) return;
  uint64_t samples = 0;
  uint64_t stored = 0;
  SampleTail tail;
  size_t taken = 0;
  for (; taken < expected.size(); ++taken) {
    const CachedLine& line = expected[taken];
    if (end - at <= static_cast<std::ptrdiff_t>(line.length) || line.scrape == scrape) break;
    if (HashText(at, line.length, key) != line.hash) break;
    if (line.line_kind() == LineKind::kMetadata) {
      if (at[line.length] != '\n') break;
      const auto metadata = MetadataLine::Unpack(line.ref);
      metadata_.Touch(metadata.family);
      if (metadata.family != MetadataLine::kNoFamily) family_ = metadata.family;
      if (metadata.is_type) parser.SetType(metadata.type);
      at += line.length + 1;
      continue;
    }
    const char* const next = TakeSampleTail<dialect>(at + line.length, tail);
    if (next == nullptr) break;
    const bool timed = tail.has_time && rules_.honor_timestamps;
    // Whatever changes what the cache says of the line is for the long way.
    if (line.histogram != 0 || (timed && (tail.time > latest || tail.time < too_old_before_))) break;
    if (line.untracked != (timed && !rules_.track_timestamps_staleness)) break;
    ++samples;
    if (line.line_kind() == LineKind::kSeries) {
      ++stored;
      if (!only_new_) {
        if (timed) {
          appender_.AddAt(line.series(), tail.time, tail.value);
        } else {
          appender_.Add(line.series(), tail.value);
        }
      }
    }
    at = next;
  }
  if (taken == 0) return;
  cache_.TakeExpected(taken);
  parser.MoveTo(static_cast<size_t>(at - body));
  result_.scraped += samples;
  result_.kept += stored;
  appended_ += stored;
}

template <typename Parser>
void SampleIngest::Run::RememberMetadataLine(Parser& parser, size_t begin, EntryKind kind) {
  const uint32_t family = NoteMetadata(kind, parser.entry());
  // The line without its newline.
  const size_t length = parser.position() - begin - 1;
  if (parser.position() <= begin || length > CachedLine::kMaxLength) return;
  const uint64_t hash = cache_.Hash(parser.body().substr(begin, length));
  const auto found = cache_.Find(hash, length);
  if (found.line != nullptr) return;
  CachedLine line;
  line.hash = hash;
  line.length = static_cast<uint32_t>(length);
  line.kind = static_cast<unsigned>(LineKind::kMetadata);
  line.ref = MetadataLine{family, kind == EntryKind::kType, parser.entry().type}.Pack();
  cache_.Insert(line);
}

uint32_t SampleIngest::Run::NoteMetadata(EntryKind kind, const ExpositionEntry& entry) {
  if (kind == EntryKind::kComment) return MetadataLine::kNoFamily;
  if (entry.family != family_name_) {
    family_name_.assign(entry.family);
    family_changed_ = false;
    context_ = 0;
  }
  bool changed = false;
  switch (kind) {
    case EntryKind::kHelp:
      family_ = metadata_.SetHelp(entry.family, entry.text, changed);
      break;
    case EntryKind::kType:
      family_ = metadata_.SetType(entry.family, entry.type, changed);
      context_ ^= (static_cast<uint64_t>(entry.type) + 1) * 0x9e3779b97f4a7c15;
      break;
    default:
      family_ = metadata_.SetUnit(entry.family, entry.text, changed);
      context_ ^= cache_.Hash(entry.text);
  }
  if (changed && rules_.append_metadata) family_changed_ = true;
  return family_;
}

}  // namespace epi::scrape
