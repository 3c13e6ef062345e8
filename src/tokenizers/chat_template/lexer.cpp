// The lexer: text, comments and raw blocks with whitespace control, then the tokens inside {{ }} and {% %}.
#include "tokenizers/chat_template/lexer.h"

#include "tokenizers/chat_template/text.h"

namespace transformers::jinja {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }
bool in_base(char c, int base) {
  if (base == 16) return digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f');
  return c >= '0' && c < '0' + base;
}

class Lexer {
 public:
  Lexer(Arena& arena, std::string_view source, uint32_t& line, uint32_t& column)
      : arena_(arena), s_(source), line_(line), column_(column) {}

  std::vector<Token> run() {
    while (at_ < s_.size()) {
      const size_t tag = find_tag(at_);
      if (tag == std::string_view::npos) {
        data(at_, s_.size());
        break;
      }
      const size_t sign = tag + 2;
      const char control = sign < s_.size() && (s_[sign] == '-' || s_[sign] == '+') ? s_[sign] : 0;
      const char kind = s_[tag + 1];
      data(at_, strip_left(at_, tag, control, kind == '{'));
      const size_t inside = sign + (control != 0);
      if (kind == '#') comment(tag, inside);
      else if (kind == '%' && raw(tag, inside)) continue;
      else code(tag, inside, kind == '%');
    }
    place(s_.size());
    tokens_.push_back({TokenKind::end, {}, line_, column_});
    return std::move(tokens_);
  }

 private:
  size_t find_tag(size_t from) const {
    for (size_t p = from; (p = s_.find('{', p)) != std::string_view::npos; ++p)
      if (p + 1 < s_.size() && (s_[p + 1] == '{' || s_[p + 1] == '%' || s_[p + 1] == '#')) return p;
    return std::string_view::npos;
  }
  [[noreturn]] void error(size_t at, std::initializer_list<Piece> message) {
    place(at);
    fail(Kind::syntax, message);
  }
  // Moves line_ and column_ to a byte offset; offsets only grow.
  void place(size_t at) {
    for (; placed_ < at && placed_ < s_.size(); ++placed_) {
      if (s_[placed_] == '\n') ++line_, column_ = 1;
      else column_ += (static_cast<unsigned char>(s_[placed_]) & 0xC0) != 0x80;
    }
  }
  void push(TokenKind kind, std::string_view text, size_t at) {
    place(at);
    tokens_.push_back({kind, text, line_, column_});
  }
  void data(size_t begin, size_t end) {
    if (end > begin) push(TokenKind::data, s_.substr(begin, end - begin), begin);
  }
  // Where the text before a tag ends: "-" strips whitespace; else, before a block or comment that stands first on its
  // line, the indentation goes (lstrip_blocks) unless "+" keeps it.
  size_t strip_left(size_t begin, size_t tag, char control, bool variable) const {
    const std::string_view text = s_.substr(begin, tag - begin);
    if (control == '-') return begin + strip(text, false, true).size();
    if (control == '+' || variable) return tag;
    const size_t newline = text.rfind('\n');
    const size_t line = newline == std::string_view::npos ? 0 : newline + 1;
    if (line == 0 && !line_starting_) return tag;
    return strip(text.substr(line)).empty() ? begin + line : tag;
  }
  size_t skip_space(size_t p) const { return s_.size() - strip(s_.substr(p), true, false).size(); }
  void advance(size_t to) {
    line_starting_ = to > 0 && s_[to - 1] == '\n';
    at_ = to;
  }
  // After "%}" or "#}" at `end`: trim_blocks drops one newline; `control` before it changes that.
  size_t after_block(size_t end, char control) const {
    if (control == '-') return skip_space(end);
    return control != '+' && end < s_.size() && s_[end] == '\n' ? end + 1 : end;
  }

  void comment(size_t tag, size_t inside) {
    const size_t close = s_.find("#}", inside);
    if (close == std::string_view::npos) error(tag, {"Missing end of comment tag"});
    const char before = close > inside ? s_[close - 1] : 0;
    advance(after_block(close + 2, before == '-' || before == '+' ? before : 0));
  }

