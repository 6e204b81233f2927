"""A model's answer is read whole where it is whole, in part where it is broken, and never guessed at."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memchat.core.types import Memory, Owner, Role, Scope
from memchat.errors import BadReply
from memchat.learning import compact_form
from memchat.learning.extraction import (
    SCHEMA,
    Exchange,
    Extraction,
    Fact,
    MemoryReference,
    request,
    retry_request,
    unsupported_request,
)
from memchat.learning.extraction_parser import MAX_FACTS, parse
from memchat.learning.quote_matching import find_quote
from memchat.learning.support import SupportCheck
from memchat.llm.wordpieces import EnglishWordPieces

TEA: dict[str, Any] = {"text": "User likes tea.", "quote": "I like tea"}
CATS: dict[str, Any] = {"text": "User has two cats.", "quote": "my two cats", "cues": ["going away", "pet food"]}


def texts(reply: str) -> list[str]:
    return [fact.text for fact in parse(reply).facts]


def answer(*facts: Any, **others: Any) -> str:
    return json.dumps({"facts": list(facts), **others}, ensure_ascii=False)


# Forms.

BOTH = ["User likes tea.", "User has two cats."]
FORMS = [
    answer(TEA, CATS),
    f"```json\n{answer(TEA, CATS)}\n```",
    f"```\n{answer(TEA, CATS)}",
    f"Here is what I found [as asked]:\n{answer(TEA, CATS)}\nI hope {{this}} helps!",
    f"<think>Messages [1] and {{n}} teach something.</think>{answer(TEA, CATS)}",
    json.dumps([TEA, CATS]),
    f"{json.dumps(TEA)}\n{json.dumps(CATS)}",
    json.dumps({"memories": [TEA, CATS]}),
    json.dumps({"results": [TEA, CATS], "facts": []}),
    json.dumps({"facts": [{"fact": TEA["text"], "quote": TEA["quote"]}, {"memory": CATS["text"], "quote": "cats"}]}),
    f'{{"facts": [{json.dumps(TEA)}], "facts": [{json.dumps(CATS)}]}}',
    f'{{"facts": []}}\nOn second thought:\n{answer(TEA, CATS)}',
    f'{{"text": "User hates tea.", "quote": "tea"}} was wrong:\n{answer(TEA, CATS)}',
    answer(TEA, CATS, TEA, CATS),
    answer(TEA, CATS).replace("likes tea", "likes\ntea"),
    str(json.loads(answer(TEA, CATS, ended=[], confirmed=[None, True, False]))),
    f"Here's what I'd keep:\n{json.loads(answer(TEA, CATS))}\nThat's it.",
    answer(TEA, CATS).replace("}", ",}").replace("]", ", ]"),
    json.dumps({"response": json.loads(answer(TEA, CATS))}),
    json.dumps({"name": "reply", "arguments": json.loads(answer(TEA, CATS))}),
    json.dumps({"name": "reply", "parameters": answer(TEA, CATS)}),
    json.dumps([{"type": "function", "function": {"name": "reply", "arguments": answer(TEA, CATS)}}]),
    json.dumps({"tool_calls": [{"id": "1", "function": {"name": "reply", "arguments": answer(TEA, CATS)}}]}),
    json.dumps(answer(TEA, CATS)),
    f'{answer(TEA, CATS)}\n<think>Or was it {{"facts": []}}?</think>',
    f'<thinking>Perhaps {{"facts": []}}.</thinking>\n{answer(TEA, CATS)}',
    f'Perhaps {{"facts": []}}.</think>{answer(TEA, CATS)}',
]


@pytest.mark.parametrize("reply", FORMS)
def test_an_answer_is_read_in_whatever_form_it_comes(reply: str) -> None:
    """Fenced, in prose, as a list, an object a line, under another key, said twice: the same two facts, no fault."""
    found = parse(reply)
    assert [fact.text for fact in found.facts] == BOTH
    assert found.parse_errors == ()


def test_a_single_fact_without_its_list_is_a_fact() -> None:
    """An object that is one fact stands for a list of one."""
    assert texts(json.dumps(TEA)) == [TEA["text"]]
    assert texts(json.dumps({"facts": TEA})) == [TEA["text"]]


@pytest.mark.parametrize("reply", ["{}", "[]", '{"facts": []}', '{"facts": null}', "```json\n{}\n```", "Nothing. {}"])
def test_nothing_to_remember_is_a_normal_answer(reply: str) -> None:
    """Empty answers have neither facts nor faults."""
    found = parse(reply)
    assert found == Extraction()
    assert found.parse_errors == ()


NO_ANSWER = [
    "",
    "   ",
    "There is nothing to remember.",
    "null",
    '"User likes tea."',
    "{",
    "[",
    '{"facts',
    "{'facts': ['I like",
    "[1, 2]",
    "facts:\n- text: User likes tea.\n  cues: []",
    "{" * 50_000,
    '{"a":' * 50_000,
    "[" * 50_000,
    '{"facts": ' + "[" * 50_000,
]


@pytest.mark.parametrize("reply", NO_ANSWER, ids=lambda reply: reply[:12])
def test_a_reply_without_an_answer_is_a_bad_reply(reply: str) -> None:
    """Prose, other values, and brackets that never close are refused, not taken for 'nothing'."""
    with pytest.raises(BadReply):
        parse(reply)


@pytest.mark.parametrize("reply", ['{"answer": []}', '{"text": "User likes tea."}', '{"user_facts": ["x y"]}'])
def test_an_answer_under_unknown_keys_is_a_bad_reply(reply: str) -> None:
    """What was learned may stand under them, so it must not pass for 'nothing'."""
    with pytest.raises(BadReply, match="other keys"):
        parse(reply)


def test_facts_that_are_only_sentences_ask_for_a_repair_and_may_still_be_quotes_themselves() -> None:
    """A list of strings has a fault; each string can hold only where it is the person's own words."""
    found = parse(json.dumps(["I like tea", "User has cats"]))
    assert [(fact.text, fact.quote) for fact in found.facts] == [("I like tea",) * 2, ("User has cats",) * 2]
    assert "a fact has no quote" in found.parse_errors


