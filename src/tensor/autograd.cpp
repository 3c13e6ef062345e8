// The tape: grad mode, recording and the backward pass.
#include <type_traits>
#include <unordered_map>
#include <unordered_set>

#include "tensor/impl.h"

namespace transformers {
using detail::TensorImpl;

static thread_local bool g_grad_enabled = true;
bool grad_enabled() { return g_grad_enabled; }
NoGrad::NoGrad() : before_(g_grad_enabled) { g_grad_enabled = false; }
NoGrad::~NoGrad() { g_grad_enabled = before_; }

bool Tensor::requires_grad() const { return impl_ && (impl_->requires_grad || impl_->node); }
Tensor& Tensor::set_requires_grad(bool value) {
  if (value && !is_floating(dtype())) throw DTypeError({"requires_grad: only floating point tensors have gradients, got ", name_of(dtype())});
  impl_->requires_grad = value;
  return *this;
}
Tensor Tensor::grad() const { return impl_ ? impl_->grad : Tensor(); }
void Tensor::set_grad(const Tensor& g) { impl_->grad = g; }

template <class List> static bool any_needs(const List& inputs) {
  if (!g_grad_enabled) return false;
  for (const Tensor& t : inputs)
    if (t.requires_grad()) return true;
  return false;
}
bool needs_grad(std::initializer_list<Tensor> inputs) { return any_needs(inputs); }
bool needs_grad(const std::vector<Tensor>& inputs) { return any_needs(inputs); }

Tensor attach_backward(Tensor y, const char* name, std::vector<Tensor> inputs, BackwardFn backward) {
  if (y.impl()->node || y.impl()->requires_grad) y = detail::make_view(y, y.shape(), y.strides(), 0);
  y.impl()->node = std::make_unique<detail::GradNode>(detail::GradNode{name, std::move(inputs), std::move(backward)});
  return y;
}

// In-place sum of two gradients where that is safe, else a new tensor.
static Tensor accumulate(const Tensor& a, const Tensor& b) {
  Tensor sum = a.to(b.dtype()).clone();
  const Tensor other = b.contiguous();
  TRANSFORMERS_FLOAT_SWITCH("backward", sum.dtype(), {
    T* s = sum.mutable_data<T>();
    const T* o = other.data<T>();
    for (int64_t i = 0; i < sum.numel(); ++i) s[i] = T(s[i] + o[i]);
  })
  return sum;
}

void Tensor::backward(const Tensor& seed) const {
  if (!requires_grad()) throw Error("backward: this tensor was not computed from anything that requires a gradient");
  if (!seed.defined() && numel() != 1) throw ShapeError({"backward: a tensor of shape ", shape().str(), " needs a seed gradient"});
  NoGrad no_grad;
  // Depth-first order without recursion: graphs of recurrent models are deep.
  std::vector<TensorImpl*> order;
  std::unordered_set<TensorImpl*> seen;
  std::vector<std::pair<TensorImpl*, size_t>> stack{{impl_, 0}};
  seen.insert(impl_);
  while (!stack.empty()) {
    auto& [node, next] = stack.back();
    if (node->node && next < node->node->inputs.size()) {
      TensorImpl* child = node->node->inputs[next++].impl();
      if (child && (child->node || child->requires_grad) && seen.insert(child).second) stack.emplace_back(child, 0);
    } else {
      order.push_back(node);
      stack.pop_back();
    }
  }
  std::unordered_map<TensorImpl*, Tensor> grads;
  grads[impl_] = seed.defined() ? seed : full(shape(), 1, dtype());
  for (size_t i = order.size(); i-- > 0;) {
    TensorImpl* t = order[i];
    const auto found = grads.find(t);
    if (found == grads.end()) continue;
    const Tensor g = std::move(found->second);
    grads.erase(found);
    if (!t->node) {
      t->grad = t->grad.defined() ? accumulate(t->grad, g) : g.contiguous();
      continue;
    }
    const Grads inputs = t->node->backward(g);
    for (size_t k = 0; k < t->node->inputs.size() && k < inputs.size(); ++k) {
      TensorImpl* input = t->node->inputs[k].impl();
      if (!inputs[k].defined() || !input || !(input->node || input->requires_grad)) continue;
      if (!(inputs[k].shape() == input->shape))
        throw Error({"backward of ", t->node->name, ": gradient ", static_cast<uint64_t>(k), " has shape ", inputs[k].shape().str(), ", the input ", input->shape.str()});
      Tensor& slot = grads[input];
      slot = slot.defined() ? accumulate(slot, inputs[k]) : inputs[k];
    }
  }
}

Tensor sum_to(const Tensor& g, const Shape& shape) {
  if (g.shape() == shape) return g;
  // Walks the large tensor once, adding into the small one through strides of 0; the sums are kept in double.
  const Tensor src = g.detach().contiguous();
  Tensor out = Tensor::empty(shape, g.dtype());
  std::vector<double> sums(static_cast<size_t>(out.numel()));
  const int64_t extra = g.rank() - shape.rank();
  Shape st = g.shape();
  for (int64_t i = 0; i < g.rank(); ++i) st[i] = i < extra || shape[i - extra] == 1 ? 0 : out.strides()[i - extra];
  const int64_t inner = g.rank() ? g.shape().back() : 1, step = g.rank() ? st.back() : 0;
  const int64_t rows = inner ? src.numel() / inner : 0;
  TRANSFORMERS_FLOAT_SWITCH("sum_to", g.dtype(), {
    using A = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const T* s = src.data<T>();
    for (int64_t row = 0; row < rows; ++row, s += inner) {
      int64_t rest = row, at = 0;
      for (int64_t i = g.rank() - 2; i >= 0; --i) at += rest % g.shape()[i] * st[i], rest /= g.shape()[i];
      double* o = sums.data() + at;
      if (step == 0) {
        double sum = 0;
        for (int64_t i = 0; i < inner; ++i) sum += static_cast<double>(static_cast<A>(s[i]));
        *o += sum;
      } else {
        for (int64_t i = 0; i < inner; ++i) o[i] += static_cast<double>(static_cast<A>(s[i]));
      }
    }
    T* o = out.mutable_data<T>();
    for (size_t i = 0; i < sums.size(); ++i) o[i] = T(static_cast<A>(sums[i]));
  })
  return out;
}

}  // namespace transformers
