// Function attributes that compile one function for a wider instruction set than the rest of the program. Only raw loops
// and intrinsics belong into such functions, never std:: templates: their code could be shared with older machines.
#pragma once

#define TRANSFORMERS_TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define TRANSFORMERS_TARGET_AVX_VNNI __attribute__((target("avx2,fma,f16c,avxvnni")))
#define TRANSFORMERS_TARGET_AVX512 __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))
#define TRANSFORMERS_TARGET_AVX512_VNNI __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define TRANSFORMERS_TARGET_AMX \
  __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,amx-tile,amx-int8,amx-bf16")))
#define TRANSFORMERS_INLINE inline __attribute__((always_inline))