def test_a_lone_word_in_the_place_of_facts_is_none() -> None:
    """'none' must not become a memory where the person happened to say it."""
    found = parse('{"facts": "none"}')
    assert found.facts == ()
    assert found.parse_errors


BROKEN_FACTS: list[Any] = [
    3,
    None,
    [TEA],
    {},
    {"text": "User likes tea."},
    {"text": "User likes tea.", "quote": None},
    {"text": "User likes tea.", "quote": "  "},
    {"text": "User likes tea.", "quote": ["I like tea"]},
    {"text": "", "quote": "I like tea"},
    {"text": "\u200b\x00", "quote": "I like tea"},
    {"text": 5, "quote": "I like tea"},
    {"text": "x" * 1_001, "quote": "I like tea"},
]


@pytest.mark.parametrize("broken", BROKEN_FACTS, ids=lambda broken: repr(broken)[:30])
def test_a_fact_that_cannot_be_read_is_named_and_the_others_are_kept(broken: Any) -> None:
    """One bad fact costs neither its neighbours nor goes unnoticed."""
    found = parse(answer(TEA, broken, CATS))
    assert [fact.text for fact in found.facts] == BOTH
    assert len(found.parse_errors) == 1


def test_an_empty_answer_before_one_that_is_cut_off_is_a_fault() -> None:
    """The work is not done with it: there was more to come."""
    found = parse('At first: {}. Then {"facts": [{"text": "User lives in Ber')
    assert found.facts == ()
    assert found.parse_errors


