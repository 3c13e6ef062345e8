// What this processor can do, and the limit that TRANSFORMERS_CPU_ISA sets on what is used of it.
#pragma once

namespace transformers {

/// Instruction sets, each including those before it.
enum class Isa { scalar, avx2, avx2_vnni, avx512, avx512_vnni, amx };

/// Parts that kernels ask for; a part is false when the processor lacks it or the limit forbids it.
struct CpuFeatures {
  bool avx2 = false;         ///< AVX2, FMA and F16C
  bool avx_vnni = false;     ///< VNNI on 256-bit registers without AVX-512
  bool avx512 = false;       ///< AVX-512 F, BW, DQ, VL
  bool avx512_vnni = false;
  bool avx512_bf16 = false;
  bool amx_int8 = false;     ///< AMX tiles; the kernel has granted their state to this process
  bool amx_bf16 = false;
};
const CpuFeatures& cpu();

/// The limit: TRANSFORMERS_CPU_ISA (scalar, avx2, avx2_vnni, avx512, avx512_vnni, amx), else the highest. An unknown name is
/// taken as the highest.
Isa isa_limit();
/// Changes the limit, for tests. oneDNN's own limit is only taken at its first use.
void set_isa_limit(Isa limit);

}  // namespace transformers
