// Highway, restricted to the targets we build for: its portable baseline (plain C++), AVX2 and AVX-512. A kernel file defines
// HWY_TARGET_INCLUDE as its own path, includes <hwy/foreach_target.h> through here, and opens HWY_NAMESPACE.
// No include guard on purpose of the part below: Highway re-includes the kernel file once per target.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif
/// Before a loop of constant count over registers.
#ifndef TRANSFORMERS_UNROLL
#ifdef __clang__
#define TRANSFORMERS_UNROLL _Pragma("unroll")
#else
#define TRANSFORMERS_UNROLL _Pragma("GCC unroll 16")
#endif
#endif
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
