#include "net/multipart_form.h"

#include <optional>
#include <string>

#include "net/http_headers.h"
#include "net/media_type.h"

namespace epi::net {
namespace {

constexpr size_t kMostParts = 1000;  // as Go's mime/multipart

// Reads a body from its first delimiter, "--boundary" at the beginning of a line, to its last.
class MultipartReader {
 public:
  MultipartReader(std::string_view body, std::string_view boundary)
      : body_(body), delimiter_("\n--" + std::string(boundary)) {}

  // What stands before the next delimiter, which is left behind. Nothing when there is none.
  std::optional<std::string_view> TakeToDelimiter() {
    const std::string_view first = std::string_view(delimiter_).substr(1);
    if (at_ == 0 && body_.starts_with(first)) return Take(0, first.size());
    // The line break before a delimiter may be the one that ends the header.
    for (size_t from = at_ == 0 ? 0 : at_ - 1; true; ++from) {
      from = body_.find(delimiter_, from);
      if (from == std::string_view::npos) return std::nullopt;
      const size_t end = from + delimiter_.size();
      if (end < body_.size() && std::string_view(" \t\r\n-").find(body_[end]) != std::string_view::npos)
        return Take(from, delimiter_.size());
    }
  }
  bool IsLast() const { return body_.substr(at_).starts_with("--"); }
  // A line without its end. Nothing when it has none.
  std::optional<std::string_view> TakeLine() {
    const size_t end = body_.find('\n', at_);
    if (end == std::string_view::npos) return std::nullopt;
    auto line = body_.substr(at_, end - at_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    at_ = end + 1;
    return line;
  }

 private:
  std::string_view Take(size_t end, size_t delimiter) {
    auto text = body_.substr(at_, end > at_ ? end - at_ : 0);
    if (text.ends_with('\r')) text.remove_suffix(1);
    at_ = end + delimiter;
    return text;
  }

  std::string_view body_;
  const std::string delimiter_;
  size_t at_ = 0;
};

// The name of the field that the header of a part announces: empty for files and what is no field.
std::string FieldName(std::string_view disposition) {
  const auto parsed = ParseMediaType(disposition);
  if (!parsed || parsed->type != "form-data" || parsed->parameters.contains("filename")) return {};
  const auto name = parsed->parameters.find("name");
  return name == parsed->parameters.end() ? std::string() : name->second;
}

// Reads the header of a part. Nothing when it has no end.
std::optional<std::string> ReadFieldName(MultipartReader& reader) {
  constexpr std::string_view kDisposition = "Content-Disposition:";
  std::string name;
  while (const auto line = reader.TakeLine()) {
    if (line->empty()) return name;
    if (EqualsIgnoreCase(line->substr(0, kDisposition.size()), kDisposition))
      name = FieldName(line->substr(kDisposition.size()));
  }
  return std::nullopt;
}

}  // namespace

QueryParams ParseMultipartForm(std::string_view body, std::string_view boundary) {
  QueryParams fields;
  MultipartReader reader(body, boundary);
  if (!reader.TakeToDelimiter()) return {};
  for (size_t parts = 0; !reader.IsLast(); ++parts) {
    if (parts == kMostParts || !reader.TakeLine()) return {};
    auto name = ReadFieldName(reader);
    if (!name) return {};
    const auto value = reader.TakeToDelimiter();
    if (!value) return {};
    if (!name->empty()) fields.emplace_back(std::move(*name), *value);
  }
  return fields;
}

}  // namespace epi::net
