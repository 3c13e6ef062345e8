// Oniguruma's syntax in PCRE2's words. What differs: character classes nest and intersect (&&), \h is a hexadecimal
// digit, \w \d \s \b follow Unicode's own definitions, ^ and $ always match at lines, (?m) lets the dot match newlines.
#include "tokenizers/text/regex.h"
#include "tokenizers/text/unicode.h"
#include "transformers/error.h"

namespace transformers::tokenizers {
namespace {

constexpr char kWord[] = R"(\xb2\xb3\xb9\xbc-\xbe\p{L}\p{M}\p{Nl}\p{Nd}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";  // Oniguruma counts Latin-1 fractions and superscripts
constexpr char kSpace[] = R"(\x09-\x0d\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr char kHex[] = "0-9a-fA-F";

class Translator {
 public:
  explicit Translator(std::string_view s) : s_(s) {}
  std::string run() {
    while (i_ < s_.size()) step();
    return out_;
  }

 private:
  [[noreturn]] void fail(const char* why) { throw TokenizerError({"regex \"", std::string(s_), "\": ", why}); }
  bool at(std::string_view what) const { return s_.substr(i_).starts_with(what); }

  void step() {
    const char c = s_[i_];
    if (c == '[') {
      out_ += char_class(0);
    } else if (c == '\\') {
      if (i_ + 1 >= s_.size()) fail("ends with a backslash");
      const char e = s_[i_ + 1];
      const std::string word = kWord;
      switch (e) {
        case 'w': out_ += "[" + word + "]"; i_ += 2; break;
        case 'W': out_ += "[^" + word + "]"; i_ += 2; break;
        case 's': out_ += std::string("[") + kSpace + "]"; i_ += 2; break;
        case 'S': out_ += std::string("[^") + kSpace + "]"; i_ += 2; break;
        case 'd': out_ += "\\p{Nd}"; i_ += 2; break;
        case 'D': out_ += "\\P{Nd}"; i_ += 2; break;
        case 'h': out_ += std::string("[") + kHex + "]"; i_ += 2; break;
        case 'H': out_ += std::string("[^") + kHex + "]"; i_ += 2; break;
        case 'b': out_ += "(?:(?<=[" + word + "])(?![" + word + "])|(?<![" + word + "])(?=[" + word + "]))"; i_ += 2; break;
        case 'B': out_ += "(?:(?<=[" + word + "])(?=[" + word + "])|(?<![" + word + "])(?![" + word + "]))"; i_ += 2; break;
        default: out_ += escape();
      }
    } else if (c == '(' && at("(?")) {
      out_ += "(?";
      i_ += 2;
      // Option letters: Oniguruma's m is PCRE's s; its lines are always on.
      while (i_ < s_.size() && std::string_view("imxsaWDSPu-").find(s_[i_]) != std::string_view::npos) {
        const char o = s_[i_++];
        if (o == 'm') out_ += 's';
        else if (o == 'i' || o == 'x' || o == '-') out_ += o;
        else if (o != 'u' && o != 's') fail("an option that is not supported");
      }
      if (i_ < s_.size() && s_[i_] == '#') {
        while (i_ < s_.size() && s_[i_] != ')') out_ += s_[i_++];
      }
    } else {
      out_ += c;
      ++i_;
    }
  }

  // An escape other than a class, copied or rewritten; i_ stands on the backslash.
  std::string escape() {
    const char e = s_[i_ + 1];
    if (e == 'u') {
      if (i_ + 6 > s_.size()) fail("a short \\u");
      const std::string hex(s_.substr(i_ + 2, 4));
      if (hex.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) fail("a bad \\u");
      i_ += 6;
      return "\\x{" + hex + "}";
    }
    if (e == 'p' || e == 'P') {
      if (i_ + 2 >= s_.size() || s_[i_ + 2] != '{') {  // \pL
        if (i_ + 2 >= s_.size()) fail("a short \\p");
        std::string r(s_.substr(i_, 3));
        i_ += 3;
        return r;
      }
      const size_t close = s_.find('}', i_);
      if (close == std::string_view::npos) fail("\\p{ is not closed");
      std::string name(s_.substr(i_ + 3, close - i_ - 3));
      i_ = close + 1;
      bool negated = e == 'P';
      if (!name.empty() && name[0] == '^') { negated = !negated; name.erase(0, 1); }
      return property(name, negated, false);
    }
    if (e == 'x' && i_ + 2 < s_.size() && s_[i_ + 2] == '{') {
      const size_t close = s_.find('}', i_);
      if (close == std::string_view::npos) fail("\\x{ is not closed");
      std::string r(s_.substr(i_, close + 1 - i_));
      i_ = close + 1;
      return r;
    }
    size_t n = 2;
    if (static_cast<unsigned char>(e) >= 0x80) n = 1 + utf8_length(static_cast<unsigned char>(e));
    n = std::min(n, s_.size() - i_);
    std::string r(s_.substr(i_, n));
    i_ += n;
    return r;
  }