def test_a_fact_whose_key_is_given_twice_with_two_values_is_dropped() -> None:
    """The quote of one sentence must not prove another."""
    twice = '{"text": "User likes tea.", "quote": "I like tea", "text": "User is rich."}'
    found = parse(f'{{"facts": [{twice}, {json.dumps(CATS)}]}}')
    assert [fact.text for fact in found.facts] == ["User has two cats."]
    assert found.parse_errors


WRONG: list[Any] = [None, 5, -1, 1.5, True, "x", [], {}, [[]], [None], [{}], float("nan"), float("inf"), 10**400]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong)[:12])
def test_wrong_types_beside_text_and_quote_leave_the_defaults(wrong: Any) -> None:
    """Text and quote make a fact; whatever cannot be read beside them is as if it were not there."""
    others = ("cues", "valid_from", "valid_to", "replaces", "scope", "mistaken", "standing")
    fact = {**TEA, **dict.fromkeys(others, wrong)}
    (found,) = parse(answer(fact)).facts
    assert (found.text, found.quote, found.scope) == (TEA["text"], TEA["quote"], Scope.USER)
    assert (found.valid_from, found.valid_to) == (None, None)
    assert found.standing is (wrong is True)
    assert set(found.replaces) <= {5, -1}
    assert set(found.cues) <= {"x"}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong)[:12])
def test_wrong_types_in_the_place_of_the_lists_do_not_cost_the_facts(wrong: Any) -> None:
    """Neither a crash nor a lost fact, whatever stands under the other keys."""
    others = ("confirmed", "ended", "outdated", "forget")
    found = parse(answer(TEA, **dict.fromkeys(others, wrong)))
    assert [fact.text for fact in found.facts] == [TEA["text"]]
    assert found.ended == found.forget == ()
    assert {mention.number for mention in found.confirmed} <= {5, -1}


def test_two_hundred_facts_are_read() -> None:
    """Many facts are no fault."""
    many = [{"text": f"Fact {n}.", "quote": "q"} for n in range(200)]
    found = parse(answer(*many))
    assert len(found.facts) == 200
    assert found.parse_errors == ()


def test_an_endless_list_is_cut_with_a_fault() -> None:
    """Beyond the limit the answer is repaired rather than silently cut."""
    found = parse(answer(*({"text": f"Fact {n}.", "quote": "q"} for n in range(MAX_FACTS + 5))))
    assert len(found.facts) == MAX_FACTS
    assert found.parse_errors


def test_numbers_are_read_as_models_write_them() -> None:
    """Digits in strings, objects with an `n` and round floats are numbers; each counts once."""
    found = parse(answer(confirmed=["1", {"n": 2}, 3.0, 3, "three", None, True, "9" * 5_000], outdated=4))
    assert [mention.number for mention in found.confirmed] == [1, 2, 3]
    assert found.outdated == (4,)


def test_numbers_of_thousands_of_digits_cost_nothing_else() -> None:
    """Python refuses to read such integers; the facts beside one stay."""
    found = parse(f'{{"facts": [{json.dumps(TEA)}], "confirmed": [{"9" * 5_000}, 1]}}')
    assert [fact.text for fact in found.facts] == [TEA["text"]]
    assert found.confirmed == (MemoryReference(1, ""),)


def test_ended_and_forgotten_need_number_and_quote() -> None:
    """A mention without its words, or of no number, is a fault and nothing else."""
    found = parse(answer(ended=[{"n": 1, "quote": "no longer"}, {"n": 2}, 3], forget={"n": 4, "quote": "forget it"}))
    assert found.ended == (MemoryReference(1, "no longer"),)
    assert found.forget == (MemoryReference(4, "forget it"),)
    assert len(found.parse_errors) == 2


DAYS: list[tuple[Any, date | None]] = [
    ("2026-06-03", date(2026, 6, 3)),
    ("2026-6-3", date(2026, 6, 3)),
    (" 2026-06-03T12:30:00Z", date(2026, 6, 3)),
    ("2026-06-03 (Wednesday)", date(2026, 6, 3)),
    ("2026-06", date(2026, 6, 1)),
    ("2026", date(2026, 1, 1)),
    ("2026-13-01", None),
    ("2026-02-30", None),
    ("2026-0603", None),
    ("20260603", None),
    ("0000-01-01", None),
    ("last week", None),
    ("", None),
    (2026, None),
]


