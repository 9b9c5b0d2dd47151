#include "remote/read_request.h"

#include <protozero/pbf_reader.hpp>

#include "remote/wire_field.h"

namespace epi::remote {
namespace {

using protozero::pbf_reader;

Result<Matcher> ReadMatcher(pbf_reader message) {
  int type = 0;
  std::string name, value;
  while (NextField(message, "vbb")) {
    switch (message.tag()) {
      case 1:
        type = message.get_enum();
        break;
      case 2:
        name = message.get_string();
        break;
      case 3:
        value = message.get_string();
        break;
      default:
        message.skip();
    }
  }
  if (type < 0 || type > 3) return Fail(ErrorCode::kInvalid, "invalid matcher type");
  return Matcher::Make(static_cast<MatchType>(type), std::move(name), std::move(value));
}

void ReadHints(pbf_reader message, SelectHints& hints) {
  while (NextField(message, "vb  bvv")) {
    switch (message.tag()) {
      case 1:
        hints.step_ms = message.get_int64();
        break;
      case 2:
        hints.function = message.get_string();
        break;
      case 5:
        hints.grouping.push_back(message.get_string());
        break;
      case 6:
        hints.by = ReadFlag(message);
        break;
      case 7:
        hints.range_ms = message.get_int64();
        break;
      default:
        message.skip();
    }
  }
}

Result<ReadQuery> ReadOneQuery(pbf_reader message) {
  ReadQuery query;
  query.hints.range = {0, 0};
  query.hints.sorted = true;
  while (NextField(message, "vvbb")) {
    switch (message.tag()) {
      case 1:
        query.hints.range.min = message.get_int64();
        break;
      case 2:
        query.hints.range.max = message.get_int64();
        break;
      case 3: {
        EPI_ASSIGN(auto matcher, ReadMatcher(message.get_message()));
        query.matchers.push_back(std::move(matcher));
        break;
      }
      case 4:
        ReadHints(message.get_message(), query.hints);
        break;
      default:
        message.skip();
    }
  }
  return query;
}

Result<ReadRequest> ReadMessage(pbf_reader message) {
  ReadRequest out;
  while (NextField(message, "bV")) {
    switch (message.tag()) {
      case 1: {
        EPI_ASSIGN(auto query, ReadOneQuery(message.get_message()));
        out.queries.push_back(std::move(query));
        break;
      }
      case 2:
        if (message.wire_type() == protozero::pbf_wire_type::length_delimited) {
          for (const int type : message.get_packed_enum()) out.accepted_types.push_back(type);
        } else {
          out.accepted_types.push_back(message.get_enum());
        }
        break;
      default:
        message.skip();
    }
  }
  return out;
}

}  // namespace

Result<ReadRequest> DecodeReadRequest(std::string_view bytes) {
  try {
    return ReadMessage(pbf_reader(bytes.data(), bytes.size()));
  } catch (const protozero::exception& wrong) {
    return Fail(ErrorCode::kInvalid, std::string("proto: prometheus.ReadRequest: ") + wrong.what());
  }
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
