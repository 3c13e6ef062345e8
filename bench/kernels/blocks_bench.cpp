// Products on GGUF blocks: decode shapes (GB/s of stored weights) and prompt shapes (GFLOPS) of SmolLM2-135M and Llama-1B.
// Arguments: rows of x, out, in.
#include <benchmark/benchmark.h>

#include "ops/blocks.h"

namespace transformers {
namespace {

void product(benchmark::State& state, BlockType type) {
  const int64_t rows = state.range(0), out = state.range(1), in = state.range(2) / block_values(type) * block_values(type);
  const Tensor blocks = Tensor::full({out, in / block_values(type) * block_bytes(type)}, 17, DType::u8);
  const auto weight = make_block_matrix(type, blocks, out, in);
  const Tensor x = Tensor::full({rows, in}, 0.5);
  const NoGrad no_grad;
  for (auto _ : state) benchmark::DoNotOptimize(linear_blocks(x, weight).raw());
  state.SetBytesProcessed(state.iterations() * block_matrix_bytes(*weight));
  state.counters["GFLOPS"] = benchmark::Counter(2e-9 * static_cast<double>(rows * out * in) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
void shapes(benchmark::internal::Benchmark* b) {
  b->Args({1, 1536, 576})->Args({1, 49152, 576})->Args({1, 8192, 2048})->Args({4, 8192, 2048})->Args({512, 1536, 576})->Args({512, 576, 1536});
  b->UseRealTime()->Unit(benchmark::kMicrosecond);
}
BENCHMARK_CAPTURE(product, Q4_0, BlockType::q4_0)->Apply(shapes);
BENCHMARK_CAPTURE(product, Q4_1, BlockType::q4_1)->Apply(shapes);
BENCHMARK_CAPTURE(product, Q8_0, BlockType::q8_0)->Apply(shapes);
BENCHMARK_CAPTURE(product, Q4_K, BlockType::q4_k)->Apply(shapes);
BENCHMARK_CAPTURE(product, Q6_K, BlockType::q6_k)->Apply(shapes);
BENCHMARK_CAPTURE(product, F16, BlockType::f16)->Apply(shapes);
BENCHMARK_CAPTURE(product, BF16, BlockType::bf16)->Apply(shapes);

}  // namespace
}  // namespace transformers
