// Dense products: packed weights with fused epilogues against plain linear. Shapes of MiniLM and BERT at 128 tokens, and
// decode. Arguments: rows of x, out, in.
#include <benchmark/benchmark.h>

#include "ops/matmul.h"
#include "ops/packed.h"

namespace transformers {
namespace {

void count(benchmark::State& state, DType type) {
  const int64_t rows = state.range(0), out = state.range(1), in = state.range(2);
  state.SetBytesProcessed(state.iterations() * out * in * size_of(type));
  state.counters["GFLOPS"] = benchmark::Counter(2e-9 * static_cast<double>(rows * out * in) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
void packed(benchmark::State& state, DType type, FusedActivation act) {
  const Tensor x = Tensor::full({state.range(0), state.range(2)}, 0.5, type);
  const PackedWeight weight(Tensor::full({state.range(1), state.range(2)}, 0.01, type));
  const NoGrad no_grad;
  for (auto _ : state) benchmark::DoNotOptimize(linear_fused(x, weight, {}, act).raw());
  count(state, type);
}
void plain(benchmark::State& state, DType type) {
  const Tensor x = Tensor::full({state.range(0), state.range(2)}, 0.5, type), weight = Tensor::full({state.range(1), state.range(2)}, 0.01, type);
  const NoGrad no_grad;
  for (auto _ : state) benchmark::DoNotOptimize(linear(x, weight).raw());
  count(state, type);
}
void shapes(benchmark::internal::Benchmark* b) {
  b->Args({128, 384, 384})->Args({128, 1536, 384})->Args({128, 384, 1536})->Args({128, 3072, 768})->Args({1, 8192, 2048});
  b->UseRealTime()->Unit(benchmark::kMicrosecond);
}
BENCHMARK_CAPTURE(plain, f32, DType::f32)->Apply(shapes);
BENCHMARK_CAPTURE(packed, f32, DType::f32, FusedActivation::none)->Apply(shapes);
BENCHMARK_CAPTURE(packed, f32_gelu, DType::f32, FusedActivation::gelu_erf)->Apply(shapes);
BENCHMARK_CAPTURE(plain, bf16, DType::bf16)->Apply(shapes);
BENCHMARK_CAPTURE(packed, bf16, DType::bf16, FusedActivation::none)->Apply(shapes);
BENCHMARK_CAPTURE(packed, bf16_gelu, DType::bf16, FusedActivation::gelu_erf)->Apply(shapes);
BENCHMARK_CAPTURE(packed, f16, DType::f16, FusedActivation::none)->Apply(shapes);

}  // namespace
}  // namespace transformers
