// Memory that a thread keeps between kernel calls, so that a warm kernel allocates nothing.
#pragma once
#include <cstdint>

namespace transformers::kernels {

enum class Scratch { gemm_a, gemm_b, gemm_c, quantized, panel, row, widened, count };
/// At least `bytes` of 64-byte aligned memory of this thread, one block per use; contents are lost by the next call.
void* scratch(Scratch use, int64_t bytes);

}  // namespace transformers::kernels
