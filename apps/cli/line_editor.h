// Line input with editing and history on a terminal (libedit), plain lines otherwise.
#pragma once
#include <optional>
#include <string>

namespace transformers::cli {

class LineEditor {
 public:
  LineEditor();
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  /// The next line without its end, nullopt at the end of input. Ctrl-C at the prompt drops the line.
  std::optional<std::string> read(const std::string& prompt);

 private:
  bool terminal_;
};

}  // namespace transformers::cli
