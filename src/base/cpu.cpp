// CPUID through the compiler's builtins, and Linux's permission for AMX tile data.
#include "base/cpu.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace transformers {
namespace {

bool amx_granted() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // arch_prctl: ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

CpuFeatures detect(Isa limit) {
  CpuFeatures f;
  __builtin_cpu_init();
  unsigned a = 0, b = 0, c = 0, d = 0, a1 = 0, b1 = 0, c1 = 0, d1 = 0;
  const bool leaf7 = __get_cpuid_count(7, 0, &a, &b, &c, &d);
  const bool leaf7_1 = leaf7 && a >= 1 && __get_cpuid_count(7, 1, &a1, &b1, &c1, &d1);
  f.avx2 = limit >= Isa::avx2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  f.avx_vnni = f.avx2 && limit >= Isa::avx2_vnni && leaf7_1 && (a1 & (1u << 4));
  f.avx512 = f.avx2 && limit >= Isa::avx512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  f.avx512_vnni = f.avx512 && limit >= Isa::avx512_vnni && __builtin_cpu_supports("avx512vnni");
  f.avx512_bf16 = f.avx512_vnni && leaf7_1 && (a1 & (1u << 5));
  const bool amx = f.avx512_vnni && limit >= Isa::amx && leaf7 && (d & (1u << 24)) && amx_granted();
  f.amx_int8 = amx && (d & (1u << 25));
  f.amx_bf16 = amx && (d & (1u << 22));
  return f;
}

Isa limit_from_environment() {
  const char* name = std::getenv("TRANSFORMERS_CPU_ISA");
  const char* names[] = {"scalar", "avx2", "avx2_vnni", "avx512", "avx512_vnni", "amx"};
  for (int i = 0; name && i < 6; ++i)
    if (std::strcmp(name, names[i]) == 0) return static_cast<Isa>(i);
  return Isa::amx;
}

struct State {
  Isa limit = limit_from_environment();
  CpuFeatures features = detect(limit);
};
State& state() {
  static State s;
  return s;
}

}  // namespace

const CpuFeatures& cpu() { return state().features; }
Isa isa_limit() { return state().limit; }
void set_isa_limit(Isa limit) { state().limit = limit, state().features = detect(limit); }

}  // namespace transformers
