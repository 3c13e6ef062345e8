// Indexing, sorting, joining and making tensors. Index tensors are int64 (int32 accepted); an index out of range
// throws ShapeError.
#pragma once
#include "ops/reduce.h"
#include "transformers/tensor.h"

namespace transformers {

// ---- making ---------------------------------------------------------------------------------------------------------
Tensor arange(int64_t end);                                              ///< int64 [end]
Tensor arange(double begin, double end, double step, DType dtype);
Tensor linspace(double begin, double end, int64_t count, DType dtype = DType::f32);
Tensor eye(int64_t n, DType dtype = DType::f32);
Tensor tril(const Tensor& x, int64_t diagonal = 0);
Tensor triu(const Tensor& x, int64_t diagonal = 0);
Tensor one_hot(const Tensor& ids, int64_t classes);                      ///< int64 [..., classes]

// ---- joining, repeating, padding: differentiable ----------------------------------------------------------------------
Tensor cat(const std::vector<Tensor>& xs, int64_t dim = 0);              ///< Promotes dtypes. Empty [0] tensors are ignored.
Tensor stack(const std::vector<Tensor>& xs, int64_t dim = 0);
Tensor repeat(const Tensor& x, const Shape& times);                      ///< As torch.Tensor.repeat (tile).
Tensor repeat_interleave(const Tensor& x, int64_t times, int64_t dim);
Tensor flip(const Tensor& x, const Shape& dims);
Tensor roll(const Tensor& x, const Shape& shifts, const Shape& dims);
/// pads = {last_begin, last_end, previous_begin, ...} as torch.nn.functional.pad; negative pads crop.
enum class PadMode { constant, reflect, replicate, circular };
Tensor pad(const Tensor& x, const Shape& pads, double value = 0, PadMode mode = PadMode::constant);
/// Sliding windows: x.unfold(dim, size, step) of torch; the window is a new last dimension.
Tensor unfold_dim(const Tensor& x, int64_t dim, int64_t size, int64_t step);

// ---- picking: differentiable in x ----------------------------------------------------------------------------------------
/// Rows of table [V, C] by ids [...] -> [..., C]. Rows equal to padding_idx get no gradient.
Tensor embedding(const Tensor& ids, const Tensor& table, int64_t padding_idx = -1);
Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
Tensor take_along_dim(const Tensor& x, const Tensor& index, int64_t dim);   ///< Broadcasts, then gather.
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);     ///< index [n]
/// x[index] with index [...]: picks along dim 0 -> [..., rest of x].
Tensor index_rows(const Tensor& x, const Tensor& index);
/// x[i, j, ...]: index tensors broadcast together over the leading dims -> [broadcast, rest of x].
Tensor index_put_get(const Tensor& x, const std::vector<Tensor>& indices);
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);      ///< Copy of x with src written.
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, double value);
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);  ///< Copy of x with src added.
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
/// Copy of x with rows where mask (shape = leading dims of x) is true replaced by the rows of src [n, rest], in order.
Tensor masked_scatter_rows(const Tensor& x, const Tensor& mask, const Tensor& src);
/// Rows of x where mask (shape = leading dims of x) is true -> [n, rest].
Tensor masked_select_rows(const Tensor& x, const Tensor& mask);
/// Copy of x with x[begin:end] along dim replaced by src. Differentiable in both.
Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t begin, int64_t end);
Tensor diagonal(const Tensor& x, int64_t dim1 = 0, int64_t dim2 = 1);

// ---- ordering ------------------------------------------------------------------------------------------------------------
ValuesIndices topk(const Tensor& x, int64_t k, int64_t dim = -1, bool largest = true);   ///< Sorted; earlier index first among equals.
ValuesIndices sort(const Tensor& x, int64_t dim = -1, bool descending = false);          ///< Stable.
Tensor argsort(const Tensor& x, int64_t dim = -1, bool descending = false);
Tensor nonzero(const Tensor& x);                              ///< [n, rank] int64
Tensor bincount(const Tensor& x, int64_t min_length = 0);     ///< int64
Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right = false);     ///< Last dim; int64
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right = false);
Tensor unique(const Tensor& x);                               ///< Sorted values, flat.

}  // namespace transformers
