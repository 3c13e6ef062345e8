// How reductions see a tensor: [outer, n, inner], reducing n. Private to src/ops.
#pragma once
#include "ops/iterate.h"

namespace transformers::detail {

struct Fold {
  Tensor x;  // contiguous, detached
  int64_t outer = 1, n = 1, inner = 1;
  Shape out, kept;  // result shape; the same with the reduced dimensions as 1
  bool reduced[Shape::kMaxRank] = {};

  /// `dims` may be negative; {} means all. Throws ShapeError on a dimension that is out of range or named twice.
  Fold(const char* op, const Tensor& t, const Shape& dims, bool keepdim) {
    for (int64_t d : dims) {
      d = wrap_dim(op, d, t.rank());
      if (reduced[d]) throw ShapeError({op, ": dim ", d, " appears twice in ", dims.str()});
      reduced[d] = true;
    }
    for (int64_t i = 0; dims.empty() && i < t.rank(); ++i) reduced[i] = true;
    kept = t.shape();
    int phase = 0;  // 0 before, 1 inside, 2 after the run of reduced dimensions
    bool one_run = true;
    Shape order;
    for (int64_t i = 0; i < t.rank(); ++i) {
      const int64_t size = t.shape()[i];
      if (reduced[i]) {
        kept[i] = 1;
        if (size != 1 && phase == 2) one_run = false;
        if (size != 1 && phase == 0) phase = 1;
        n *= size;
      } else {
        order.push_back(i);
        if (size != 1 && phase == 1) phase = 2;
        (phase == 0 ? outer : inner) *= size;
      }
      if (!reduced[i] || keepdim) out.push_back(kept[i]);
    }
    if (!one_run) {  // bring the reduced dimensions to the end
      outer *= inner, inner = 1;
      for (int64_t i = 0; i < t.rank(); ++i)
        if (reduced[i]) order.push_back(i);
      x = t.detach().permute(order).contiguous();
    } else {
      x = t.detach().contiguous();
    }
  }
  /// Repeats a tensor of the result's numel over the reduced dimensions: a view of the input's shape.
  Tensor spread(const Tensor& g, const Shape& shape) const { return g.reshape(kept).expand(shape); }
};

}  // namespace transformers::detail
