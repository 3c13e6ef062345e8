// Version of the library.
#pragma once
#define TRANSFORMERS_VERSION "0.1.0"
