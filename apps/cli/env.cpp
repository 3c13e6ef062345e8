// transformers env: what a bug report needs.
#include <cstdio>
#include <cstdlib>

#include "base/cpu_info.h"
#include "base/parallel.h"
#include "commands.h"
#include "io/hub.h"
#include "models/registry.h"
#include "transformers/pipeline.h"
#include "transformers/version.h"

namespace transformers::cli {

int env() {
  std::printf("transformers.cpp: %s\ncompiler: %s\nCPU: %s\nCPU features: %s\nthreads: %d\nHub cache: %s\n", TRANSFORMERS_VERSION, __VERSION__, cpu_name().c_str(),
              cpu_features().c_str(), num_threads(), hub_cache_dir().c_str());
  for (const char* name : {"HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "TRANSFORMERS_OFFLINE", "TRANSFORMERS_CPU_ISA", "OMP_NUM_THREADS"})
    if (const char* v = std::getenv(name)) std::printf("%s=%s\n", name, v);
  std::string types, tasks;
  for (const std::string& t : ModelRegistry::instance().model_types()) types += (types.empty() ? "" : ", ") + t;
  for (const std::string& t : pipeline_tasks()) tasks += (tasks.empty() ? "" : ", ") + t;
  std::printf("model types: %s\ntasks: %s\n", types.c_str(), tasks.c_str());
  return 0;
}

}  // namespace transformers::cli
