// Cutting and joining of range answers along the time axis.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "promql/engine/result.h"

namespace epi::promql {

// The points of `matrix` with times in [first, last]; series without any are left out. Histograms are shared.
MatrixValue CutMatrix(const MatrixValue& matrix, TimestampMs first, TimestampMs last);

// Appends `later`, all of whose points are later, to `earlier`. Both are sorted by labels; so is what comes out.
void JoinMatrix(MatrixValue& earlier, MatrixValue later);

// What keeping it takes, about.
int64_t BytesOf(const MatrixValue& matrix);
size_t PointsOf(const MatrixValue& matrix);

// Warnings or infos of parts of an answer that are evaluated apart, as the whole answer would show them.
class NoteUnion {
 public:
  void Add(std::span<const std::string> notes);
  bool Contains(std::span<const std::string> notes) const;
  // False when the whole might show something else: a text that sums up what was found at several steps, or one text
  // at two places of the query, of which only the later evaluated one would be shown.
  bool exact() const { return exact_; }
  std::vector<std::string> Take() { return std::move(notes_); }

 private:
  std::vector<std::string> notes_;  // sorted
  bool exact_ = true;
};

// Whether a note tells numbers collected over steps, so that a part of the steps would tell others.
bool SumsUp(std::string_view note);

}  // namespace epi::promql