@pytest.mark.parametrize(("written", "day"), DAYS)
def test_a_day_is_read_or_left_out(written: Any, day: date | None) -> None:
    """A date that cannot be read whole is no date: never another one."""
    assert parse(answer({**TEA, "valid_from": written})).facts[0].valid_from == day


def test_an_end_before_the_beginning_is_no_period() -> None:
    """Which of the two is wrong cannot be known."""
    fact = parse(answer({**TEA, "valid_from": "2026-06-03", "valid_to": "2025-01-01"})).facts[0]
    assert (fact.valid_from, fact.valid_to) == (None, None)


def test_what_no_file_can_hold_is_taken_out_of_texts_and_cues() -> None:
    """Lone surrogates, control and invisible characters from a model reach neither disk nor prompt."""
    reply = r'{"facts": [{"text": "User\u0000 likes\ud83d\u200b tea.", "quote": "tea", "cues": ["te\ud800a"]}]}'
    (fact,) = parse(reply).facts
    assert fact.text == "User likes\ufffd tea."
    assert fact.cues == ("te\ufffda",)


# Truncation.


GOOD = answer(
    {**TEA, "cues": ["a cup, a pot", 'say "tea" {now}'], "replaces": [1, 2], "valid_from": "2026-06-03"},
    {"text": 'User\'s dog is called "Rex" [not {"Max"}].', "quote": 'my dog "Rex"', "scope": "session"},
    {"text": "Der Nutzer wohnt in Köln 🏠.", "quote": "ich wohne in Köln", "standing": False},
    confirmed=[3],
    ended=[{"n": 4, "quote": "I no longer smoke", "valid_to": None}],
    forget=[{"n": 5, "quote": "forget my address"}],
)


@pytest.mark.parametrize("escaped", [False, True])
def test_an_answer_cut_off_anywhere_gives_its_first_facts_and_says_so(escaped: bool) -> None:
    """A cut sentence or quote never becomes a shorter fact; what was whole before the cut stays."""
    good = json.dumps(json.loads(GOOD)) if escaped else GOOD
    whole = parse(good).facts
    assert len(whole) == 3
    for end in range(len(good)):
        try:
            found = parse(good[:end])
        except BadReply:
            assert '"}' not in good[:end]
            continue
        assert found.facts == whole[: len(found.facts)]
        assert found.parse_errors
        assert found.ended == found.forget == ()


def test_the_cues_of_a_cut_off_fact_are_no_facts() -> None:
    """A list that is whole within a broken object is not taken for the answer."""
    with pytest.raises(BadReply):
        parse('{"facts": [{"text": "User is vegan.", "cues": ["eating out tonight", "recipes to cook"], "quo')


# Properties.

SENTENCES = st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable() and text.strip() != "")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["facts", "memory", "text", "quote", "ended", "forget", "confirmed", "n", "cues", "replaces"]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
FACTS = st.builds(
    Fact,
    text=SENTENCES.map(lambda text: " ".join(text.split())),
    quote=SENTENCES.map(str.strip),
    category=st.sampled_from(["work", "other"]),
    scope=st.sampled_from(Scope),
    cues=st.lists(st.sampled_from(["cooking", "eating out", "travel"]), max_size=3, unique=True).map(tuple),
    valid_from=st.none() | st.dates(),
    standing=st.booleans(),
    replaces=st.lists(st.integers(1, 15), max_size=3, unique=True).map(tuple),
    mistaken=st.booleans(),
)


