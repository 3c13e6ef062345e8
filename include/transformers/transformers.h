// Everything a user of the library needs.
#pragma once
#include "transformers/auto.h"
#include "transformers/chat_template.h"
#include "transformers/error.h"
#include "transformers/generation.h"
#include "transformers/json.h"
#include "transformers/model.h"
#include "transformers/pipeline.h"
#include "transformers/processor.h"
#include "transformers/tensor.h"
#include "transformers/tokenizer.h"
#include "transformers/version.h"
