// What is wrong with the text of a YAML document, in the words and with the lines of Prometheus's YAML library, so that
// scripts that look for them find them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace epi::config {

// Lines and columns count from 0.
struct YamlPlace {
  int line = 0;
  int column = 0;
};

// The line that an error names.
enum class YamlErrorPlace : unsigned char {
  kProblem,  // where it was noticed, as go-yaml v2, which reads Prometheus's configuration
  kStart,    // where what is wrong begins, as v3, which reads its rules
};

// The collection inside which reading stopped.
struct YamlOpenCollection {
  YamlPlace start;
  // A sequence whose dashes stand under the key it belongs to; `start` is that of the mapping then.
  bool indentless = false;
};

// "yaml: line 3: did not find expected key" for an exception of yaml-cpp at `place`.
std::string YamlSyntaxError(std::string_view message, YamlPlace place, std::string_view text,
                            const std::optional<YamlOpenCollection>& open, YamlErrorPlace told);
// Of a text without any node: the library takes a tab for blank space, YAML lets no token begin with one. Empty: no tab
// indents a line.
std::string YamlTabError(std::string_view text);

// A quoted scalar as it is written, with its quotes; empty for a scalar that is none. `text` begins with the scalar's
// properties, or with its quote. Nothing when the closing quote is missing.
std::optional<std::string_view> YamlQuotedSource(std::string_view text);
// "yaml: line 2: found unexpected end of stream", for a scalar that begins in `line` of `text`.
std::string YamlUnclosedQuote(std::string_view text, int line, YamlErrorPlace told);
// "yaml: line 2: could not find expected ':'", for what begins at `key`.
std::string YamlMissingColon(std::string_view text, YamlPlace key, YamlErrorPlace told);
// "yaml: line 2: did not find expected node content", for line 2 counted from 0.
std::string YamlMissingNode(int line);
// "yaml: line 2: found unknown directive name", which the library passes over or ends the document at; or a directive
// without a "---" behind it. The document's first and last node begin in the lines `first` and `last`. Empty: nothing
// is wrong.
std::string YamlDirectiveError(std::string_view text, int first, int last);
// The library takes what follows a block sequence for another document, also without a marker between them. `line` is
// one in the sequence's last item or behind it. Empty: a marker comes first, or the sequence is none of a block.
std::string YamlAfterSequence(std::string_view text, YamlPlace sequence, int line, YamlErrorPlace told);
// What a quoted scalar of nothing but blanks and line breaks is: the library reads it as empty.
std::string YamlBlankLines(std::string_view source);

}  // namespace epi::config