def as_json(fact: Fact) -> dict[str, Any]:
    return {
        "text": fact.text,
        "quote": fact.quote,
        "category": fact.category,
        "scope": fact.scope,
        "cues": fact.cues,
        "valid_from": fact.valid_from and fact.valid_from.isoformat(),
        "valid_to": None,
        "standing": fact.standing,
        "replaces": fact.replaces,
        "mistaken": fact.mistaken,
    }


def read(reply: str) -> Extraction | None:
    try:
        return parse(reply)
    except BadReply:
        return None


@given(st.text())
@example('{"facts": [{"text": "\\ud800", "quote": "\\ud800"}]}')
@example('{"facts": [' + '{"n":' * 2_000)
def test_any_text_is_an_answer_or_a_bad_reply(reply: str) -> None:
    """No other error, whatever a model writes; and every text that comes out can be written to a file."""
    found = read(reply)
    for fact in found.facts if found else ():
        fact.text.encode()


@given(JSON)
def test_any_json_is_an_answer_or_a_bad_reply(value: object) -> None:
    """Every fact that comes out of it has a text and a quote."""
    found = read(json.dumps(value))
    assert all(fact.text and fact.quote for fact in (found.facts if found else ()))


@given(st.lists(FACTS, max_size=5, unique=True), st.integers(0, 2_000))
def test_a_good_answer_comes_back_as_it_was_and_cut_off_as_its_beginning(facts: list[Fact], cut: int) -> None:
    """What a model gave in good form is neither changed nor reordered."""
    reply = json.dumps({"facts": [as_json(fact) for fact in facts], "confirmed": [{"n": 1, "quote": "q"}]})
    assert parse(reply) == Extraction(tuple(facts), confirmed=(MemoryReference(1, "q"),))
    if cut < len(reply) and (found := read(reply[:cut])):
        assert found.facts == tuple(facts)[: len(found.facts)]


# The request.

NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)


def test_the_request_carries_its_inputs_as_one_json_object() -> None:
    """Nothing said in a conversation stands outside of it, and memories go by number, never by id."""
    known = Memory("secret-id", Owner.user("al"), "User lives in Berlin.", Scope.USER, "place", NOON, NOON)
    session = Memory("other-id", Owner.user("al"), "The login fails.", Scope.SESSION, "support", NOON, NOON, "s1")
    said = 'He said "hi".\n"known": []}'
    earlier = [(Role.ASSISTANT, "x" * 1_000)]
    asked = request(Exchange(date(2026, 6, 3), said, assistant="y" * 3_000, earlier=earlier, known=[known, session]))
    inputs = json.loads(asked.messages[1].content)
    assert inputs["user"] == said
    assert inputs["today"] == "2026-06-03 (Wednesday)"
    assert inputs["known"] == [
        {"n": 1, "text": "User lives in Berlin.", "since": "2026-06-03"},
        {"n": 2, "text": "The login fails.", "since": "2026-06-03", "scope": "session"},
    ]
    assert len(inputs["assistant"]) < 1_300
    assert len(inputs["earlier"][0]) < 500
    assert "secret-id" not in str(asked)
    assert asked.temperature == 0
    assert asked.schema == SCHEMA


def test_what_a_model_may_write_is_limited() -> None:
    """One that never ends would hold the learner: in tokens everywhere, in items where the schema is kept to."""
    asked = request(Exchange(date(2026, 6, 3), "Hi"))
    repair = retry_request(asked, "", ["no JSON"])
    (compact_request,) = compact_form.requests(Exchange(date(2026, 6, 3), "I live in Graz."))
    limits = [one.max_tokens for one in (asked, repair, compact_request)]
    assert limits == [2_000, 2_000, 200]
    assert asked.schema is not None
    lists = [value for value in _schemas(asked.schema) if value.get("type") == "array"]
    assert len(lists) == 7
    assert all(0 < value["maxItems"] <= 30 for value in lists)


