#include "remote/read_request.h"

#include <protozero/pbf_reader.hpp>

#include "remote/remote_messages.h"

namespace epi::remote {
namespace {

using protozero::pbf_reader;

// What the parts take, the growing of lists included. How large the program of an expression may be RE2 limits by
// itself; this limits how many there are.
constexpr size_t kQueryBytes = 2 * sizeof(ReadQuery);
constexpr size_t kMatcherBytes = 2 * sizeof(Matcher);
constexpr size_t kExpressionBytes = 64 << 10;
constexpr size_t kTypeBytes = 2 * sizeof(int);
constexpr size_t kGroupingBytes = 2 * sizeof(std::string);

class RequestReader {
 public:
  explicit RequestReader(MessageMeter& meter) : meter_(meter) {}

  Result<ReadRequest> Read(pbf_reader message) {
    ReadRequest out;
    while (NextField(message, wire::kReadRequest)) {
      if (message.tag() == 1) {
        if (!meter_.Take(kQueryBytes)) return Full();
        EPI_ASSIGN(auto query, ReadQueryMessage(message.get_message()));
        out.queries.push_back(std::move(query));
      } else if (message.wire_type() == protozero::pbf_wire_type::length_delimited) {
        if (!meter_.Take(message.length() * kTypeBytes)) return Full();
        for (const int type : message.get_packed_enum()) out.accepted_types.push_back(type);
      } else {
        if (!meter_.Take(kTypeBytes)) return Full();
        out.accepted_types.push_back(message.get_enum());
      }
    }
    return out;
  }

 private:
  tl::unexpected<Error> Full() const { return Fail(meter_.outcome().error()); }

  Result<ReadQuery> ReadQueryMessage(pbf_reader message) {
    ReadQuery query;
    bool hinted = false;
    query.range = {0, 0};
    query.hints.range = {0, 0};
    query.hints.sorted = true;
    while (NextField(message, wire::kQuery)) {
      switch (message.tag()) {
        case 1:
          query.range.min = message.get_int64();
          break;
        case 2:
          query.range.max = message.get_int64();
          break;
        case 3: {
          EPI_ASSIGN(auto matcher, MatcherMessage(message.get_message()));
          query.matchers.push_back(std::move(matcher));
          break;
        }
        default:
          hinted = true;
          EPI_TRY(ReadHints(message.get_message(), query.hints));
      }
    }
    if (!hinted) query.hints.range = query.range;
    return query;
  }

  Result<ReadMatcher> MatcherMessage(pbf_reader message) {
    if (!meter_.Take(kMatcherBytes + message.length())) return Full();
    ReadMatcher out;
    while (NextField(message, wire::kLabelMatcher)) {
      switch (message.tag()) {
        case 1:
          out.type = message.get_enum();
          break;
        case 2:
          out.name = message.get_string();
          break;
        default:
          out.value = message.get_string();
      }
    }
    const bool compiles =
        out.type == static_cast<int>(MatchType::kRegexp) || out.type == static_cast<int>(MatchType::kNotRegexp);
    if (compiles && !meter_.Take(kExpressionBytes)) return Full();
    return out;
  }

  Result<void> ReadHints(pbf_reader message, SelectHints& hints) {
    while (NextField(message, wire::kReadHints)) {
      switch (message.tag()) {
        case 1:
          hints.step_ms = message.get_int64();
          break;
        case 2:
          hints.function = message.get_string();
          break;
        case 3:
          hints.range.min = message.get_int64();
          break;
        case 4:
          hints.range.max = message.get_int64();
          break;
        case 5: {
          const auto label = message.get_view();
          if (!meter_.Take(kGroupingBytes + label.size())) return Full();
          hints.grouping.emplace_back(label.data(), label.size());
          break;
        }
        case 6:
          hints.by = ReadFlag(message);
          break;
        default:
          hints.range_ms = message.get_int64();
      }
    }
    return {};
  }

  MessageMeter& meter_;
};

}  // namespace

Result<ReadRequest> DecodeReadRequest(std::string_view bytes, MessageMeter& meter) {
  EPI_TRY(CheckWire(bytes, wire::kReadRequest));
  try {
    return RequestReader(meter).Read(pbf_reader(bytes.data(), bytes.size()));
  } catch (const protozero::exception& wrong) {  // of a field number that protobuf keeps for itself
    return Fail(ErrorCode::kInvalid, std::string("proto: ReadRequest: ") + wrong.what());
  }
}

Result<std::vector<Matcher>> CompileMatchers(const ReadQuery& query) {
  std::vector<Matcher> out;
  for (const auto& sent : query.matchers) {
    if (sent.type < 0 || sent.type > static_cast<int>(MatchType::kNotRegexp)) {
      return Fail(ErrorCode::kExecution, "invalid matcher type");
    }
    auto matcher = Matcher::Make(static_cast<MatchType>(sent.type), sent.name, sent.value);
    if (!matcher) return Fail(ErrorCode::kExecution, matcher.error().message());
    out.push_back(std::move(*matcher));
  }
  return out;
}

Result<ReadResponseType> ChooseResponseType(const std::vector<int>& accepted) {
  if (accepted.empty()) return ReadResponseType::kSamples;
  std::string names;
  for (const int type : accepted) {
    if (type == 0 || type == 1) return static_cast<ReadResponseType>(type);
    names += (names.empty() ? "" : " ") + std::to_string(type);
  }
  return Fail(ErrorCode::kInvalid, "server does not support any of the requested response types: [" + names +
                                       "]; supported: map[SAMPLES:{} STREAMED_XOR_CHUNKS:{}]");
}

}  // namespace epi::remote
