// What the processor is and can do.
#pragma once
#include <string>

namespace transformers {

std::string cpu_name();      ///< "AMD EPYC 9R14", from /proc/cpuinfo.
std::string cpu_features();  ///< Those that kernels care about: "avx2 avx512f avx512_vnni amx_int8 ...".

}  // namespace transformers