def _schemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    for inner in (*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])):
        yield from _schemas(inner)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ('{"facts": [{"text": "x", "quote": "y"', "JSON that cannot be read"),
        ('{"facts": [{"text": "x" "quote" "y"}]}', "JSON that cannot be read"),
        ("Nothing to note here.", "no JSON"),
    ],
)
def test_an_answer_that_is_nearly_json_is_not_called_none(reply: str, told: str) -> None:
    """A person who chooses a model is helped by knowing which it was."""
    with pytest.raises(BadReply, match=told):
        parse(reply)


def test_the_request_names_categories_and_instructions_and_offers_agent_scope_only_with_leave() -> None:
    """What an agent's profile says reaches the model."""
    plain = request(Exchange(date(2026, 6, 3), "Hi")).messages[0].content
    own = request(
        Exchange(date(2026, 6, 3), "Hi", categories=("billing",), instructions="Only orders.", learns_agent=True)
    )
    assert '"agent"' not in plain
    assert '"agent"' in own.messages[0].content
    assert "one of billing " in own.messages[0].content
    assert "Only orders." in own.messages[0].content


def test_a_repair_shows_the_answer_and_what_is_wrong_with_it() -> None:
    """The second call is the first one with two more messages, and less of a repetition."""
    asked = request(Exchange(date(2026, 6, 3), "Hi"))
    again = retry_request(asked, "z" * 9_000, ["a fact has no quote"])
    assert again.messages[:2] == asked.messages
    assert again.messages[2].role is Role.ASSISTANT
    assert len(again.messages[2].content) == 4_000
    assert "a fact has no quote" in again.messages[3].content
    assert again.schema == asked.schema
    assert again.temperature is not None
    assert again.temperature > 0


def test_what_was_not_said_is_asked_for_alone() -> None:
    """The same instructions and inputs, with what was not kept named beside them."""
    heard = Exchange(date(2026, 6, 3), "I live in Porto")
    asked = request(heard)
    again = unsupported_request(asked, heard, [Fact("User lives in Rome.", "Nice!")])
    assert again.messages[0] == asked.messages[0]
    inputs = json.loads(again.messages[1].content)
    assert inputs["not_kept"] == ["User lives in Rome."]
    assert inputs.items() >= json.loads(asked.messages[1].content).items()


def test_the_example_of_the_instructions_is_an_answer_as_it_is_asked_for() -> None:
    """Small models copy the last line: it is whole JSON with every key and real values, borne by its own message."""
    instructions = request(Exchange(date(2026, 6, 3), "Hi", learns_agent=True)).messages[0].content
    asked, example = instructions.splitlines()[-2:]
    found = parse(example)
    assert list(json.loads(example)) == SCHEMA["required"]
    assert found.parse_errors == ()
    assert [list(one) for one in json.loads(example)["facts"]] == [SCHEMA["properties"]["facts"]["items"]["required"]]
    quotes = [*(fact.quote for fact in found.facts), *(known.quote for known in found.confirmed)]
    assert all(find_quote(quote, asked) for quote in quotes)
    assert "{" not in instructions.removesuffix(example).replace("{n, quote}", "").replace("{n, quote, valid_to}", "")


def test_the_example_of_the_instructions_is_no_fact_about_anybody() -> None:
    """A model that repeats it gets nothing into the store."""
    example = request(Exchange(date(2026, 6, 3), "Hi")).messages[0].content.splitlines()[-1]
    said = Exchange(date(2026, 6, 3), "My sister Ida moved to Ghent.")
    assert not any(find_quote(fact.quote, said.user) for fact in parse(example).facts)
    assert not any(SupportCheck(said).bears(fact, said.user) for fact in parse(example).facts)


def test_the_instructions_stay_under_fifteen_hundred_tokens() -> None:
    """Before their inputs, counted in word pieces, which are rather smaller than a model's tokens."""
    asked = request(Exchange(date(2026, 6, 3), "", learns_agent=True))
    (pieces,) = EnglishWordPieces().pieces([asked.messages[0].content])
    assert len(pieces) < 1_500
