"""Recall over a real store: finds what bears on a request, and nothing of others, of the past, or beside the point."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from memchat.core.protocols import MemoryFilter
from memchat.core.types import Add, Draft, End, MarkOutdated, Owner, Scope
from memchat.errors import ModelUnreachable
from memchat.recall.retriever import NOTE_TOKENS, Hit, Limits, Query, Retriever
from memchat.text import embedding
from tests.learning.harness import AL, EMBEDDER, NOON, VOCABULARY, Home

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

VEGETARIAN = Draft(
    "User is vegetarian.",
    AL,
    category="preference",
    cues=(
        "suggest a restaurant, menu, where to eat tonight",
        "recipe, groceries, cooking dinner",
        "party food, barbecue, guests",
    ),
)
BERLIN = Draft(
    "User lives in Berlin.",
    AL,
    category="place",
    cues=(
        "local tips: restaurant, bar or shop near me",
        "weather tomorrow, what to wear outside",
        "train station, airport, getting home",
    ),
)
PLAIN = ("tea", "chess", "jazz", "sailing", "pottery", "astronomy", "knitting", "karate", "origami", "falconry")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path) as opened:
        yield opened


def crowd() -> list[Draft]:
    """Two hundred facts about other things, half of them with cues of their own."""
    blind = json.loads((Path(__file__).parents[1] / "benchmarks/blind_set/facts.json").read_text())
    about_food = ("eat", "restaurant", "food", "cook", "grocer", "menu", "dinner", "dish", "near me")
    facts = [one for one in blind if not any(word in json.dumps(one).lower() for word in about_food)]
    cued = [Draft(one["text"], AL, category=one["category"], cues=tuple(one["cues"])) for one in facts]
    hobbies = [f"User took up {one} in {2000 + n} because of {two}." for n in range(20) for one, two in _pairs(n)]
    return [*cued, *(Draft(text, AL) for text in hobbies)][:200]


def _pairs(n: int) -> list[tuple[str, str]]:
    return [(one, PLAIN[(at + 1 + n % 9) % len(PLAIN)]) for at, one in enumerate(PLAIN)]


def found(home: Home, text: str, **query: Any) -> list[str]:
    view = query.pop("view", MemoryFilter((AL,)))
    return [hit.memory.text for hit in home.recall.search(Query(text, view, **query))]


# What bears on a request.


def test_cues_bring_to_mind_what_shares_no_word_with_the_request(home: Home) -> None:
    """Among two hundred other memories, where and what the person eats come first."""
    home.keep_drafts([*crowd(), VEGETARIAN, BERLIN])
    assert len(home.memories()) == 202
    request = "Can you suggest a restaurant near me for tonight?"
    assert {"User is vegetarian.", "User lives in Berlin."} <= set(found(home, request)[:3])


def test_without_cues_it_would_not_come_to_mind(home: Home) -> None:
    """The request and the bare fact have next to nothing in common."""
    home.keep("User is vegetarian.")
    assert found(home, "Can you suggest a restaurant near me for tonight?") == []


@pytest.mark.parametrize("request_", ["What is 17 times 23?", "Write a haiku about autumn leaves", "Thanks!", "ok"])
def test_an_unrelated_request_recalls_nothing(home: Home, request_: str) -> None:
    """An empty answer is better than a far-fetched one."""
    home.keep_drafts([VEGETARIAN, BERLIN])
    home.keep("User's order 4821 is delayed.", "User plays the cello.")
    assert found(home, request_) == []
    assert found(home, request_, floor=False) != []


def test_exact_words_are_found_where_meaning_does_not_help(home: Home) -> None:
    """Order numbers and names of things."""
    home.keep("User's order is ZX-48213.", "User's order is ZX-77120.", "User's router is a Fritzbox 7590.")
    assert found(home, "What about ZX-77120?")[0] == "User's order is ZX-77120."
    assert found(home, "my fritzbox is broken")[0] == "User's router is a Fritzbox 7590."


def test_an_unquestioning_follow_up_is_read_with_the_turn_before(home: Home) -> None:
    """Only where it says too little alone."""
    home.keep("User's sister Ana has her birthday on 4 May.")
    before = "When is the birthday of my sister Ana?"
    assert found(home, "and what then?") == []
    assert found(home, "and what then?", previous=before) == ["User's sister Ana has her birthday on 4 May."]
    other = "Please explain the offside rule in football to a child of seven."
    assert found(home, other, previous=before) == []


def test_a_short_question_after_a_statement_is_searched_alone_first(home: Home) -> None:
    """What was just told does not come before the answer; where the question alone finds nothing, it helps."""
    home.keep("User's sister Marta is getting married on 12 June.", "User lives in Lisbon.", "User is vegetarian.")
    told = "My sister Marta is getting married on June 12."
    assert found(home, "Where do I live?", previous=told) == ["User lives in Lisbon."]
    assert found(home, "And when?", previous=told) == ["User's sister Marta is getting married on 12 June."]


@pytest.mark.parametrize(
    ("fact", "request_"),
    [
        ("User lives in Berlin.", "Where do I live? What is the weather there?"),
        ("User's sister Ana is a pilot.", "What does my sister do for a living? How long is training for that?"),
        ("Der Nutzer wohnt in Berlin.", "Wo wohne ich? Wie wird dort morgen das Wetter?"),
        ("La hermana del usuario es piloto.", "¿En qué trabaja mi hermana? ¿Cuánto dura la formación?"),
        ("用户住在柏林。", "我住在哪里？明天的天气怎么样？"),
    ],
)
def test_each_question_of_a_request_is_searched_for(home: Home, fact: str, request_: str) -> None:
    """Not only the last one; a request of as many questions about other things finds nothing."""
    home.keep(fact, *(f"User likes {one}." for one in PLAIN))
    assert found(home, request_) == [fact]
    assert found(home, "Who invented the telephone? When was that? Did it pay off?") == []


@pytest.mark.parametrize(
    ("fact", "request_"),
    [
        ("User lives in Berlin.", "What is the weather like where I live?"),
        ("User lives in Berlin.", "Can you find a doctor close to where I live, please?"),
        ("User works at Siemens.", "Book a table near where I work"),
        ("Der Nutzer wohnt in Berlin.", "Gibt es gute Bäckereien dort, wo ich wohne?"),
        ("L'utilisateur habite à Berlin.", "Quel temps fait-il là où j'habite ?"),
        ("Gebruiker woont in Berlijn.", "Wat voor weer is het waar ik woon?"),
    ],
)
def test_what_a_request_says_of_the_user_by_the_way_is_searched_for(home: Home, fact: str, request_: str) -> None:
    """Where the request as a whole finds nothing; what it says of others finds nothing."""
    home.keep(fact, *(f"User likes {one}." for one in PLAIN))
    assert found(home, request_)[:1] == [fact]
    for other in ("What is the weather like where penguins live?", "Do you know what I should cook tonight?"):
        assert found(home, other) == []


@pytest.mark.parametrize("thanks", ["Thanks!", "Thank you so much", "Good night", "Vielen Dank!", "¡Gracias!"])
def test_thanks_are_not_read_with_the_turn_before(home: Home, thanks: str) -> None:
    """They ask for nothing; a yes to an offer does."""
    home.keep("User's sister Ana has her birthday on 4 May.")
    before = "When is the birthday of my sister Ana?"
    assert found(home, thanks, previous=before) == []
    assert found(home, "Yes please", previous=before) == ["User's sister Ana has her birthday on 4 May."]


def test_the_person_who_is_named_counts(home: Home) -> None:
    """Of two like facts the one about the named person comes first."""
    home.keep("User's brother Leo plays the cello.", "User's brother Tom plays the piano.")
    hits = home.recall.search(Query("Which instrument does Tom play?", MemoryFilter((AL,))))
    assert hits[0].memory.text == "User's brother Tom plays the piano."
    assert hits[0].parts["named"] > 0


# Without the embedder.


class Unreachable:
    """An embedder that nobody reaches."""

    def embed(self, texts: Sequence[str]) -> "Vectors":
        raise ModelUnreachable("Nothing answers there.")

    def similarities(self, requests: "Vectors", memories: "Sequence[Vectors]", texts: Sequence[str]) -> "list[Vectors]":
        raise NotImplementedError

    def across_languages(self, requests: "Vectors") -> "Vectors | None":
        raise NotImplementedError


def test_words_alone_do_when_the_embedder_fails(home: Home) -> None:
    """What shares words with the request is recalled, in the same order; what does not, and the unrelated, is not."""
    home.keep_drafts([VEGETARIAN, BERLIN])
    home.keep("User's order is ZX-48213.", "User's order is ZX-77120.", "User's brother Tom plays the piano.")
    recall = Retriever(home.store.memories, Unreachable(), VOCABULARY, Limits(), home.clock)

    def found_by_words(text: str) -> list[str]:
        hits = recall.search(Query(text, MemoryFilter((AL,))))
        assert all("meaning" not in hit.parts for hit in hits)
        return [hit.memory.text for hit in hits]

    assert found_by_words("What about ZX-77120?")[0] == "User's order is ZX-77120."
    assert found_by_words("Which instrument does Tom play?")[0] == "User's brother Tom plays the piano."
    assert "User lives in Berlin." in found_by_words("What is the weather in Berlin tomorrow?")
    for request in ("What is 17 times 23?", "Write a haiku about autumn leaves", "Thanks!", "ok"):
        assert found_by_words(request) == []


def test_what_new_facts_are_held_against_is_not_found_by_words_alone(home: Home) -> None:
    """A contradiction may share no word with what it contradicts, so learning waits instead."""
    home.keep_drafts([VEGETARIAN])
    recall = Retriever(home.store.memories, Unreachable(), VOCABULARY, Limits(), home.clock)
    with pytest.raises(ModelUnreachable):
        recall.nearest("I am vegetarian.", home.session(), 15)


# Whose.


def test_a_name_that_most_memories_hold_adds_no_meaning(home: Home) -> None:
    """Where everything is about Caroline her name tells nothing apart; a name that stands once does."""

    def meaning(text: str) -> list[float]:
        hits = home.recall.search(Query(text, MemoryFilter((AL,)), floor=False))
        return [hit.parts["meaning"] for hit in hits if "sardines" in hit.memory.text]

    home.keep("Caroline eats sardines.", *(f"Caroline took up {one}." for one in PLAIN))
    assert meaning("What does Caroline eat?") == meaning("What does eat?")
    home.keep("Osman eats sardines and figs.", *(f"User heard of {one} and {two}." for one, two in _pairs(3)))
    assert meaning("What does Osman eat?") != meaning("What does eat?")


def test_nobody_recalls_what_is_anothers(home: Home) -> None:
    """Neither through words nor through meaning; the agent's memories come with the agent."""
    home.keep("User lives in Berlin.", owner=Owner.user("bo"))
    home.keep("Berlin orders ship from Potsdam.", owner=Owner.agent("bot"))
    assert found(home, "Where in Berlin?") == []
    assert home.recall.recall_for_turn(Query("Where in Berlin?"), home.session()).hits == ()
    (hit,) = home.recall.recall_for_turn(Query("Where do Berlin orders ship from?"), home.session(agent="bot")).hits
    assert hit.memory.scope is Scope.AGENT


