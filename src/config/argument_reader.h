// A command line taken apart into words with the rules of kingpin, which Prometheus and promtool use: --flag=value,
// letters in a row (-rq), "--" before words that look like flags, @file for more words.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"

namespace epi::config {

struct ArgumentToken {
  enum class Kind : unsigned char {
    kFlag,    // --name; the text behind its '=' is the value that follows
    kLetter,  // one letter of -abc
    kValue,
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string text;  // without dashes; a value that is a lone dash is empty, as kingpin has it
};

// Not thread-safe.
class ArgumentReader {
 public:
  // `files` reads @file, a word a line, and outlives the reader.
  ArgumentReader(const std::vector<std::string>& arguments, FileSystem& files);
  // kInvalid with kingpin's words when a file of arguments cannot be read.
  Result<ArgumentToken> Next();

 private:
  Result<void> Expand(const std::string& path);

  std::deque<std::string> waiting_;
  std::deque<ArgumentToken> ready_;  // of a word that was more than one token
  FileSystem& files_;
  bool only_values_ = false;
  int files_read_ = 0;
};

}  // namespace epi::config
