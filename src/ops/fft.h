// Discrete Fourier transforms, any length (mixed radix + Bluestein). Complex values: a last dimension of 2. f32 and f64.
#pragma once
#include "transformers/tensor.h"

namespace transformers {

Tensor rfft(const Tensor& x, int64_t n = -1);                ///< [..., N] -> [..., N/2 + 1, 2]. Differentiable.
Tensor irfft(const Tensor& x, int64_t n = -1);               ///< [..., F, 2] -> [..., n]. Differentiable.
Tensor fft(const Tensor& x, bool inverse = false);           ///< [..., N, 2] -> [..., N, 2]. Differentiable.
/// Real part of the 2-D DFT over the last two dims of a real tensor (FNet). Differentiable.
Tensor fft2_real(const Tensor& x);
Tensor hann_window(int64_t n, bool periodic = true, DType dtype = DType::f32);
Tensor hamming_window(int64_t n, bool periodic = true, DType dtype = DType::f32);
/// torch.stft(center, reflect padding, onesided): x [B, L] -> [B, n_fft/2 + 1, frames, 2].
Tensor stft(const Tensor& x, int64_t n_fft, int64_t hop, const Tensor& window, bool center = true);
Tensor istft(const Tensor& x, int64_t n_fft, int64_t hop, const Tensor& window, bool center = true, int64_t length = -1);

}  // namespace transformers
