// Small helpers of the commands.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>

#include "commands.h"
#include "transformers/error.h"
#include "transformers/json.h"

namespace transformers::cli {

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::vector<std::string> read_inputs(const std::vector<std::string>& inputs) {
  if (!(inputs.size() == 1 && inputs[0] == "-")) return inputs;
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) lines.push_back(line);
  return lines;
}

std::string settings_to_json(const std::vector<std::string>& settings) {
  Json j = Json::object();
  for (const std::string& s : settings) {
    const size_t eq = s.find('=');
    if (eq == std::string::npos || eq == 0) throw ValueError({"expected name=value, got \"", s, "\""});
    const std::string name = s.substr(0, eq);
    std::string text = s.substr(eq + 1);
    if (text == "True" || text == "False" || text == "None") text = text == "True" ? "true" : text == "False" ? "false" : "null";
    try {
      j.set(name, Json::parse(text));
    } catch (const ConfigError&) {
      j.set(name, text);
    }
  }
  return j.dump();
}

}  // namespace transformers::cli
