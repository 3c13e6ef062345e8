// selective_scan against its plain-op form: values, states, gradients, split sequences, errors.
#include "nn/selective_scan.h"

#include <gtest/gtest.h>

#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/random.h"
#include "ops/reduce.h"

namespace transformers {
namespace {

struct Args {
  Tensor x = randn({2, 5, 3}), dt = rand({2, 5, 3}), a = -exp(randn({3, 4})).detach(), b = randn({2, 5, 4}),
         c = randn({2, 5, 4});
  std::vector<Tensor> all() { return {x, dt, a, b, c}; }
};

// The specification: one token at a time with plain ops.
Tensor scan_reference(const Args& s) {
  Tensor h = Tensor::zeros({2, 3, 4});
  std::vector<Tensor> ys;
  for (int64_t t = 0; t < 5; ++t) {
    const Tensor dt = s.dt.select(1, t).unsqueeze(-1), x = s.x.select(1, t).unsqueeze(-1);  // [B, I, 1]
    h = exp(dt * s.a) * h + dt * x * s.b.select(1, t).unsqueeze(1);
    ys.push_back(sum(h * s.c.select(1, t).unsqueeze(1), {-1}));
  }
  return stack(ys, 1);
}

double distance(const Tensor& a, const Tensor& b) { return amax(abs(a - b)).item(); }

TEST(SelectiveScan, ValuesAndGradientsMatchPlainOps) {
  manual_seed(1);
  Args s;
  const Tensor weights = randn({2, 5, 3});
  std::vector<Tensor> grads[2];
  Tensor y[2];
  for (int pass = 0; pass < 2; ++pass) {
    for (Tensor t : s.all()) t.set_requires_grad(), t.set_grad({});
    y[pass] = pass ? scan_reference(s) : selective_scan(s.x, s.dt, s.a, s.b, s.c).y;
    sum(y[pass] * weights).backward();
    for (const Tensor& t : s.all()) grads[pass].push_back(t.grad());
  }
  EXPECT_LT(distance(y[0].detach(), y[1].detach()), 1e-5);
  for (size_t i = 0; i < 5; ++i) EXPECT_LT(distance(grads[0][i], grads[1][i]), 1e-4) << "input " << i;
}

TEST(SelectiveScan, ContinuesFromAState) {
  manual_seed(2);
  Args s;
  const ScanResult whole = selective_scan(s.x, s.dt, s.a, s.b, s.c);
  const auto part = [&](int64_t from, int64_t to, const Tensor& state) {
    return selective_scan(s.x.slice(1, from, to), s.dt.slice(1, from, to), s.a, s.b.slice(1, from, to),
                          s.c.slice(1, from, to), state);
  };
  const ScanResult first = part(0, 2, {}), second = part(2, 5, first.state);
  EXPECT_LT(distance(cat({first.y, second.y}, 1), whole.y), 1e-6);
  EXPECT_LT(distance(second.state, whole.state), 1e-6);
}

TEST(SelectiveScan, RejectsShapesThatDoNotAgree) {
  Args s;
  EXPECT_THROW(selective_scan(s.x, s.dt.slice(1, 0, 4), s.a, s.b, s.c), ShapeError);
  EXPECT_THROW(selective_scan(s.x, s.dt, s.a, s.b, s.c, Tensor::zeros({2, 3, 5})), ShapeError);
}

}  // namespace
}  // namespace transformers
