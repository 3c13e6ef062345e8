// ChatTemplate: language, sandbox, errors with their place, limits, threads, generation spans.
#include "transformers/chat_template.h"

#include <gtest/gtest.h>

#include <thread>

namespace transformers {
namespace {

using Kind = TemplateErrorKind;
using Options = ChatTemplate::RenderOptions;

std::string render(const std::string& source, const char* variables = "{}") {
  Options o;
  o.messages = Json::parse(R"([{"role": "user", "content": "Hi"}])");
  o.variables = Json::parse(variables);
  o.now = ChatTemplate::Clock{2026, 7, 26, 15, 4, 5};
  return ChatTemplate(source).render(o).text;
}
ChatTemplateError failure(const std::string& source, ChatTemplate::Limits limits = {}) {
  try {
    ChatTemplate(source).render({}, limits);
  } catch (const ChatTemplateError& e) {
    return e;
  }
  ADD_FAILURE() << "no error from " << source;
  return {Kind::raised, "", 0, 0};
}

TEST(ChatTemplate, RendersMessages) {
  EXPECT_EQ(render("{% for m in messages %}<|{{ m.role }}|>{{ m['content'] }}{{ eos }}\n{% endfor %}", R"({"eos": "</s>"})"),
            "<|user|>Hi</s>\n");
}
TEST(ChatTemplate, TrimsBlocksAndIndentation) {
  EXPECT_EQ(render("a\n  {% if true %}\n  b\n  {% endif %}\nc\n"), "a\n  b\nc");
  EXPECT_EQ(render("a  {%- if true -%}  b  {%- endif -%}  c"), "abc");
  EXPECT_EQ(render("a\r\n{{ 1 -}}\r\n b"), "a\n1b");
}
TEST(ChatTemplate, PrintsAsPython) {
  EXPECT_EQ(render("{{ [1, 2.0, 'a', \"it's\", none, true, {'k': (1,)}, 1e16, 1e-5] }}"),
            "[1, 2.0, 'a', \"it's\", None, True, {'k': (1,)}, 1e+16, 1e-05]");
  EXPECT_EQ(render("{{ 2 ** 100 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ - 2 ** 2 }} {{ 2 ** 100 // 3 ** 20 }}"),
            "1267650600228229401496703205376 -4 2 3.5 4 363558641556578823726");
}
TEST(ChatTemplate, DistinguishesIntegersFromReals) {
  EXPECT_EQ(render("{{ a }} {{ b }} {{ a == b }} {{ c }}", R"({"a": 1, "b": 1.0, "c": 123456789012345678901234567890})"),
            "1 1.0 True 123456789012345678901234567890");
}
TEST(ChatTemplate, SlicesByCodePoints) {
  EXPECT_EQ(render("{{ u | length }} {{ u[1] }} {{ u[1:3] }} {{ u[::-1] }}", R"({"u": "aé你😀"})"), "4 é é你 😀你éa");
}
TEST(ChatTemplate, ScopesFollowJinja) {
  EXPECT_EQ(render("{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }},{% endfor %}{{ x }}"), "2,3,1");
  EXPECT_EQ(render("{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}"), "3");
  EXPECT_EQ(render("{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}"), "1");
  EXPECT_EQ(render("{% if true %}{% set y = 2 %}{% endif %}{{ y }}"), "2");
  EXPECT_EQ(render("{% macro f(a, b=a) %}{{ a }}{{ b }}{{ varargs }}{% endmacro %}{{ f(1) }}{{ f(1, 2, 3) }}"), "11()12(3,)");
}
TEST(ChatTemplate, LoopsKnowTheirPlace) {
  EXPECT_EQ(render("{% for x in 'abc' %}{{ loop.index }}{{ loop.last }}{{ loop.previtem }} {% endfor %}"),
            "1False 2Falsea 3Trueb ");
  EXPECT_EQ(render("{% for x in [1, [2, [3]]] recursive %}{{ loop(x) if x is iterable else x }}{{ loop.depth }}{% endfor %}"),
            "11223321");
  EXPECT_EQ(render("{% for x in range(9) if x is odd %}{% if x > 4 %}{% break %}{% endif %}{{ x }}{% endfor %}"), "13");
}
TEST(ChatTemplate, DumpsJsonAsPython) {
  EXPECT_EQ(render("{{ d | tojson }}{{ d | tojson(indent=2) }}", R"({"d": {"b": [1, 2.50, "<é>"], "a": null}})"),
            "{\"b\": [1, 2.5, \"<é>\"], \"a\": null}{\n  \"b\": [\n    1,\n    2.5,\n    \"<é>\"\n  ],\n  \"a\": null\n}");
}
TEST(ChatTemplate, SeesTheClockItIsGiven) { EXPECT_EQ(render("{{ strftime_now('%d %b %Y %H:%M') }}"), "26 Jul 2026 15:04"); }

TEST(ChatTemplate, ErrorsTellKindAndPlace) {
  const ChatTemplateError raised = failure("a\n  {{ raise_exception('no ' ~ 1) }}");
  EXPECT_EQ(raised.kind(), Kind::raised);
  EXPECT_EQ(raised.detail(), "no 1");
  EXPECT_EQ(raised.line(), 2);
  EXPECT_EQ(raised.column(), 21);
  EXPECT_NE(std::string(raised.what()).find("line 2, column 21"), std::string::npos);
  EXPECT_EQ(failure("{% if %}").kind(), Kind::syntax);
  EXPECT_EQ(failure("\n\n{{ 1 +* 2 }}").line(), 3);
  EXPECT_EQ(failure("{{ x | nope }}").kind(), Kind::syntax);
  EXPECT_EQ(failure("{{ x.y }}").detail(), "'x' is undefined");
  EXPECT_EQ(failure("{{ {}.x.y }}").detail(), "'dict object' has no attribute 'x'");
  EXPECT_EQ(failure("{{ 1 / 0 }}").kind(), Kind::zero_division);
  EXPECT_EQ(failure("{{ 1 + 'a' }}").kind(), Kind::type);
  EXPECT_EQ(failure("{{ range(100001) }}").kind(), Kind::overflow);
  EXPECT_EQ(failure("{{ 'a'.index('b') }}").kind(), Kind::value);
  EXPECT_EQ(failure("{% include 'x' %}").kind(), Kind::type);
  EXPECT_EQ(failure("{% break %}").kind(), Kind::syntax);
  EXPECT_EQ(failure("\xFF").kind(), Kind::syntax);
}
TEST(ChatTemplate, SandboxHidesWhatChangesOrReaches) {
  for (const char* source : {"{{ [].append(1) }}", "{{ {}.update({}) }}", "{{ ''.__class__.__mro__ }}",
                             "{{ range.__globals__.x }}", "{{ ''['__class__'].x }}", "{{ [] | attr('__class__') | attr('x') }}"})
    EXPECT_EQ(failure(source).kind(), Kind::security) << source;
  EXPECT_EQ(render("{{ ''.__class__ }}|{{ '{0.__class__}'.format(1) }}"), "|");
}
TEST(ChatTemplate, HostileTemplatesEndInALimit) {
  std::string nested = "{{ ";
  for (int i = 0; i < 100000; ++i) nested += '(';
  EXPECT_EQ(failure(nested).kind(), Kind::limit);
  std::string chain = "{{ 1";
  for (int i = 0; i < 100000; ++i) chain += "+1";
  EXPECT_EQ(failure(chain + " }}").kind(), Kind::limit);
  std::string blocks;
  for (int i = 0; i < 100000; ++i) blocks += "{% if 1 %}";
  EXPECT_EQ(failure(blocks).kind(), Kind::limit);
  for (const char* source :
       {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ 'a' * 10 ** 12 }}", "{{ [0] * 10 ** 9 * 10 }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
        "{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{{ 10 ** (10 ** 10) }}", "{{ 'x'.center(10 ** 11) }}", "{{ '%*d' % (10 ** 9, 1) }}", "{{ '{:999999999}'.format(1) }}",
        "{% set ns = namespace() %}{% set ns.n = ns %}{{ ns }}"})
    EXPECT_EQ(failure(source).kind(), Kind::limit) << source;
  for (const char* source :  // chains of lazy filters, of tuples used as keys, and slow searches
       {"{% set ns = namespace(l=[1]) %}{% for i in range(99999) %}{% set ns.l = ns.l | map('abs') %}{% endfor %}{{ ns.l | list }}",
        "{% set ns = namespace(l=1) %}{% for i in range(99999) %}{% set ns.l = (ns.l,) %}{% endfor %}{{ {ns.l: 1} }}",
        "{% set a = 'a' * 10 ** 7 %}{{ a.rfind('b' ~ 'a' * 10 ** 6) }}"})
    EXPECT_EQ(failure(source).kind(), Kind::limit) << source;
  EXPECT_EQ(render("{% set a = 'a' * 10 ** 6 %}{{ a.find('a' * 10 ** 5 ~ 'b') }}{{ (a ~ '') in a ~ 'b' }}"), "-1True");
  std::string deep = "{{ ";  // long chains inside parentheses inside long chains: a deep tree from a flat parse
  for (int i = 0; i < 150; ++i) deep += '(';
  deep += "1";
  for (int i = 0; i < 150; ++i) {
    for (int k = 0; k < 700; ++k) deep += "+1";
    deep += ')';
  }
  EXPECT_EQ(failure(deep + " }}").kind(), Kind::limit);
  ChatTemplate::Limits small;
  small.output = 100;
  EXPECT_EQ(failure("{% for i in range(99) %}ab{% endfor %}", small).kind(), Kind::limit);
}
TEST(ChatTemplate, GrowsTextInLinearTime) {
  EXPECT_EQ(render("{% set ns = namespace(s='') %}{% for i in range(50000) %}{% set ns.s = ns.s ~ 'abcdefgh' %}{% endfor %}"
                   "{{ ns.s | length }}"), "400000");
  // A string that was extended twice keeps both results.
  EXPECT_EQ(render("{% set a = 'x' * 200 %}{% set a = a ~ 'y' %}{% set b = a ~ '1' %}{% set c = a ~ '2' %}{{ b[-2:] }}{{ c[-2:] }}"), "y1y2");
}

TEST(ChatTemplate, RecordsGenerationSpans) {
  Options o;
  o.messages = Json::parse(R"([{"role": "user", "content": "é"}, {"role": "assistant", "content": "yes"}])");
  o.return_assistant_tokens_mask = true;
  const ChatTemplate t(
      "{% for m in messages %}{{ m.role[0] }}:{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
      "{% else %}{{ m.content }}{% endif %};{% endfor %}");
  const auto r = t.render(o);
  EXPECT_EQ(r.text, "u:é;a:yes;");
  ASSERT_EQ(r.generation_spans.size(), 1u);
  EXPECT_EQ(r.generation_spans[0], (std::pair<int64_t, int64_t>(6, 9)));
}
TEST(ChatTemplate, ContinuesTheFinalMessage) {
  Options o;
  o.messages = Json::parse(R"([{"role": "assistant", "content": "to be "}])");
  o.continue_final_message = true;
  EXPECT_EQ(ChatTemplate("{% for m in messages %}[{{ m.content }}]{% endfor %}").render(o).text, "[to be ");
  EXPECT_EQ(ChatTemplate("{% for m in messages %}[{{ m.content | trim }}]{% endfor %}").render(o).text, "[to be");
  EXPECT_THROW(ChatTemplate("nothing").render(o), ChatTemplateError);
  EXPECT_EQ(o.messages.at(0)["content"].as_string(), "to be ");
  for (const char* bad : {"[]", "[1]", "[{}]", "[{\"content\": [1]}]", "3"}) {
    o.messages = Json::parse(bad);
    EXPECT_THROW(ChatTemplate("x").render(o), Error) << bad;
  }
}
TEST(ChatTemplate, OneTemplateServesManyThreads) {
  const ChatTemplate t("{% for m in messages %}{{ loop.index }}{{ m.content ~ '!' }}{% endfor %}{{ 'a' ~ 'b' }}");
  std::vector<std::thread> threads;
  std::vector<std::string> out(4);
  for (size_t k = 0; k < out.size(); ++k)
    threads.emplace_back([&, k] {
      Options o;
      o.messages = Json::parse("[{\"content\": \"" + std::string(1, static_cast<char>('p' + k)) + "\"}]");
      for (int i = 0; i < 200; ++i) out[k] = t.render(o).text;
    });
  for (std::thread& thread : threads) thread.join();
  for (size_t k = 0; k < out.size(); ++k) EXPECT_EQ(out[k], std::string("1") + static_cast<char>('p' + k) + "!ab");
}

}  // namespace
}  // namespace transformers
