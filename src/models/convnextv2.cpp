// ConvNeXt V2: ConvNeXt with global response normalisation. Reference: transformers/models/convnextv2/modeling_convnextv2.py.
#include "models/convnext.h"

namespace transformers {

void register_convnextv2(ModelRegistry& r) { add_convnext_family(r, "convnextv2", "ConvNextV2", ConvNextVersion::response_norm); }

}  // namespace transformers
