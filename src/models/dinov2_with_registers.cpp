// DINOv2 with register tokens. Reference: transformers/models/dinov2_with_registers/modeling_dinov2_with_registers.py.
#include "models/dinov2.h"

namespace transformers {

void register_dinov2_with_registers(ModelRegistry& r) {
  Json defaults = Json::object();
  defaults.set("patch_size", 16);
  defaults.set("num_register_tokens", 4);
  add_dinov2_family(r, "dinov2_with_registers", "Dinov2WithRegisters", defaults);
}

}  // namespace transformers
