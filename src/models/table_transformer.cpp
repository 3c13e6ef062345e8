// Table Transformer: DETR with norms before the sublayers. Reference:
// transformers/models/table_transformer/modeling_table_transformer.py.
#include "models/detr.h"

namespace transformers {

void register_table_transformer(ModelRegistry& r) { add_detr_classes(r.family("table-transformer", "model"), "TableTransformer", true); }

}  // namespace transformers
