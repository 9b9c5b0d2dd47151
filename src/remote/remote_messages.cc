#include "remote/remote_messages.h"

namespace epi::remote::wire {
namespace {

using enum WireKind;

constexpr WireField kLabelFields[] = {{kBytes, "Name"}, {kBytes, "Value"}};
constexpr WireField kSampleFields[] = {{kFixed64, "Value"}, {kVarint, "Timestamp"}, {kVarint, "StartTimestamp"}};
constexpr WireField kSpanFields[] = {{kVarint, "Offset"}, {kVarint, "Length"}};
constexpr WireField kHistogramFields[] = {{kVarint, "CountInt"},
                                          {kFixed64, "CountFloat"},
                                          {kFixed64, "Sum"},
                                          {kVarint, "Schema"},
                                          {kFixed64, "ZeroThreshold"},
                                          {kVarint, "ZeroCountInt"},
                                          {kFixed64, "ZeroCountFloat"},
                                          {kMessage, "NegativeSpans", &kBucketSpan},
                                          {kVarints, "NegativeDeltas"},
                                          {kFixed64s, "NegativeCounts"},
                                          {kMessage, "PositiveSpans", &kBucketSpan},
                                          {kVarints, "PositiveDeltas"},
                                          {kFixed64s, "PositiveCounts"},
                                          {kVarint, "ResetHint"},
                                          {kVarint, "Timestamp"},
                                          {kFixed64s, "CustomValues"},
                                          {kVarint, "StartTimestamp"}};
constexpr WireField kExemplarFields[] = {{kMessage, "Labels", &kLabel}, {kFixed64, "Value"}, {kVarint, "Timestamp"}};
constexpr WireField kTimeSeriesFields[] = {{kMessage, "Labels", &kLabel},
                                           {kMessage, "Samples", &kSample},
                                           {kMessage, "Exemplars", &kExemplar},
                                           {kMessage, "Histograms", &kHistogram}};
constexpr WireField kMetadataFields[] = {
    {kVarint, "Type"}, {kBytes, "MetricFamilyName"}, {}, {kBytes, "Help"}, {kBytes, "Unit"}};
constexpr WireMessage kMetadata = {"MetricMetadata", kMetadataFields};
constexpr WireField kWriteRequestFields[] = {
    {kMessage, "Timeseries", &kTimeSeries}, {}, {kMessage, "Metadata", &kMetadata}};

constexpr WireField kExemplarV2Fields[] = {{kVarints, "LabelsRefs"}, {kFixed64, "Value"}, {kVarint, "Timestamp"}};
constexpr WireField kMetadataV2Fields[] = {{kVarint, "Type"}, {}, {kVarint, "HelpRef"}, {kVarint, "UnitRef"}};
constexpr WireField kTimeSeriesV2Fields[] = {{kVarints, "LabelsRefs"},
                                             {kMessage, "Samples", &kSampleV2},
                                             {kMessage, "Histograms", &kHistogramV2},
                                             {kMessage, "Exemplars", &kExemplarV2},
                                             {kMessage, "Metadata", &kMetadataV2}};
constexpr WireField kRequestV2Fields[] = {{}, {}, {}, {kBytes, "Symbols"}, {kMessage, "Timeseries", &kTimeSeriesV2}};

constexpr WireField kMatcherFields[] = {{kVarint, "Type"}, {kBytes, "Name"}, {kBytes, "Value"}};
constexpr WireField kHintsFields[] = {{kVarint, "StepMs"},  {kBytes, "Func"}, {kVarint, "StartMs"}, {kVarint, "EndMs"},
                                      {kBytes, "Grouping"}, {kVarint, "By"},  {kVarint, "RangeMs"}};
constexpr WireField kQueryFields[] = {{kVarint, "StartTimestampMs"},
                                      {kVarint, "EndTimestampMs"},
                                      {kMessage, "Matchers", &kLabelMatcher},
                                      {kMessage, "Hints", &kReadHints}};
constexpr WireField kReadRequestFields[] = {{kMessage, "Queries", &kQuery}, {kVarints, "AcceptedResponseTypes"}};

// What version 1.0 has of the fields of 2.0.
constexpr size_t kSampleFieldsV1 = 2;
constexpr size_t kHistogramFieldsV1 = 16;

}  // namespace

constexpr WireMessage kLabel = {"Label", kLabelFields};
constexpr WireMessage kSample = {"Sample", std::span(kSampleFields).first(kSampleFieldsV1)};
constexpr WireMessage kHistogram = {"Histogram", std::span(kHistogramFields).first(kHistogramFieldsV1)};
constexpr WireMessage kBucketSpan = {"BucketSpan", kSpanFields};
constexpr WireMessage kExemplar = {"Exemplar", kExemplarFields};
constexpr WireMessage kTimeSeries = {"TimeSeries", kTimeSeriesFields};
constexpr WireMessage kWriteRequest = {"WriteRequest", kWriteRequestFields};

constexpr WireMessage kSampleV2 = {"Sample", kSampleFields};
constexpr WireMessage kHistogramV2 = {"Histogram", kHistogramFields};
constexpr WireMessage kExemplarV2 = {"Exemplar", kExemplarV2Fields};
constexpr WireMessage kMetadataV2 = {"Metadata", kMetadataV2Fields};
constexpr WireMessage kTimeSeriesV2 = {"TimeSeries", kTimeSeriesV2Fields};
constexpr WireMessage kRequestV2 = {"Request", kRequestV2Fields};

constexpr WireMessage kLabelMatcher = {"LabelMatcher", kMatcherFields};
constexpr WireMessage kReadHints = {"ReadHints", kHintsFields};
constexpr WireMessage kQuery = {"Query", kQueryFields};
constexpr WireMessage kReadRequest = {"ReadRequest", kReadRequestFields};

}  // namespace epi::remote::wire