  // {% raw %} ... {% endraw %}; false when the tag is another.
  bool raw(size_t tag, size_t inside) {
    size_t p = skip_space(inside);
    if (s_.substr(p, 3) != "raw") return false;
    p = skip_space(p + 3);
    if (s_.substr(p, 3) == "-%}") p = skip_space(p + 3);
    else if (s_.substr(p, 2) == "%}") p += 2;
    else return false;
    advance(p);
    for (size_t open = p; (open = s_.find("{%", open)) != std::string_view::npos; ++open) {
      size_t q = open + 2;
      const char control = q < s_.size() && (s_[q] == '-' || s_[q] == '+') ? s_[q] : 0;
      q = skip_space(q + (control != 0));
      if (s_.substr(q, 6) != "endraw") continue;
      q = skip_space(q + 6);
      const char end = q < s_.size() && (s_[q] == '-' || s_[q] == '+') ? s_[q] : 0;
      if (s_.substr(q + (end != 0), 2) != "%}") continue;
      data(p, strip_left(p, open, control, false));
      advance(after_block(q + (end != 0) + 2, end));
      return true;
    }
    error(tag, {"Missing end of raw directive"});
  }

  void code(size_t tag, size_t p, bool block) {
    push(block ? TokenKind::block_begin : TokenKind::variable_begin, s_.substr(tag, 2), tag);
    const char* close = block ? "%}" : "}}";
    std::string open;  // brackets that wait for their end
    for (;;) {
      p = skip_space(p);
      if (p >= s_.size()) {
        at_ = p;
        return;
      }
      if (open.empty()) {
        const bool minus = s_[p] == '-' && s_.substr(p + 1, 2) == close;
        const bool plus = block && s_[p] == '+' && s_.substr(p + 1, 2) == close;
        if (minus || plus || s_.substr(p, 2) == close) {
          push(block ? TokenKind::block_end : TokenKind::variable_end, close, p);
          const size_t end = p + 2 + (minus || plus);
          if (block) advance(after_block(end, minus ? '-' : plus ? '+' : 0));
          else advance(minus ? skip_space(end) : end);
          return;
        }
      }
      p = token(p, open);
    }
  }