def test_a_view_without_owners_finds_nothing(home: Home) -> None:
    """No owner means nobody, not everybody."""
    home.keep("User lives in Berlin.")
    assert found(home, "Berlin", view=MemoryFilter(())) == []


def test_session_memories_are_recalled_in_their_session_alone(home: Home) -> None:
    """And count a little more there."""
    here, elsewhere = home.say("Hi"), home.say("Hi")
    home.keep("User's login fails with error 503.", scope=Scope.SESSION, session_id=here.id)
    (hit,) = home.recall.recall_for_turn(Query("Why does my login fail?"), here).hits
    assert hit.parts["here"] > 0
    assert home.recall.recall_for_turn(Query("Why does my login fail?"), elsewhere).hits == ()


def test_a_view_filters_by_metadata_category_and_agent(home: Home) -> None:
    """All at once, if need be."""
    home.keep("User's parcel to Lyon is late.", metadata={"order_id": 4821}, category="support", agent="bot")
    home.keep("User's parcel to Nice is late.", metadata={"order_id": 4822}, category="event")
    request = "Where is my parcel?"
    assert len(found(home, request)) == 2
    assert found(home, request, view=MemoryFilter((AL,), where={"order_id": "4821"})) == [
        "User's parcel to Lyon is late."
    ]
    assert found(home, request, view=MemoryFilter((AL,), categories=("event",))) == ["User's parcel to Nice is late."]
    assert found(home, request, view=MemoryFilter((AL,), agent="bot")) == ["User's parcel to Lyon is late."]


