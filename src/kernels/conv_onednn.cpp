// Forward convolution by oneDNN: it picks its blocked layouts, we reorder in and out. One primitive per shape and thread.
#include <dnnl.hpp>

#include <cstring>
#include <unordered_map>

#include "base/cpu.h"
#include "kernels/conv.h"
#include "kernels/onednn.h"

namespace transformers::kernels {
namespace {

using dnnl::memory;

struct Key {
  DType type;
  bool bias;
  ConvGeometry g;
  bool operator==(const Key& o) const { return type == o.type && bias == o.bias && std::memcmp(&g, &o.g, sizeof(g)) == 0; }
};
struct KeyHash {
  size_t operator()(const Key& k) const {
    int64_t words[sizeof(ConvGeometry) / 8];
    std::memcpy(words, &k.g, sizeof(words));
    uint64_t h = static_cast<uint64_t>(k.type) * 2 + k.bias;
    for (int64_t x : words) h = (h ^ static_cast<uint64_t>(x)) * 0xD6E8FEB86659FD93ull, h ^= h >> 32;
    return h;
  }
};
struct Entry {
  bool usable = false;
  dnnl::convolution_forward primitive;
  memory::desc x, w, bias, y;           // as the caller has them
  memory::desc x_want, w_want, y_want;  // as the primitive wants them
};

memory::dims padded_dims(std::initializer_list<int64_t> head, const int64_t* spatial, int rank) {
  memory::dims d(head);
  for (int i = 3 - rank; i < 3; ++i) d.push_back(spatial[i]);
  return d;
}

Entry make(const Key& key) {
  Entry e;
  const ConvGeometry& g = key.g;
  const int rank = g.in[0] == 1 && g.k[0] == 1 && g.pad[0] == 0 ? (g.in[1] == 1 && g.k[1] == 1 && g.pad[1] == 0 ? 1 : 2) : 3;
  try {
    const auto t = onednn_type(key.type);
    const auto xd = padded_dims({g.batch, g.cin}, g.in, rank), yd = padded_dims({g.batch, g.cout}, g.out, rank);
    const auto wd = g.groups > 1 ? padded_dims({g.groups, g.cout / g.groups, g.cin / g.groups}, g.k, rank) : padded_dims({g.cout, g.cin}, g.k, rank);
    const auto dense = [&](const memory::dims& d) {
      memory::dims st(d.size(), 1);
      for (size_t i = d.size() - 1; i > 0; --i) st[i - 1] = st[i] * d[i];
      return memory::desc(d, t, st);
    };
    e.x = dense(xd), e.w = dense(wd), e.y = dense(yd);
    if (key.bias) e.bias = memory::desc({g.cout}, t, memory::format_tag::a);
    const auto any = [&](const memory::dims& d) { return memory::desc(d, t, memory::format_tag::any); };
    memory::dims dilation, pad_end;
    for (int i = 3 - rank; i < 3; ++i) {
      dilation.push_back(g.dilation[i] - 1);
      // What remains on the far side; may be negative when the last inputs are not used.
      pad_end.push_back((g.out[i] - 1) * g.stride[i] + (g.k[i] - 1) * g.dilation[i] + 1 - g.in[i] - g.pad[i]);
    }
    const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, any(xd), any(wd), e.bias, any(yd),
                                               padded_dims({}, g.stride, rank), dilation, padded_dims({}, g.pad, rank), pad_end);
    const dnnl::convolution_forward::primitive_desc pd(desc, onednn_engine());
    if (std::strstr(pd.impl_info_str(), "ref")) return e;
    e.x_want = pd.src_desc(), e.w_want = pd.weights_desc(), e.y_want = pd.dst_desc();
    e.primitive = dnnl::convolution_forward(pd);
    e.usable = true;
  } catch (const dnnl::error&) {  // no implementation: the caller has its own loops
  }
  return e;
}

memory reordered(const memory::desc& have, const memory::desc& want, const void* data) {
  memory from(have, onednn_engine(), const_cast<void*>(data));
  if (have == want) return from;
  memory to(want, onednn_engine());
  dnnl::reorder(from, to).execute(onednn_stream(), from, to);
  return to;
}

}  // namespace

bool conv_onednn(DType type, const ConvGeometry& g, const void* x, const void* w, const void* bias, void* y) {
  if (!cpu().avx2 || (type == DType::bf16 && !cpu().amx_bf16 && !cpu().avx512_bf16)) return false;
  const Key key{type, bias != nullptr, g};
  thread_local std::unordered_map<Key, Entry, KeyHash> cache;
  auto found = cache.find(key);
  if (found == cache.end()) {
    if (cache.size() >= 512) cache.clear();
    found = cache.emplace(key, make(key)).first;
  }
  Entry& e = found->second;
  if (!e.usable) return false;
  try {
    const memory mx = reordered(e.x, e.x_want, x), mw = reordered(e.w, e.w_want, w);
    const memory out(e.y, onednn_engine(), y), my = e.y == e.y_want ? out : memory(e.y_want, onednn_engine());
    std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, mx}, {DNNL_ARG_WEIGHTS, mw}, {DNNL_ARG_DST, my}};
    if (bias) arguments.emplace(DNNL_ARG_BIAS, memory(e.bias, onednn_engine(), const_cast<void*>(bias)));
    e.primitive.execute(onednn_stream(), arguments);
    if (!(e.y == e.y_want)) {
      memory from = my, to = out;
      dnnl::reorder(from, to).execute(onednn_stream(), from, to);
    }
  } catch (const dnnl::error&) {
    return false;
  }
  return true;
}

}  // namespace transformers::kernels
