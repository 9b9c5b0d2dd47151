#include "remote/write_negotiation.h"

#include <algorithm>
#include <string>

namespace epi::remote {
namespace {

std::string_view Trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

// The text up to the next ';', removed from `rest`.
std::string_view NextPart(std::string_view& rest) {
  const auto semicolon = rest.find(';');
  const auto part = rest.substr(0, semicolon);
  rest = semicolon == std::string_view::npos ? std::string_view() : rest.substr(semicolon + 1);
  return part;
}

std::string NameList(std::span<const WriteMessage> messages) {
  std::string out;
  for (const auto message : messages) {
    if (!out.empty()) out += ", ";
    out += WriteMessageName(message);
  }
  return out;
}

Result<WriteMessage> MessageOf(std::string_view content_type) {
  if (content_type.empty()) return WriteMessage::kV1;
  std::string_view rest = content_type;
  const auto media = Trim(NextPart(rest));
  if (media != "application/x-protobuf") {
    return Fail(ErrorCode::kUnsupported, "expected application/x-protobuf as the first (media) part, got " +
                                             std::string(content_type) + " content-type");
  }
  constexpr WriteMessage kAll[] = {WriteMessage::kV1, WriteMessage::kV2};
  while (!rest.empty()) {
    const auto parameter = Trim(NextPart(rest));
    const auto equals = parameter.find('=');
    if (equals == std::string_view::npos) {
      return Fail(ErrorCode::kUnsupported,
                  "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to "
                  "be key-values, got " +
                      std::string(parameter) + " in " + std::string(content_type) + " content-type");
    }
    if (parameter.substr(0, equals) != "proto") continue;
    const auto name = parameter.substr(equals + 1);
    if (const auto message = WriteMessageFromName(name)) return *message;
    return Fail(ErrorCode::kUnsupported, "got " + std::string(content_type) +
                                             " content type; unknown type for remote write protobuf message " +
                                             std::string(name) + ", supported: " + NameList(kAll));
  }
  return WriteMessage::kV1;
}

}  // namespace

Result<WriteMessage> NegotiateWrite(std::string_view content_type, std::string_view content_encoding,
                                    std::span<const WriteMessage> accepted) {
  EPI_ASSIGN(const WriteMessage message, MessageOf(content_type));
  if (std::find(accepted.begin(), accepted.end(), message) == accepted.end()) {
    return Fail(ErrorCode::kUnsupported, std::string(WriteMessageName(message)) +
                                             " protobuf message is not accepted by this server; only accepts " +
                                             NameList(accepted));
  }
  if (!content_encoding.empty() && content_encoding != "snappy") {
    return Fail(ErrorCode::kUnsupported, std::string(content_encoding) +
                                             " encoding (compression) is not accepted by this server; only snappy is "
                                             "acceptable");
  }
  return message;
}

}  // namespace epi::remote