# What no longer holds.


def test_superseded_and_expired_memories_stay_out_unless_asked_for(home: Home) -> None:
    """As of a former date, what held then is found."""
    (old,) = home.keep("User lives in Berlin.", valid_from=date(2020, 1, 1))
    lyon = Draft("User lives in Lyon.", AL, valid_from=date(2026, 5, 1))
    home.store.apply([Add(lyon, (old.id,))], embedding.embed(EMBEDDER, [lyon]))
    home.keep("User lives in a hotel this week.", expires_at=NOON + timedelta(days=1))
    home.clock.forward(days=2)
    request = "Where does the user live?"
    assert found(home, request) == ["User lives in Lyon."]
    assert found(home, request, view=MemoryFilter((AL,), as_of=date(2021, 1, 1))) == ["User lives in Berlin."]
    assert set(found(home, request, view=MemoryFilter((AL,), superseded=True, expired=True))) == {
        "User lives in Lyon.",
        "User lives in Berlin.",
        "User lives in a hotel this week.",
    }


def test_what_has_ended_or_is_doubtful_comes_after_what_holds(home: Home) -> None:
    """It is still found, for it is knowledge about the past."""
    ended, doubtful, _ = home.keep(
        "User played the cello in an orchestra.", "User plays the cello on Fridays.", "User plays the cello daily."
    )
    home.store.apply([End(ended.id, NOON.date()), MarkOutdated(doubtful.id)], [None, None])
    hits = {hit.memory.text: hit for hit in home.recall.search(Query("cello", MemoryFilter((AL,))))}
    assert len(hits) == 3
    assert hits[ended.text].parts["gone by"] < 0
    assert hits[doubtful.text].parts["gone by"] < 0
    assert "gone by" not in hits["User plays the cello daily."].parts


