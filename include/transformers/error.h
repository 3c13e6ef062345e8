// Error types of the library. Everything that a user or a file can cause throws one of these; the library never
// prints, aborts or exits.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace transformers {

/// One piece of a message: text or a number. Lets errors be written as {"got ", n, " values"} without streams.
class Piece {
 public:
  Piece(const char* s) : text_(s) {}
  Piece(std::string_view s) : text_(s) {}
  Piece(const std::string& s) : text_(s) {}
  Piece(std::string&& s) : text_(std::move(s)) {}
  Piece(int v) : text_(std::to_string(v)) {}
  Piece(int64_t v) : text_(std::to_string(v)) {}
  Piece(long long v) : text_(std::to_string(v)) {}
  Piece(unsigned v) : text_(std::to_string(v)) {}
  Piece(uint64_t v) : text_(std::to_string(v)) {}
  Piece(double v);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// Joins pieces into one string.
std::string cat(std::initializer_list<Piece> pieces);

/// Root of all errors. what() says who, what was expected, what came, and how to mend it.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
  Error(std::initializer_list<Piece> pieces) : std::runtime_error(cat(pieces)) {}
};

#define TRANSFORMERS_DEFINE_ERROR(Name) \
  class Name : public Error {           \
   public:                              \
    using Error::Error;                 \
  };
TRANSFORMERS_DEFINE_ERROR(ValueError)        ///< An argument is out of its range or contradicts another.
TRANSFORMERS_DEFINE_ERROR(ShapeError)        ///< Tensor shapes do not fit together.
TRANSFORMERS_DEFINE_ERROR(DTypeError)        ///< An operation does not take this element type.
TRANSFORMERS_DEFINE_ERROR(ConfigError)       ///< config.json or another JSON file is wrong or contradictory.
TRANSFORMERS_DEFINE_ERROR(CheckpointError)   ///< A weight file is damaged, hostile or does not fit the model.
TRANSFORMERS_DEFINE_ERROR(TokenizerError)    ///< A tokenizer file or a tokenizer call is wrong.
TRANSFORMERS_DEFINE_ERROR(TemplateError)     ///< A chat template failed to parse or render.
TRANSFORMERS_DEFINE_ERROR(UnsupportedError)  ///< Known but not supported here; the message says what to do instead.
TRANSFORMERS_DEFINE_ERROR(IoError)           ///< A file cannot be read or written.
TRANSFORMERS_DEFINE_ERROR(NetworkError)      ///< A download failed.
#undef TRANSFORMERS_DEFINE_ERROR

/// The known names nearest to `name` by edit distance, best first, at most `most`; for "did you mean" lists.
std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& known, size_t most = 5);

/// " Did you mean: a, b?" from nearest_names, or "" when nothing is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace transformers
