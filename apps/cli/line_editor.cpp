// Line input: libedit's readline interface on a terminal.
#include "line_editor.h"

#include <editline/readline.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace transformers::cli {

LineEditor::LineEditor() : terminal_(::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1) {}
LineEditor::~LineEditor() = default;

std::optional<std::string> LineEditor::read(const std::string& prompt) {
  if (!terminal_) {
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  }
  char* text = ::readline(prompt.c_str());
  if (!text) {
    std::puts("");
    return std::nullopt;
  }
  std::string line = text;
  std::free(text);
  if (!line.empty()) ::add_history(line.c_str());
  return line;
}

}  // namespace transformers::cli
