// ViT-MSN: ViT trained by masked siamese networks, without a pooler. Reference: transformers/models/vit_msn/modeling_vit_msn.py.
#include "models/vit.h"

namespace transformers {

// Layer norm's epsilon has another default than ViT's.
static Factory with_epsilon(const Factory& inner) {
  return [=](const Scope& w, const Json& config) {
    Json c = config;
    if (c["layer_norm_eps"].is_null()) c.set("layer_norm_eps", 1e-6);
    return inner(w, c);
  };
}

void register_vit_msn(ModelRegistry& r) {
  r.family("vit_msn", "vit")
      .add("ViTMSNModel", with_epsilon(vit_model({})), {"AutoModel"})
      .add("ViTMSNForImageClassification", with_epsilon(vit_classifier("vit", {})), {"AutoModelForImageClassification"});
}

}  // namespace transformers
