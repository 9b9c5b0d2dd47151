#include "remote/otlp/otlp_messages.h"

namespace epi::remote::otlp::wire {
namespace {

using enum WireKind;

constexpr WireField kAnyValueFields[] = {{kBytes, "StringValue"},
                                         {kVarint, "BoolValue"},
                                         {kVarint, "IntValue"},
                                         {kFixed64, "DoubleValue"},
                                         {kMessage, "ArrayValue", &kArrayValue},
                                         {kMessage, "KvlistValue", &kKeyValueList},
                                         {kBytes, "BytesValue"},
                                         {kVarint, "StringValueStrindex"}};
constexpr WireField kArrayValueFields[] = {{kMessage, "Values", &kAnyValue}};
constexpr WireField kKeyValueListFields[] = {{kMessage, "Values", &kKeyValue}};
constexpr WireField kKeyValueFields[] = {{kBytes, "Key"}, {kMessage, "Value", &kAnyValue}, {kVarint, "KeyStrindex"}};
constexpr WireField kScopeFields[] = {
    {kBytes, "Name"}, {kBytes, "Version"}, {kMessage, "Attributes", &kKeyValue}, {kVarint, "DroppedAttributesCount"}};
constexpr WireField kEntityRefFields[] = {
    {kBytes, "SchemaUrl"}, {kBytes, "Type"}, {kBytes, "IdKeys"}, {kBytes, "DescriptionKeys"}};
constexpr WireMessage kEntityRef = {"", kEntityRefFields};
constexpr WireField kResourceFields[] = {
    {kMessage, "Attributes", &kKeyValue}, {kVarint, "DroppedAttributesCount"}, {kMessage, "EntityRefs", &kEntityRef}};

constexpr WireField kOtlpExemplarFields[] = {{},
                                             {kFixed64, "TimeUnixNano"},
                                             {kFixed64, "AsDouble"},
                                             {kSpanId, "SpanId"},
                                             {kTraceId, "TraceId"},
                                             {kFixed64, "AsInt"},
                                             {kMessage, "FilteredAttributes", &kKeyValue}};
constexpr WireField kNumberPointFields[] = {{},
                                            {kFixed64, "StartTimeUnixNano"},
                                            {kFixed64, "TimeUnixNano"},
                                            {kFixed64, "AsDouble"},
                                            {kMessage, "Exemplars", &kExemplar},
                                            {kFixed64, "AsInt"},
                                            {kMessage, "Attributes", &kKeyValue},
                                            {kVarint, "Flags"}};
constexpr WireField kHistogramPointFields[] = {{},
                                               {kFixed64, "StartTimeUnixNano"},
                                               {kFixed64, "TimeUnixNano"},
                                               {kFixed64, "Count"},
                                               {kFixed64, "Sum"},
                                               {kFixed64s, "BucketCounts"},
                                               {kFixed64s, "ExplicitBounds"},
                                               {kMessage, "Exemplars", &kExemplar},
                                               {kMessage, "Attributes", &kKeyValue},
                                               {kVarint, "Flags"},
                                               {kFixed64, "Min"},
                                               {kFixed64, "Max"}};
constexpr WireField kBucketsFields[] = {{kVarint, "Offset"}, {kVarints, "BucketCounts"}};
constexpr WireField kExponentialPointFields[] = {{kMessage, "Attributes", &kKeyValue},
                                                 {kFixed64, "StartTimeUnixNano"},
                                                 {kFixed64, "TimeUnixNano"},
                                                 {kFixed64, "Count"},
                                                 {kFixed64, "Sum"},
                                                 {kVarint, "Scale"},
                                                 {kFixed64, "ZeroCount"},
                                                 {kMessage, "Positive", &kBuckets},
                                                 {kMessage, "Negative", &kBuckets},
                                                 {kVarint, "Flags"},
                                                 {kMessage, "Exemplars", &kExemplar},
                                                 {kFixed64, "Min"},
                                                 {kFixed64, "Max"},
                                                 {kFixed64, "ZeroThreshold"}};
constexpr WireField kQuantileFields[] = {{kFixed64, "Quantile"}, {kFixed64, "Value"}};
constexpr WireField kSummaryPointFields[] = {{},
                                             {kFixed64, "StartTimeUnixNano"},
                                             {kFixed64, "TimeUnixNano"},
                                             {kFixed64, "Count"},
                                             {kFixed64, "Sum"},
                                             {kMessage, "QuantileValues", &kQuantile},
                                             {kMessage, "Attributes", &kKeyValue},
                                             {kVarint, "Flags"}};

constexpr WireField kGaugeFields[] = {{kMessage, "DataPoints", &kNumberPoint}};
constexpr WireField kSumFields[] = {
    {kMessage, "DataPoints", &kNumberPoint}, {kVarint, "AggregationTemporality"}, {kVarint, "IsMonotonic"}};
constexpr WireField kOtlpHistogramFields[] = {{kMessage, "DataPoints", &kHistogramPoint},
                                              {kVarint, "AggregationTemporality"}};
constexpr WireField kExponentialHistogramFields[] = {{kMessage, "DataPoints", &kExponentialPoint},
                                                     {kVarint, "AggregationTemporality"}};
constexpr WireField kSummaryFields[] = {{kMessage, "DataPoints", &kSummaryPoint}};

constexpr WireField kMetricFields[] = {{kBytes, "Name"},
                                       {kBytes, "Description"},
                                       {kBytes, "Unit"},
                                       {},
                                       {kMessage, "Gauge", &kGauge},
                                       {},
                                       {kMessage, "Sum", &kSum},
                                       {},
                                       {kMessage, "Histogram", &kHistogram},
                                       {kMessage, "ExponentialHistogram", &kExponentialHistogram},
                                       {kMessage, "Summary", &kSummary},
                                       {kMessage, "Metadata", &kKeyValue}};
constexpr WireField kScopeMetricsFields[] = {
    {kMessage, "Scope", &kScope}, {kMessage, "Metrics", &kMetric}, {kBytes, "SchemaUrl"}};
constexpr WireField kResourceMetricsFields[] = {
    {kMessage, "Resource", &kResource}, {kMessage, "ScopeMetrics", &kScopeMetrics}, {kBytes, "SchemaUrl"}};
constexpr WireField kRequestFields[] = {{kMessage, "ResourceMetrics", &kResourceMetrics}};

}  // namespace

constexpr WireMessage kAnyValue = {"", kAnyValueFields};
constexpr WireMessage kArrayValue = {"", kArrayValueFields};
constexpr WireMessage kKeyValueList = {"", kKeyValueListFields};
constexpr WireMessage kKeyValue = {"", kKeyValueFields};
constexpr WireMessage kScope = {"", kScopeFields};
constexpr WireMessage kResource = {"", kResourceFields};

constexpr WireMessage kExemplar = {"", kOtlpExemplarFields};
constexpr WireMessage kNumberPoint = {"", kNumberPointFields};
constexpr WireMessage kHistogramPoint = {"", kHistogramPointFields};
constexpr WireMessage kBuckets = {"", kBucketsFields};
constexpr WireMessage kExponentialPoint = {"", kExponentialPointFields};
constexpr WireMessage kQuantile = {"", kQuantileFields};
constexpr WireMessage kSummaryPoint = {"", kSummaryPointFields};

constexpr WireMessage kGauge = {"", kGaugeFields};
constexpr WireMessage kSum = {"", kSumFields};
constexpr WireMessage kHistogram = {"", kOtlpHistogramFields};
constexpr WireMessage kExponentialHistogram = {"", kExponentialHistogramFields};
constexpr WireMessage kSummary = {"", kSummaryFields};

constexpr WireMessage kMetric = {"", kMetricFields};
constexpr WireMessage kScopeMetrics = {"", kScopeMetricsFields};
constexpr WireMessage kResourceMetrics = {"", kResourceMetricsFields};
constexpr WireMessage kRequest = {"", kRequestFields};

}  // namespace epi::remote::otlp::wire
