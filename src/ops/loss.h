// Losses with the semantics of torch.nn.functional. Differentiable in the first argument.
#pragma once
#include "transformers/tensor.h"

namespace transformers {

enum class Reduction { none, mean, sum };
struct CrossEntropyOptions { int64_t ignore_index = -100; double label_smoothing = 0; Tensor weight = {}; Reduction reduction = Reduction::mean; };
/// logits [N, C, ...] or [N, C], labels int64 [N, ...] or class probabilities of logits' shape. Mean over labels that are
/// not ignored: NaN when all are, as in PyTorch. Throws ShapeError, and ValueError for a label outside [0, C).
Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& o = {});
Tensor nll_loss(const Tensor& log_probs, const Tensor& labels, const CrossEntropyOptions& o = {});
Tensor binary_cross_entropy(const Tensor& p, const Tensor& target, const Tensor& weight = {}, Reduction r = Reduction::mean);
Tensor bce_with_logits(const Tensor& logits, const Tensor& target, const Tensor& weight = {}, const Tensor& pos_weight = {}, Reduction r = Reduction::mean);
Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction r = Reduction::mean);
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction r = Reduction::mean);
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta = 1, Reduction r = Reduction::mean);
Tensor huber_loss(const Tensor& x, const Tensor& target, double delta = 1, Reduction r = Reduction::mean);
/// target: log = false: probabilities.
Tensor kl_div(const Tensor& log_x, const Tensor& target, Reduction r = Reduction::mean, bool log_target = false, bool batch_mean = false);
Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target, double margin = 0, Reduction r = Reduction::mean);
Tensor cosine_similarity(const Tensor& a, const Tensor& b, int64_t dim = 1, double eps = 1e-8);
/// log_probs [T, N, C], targets [N, S] (padded) int64, lengths int64 [N]. Mean divides each by its target length first.
Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths, int64_t blank = 0,
                Reduction r = Reduction::mean, bool zero_infinity = false);

}  // namespace transformers
