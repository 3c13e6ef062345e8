// Codebooks of GGUF's IQ types (grids.cpp).
#pragma once
#include <cstdint>

namespace transformers::kernels {

extern const uint16_t kGrid_iq2_xxs[256], kGrid_iq2_xs[512], kGrid_iq2_s[1024];  ///< 8 digits: 0x08, 0x19, 0x2b
extern const uint16_t kGrid_iq3_xxs[256];                                        ///< 4 digits: 4, 12, 20, .. 44, 62
extern const uint16_t kGrid_iq3_s[512];                                          ///< 4 digits: 1, 3, 5 .. 15
extern const uint16_t kGrid_iq1_s[2048];                                         ///< 8 digits: -1, 0, 1; IQ1_M too

}  // namespace transformers::kernels
