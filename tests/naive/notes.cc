#include "naive/notes.h"
#include "base/escaping.h"

#include "model/labels.h"
#include "model/number_format.h"

namespace epi::naive {

std::string QuotedName(std::string_view name) {
  std::string out;
  AppendQuoted(out, name);
  return out;
}

void Notes::MixedKinds(const std::string& of) { Warn("encountered a mix of histograms and floats for " + of); }

void Notes::MixedBuckets(std::string_view metric) {
  Warn("vector contains a mix of histograms with exponential and custom buckets schemas for metric name " +
       QuotedName(metric));
}

void Notes::HistogramsIgnored(std::string_view metric) {
  Inform("ignored histograms in a range containing both floats and histograms for metric name " + QuotedName(metric));
}

void Notes::BadQuantile(double q) { Warn("quantile value should be between 0 and 1, got " + FormatFloatGeneral(q)); }

void Notes::Reconciled(const std::string& operation) {
  Inform("mismatched custom buckets were reconciled during " + operation);
}

void Notes::ConflictingResets(const std::string& operation) {
  Warn("conflicting counter resets during histogram " + operation);
}

std::string WithoutPlace(const std::string& note) {
  const auto counts = note.find(", from buckets ");
  return note.substr(0, counts == std::string::npos ? note.rfind(" (") : counts);
}

}  // namespace epi::naive
