// DeiT: ViT with a distillation token. Reference: transformers/models/deit/modeling_deit.py.
#include "models/vit.h"

namespace transformers {
namespace {

VitParts parts() {
  VitParts p;
  p.tokens = {"cls_token", "distillation_token"};
  return p;
}

/// Two classifiers, over the class and the distillation token; the logits are their mean.
struct DeitWithTeacher final : HeadModel {
  Linear cls_classifier, distillation_classifier;
  DeitWithTeacher(const Scope& w, const Json& c)
      : HeadModel(w, c, "deit", vit_model(parts())), cls_classifier(w / "cls_classifier", VitConfig(c).hidden_size, num_labels(c)),
        distillation_classifier(w / "distillation_classifier", VitConfig(c).hidden_size, num_labels(c)) {}
  Outputs forward(const Inputs& in) const override {
    const Outputs h = base->forward(in);
    const Tensor& x = h.tensor("last_hidden_state");
    const Tensor cls = cls_classifier(x.select(1, 0)), distilled = distillation_classifier(x.select(1, 1));
    Outputs out;
    out.set("logits", (cls + distilled) / 2).set("cls_logits", cls).set("distillation_logits", distilled);
    pass_on(out, h);
    return out;
  }
};

}  // namespace

void register_deit(ModelRegistry& r) {
  VitParts pooled = parts(), masked = parts();
  pooled.pooler = true, masked.mask_token = true;
  r.family("deit", "deit")
      .add("DeiTModel", vit_model(pooled), {"AutoModel"})
      // The reference drops the class token and the last token, though the distillation token is the second.
      .add("DeiTForMaskedImageModeling", vit_masked_image_model("deit", masked, 1, 1), {"AutoModelForMaskedImageModeling"})
      .add("DeiTForImageClassification", vit_classifier("deit", parts()), {"AutoModelForImageClassification"})
      .add("DeiTForImageClassificationWithTeacher", make<DeitWithTeacher>(), {"AutoModelForImageClassification"});
}

}  // namespace transformers