  std::string property(const std::string& name, bool negated, bool inside) {
    std::string lower;
    for (char c : name)
      if (c != '_' && c != ' ' && c != '-') lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    std::string body;
    if (lower == "alnum") body = R"(\p{L}\p{M}\p{Nl}\p{Nd})";
    else if (lower == "alpha" || lower == "alphabetic") body = R"(\p{L}\p{M}\p{Nl})";
    else if (lower == "digit") body = R"(\p{Nd})";
    else if (lower == "space" || lower == "whitespace") body = kSpace;
    else if (lower == "punct") body = R"(\p{P}\p{S})";
    else if (lower == "upper" || lower == "uppercase") body = R"(\p{Lu})";
    else if (lower == "lower" || lower == "lowercase") body = R"(\p{Ll})";
    else if (lower == "word") body = kWord;
    else if (lower == "letter") body = R"(\p{L})";
    else if (lower == "mark") body = R"(\p{M})";
    else if (lower == "number") body = R"(\p{N})";
    else if (lower == "punctuation") body = R"(\p{P})";
    else if (lower == "symbol") body = R"(\p{S})";
    else if (lower == "separator") body = R"(\p{Z})";
    else if (lower == "emoji") body = R"(#*0-9\x{a9}\x{ae}\x{203c}\x{2049}\x{2122}\x{2139}\x{2194}-\x{21aa}\x{231a}-\x{23ff}\x{25aa}-\x{27bf}\x{2934}\x{2935}\x{2b05}-\x{2b55}\x{3030}\x{303d}\x{3297}\x{3299}\x{1f004}-\x{1faff})";
    if (body.empty()) {
      // PCRE2 reads a script's name as its extensions; Oniguruma as the script itself.
      static constexpr std::string_view general[] = {"any", "c", "cc", "cf", "cn", "co", "cs", "l", "l&", "ll", "lm", "lo", "lt", "lu", "m", "mc", "me", "mn",
                                                     "n", "nd", "nl", "no", "p", "pc", "pd", "pe", "pf", "pi", "po", "ps", "s", "sc", "sk", "sm", "so", "z",
                                                     "zl", "zp", "zs"};
      bool category = false;
      for (std::string_view g : general) category |= g == lower;
      return (negated ? "\\P{" : "\\p{") + std::string(category ? "" : "sc:") + name + "}";
    }
    if (inside && !negated) return body;
    return (negated ? "[^" : "[") + body + "]";
  }

  // A class from its bracket on. Positive nested classes are flattened; a negated one or an intersection becomes a
  // choice or a lookahead.
  std::string char_class(int depth) {
    if (depth > 20) fail("classes nest too deep");
    ++i_;
    bool negated = false;
    if (i_ < s_.size() && s_[i_] == '^') negated = true, ++i_;
    std::string items;                 // plain members
    std::vector<std::string> others;   // whole classes that cannot be flattened: one character each
    std::vector<std::string> factors;  // left sides of &&
    bool first = true, closed = false;
    const auto join = [&](bool invert) {
      const std::string plain = items.empty() ? "" : std::string(invert && others.empty() ? "[^" : "[") + items + "]";
      if (others.empty()) return items.empty() ? std::string(invert ? "(?s:.)" : "(?!)") : plain;
      std::string any = "(?:" + plain;
      for (const std::string& o : others) any += (any.size() > 3 ? "|" : "") + o;
      any += ")";
      return invert ? "(?:(?!" + any + ")(?s:.))" : any;
    };
    while (i_ < s_.size()) {
      const char c = s_[i_];
      if (c == ']' && !first) { ++i_; closed = true; break; }
      if (c == '[') {
        if (at("[:")) {
          const size_t end = s_.find(":]", i_);
          if (end != std::string_view::npos) {
            std::string name(s_.substr(i_ + 2, end - i_ - 2));
            i_ = end + 2;
            const bool inverse = !name.empty() && name[0] == '^';
            if (inverse) name.erase(0, 1);
            if (inverse) others.push_back("[^" + strip(property(name, false, false)) + "]");
            else items += property(name, false, true);
            first = false;
            continue;
          }
        }
        const std::string nested = char_class(depth + 1);
        if (nested.starts_with("[") && !nested.starts_with("[^")) items += strip(nested);
        else others.push_back(nested);
      } else if (at("&&")) {
        factors.push_back(join(false));
        items.clear(), others.clear();
        i_ += 2;
      } else if (c == '\\') {
        if (i_ + 1 >= s_.size()) fail("ends with a backslash");
        switch (s_[i_ + 1]) {
          case 'w': items += kWord; i_ += 2; break;
          case 's': items += kSpace; i_ += 2; break;
          case 'd': items += "\\p{Nd}"; i_ += 2; break;
          case 'h': items += kHex; i_ += 2; break;
          case 'D': items += "\\P{Nd}"; i_ += 2; break;
          case 'W': others.push_back(std::string("[^") + kWord + "]"); i_ += 2; break;
          case 'S': others.push_back(std::string("[^") + kSpace + "]"); i_ += 2; break;
          case 'H': others.push_back(std::string("[^") + kHex + "]"); i_ += 2; break;
          default: {
            const std::string e = escape();
            if (e.starts_with("[^")) others.push_back(e);
            else if (e.starts_with("[")) items += strip(e);
            else items += e;
          }
        }
      } else if (c == ']') {
        items += "\\]";
        ++i_;
      } else {
        const size_t n = std::min<size_t>(utf8_length(static_cast<unsigned char>(c)), s_.size() - i_);
        items += s_.substr(i_, n);
        i_ += n;
      }
      first = false;
    }
    if (!closed) fail("a class is not closed");
    if (factors.empty()) return join(negated);
    std::string all = "(?:";
    for (const std::string& f : factors) all += "(?=" + f + ")";
    all += join(false) + ")";
    return negated ? "(?:(?!" + all + ")(?s:.))" : all;
  }
  static std::string strip(const std::string& brackets) { return brackets.substr(1, brackets.size() - 2); }

  std::string_view s_;
  size_t i_ = 0;
  std::string out_;
};

}  // namespace

std::string translate_oniguruma(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace transformers::tokenizers
