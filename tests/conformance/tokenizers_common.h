// Shared by the parts of the tokenizers area: reading lines, comparing rows.
#pragma once
#include <functional>
#include <string>

#include "runner.h"
#include "transformers/json.h"
#include "transformers/tokenizer.h"

namespace transformers::conformance {

/// Calls f for every line of a .jsonl file; a line or file that cannot be read counts as failed.
void for_each_line(Runner& runner, const std::string& path, const std::function<void(const Json&)>& f);
/// "" or "what: got ..., want ...".
std::string compare(const std::string& what, const Json& got, const Json& want);
/// Compares an encoding with a row (see the README). Without `fast` offsets and words are not compared.
std::string compare_row(const Encoding& e, const Json& row);
Json to_json(const std::vector<int64_t>& v);
Json to_json(const std::vector<std::string>& v);
std::vector<int64_t> ids_of(const Json& json);
std::vector<std::string> strings_of(const Json& json);
/// The stream of a `stream` line.
std::string check_stream(const PreTrainedTokenizer& tokenizer, const Json& line);

void run_tokenizer_components(Runner& runner, const std::string& dir);
void run_tokenizer_small(Runner& runner, const std::string& dir);
void run_sentencepiece(Runner& runner, const std::string& dir);
void run_tokenizer_folders(Runner& runner, const std::string& dir, const std::string& part);
void run_tokenizer_training(Runner& runner, const std::string& dir);
/// Lines of `real` and `families` beyond encode, decode, id_to_token, stream; "unknown op" when there is no such op.
std::string check_family_line(const PreTrainedTokenizer& tokenizer, const Json& line, const std::string& folder);

}  // namespace transformers::conformance
