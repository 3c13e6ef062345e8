// Processor facts from /proc/cpuinfo.
#include "base/cpu_info.h"

#include <cstdio>
#include <cstring>

namespace transformers {

static std::string cpuinfo_line(const char* key) {
  std::string value;
  if (std::FILE* f = std::fopen("/proc/cpuinfo", "r")) {
    char line[8192];
    while (value.empty() && std::fgets(line, sizeof line, f))
      if (std::strncmp(line, key, std::strlen(key)) == 0)
        if (const char* colon = std::strchr(line, ':')) value = colon + 2;
    std::fclose(f);
  }
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}
std::string cpu_name() {
  const std::string name = cpuinfo_line("model name");
  return name.empty() ? "unknown" : name;
}
std::string cpu_features() {
  const std::string all = " " + cpuinfo_line("flags") + " ";
  std::string out;
  for (const char* f : {"avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8"})
    if (all.find(std::string(" ") + f + " ") != std::string::npos) out += (out.empty() ? "" : " ") + std::string(f);
  return out.empty() ? "baseline" : out;
}

}  // namespace transformers
