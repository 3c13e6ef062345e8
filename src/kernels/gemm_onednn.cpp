// Dense products by oneDNN, one primitive per shape and layout, kept per thread.
#include <dnnl.hpp>

#include <cstring>
#include <string>
#include <unordered_map>

#include "base/cpu.h"
#include "kernels/gemm.h"
#include "kernels/onednn.h"

namespace transformers::kernels {

const dnnl::engine& onednn_engine() {
  static const dnnl::engine engine = [] {
    const Isa limit = isa_limit();
    if (limit < Isa::amx) {  // only has an effect before the first primitive
      const dnnl::cpu_isa isa = limit == Isa::avx512_vnni ? dnnl::cpu_isa::avx512_core_vnni : limit == Isa::avx512 ? dnnl::cpu_isa::avx512_core
                                : limit >= Isa::avx2 ? dnnl::cpu_isa::avx2 : dnnl::cpu_isa::sse41;
      dnnl_set_max_cpu_isa(static_cast<dnnl_cpu_isa_t>(isa));
    }
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return engine;
}
dnnl::stream& onednn_stream() {
  thread_local dnnl::stream stream(onednn_engine());
  return stream;
}
dnnl::memory::data_type onednn_type(DType type) {
  return type == DType::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

namespace {

using dnnl::memory;

struct Key {
  int64_t v[12];
  bool operator==(const Key& o) const { return std::memcmp(v, o.v, sizeof(v)) == 0; }
};
struct KeyHash {
  size_t operator()(const Key& k) const {
    uint64_t h = 0x9E3779B97F4A7C15ull;
    for (int64_t x : k.v) h = (h ^ static_cast<uint64_t>(x)) * 0xD6E8FEB86659FD93ull, h ^= h >> 32;
    return h;
  }
};
struct Product {
  dnnl::matmul primitive;
  memory a, b, c;
  bool usable = false;
};

// oneDNN wants one unit stride and no overlap; dimensions of 1 have free strides, which are made plain here.
bool plain(Matrices& m, int64_t rows, int64_t cols, int64_t batch) {
  if (rows == 1) m.row = m.col == 1 ? cols : 1;
  if (cols == 1) m.col = m.row == 1 ? rows : 1;
  if (rows == 1 && cols == 1) m.row = m.col = 1;
  const bool normal = m.col == 1 && m.row >= cols, turned = m.row == 1 && m.col >= rows;
  if (batch == 1) m.batch = normal ? rows * m.row : cols * m.col;
  return (normal || turned) && (batch == 1 || m.batch > 0);
}

Product make(DType type, int64_t batch, int64_t m, int64_t n, int64_t k, const Matrices& a, const Matrices& b) {
  Product p;
  try {
    const memory::data_type t = onednn_type(type);
    memory::desc da, db, dc;
    if (batch == 1) {
      da = {{m, k}, t, memory::dims{a.row, a.col}}, db = {{k, n}, t, memory::dims{b.row, b.col}}, dc = {{m, n}, t, memory::dims{n, 1}};
    } else {
      da = {{batch, m, k}, t, memory::dims{a.batch, a.row, a.col}}, db = {{batch, k, n}, t, memory::dims{b.batch, b.row, b.col}};
      dc = {{batch, m, n}, t, memory::dims{m * n, n, 1}};
    }
    const dnnl::matmul::primitive_desc pd({da, db, dc}, onednn_engine());
    if (std::strstr(pd.impl_info_str(), "ref")) return p;
    p.primitive = dnnl::matmul(pd);
    p.a = memory(da, onednn_engine(), nullptr), p.b = memory(db, onednn_engine(), nullptr), p.c = memory(dc, onednn_engine(), nullptr);
    p.usable = true;
  } catch (const dnnl::error&) {  // no implementation: the caller has its own loops
  }
  return p;
}

}  // namespace

bool gemm_onednn(DType type, int64_t batch, int64_t m, int64_t n, int64_t k, const Matrices& a_in, const Matrices& b_in, void* c) {
  if (!cpu().avx2 || (type == DType::bf16 && !cpu().amx_bf16 && !cpu().avx512_bf16)) return false;
  Matrices a = a_in, b = b_in;
  if (!plain(a, m, k, batch) || !plain(b, k, n, batch)) return false;
  const Key key{{static_cast<int64_t>(type), batch, m, n, k, a.batch, a.row, a.col, b.batch, b.row, b.col, 0}};
  thread_local std::unordered_map<Key, Product, KeyHash> cache;
  auto found = cache.find(key);
  if (found == cache.end()) {
    if (cache.size() >= 2048) cache.clear();  // shapes of long sessions are unbounded
    found = cache.emplace(key, make(type, batch, m, n, k, a, b)).first;
  }
  Product& p = found->second;
  if (!p.usable) return false;
  try {
    p.a.set_data_handle(const_cast<void*>(a.data)), p.b.set_data_handle(const_cast<void*>(b.data)), p.c.set_data_handle(c);
    p.primitive.execute(onednn_stream(), {{DNNL_ARG_SRC, p.a}, {DNNL_ARG_WEIGHTS, p.b}, {DNNL_ARG_DST, p.c}});
  } catch (const dnnl::error&) {
    return false;
  }
  return true;
}

}  // namespace transformers::kernels
