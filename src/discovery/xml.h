// XML answers of APIs as small trees: elements and their text, no attributes, no DTDs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace epi::discovery {

struct XmlElement {
  std::string name;  // without a namespace prefix
  std::string text;  // of the element itself, entities resolved
  std::vector<XmlElement> children;

  // The first child with this name; an empty element when there is none.
  const XmlElement& operator[](std::string_view child) const;
  bool Has(std::string_view child) const;
};

// The root element. kInvalid for what is not well-formed or nested more than 100 deep, or has more than 8 Mi elements.
Result<XmlElement> ParseXml(std::string_view text);

}  // namespace epi::discovery
