// The pickle reader: a stack machine over node numbers that builds data and calls nothing.
#include "io/pickle.h"

#include <charconv>
#include <cstring>

namespace transformers {
namespace {

constexpr size_t kMaxNodes = 2'000'000, kMaxOperations = 20'000'000;
constexpr uint32_t kNone = 0, kFalse = 1, kTrue = 2, kEmptyTuple = 3;  // shared constants, made first

class Reader {
 public:
  Reader(const Bytes& in, size_t offset, PickleAllow allow) : in_(in), at_(offset), allow_(allow) {
    if (offset > in.size) fail("its start beyond the end");
    make(PickleKind::none);
    for (int64_t v : {0, 1}) out_.nodes[make(PickleKind::boolean)].integer = v;
    make(PickleKind::tuple);
  }

  Pickle run() {
    for (size_t operations = 0; step(); ++operations)
      if (operations > kMaxOperations) fail("more than 20 million operations");
    out_.end = at_;
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(std::initializer_list<Piece> what) const {
    throw CheckpointError({in_.name, ": pickle at byte ", static_cast<uint64_t>(at_), ": ", cat(what)});
  }
  [[noreturn]] void fail(const char* what) const { fail({what}); }

  // ---- bytes ------------------------------------------------------------------------------------------------------
  const uint8_t* take(uint64_t n) {
    if (n > in_.size - at_) fail({"needs ", n, " more bytes, the file ends"});
    const uint8_t* p = in_.data + at_;
    at_ += static_cast<size_t>(n);
    return p;
  }
  uint64_t number(int bytes) {
    uint64_t v = 0;
    std::memcpy(&v, take(static_cast<uint64_t>(bytes)), static_cast<size_t>(bytes));
    return v;
  }
  std::string_view text(uint64_t n) { return {reinterpret_cast<const char*>(take(n)), static_cast<size_t>(n)}; }
  std::string_view line() {
    const void* end = at_ < in_.size ? std::memchr(in_.data + at_, '\n', in_.size - at_) : nullptr;
    if (!end) fail("a line without end");
    std::string_view s = text(static_cast<uint64_t>(static_cast<const uint8_t*>(end) - (in_.data + at_)));
    ++at_;
    return s;
  }
  int64_t decimal(std::string_view s) {
    int64_t v = 0;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
    if (error != std::errc() || end != s.data() + s.size()) fail("a damaged number");
    return v;
  }

  // ---- nodes and stack ----------------------------------------------------------------------------------------------
  uint32_t make(PickleKind kind) {
    if (out_.nodes.size() >= kMaxNodes) fail("more than 2 million objects");
    out_.nodes.emplace_back().kind = kind;
    return static_cast<uint32_t>(out_.nodes.size() - 1);
  }
  PickleNode& node(uint32_t i) { return out_.nodes[i]; }
  void push(uint32_t i) { stack_.push_back(i); }
  PickleNode& push_new(PickleKind kind) {
    push(make(kind));
    return node(stack_.back());
  }
  void push_integer(int64_t v) { push_new(PickleKind::integer).integer = v; }
  void push_text(std::string_view s) { push_new(PickleKind::text).text = s; }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  uint32_t pop() {
    if (stack_.size() <= floor()) fail("takes from an empty stack");
    const uint32_t i = stack_.back();
    stack_.pop_back();
    return i;
  }
  uint32_t peek() {
    if (stack_.size() <= floor()) fail("looks at an empty stack");
    return stack_.back();
  }
  std::vector<uint32_t> pop_to_mark() {
    if (marks_.empty()) fail("no mark on the stack");
    std::vector<uint32_t> items(stack_.begin() + static_cast<ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  void push_items(PickleKind kind, std::vector<uint32_t> items) {
    if (kind == PickleKind::tuple && items.empty()) push(kEmptyTuple);
    else push_new(kind).items = std::move(items);
  }
  void push_tuple(int n) {
    std::vector<uint32_t> items(static_cast<size_t>(n));
    for (int i = n - 1; i >= 0; --i) items[static_cast<size_t>(i)] = pop();
    push_items(PickleKind::tuple, std::move(items));
  }
  void extend(PickleKind kind, const std::vector<uint32_t>& items) {
    PickleNode& target = node(peek());
    if (target.kind != kind) fail("adds items to what is no such container");
    if (kind == PickleKind::dict && items.size() % 2 != 0) fail("a key without value");
    target.items.insert(target.items.end(), items.begin(), items.end());
  }
  void put(uint64_t key) {
    memo_[key] = peek();
    if (memo_.size() > kMaxNodes) fail("too many memo entries");
  }
  void get(uint64_t key) {
    const auto it = memo_.find(key);
    if (it == memo_.end()) fail({"memo entry ", key, " was never stored"});
    push(it->second);
  }

  // ---- objects ------------------------------------------------------------------------------------------------------
  void push_global(std::string_view module, std::string_view name) {
    if (!allow_(module, name))
      fail({"refers to ", module.substr(0, 80), ".", name.substr(0, 80), ", which weights do not need; refused. Save the model as safetensors"});
    PickleNode& g = push_new(PickleKind::global);
    g.module = module;
    g.text = name;
  }
  void stack_global() {
    const uint32_t name = pop(), module = pop();
    if (node(name).kind != PickleKind::text || node(module).kind != PickleKind::text) fail("a global without a name");
    push_global(node(module).text, node(name).text);
  }
  void reduce() {
    const uint32_t arguments = pop(), callee = pop();
    if (node(callee).kind != PickleKind::global || node(arguments).kind != PickleKind::tuple) fail("calls what is no function");
    if (node(callee).text == "OrderedDict") {
      // Filled by SETITEMS afterwards, or (protocol 2 and older writers) given a list of pairs at once.
      std::vector<uint32_t> items;
      if (node(arguments).items.size() > 1) fail("an ordered dict of several arguments");
      for (uint32_t list : node(arguments).items)
        for (uint32_t pair : node(list).items) {
          if (node(pair).items.size() != 2) fail("an ordered dict of other than pairs");
          if (++copied_ > kMaxNodes) fail("too many copies of a list");  // one list may be named again and again
          items.insert(items.end(), node(pair).items.begin(), node(pair).items.end());
        }
      push_new(PickleKind::dict).items = std::move(items);
      return;
    }
    push_new(PickleKind::call).items = {callee, arguments};
  }
  void big_integer(uint64_t bytes) {
    const std::string_view digits = text(bytes);
    if (bytes > 8) {
      push_new(PickleKind::big_integer).text = digits;
      return;
    }
    uint64_t v = !digits.empty() && (digits.back() & 0x80) ? ~uint64_t{0} : 0;
    std::memcpy(&v, digits.data(), digits.size());
    push_integer(static_cast<int64_t>(v));
  }

  bool step();

  const Bytes& in_;
  size_t at_;
  PickleAllow allow_;
  Pickle out_;
  std::vector<uint32_t> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, uint32_t> memo_;
  size_t copied_ = 0;
};

// One operation; false after STOP.
bool Reader::step() {
  const uint8_t op = *take(1);
  switch (op) {
    case 0x80: if (number(1) > 5) fail("an unknown protocol"); break;
    case 0x95: {  // FRAME
      const uint64_t length = number(8);
      if (length > in_.size - at_) fail("a frame beyond the end of the file");
      break;
    }
    case '.': out_.top = pop(); return false;
    case '(':
      if (marks_.size() > kMaxNodes) fail("too many marks");
      marks_.push_back(stack_.size());
      break;
    case '0':  // POP takes a mark when it is on top
      if (!marks_.empty() && stack_.size() == marks_.back()) marks_.pop_back();
      else pop();
      break;
    case '1': pop_to_mark(); break;
    case '2': push(peek()); break;
    case 'N': push(kNone); break;
    case 0x88: push(kTrue); break;
    case 0x89: push(kFalse); break;
    case 'I': {
      const std::string_view s = line();
      if (s == "00" || s == "01") push(s == "01" ? kTrue : kFalse);
      else push_integer(decimal(s));
      break;
    }
    case 'J': push_integer(static_cast<int32_t>(number(4))); break;
    case 'K': push_integer(static_cast<int64_t>(number(1))); break;
    case 'M': push_integer(static_cast<int64_t>(number(2))); break;
    case 'L': {
      std::string_view s = line();
      if (!s.empty() && s.back() == 'L') s.remove_suffix(1);
      push_integer(decimal(s));
      break;
    }
    case 0x8a: big_integer(number(1)); break;
    case 0x8b: big_integer(number(4)); break;
    case 'F': {
      const std::string s(line());
      char* end = nullptr;
      const double v = std::strtod(s.c_str(), &end);
      if (s.empty() || end != s.c_str() + s.size()) fail("a damaged number");
      push_new(PickleKind::real).real = v;
      break;
    }
    case 'G': {
      const uint64_t bits = __builtin_bswap64(number(8));
      double v;
      std::memcpy(&v, &bits, 8);
      push_new(PickleKind::real).real = v;
      break;
    }
    case 'U': case 'C': case 0x8c: push_text(text(number(1))); break;
    case 'T': case 'B': case 'X': push_text(text(number(4))); break;
    case 0x8d: case 0x8e: case 0x96: push_text(text(number(8))); break;
    case 'V': push_text(line()); break;
    case ']': push_new(PickleKind::list); break;
    case '}': push_new(PickleKind::dict); break;
    case 0x8f: push_new(PickleKind::set); break;
    case ')': push(kEmptyTuple); break;
    case 'l': push_items(PickleKind::list, pop_to_mark()); break;
    case 't': push_items(PickleKind::tuple, pop_to_mark()); break;
    case 0x91: push_items(PickleKind::set, pop_to_mark()); break;
    case 'd': {
      std::vector<uint32_t> items = pop_to_mark();
      push_new(PickleKind::dict);
      extend(PickleKind::dict, items);
      break;
    }
    case 0x85: push_tuple(1); break;
    case 0x86: push_tuple(2); break;
    case 0x87: push_tuple(3); break;
    case 'a': {
      const uint32_t item = pop();
      extend(PickleKind::list, {item});
      break;
    }
    case 'e': extend(PickleKind::list, pop_to_mark()); break;
    case 0x90: extend(PickleKind::set, pop_to_mark()); break;
    case 's': {
      const uint32_t value = pop(), key = pop();
      extend(PickleKind::dict, {key, value});
      break;
    }
    case 'u': extend(PickleKind::dict, pop_to_mark()); break;
    case 'c': {
      const std::string_view module = line(), name = line();
      push_global(module, name);
      break;
    }
    case 0x93: stack_global(); break;
    case 'R': case 0x81: reduce(); break;
    case 'b':  // BUILD sets attributes (a state dict's _metadata); weights need none
      pop();
      peek();
      break;
    case 'Q': {
      const uint32_t id = pop();
      push_new(PickleKind::persistent).items = {id};
      break;
    }
    case 'p': put(static_cast<uint64_t>(decimal(line()))); break;
    case 'q': put(number(1)); break;
    case 'r': put(number(4)); break;
    case 0x94: put(memo_.size()); break;
    case 'g': get(static_cast<uint64_t>(decimal(line()))); break;
    case 'h': get(number(1)); break;
    case 'j': get(number(4)); break;
    default: fail({"unknown operation ", static_cast<int>(op), "; not a weight file of PyTorch?"});
  }
  return true;
}

}  // namespace

const PickleNode* Pickle::find(const PickleNode& dict, std::string_view key) const {
  if (dict.kind != PickleKind::dict) return nullptr;
  for (size_t i = dict.items.size(); i >= 2; i -= 2)
    if (nodes[dict.items[i - 2]].kind == PickleKind::text && nodes[dict.items[i - 2]].text == key) return &nodes[dict.items[i - 1]];
  return nullptr;
}

Pickle read_pickle(const Bytes& in, size_t offset, PickleAllow allow) { return Reader(in, offset, allow).run(); }

}  // namespace transformers