# Bounds and explanations.


def test_at_most_top_k_are_recalled_best_first(home: Home) -> None:
    """The query's own number wins over the usual one."""
    home.keep(*(f"User plays the cello with friend number {n} from {place}." for n, place in enumerate(PLAIN)))
    hits = home.recall.search(Query("Who do I play the cello with?", MemoryFilter((AL,))))
    assert len(hits) == Limits().top_k
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len(found(home, "Who do I play the cello with?", top_k=2)) == 2


def test_the_memories_of_a_prompt_stay_within_their_tokens(tmp_path: Path) -> None:
    """Counted with the line around each of them."""
    with Home(tmp_path, limits=Limits(top_k=10, tokens=60)) as home:
        home.keep(*(f"User plays the cello with friend number {n} from {place}." for n, place in enumerate(PLAIN)))
        texts = found(home, "Who do I play the cello with?")
        spent = [VOCABULARY.tokens(text) + NOTE_TOKENS for text in texts]
        assert 2 <= len(texts) < 10
        assert sum(spent) <= 60
        assert sum(spent) + spent[0] > 60


def test_the_parts_of_a_score_explain_it(home: Home) -> None:
    """They sum up to it, and none of them is nothing."""
    home.keep_drafts([VEGETARIAN, BERLIN, Draft("Ana: Do you like Berlin?", AL, verbatim=True)])
    hits = home.recall.search(Query("Does Ana like Berlin restaurants?", MemoryFilter((AL,)), floor=False))
    assert len(hits) == 3
    for hit in hits:
        assert hit.score == pytest.approx(sum(hit.parts.values()))
        assert all(hit.parts.values())


