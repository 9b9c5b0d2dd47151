#include "chunkenc/histogram_layout.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "chunkenc/varbit.h"

namespace epi {
namespace {

// Thresholds that are powers of two from 2^-243 to 2^10 take one byte; 0 stands for zero, 255 for eight bytes that
// follow.
constexpr int kThresholdBias = 243;
constexpr int kThresholdMinExponent = -242;
constexpr int kThresholdMaxExponent = 11;
constexpr uint8_t kThresholdRaw = 255;
// Bounds that are whole thousandths up to here go into a varbit of at most 25 bits.
constexpr double kMaxThousandths = 33554430;

void WriteZeroThreshold(BitWriter& out, double threshold) {
  if (threshold == 0) {
    out.Byte(0);
    return;
  }
  int exponent = 0;
  const double fraction = std::frexp(threshold, &exponent);
  if (fraction == 0.5 && kThresholdMinExponent <= exponent && exponent <= kThresholdMaxExponent) {
    out.Byte(static_cast<uint8_t>(exponent + kThresholdBias));
    return;
  }
  out.Byte(kThresholdRaw);
  out.Bits(std::bit_cast<uint64_t>(threshold), 64);
}

double ReadZeroThreshold(BitReader& in) {
  const auto byte = static_cast<uint8_t>(in.Bits(8));
  if (byte == 0) return 0;
  if (byte == kThresholdRaw) return std::bit_cast<double>(in.Bits(64));
  return std::ldexp(0.5, byte - kThresholdBias);
}

void WriteSpans(BitWriter& out, const std::vector<HistogramSpan>& spans) {
  WriteVarbitUint(out, spans.size());
  for (const auto& span : spans) {
    WriteVarbitUint(out, span.length);
    WriteVarbitInt(out, span.offset);
  }
}

bool ReadSpans(BitReader& in, std::vector<HistogramSpan>& spans) {
  const uint64_t count = ReadVarbitUint(in);
  if (count > in.remaining() / 2) return false;  // a span takes two bits at least
  spans.clear();
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t length = ReadVarbitUint(in);
    const int64_t offset = ReadVarbitInt(in);
    if (length > std::numeric_limits<uint32_t>::max() || offset != static_cast<int32_t>(offset) || !in.ok())
      return false;
    spans.push_back({static_cast<int32_t>(offset), static_cast<uint32_t>(length)});
  }
  return true;
}

void WriteBound(BitWriter& out, double bound) {
  const double thousandths = bound * 1000;
  if (thousandths >= 0 && thousandths <= kMaxThousandths && bound == std::round(thousandths) / 1000) {
    WriteVarbitUint(out, static_cast<uint64_t>(std::round(thousandths)) + 1);
    return;
  }
  out.Bit(false);
  out.Bits(std::bit_cast<uint64_t>(bound), 64);
}

double ReadBound(BitReader& in) {
  const uint64_t thousandths = ReadVarbitUint(in);
  if (thousandths == 0) return std::bit_cast<double>(in.Bits(64));
  return static_cast<double>(thousandths - 1) / 1000;
}

bool ReadBounds(BitReader& in, std::vector<double>& bounds) {
  const uint64_t count = ReadVarbitUint(in);
  if (count > in.remaining()) return false;
  bounds.clear();
  for (uint64_t i = 0; i < count; ++i) {
    bounds.push_back(ReadBound(in));
    if (!in.ok()) return false;
  }
  return true;
}

}  // namespace

bool HistogramLayout::SameSchema(const HistogramLayout& other) const {
  return schema == other.schema && zero_threshold == other.zero_threshold;
}

bool HistogramLayout::SameBounds(const HistogramLayout& other) const {
  if (!IsCustomBucketsSchema(schema)) return true;
  return custom_values.size() == other.custom_values.size() &&
         (custom_values.empty() ||
          std::memcmp(custom_values.data(), other.custom_values.data(), custom_values.size() * sizeof(double)) == 0);
}

void WriteHistogramLayout(BitWriter& out, const HistogramLayout& layout) {
  WriteZeroThreshold(out, layout.zero_threshold);
  WriteVarbitInt(out, layout.schema);
  WriteSpans(out, layout.positive_spans);
  WriteSpans(out, layout.negative_spans);
  if (!IsCustomBucketsSchema(layout.schema)) return;
  WriteVarbitUint(out, layout.custom_values.size());
  for (const double bound : layout.custom_values) WriteBound(out, bound);
}

bool ReadHistogramLayout(BitReader& in, HistogramLayout& layout) {
  layout.zero_threshold = ReadZeroThreshold(in);
  const int64_t schema = ReadVarbitInt(in);
  if (schema != static_cast<int32_t>(schema)) return false;
  layout.schema = static_cast<int32_t>(schema);
  if (!ReadSpans(in, layout.positive_spans) || !ReadSpans(in, layout.negative_spans)) return false;
  layout.custom_values.clear();
  if (IsCustomBucketsSchema(layout.schema) && !ReadBounds(in, layout.custom_values)) return false;
  return in.ok();
}

}  // namespace epi
