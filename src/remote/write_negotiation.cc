#include "remote/write_negotiation.h"

#include <algorithm>
#include <string>

#include "base/trim.h"

namespace epi::remote {
namespace {

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
  content_type = Trimmed(content_type, kBlanks);
  std::string_view rest = content_type;
  if (NextPart(rest) != "application/x-protobuf") {
    return Fail(ErrorCode::kUnsupported, "expected application/x-protobuf as the first (media) part, got " +
                                             std::string(content_type) + " content-type");
  }
  constexpr WriteMessage kAll[] = {WriteMessage::kV1, WriteMessage::kV2};
  for (bool more = content_type.find(';') != std::string_view::npos; more;) {
    more = rest.find(';') != std::string_view::npos;
    const auto parameter = NextPart(rest);
    if (std::count(parameter.begin(), parameter.end(), '=') != 1) {
      return Fail(ErrorCode::kUnsupported,
                  "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to "
                  "be key-values, got " +
                      std::string(parameter) + " in " + std::string(content_type) + " content-type");
    }
    const auto equals = parameter.find('=');
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

Result<void> CheckWriteEncoding(std::string_view content_encoding) {
  if (content_encoding.empty() || content_encoding == "snappy") return {};
  return Fail(ErrorCode::kUnsupported,
              std::string(content_encoding) +
                  " encoding (compression) is not accepted by this server; only snappy is acceptable");
}

Result<WriteMessage> NegotiateWrite(std::string_view content_type, std::span<const WriteMessage> accepted) {
  EPI_ASSIGN(const WriteMessage message, MessageOf(content_type));
  if (std::find(accepted.begin(), accepted.end(), message) == accepted.end()) {
    return Fail(ErrorCode::kUnsupported, std::string(WriteMessageName(message)) +
                                             " protobuf message is not accepted by this server; only accepts " +
                                             NameList(accepted));
  }
  return message;
}

}  // namespace epi::remote