def test_what_says_the_same_is_recalled_once(home: Home) -> None:
    """The user's and the agent's copy, and the same words kept in two conversations."""
    home.keep("User likes green tea.")
    home.keep("user likes green tea!", owner=Owner.agent("bot"))
    hits: tuple[Hit, ...] = home.recall.recall_for_turn(Query("Which tea do I like?"), home.session(agent="bot")).hits
    assert len(hits) == 1


ALIKE = [
    ("User's phone number is 0171 2345678.", "User's phone number is 0171 2345679.", "What is my phone number?"),
    ("ユーザーはベルリンに住んでいる。", "ユーザーはパリに住んでいる。", "ユーザーはどこに住んでいる?"),
]


@pytest.mark.parametrize(("one", "other", "request_"), ALIKE)
def test_facts_that_differ_in_one_name_or_number_are_two(home: Home, one: str, other: str, request_: str) -> None:
    """Also where the embedder cannot tell them apart, as in scripts it does not read."""
    home.keep(one, other)
    assert len(home.recall.nearest(request_, home.session(), 15)) == 2


def test_a_memory_too_long_for_the_budget_does_not_keep_the_others_out(tmp_path: Path) -> None:
    """It alone is passed over."""
    with Home(tmp_path, limits=Limits(tokens=60)) as home:
        home.keep("User plays the cello with Ana on Fridays. " + "They play the cello. " * 20, "User has an old cello.")
        request = "With whom do I play the cello on Fridays?"
        assert found(home, request, floor=False)[-1:] == ["User has an old cello."]


def test_what_new_facts_are_held_against_needs_no_likeness(home: Home) -> None:
    """The nearest are given however far they are, for a change may share no word with what it changes."""
    home.keep("User smokes.", "User lives in Berlin.")
    assert len(home.recall.nearest("I finally threw my cigarettes away", home.session(), 15)) == 2


def test_wishes_come_newest_first_whatever_the_request(home: Home) -> None:
    """And only the person's own."""
    home.keep_drafts([Draft("User wants metric units.", AL, standing=True)])
    home.keep_drafts([Draft("User wants to be called Al.", AL, standing=True), Draft("User has a cat.", AL)])
    assert [wish.text for wish in home.recall.standing(home.session())] == [
        "User wants to be called Al.",
        "User wants metric units.",
    ]
    assert home.recall.standing(home.session("bo")) == []


# Odd requests.

ODD = [
    "",
    "   \n",
    "???",
    "🙂" * 30,
    "\ud800",
    "\x00",
    '"',
    "(",
    "*",
    "a AND OR NOT",
    "NEAR(tea coffee, 5)",
    "terms:x ^y -z",
    "'; DROP TABLE memories; --",
    "a" * 200_000,
    "日本" * 20_000,
    "tea " * 50_000,
]


@pytest.mark.parametrize("request_", ODD, ids=lambda text: ascii(text[:12]))
def test_odd_requests_neither_fail_nor_find_what_is_not_there(home: Home, request_: str) -> None:
    """Nothing, operators of the full-text search, and texts of any length."""
    home.keep("User lives in Berlin.")
    assert found(home, request_) == []


def test_operators_around_a_word_do_not_hide_it(home: Home) -> None:
    """They are searched for as if they were not there."""
    home.keep("User lives in Berlin.")
    for request in ('"Berlin"', "Berlin*", "^Berlin", "Berlin AND", "(Berlin", "\x00Berlin\ud800"):
        assert found(home, request) == ["User lives in Berlin."]


def test_an_empty_store_recalls_nothing(home: Home) -> None:
    """Before anything was said. The embedder, which takes long to load, is not asked."""
    assert found(home, "Where do I live?") == []
    unasked = Retriever(home.store.memories, Unreachable(), VOCABULARY, Limits(), home.clock)
    assert unasked.nearest("I live in Berlin", home.session(), 15) == []
    assert home.recall.nearest("I live in Berlin", home.session(), 15) == []
