// The one oneDNN engine and the stream of this thread. Only .cpp files that call oneDNN include this.
#pragma once
#include <dnnl.hpp>

#include "transformers/dtype.h"

namespace transformers::kernels {

const dnnl::engine& onednn_engine();  ///< Lowers oneDNN's instruction set to TRANSFORMERS_CPU_ISA at its first use.
dnnl::stream& onednn_stream();
dnnl::memory::data_type onednn_type(DType type);  ///< bf16 or f32

}  // namespace transformers::kernels