  size_t token(size_t p, std::string& open) {
    const char c = s_[p];
    if (digit(c)) return number(p);
    if (c == '\'' || c == '"') return string(p);
    const char* q = s_.data() + p;
    if (static_cast<unsigned char>(c) >= 0x80 || is_name_start(static_cast<unsigned char>(c))) {
      if (!is_name_start(decode(q))) error(p, {"Invalid character in identifier"});
      size_t end = size_t(q - s_.data());
      while (end < s_.size()) {
        if (!is_name_part(decode(q))) break;
        end = size_t(q - s_.data());
      }
      push(TokenKind::name, s_.substr(p, end - p), p);
      return end;
    }
    for (const std::string_view two : {"//", "**", "==", "!=", ">=", "<="})
      if (s_.substr(p, 2) == two) {
        push(TokenKind::op, s_.substr(p, 2), p);
        return p + 2;
      }
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos)
      error(p, {"unexpected char ", repr(c), " at ", p});
    if (c == '(' || c == '[' || c == '{') {
      open += c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) error(p, {"unexpected '", s_.substr(p, 1), "'"});
      if (open.back() != c) error(p, {"unexpected '", s_.substr(p, 1), "', expected '", open.substr(open.size() - 1), "'"});
      open.pop_back();
    }
    push(TokenKind::op, s_.substr(p, 1), p);
    return p + 1;
  }
  static std::string repr(char c) { return c == '\'' ? "\"'\"" : std::string("'") + c + "'"; }

  // Digits with single underscores between them; returns the end.
  size_t digits(size_t p, int base) const {
    while (p < s_.size() && (in_base(s_[p], base) || (s_[p] == '_' && p + 1 < s_.size() && in_base(s_[p + 1], base)))) ++p;
    return p;
  }
  size_t number(size_t p) {
    const bool after_dot = p > 0 && s_[p - 1] == '.';
    size_t end = digits(p, 10);
    if (!after_dot) {  // "1.2" after a dot is two subscripts
      size_t q = end;
      bool real = false;
      if (q + 1 < s_.size() && s_[q] == '.' && digit(s_[q + 1])) q = digits(q + 1, 10), real = true;
      if (q < s_.size() && (s_[q] | 32) == 'e') {
        const size_t e = q + 1 + (q + 1 < s_.size() && (s_[q + 1] == '+' || s_[q + 1] == '-'));
        if (e < s_.size() && digit(s_[e])) q = digits(e, 10), real = true;
      }
      if (real) {
        push(TokenKind::real, s_.substr(p, q - p), p);
        return q;
      }
    }
    if (s_[p] == '0' && p + 1 < s_.size()) {
      const char x = static_cast<char>(s_[p + 1] | 32);
      const int base = x == 'x' ? 16 : x == 'o' ? 8 : x == 'b' ? 2 : 0;
      const size_t body = base ? digits(p + 2, base) : p;
      if (base && body > p + 2) {
        end = body;
      } else {  // only zeros may follow a zero
        end = p + 1;
        while (end < s_.size() && (s_[end] == '0' || (s_[end] == '_' && end + 1 < s_.size() && s_[end + 1] == '0'))) ++end;
      }
    }
    push(TokenKind::integer, s_.substr(p, end - p), p);
    return end;
  }

  size_t string(size_t p) {
    const char quote = s_[p];
    size_t end = p + 1;
    bool escaped = false;
    while (end < s_.size() && s_[end] != quote) {
      if (s_[end] == '\\') escaped = true, ++end;
      ++end;
    }
    if (end >= s_.size()) error(p, {"unexpected char ", repr(quote), " at ", p});
    const std::string_view text = s_.substr(p + 1, end - p - 1);
    push(TokenKind::string, escaped ? unescape(text, p) : text, p);
    return end + 1;
  }
  std::string_view unescape(std::string_view t, size_t at) {
    std::string out;
    for (size_t i = 0; i < t.size(); ++i) {
      if (t[i] != '\\' || i + 1 >= t.size()) {
        out += t[i];
        continue;
      }
      const char c = t[++i];
      static constexpr std::string_view kFrom = "\\'\"abfnrtv", kTo = "\\'\"\a\b\f\n\r\t\v";
      if (const size_t k = kFrom.find(c); k != std::string_view::npos) {
        out += kTo[k];
      } else if (c == '\n') {  // a continued line
      } else if (c >= '0' && c <= '7') {
        uint32_t v = 0;
        size_t n = 0;
        while (n < 3 && i + n < t.size() && t[i + n] >= '0' && t[i + n] <= '7') v = v * 8 + uint32_t(t[i + n++] - '0');
        encode(out, v), i += n - 1;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const size_t n = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        uint32_t v = 0;
        for (size_t k = 1; k <= n; ++k) {
          if (i + k >= t.size() || !in_base(t[i + k], 16)) error(at, {"truncated \\", t.substr(i, 1), " escape"});
          const char h = t[i + k];
          v = v * 16 + uint32_t(digit(h) ? h - '0' : (h | 32) - 'a' + 10);
        }
        if (v > 0x10FFFF) error(at, {"illegal Unicode character"});
        encode(out, v), i += n;
      } else if (c == 'N') {
        error(at, {"escapes by character name (\\N{...}) are not supported; write the character itself"});
      } else {
        out += '\\', out += c;
      }
    }
    char* p = arena_.chars(out.size());
    if (!out.empty()) std::memcpy(p, out.data(), out.size());
    return {p, out.size()};
  }

  Arena& arena_;
  std::string_view s_;
  uint32_t &line_, &column_;
  size_t at_ = 0, placed_ = 0;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(Arena& arena, std::string_view source, uint32_t& line, uint32_t& column) {
  line = column = 1;
  return Lexer(arena, source, line, column).run();
}

std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
    } else {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

}  // namespace transformers::jinja
