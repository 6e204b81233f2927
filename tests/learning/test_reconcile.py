"""The evidence gate, and what a model's answer comes to: only what was said, about memories that were shown."""

import unicodedata
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memchat.core.types import (
    Add,
    Confirm,
    Decision,
    End,
    Evidence,
    Forget,
    MarkOutdated,
    Memory,
    Owner,
    Role,
    Scope,
    Session,
    Source,
)
from memchat.learning.extraction import Exchange, Extraction, Fact, MemoryReference
from memchat.learning.quote_matching import find_quote
from memchat.learning.reconcile import LearningSource, decide

NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)
TODAY = NOON.date()
AL = Owner.user("al")
LEARNING = LearningSource(AL, session_id="s1", message_id="m1", model="test/model")

# The quote.

FOUND = [
    ("I like tea", "Well, I like tea.", "I like tea"),
    ("i LIKE   tea", "Well, I like\n\ttea.", "I like\n\ttea"),
    ('"I like tea."', "I like tea, too", "I like tea"),
    ("it's \"Al's\" place", "it’s “Al‘s” place", "it’s “Al‘s” place"),
    ("2019-2023", "from 2019–2023", "2019–2023"),
    ("wait... no", "wait… no", "wait… no"),
    ("STRASSE", "in der Straße hier", "Straße"),
    ("straße", "in der STRASSE hier", "STRASSE"),
    ("müller", "Herr MU\u0308LLER kam", "MU\u0308LLER"),
    ("cafe\u0301 au lait", "ein Café au lait", "Café au lait"),
    ("ﬁne", "all fine", "fine"),
    ("ベルリンに住んで", "今はベルリンに住んでいます。", "ベルリンに住んで"),
    ("채식주의자", "저는 채식주의자예요", "채식주의자"),
    ("Ｔｏｋｙｏ", "in Tokyo now", "Tokyo"),
    ("❤ cats", "I ❤️ cats", "❤️ cats"),
    ("I love 🐈", "I love 🐈", "I love 🐈"),
    ("👩\u200d💻", "ich bin 👩\u200d💻!", "👩\u200d💻"),
    ("art", "party art", "art"),
    ("tea", "\u201ctea\u201d", "tea"),
    ("non breaking", "non\u00a0breaking", "non\u00a0breaking"),
    ("softly", "soft\u00adly spoken", "soft\u00adly"),
    ("C++", "I write C++.", "C++"),
]


@pytest.mark.parametrize(("quote", "said", "found"), FOUND)
def test_a_quote_is_found_in_spite_of_case_spaces_and_typography(quote: str, said: str, found: str) -> None:
    """What comes back is the person's own spelling."""
    assert find_quote(quote, said) == found


NOT_FOUND = [
    ("art", "a great party"),
    ("art", "artist"),
    ("I like art", "I like artichokes"),
    ("Stras", "Straße"),
    ("ber", "über uns"),
    ("cafe", "cafe\u0301"),
    ("482", "order 4821"),
    ("I like tea", "I like green tea"),
    ("", "anything"),
    ("...", "and so on..."),
    ("[…]", "Look:\n[…]\n"),
    ("I like tea", ""),
    ("キ", "㌔"),
]


@pytest.mark.parametrize(("quote", "said"), NOT_FOUND)
def test_a_quote_that_was_not_said_is_not_found(quote: str, said: str) -> None:
    """Neither a part of a word, nor punctuation alone, nor words that stand apart."""
    assert find_quote(quote, said) is None


def _folded(text: str) -> str:
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(char for char in apart if char.isalnum())


@given(st.text(), st.text())
def test_what_is_found_stands_in_the_message(quote: str, said: str) -> None:
    """Whatever is quoted: the result is a run of the message that reads the same."""
    found = find_quote(quote, said)
    if found is not None:
        assert found in said
        assert _folded(found) == _folded(quote)


@given(st.text(max_size=20), st.text(alphabet="abc 日ßé😀\n", min_size=1), st.text(max_size=20))
def test_whole_words_of_a_message_are_always_found(before: str, words: str, after: str) -> None:
    """No message hides a quote that is copied from it exactly."""
    found = find_quote(words, f"{before} {words} {after}")
    assert (found is not None) == (words.strip() != "")


# What was said, and what was not.


def known(number: int, text: str = "User lives in Berlin.", scope: Scope = Scope.USER, **others: Any) -> Memory:
    owner = others.pop("owner", AL)
    return Memory(f"id-{number}", owner, text, scope, "place", NOON, NOON, **others)


def exchange(said: str, *memories: Memory, **others: Any) -> Exchange:
    return Exchange(TODAY, said, known=memories, **others)


def decided(extraction: Extraction, heard: Exchange, learning: LearningSource = LEARNING) -> list[Decision]:
    return decide(extraction, heard, learning)


def learned(fact: Fact, heard: Exchange, learning: LearningSource = LEARNING) -> Add | None:
    decisions = decided(Extraction((fact,)), heard, learning)
    assert all(isinstance(decision, Add) for decision in decisions)
    return decisions[0] if decisions and isinstance(decisions[0], Add) else None


def test_a_fact_that_was_said_is_added_with_its_evidence() -> None:
    """The quote is kept as the person spelled it; the message, the conversation and the model are named."""
    fact = Fact("User likes tea.", "i like TEA", category="preference", cues=("a cup",), valid_from=TODAY)
    added = learned(fact, exchange("Well, I like tea!"))
    assert added is not None
    draft = added.draft
    assert draft.evidence == Evidence("m1", "s1", "I like tea", "test/model")
    assert (draft.text, draft.owner, draft.scope, draft.category) == (fact.text, AL, Scope.USER, "preference")
    assert (draft.cues, draft.valid_from, draft.source, draft.session_id) == (("a cup",), TODAY, Source.SAID, None)


def test_nobody_else_is_a_source_of_facts() -> None:
    """Not the assistant, not former messages, not what is remembered."""
    heard = exchange(
        "Thanks!",
        known(1, "User likes tea."),
        assistant="You like coffee.",
        earlier=[(Role.USER, "I like cocoa"), (Role.ASSISTANT, "You like milk")],
    )
    for quote in ("User likes tea", "You like coffee", "I like cocoa", "You like milk"):
        assert learned(Fact("User likes it.", quote), heard) is None


def test_words_that_say_nothing_prove_nothing_unless_they_are_the_whole_answer() -> None:
    """ "I am" is in most messages; "5" can be an answer."""
    assert learned(Fact("User is a pilot.", "I am"), exchange("I am so tired")) is None
    assert learned(Fact("User is so tired.", "I am"), exchange("I am so tired")) is None
    assert learned(Fact("User has 5 children.", "5"), exchange("5, why?")) is not None


NUMBERS = [
    ("User's order is 4821.", "My order is 4821", True),
    ("User's order is 4821.", "My order is ORD-4821", True),
    ("User's order is 4822.", "My order is 4821", False),
    ("User's order is 482.", "My order is 4821", False),
    ("User's order is 1234.", "I have 12 cats and 34 dogs", False),
    ("User's order is 20481234.", "My order is late", False),
    ("User's order is 48212019.", "My order is late", False),
    ("User's phone is 0171234567.", "call me: (0171) 234-567", True),
    ("User's phone is +49 171 2345678.", "call me: +49 (171) 2345678", True),
    ("User's phone is 0171 234 568.", "call me: 0171 234 567", False),
    ("User pays 1,500 euros.", "I pay 1500 euros", True),
    ("User pays 1500 euros.", "I pay 1.500 euros", True),
    ("User pays 500 euros.", "I pay 1.500 euros", False),
    ("User pays 800 euros.", "I pay eight hundred euros", True),
    ("User earns 60000 a year.", "I earn 60k", True),
    ("User pays 800 euros.", "I pay some euros", False),
    ("User pays 817 euros.", "I pay eight hundred euros", False),
    ("User's orders are 4821,3822.", "my orders 4821 and 3822", True),
    ("User's orders are 4821,3823.", "my orders 4821 and 3822", False),
    ("User moved on 2026-05-28.", "I moved last week", True),
    ("User moved on 28.05.2026.", "I moved last week", True),
    ("User moved on 5/28/2026.", "I moved last week", True),
    ("User moved in May 2026.", "I moved last month", True),
    ("User studied 2019-2023.", "I studied from 2019 to 2023", True),
    ("User studied 2019-2023.", "I studied for a while", False),
    ("User's room is 2043.", "My room is upstairs", False),
    ("User lives at 1950 Elm Street.", "I live on Elm Street", False),
    ("User bought a car in 2019.", "I bought a car", False),
    ("User bought a car on 2019-05-28.", "I bought a car", False),
    ("User bought a car on 28.05.2019.", "I bought a car", False),
    ("User bought a car in 2026.", "I bought a car", True),
    ("User moved in December 2025.", "I moved in December", True),
    ("User will marry in March 2027.", "I will marry in March", True),
    ("User moved in 2016.", "I moved ten years ago", True),
    ("User moved in 2001.", "I moved twenty-five years ago", True),
    ("User moved in 2011.", "I moved ten years ago", False),
    ("User moved in December 2024.", "I moved 18 months ago", True),
    ("User was born in 1995 or 1996.", "I am 30", True),
    ("User was born in 1987.", "I am 30", False),
    ("User grew up in the 1990s.", "I grew up in the 90s", True),
    ("User was born in 1998.", "I'm born in '98", True),
    ("User was born on 1985-05-12.", "I was born 12.5.85", True),
    ("Der Nutzer lebt seit 2023 in Bonn.", "Ich lebe seit drei Jahren in Bonn", True),
    ("Der Nutzer lebt seit 2020 in Bonn.", "Ich lebe seit drei Jahren in Bonn", False),
    ("El usuario vive en Lima desde 2021.", "Vivo en Lima desde hace cinco años", True),
    ("ユーザーは2023年に引っ越した。", "三年前に引っ越しました", True),
    ("L'utilisateur habite à Lyon depuis 2023.", "J'habite à Lyon depuis trois ans", True),
    ("User gets up at 6.30.", "I get up at half past six", True),
    ("User gets up at 06:30.", "I get up at half past six", True),
    ("User has 12 cats.", "I have a dozen cats", True),
    ("ユーザーの注文番号は4821。", "注文番号は４８２１です", True),
    ("User's room is 4821.", "غرفتي ٤٨٢١", True),
    ("User moved in 2017.", "I MOVED NINE YEARS AGO", True),
    ("User moved in 2017.", "I MOVED NİNE YEARS AGO, FİVE, ſechs", True),
    ("User moved in 2009.", "I MOVED NİNE YEARS AGO, FİVE, ſechs", False),
]


@pytest.mark.parametrize(("text", "said", "kept"), NUMBERS)
def test_long_numbers_must_have_been_said(text: str, said: str, kept: bool) -> None:
    """Made up and misheard numbers cost the fact; resolved dates, times and written-out round numbers do not."""
    assert (learned(Fact(text, said), exchange(said)) is not None) is kept


def test_a_number_may_come_from_what_was_referred_to() -> None:
    """ "That order" is one that was named before, or is remembered."""
    fact = Fact("User's order 4821 has arrived.", "that order has arrived")
    said = "that order has arrived"
    assert learned(fact, exchange(said)) is None
    assert learned(fact, exchange(said, known(1, "User's order 4821 is delayed."))) is not None
    assert learned(fact, exchange(said, earlier=[(Role.USER, "order 4821 is late")])) is not None


def test_a_year_may_come_from_what_is_remembered() -> None:
    """Since when a memory holds is shown with it."""
    fact = Fact("User worked at Bosch from 2014 to 2026.", "I left Bosch today")
    said = "I left Bosch today"
    assert learned(fact, exchange(said)) is None
    assert learned(fact, exchange(said, known(1, "User works at Bosch.", valid_from=date(2014, 3, 1)))) is not None
    assert learned(fact, exchange(said, earlier=[(Role.USER, "I began at Bosch in 2014")])) is not None
    assert learned(fact, exchange(said, earlier=[(Role.ASSISTANT, "You began at Bosch in 2014")])) is None


def test_categories_are_those_of_the_profile_whatever_their_case() -> None:
    """Anything else is 'other'."""
    for given_, kept in (("billing", "Billing"), ("BILLING", "Billing"), ("work", "other")):
        added = learned(
            Fact("User drinks tea.", "tea", category=given_), exchange("tea", categories=("Billing", "Shipping"))
        )
        assert added is not None
        assert added.draft.category == kept


# What it does to what was known.


def test_a_changed_fact_supersedes_what_it_names_and_nothing_else() -> None:
    """Numbers outside the list are ignored."""
    heard = exchange("I moved to Lyon", known(1), known(2, "User has a cat."))
    added = learned(Fact("User lives in Lyon.", "I moved to Lyon", replaces=(1, 7, 0, -1)), heard)
    assert added is not None
    assert added.replaces == ("id-1",)
    assert not added.mistaken


def test_a_correction_marks_what_it_replaces_as_mistaken() -> None:
    """ "No, I said Lyon, not Lille." """
    heard = exchange("No, I said Lyon, not Lille", known(1, "User lives in Lille."))
    added = learned(Fact("User lives in Lyon.", "I said Lyon", replaces=(1,), mistaken=True), heard)
    assert added is not None
    assert added.mistaken
    assert added.replaces == ("id-1",)


def test_a_fact_that_was_not_said_replaces_nothing() -> None:
    """Without its evidence the whole of it is dropped, and with it what would be outdated because of it."""
    heard = exchange("What about Lyon?", known(1), known(2, "User commutes by tram."))
    found = Extraction((Fact("User lives in Lyon.", "I live in Lyon", replaces=(1,)),), outdated=(2,))
    assert decided(found, heard) == []


def test_memories_of_another_reach_are_not_superseded() -> None:
    """A user's fact leaves the agent's memories alone, and a session's those of the user where both are named."""
    bot = known(1, "The shop ships to Lyon.", Scope.AGENT, owner=Owner.agent("bot"))
    session = known(3, "The login fails.", Scope.SESSION, session_id="s1")
    anothers = known(4, owner=Owner.user("bo"))
    heard = exchange("I moved to Lyon", bot, known(2), session, anothers)
    added = learned(Fact("User lives in Lyon.", "I moved to Lyon", replaces=(1, 4, 3, 2)), heard)
    assert added is not None
    assert added.draft.scope is Scope.USER
    assert added.replaces == ("id-2",)


def test_a_fact_reaches_as_far_as_what_it_replaces() -> None:
    """What was true of this conversation only is not made a fact for ever by its successor."""
    session = known(1, "The login fails.", Scope.SESSION, session_id="s1")
    added = learned(Fact("The login works.", "it works", replaces=(1,)), exchange("it works now", session))
    assert added is not None
    assert (added.draft.scope, added.draft.session_id) == (Scope.SESSION, "s1")
    lasting = learned(
        Fact("User lives in Lyon.", "in Lyon", scope=Scope.SESSION, replaces=(1,)), exchange("in Lyon", known(1))
    )
    assert lasting is not None
    assert (lasting.draft.scope, lasting.draft.session_id) == (Scope.USER, None)


def test_agent_memory_needs_the_agents_leave() -> None:
    """Without it a fact about the service is the user's own; with it, everybody's who talks to the agent."""
    fact = Fact("The shop ships to Lyon.", "you ship to Lyon", scope=Scope.AGENT)
    heard = exchange("you ship to Lyon")
    plain = learned(fact, heard, LearningSource(AL, "s1", "m1", "x", agent="bot"))
    assert plain is not None
    assert (plain.draft.owner, plain.draft.scope, plain.draft.agent) == (AL, Scope.USER, "bot")
    shared = learned(fact, heard, LearningSource(AL, "s1", "m1", "x", agent="bot", learns_agent=True))
    assert shared is not None
    assert (shared.draft.owner, shared.draft.scope) == (Owner.agent("bot"), Scope.AGENT)
    nobodys = learned(fact, heard, LearningSource(AL, "s1", "m1", "x", learns_agent=True))
    assert nobodys is not None
    assert nobodys.draft.owner == AL


def test_a_scope_that_is_given_is_not_for_the_model_to_choose() -> None:
    """The library's caller may fix it."""
    learning = LearningSource(AL, "s1", "m1", "x", scope=Scope.SESSION)
    added = learned(Fact("User likes tea.", "tea"), exchange("tea"), learning)
    assert added is not None
    assert (added.draft.scope, added.draft.session_id) == (Scope.SESSION, "s1")


def test_what_is_said_again_is_confirmed_and_what_hung_on_a_change_is_doubted() -> None:
    """Each once, and neither for what is replaced."""
    said = "I moved to Lyon, and I still have my cat"
    memories = ("User lives in Berlin.", "User commutes by tram.", "User has a cat.", "User likes tea.")
    heard = exchange(said, *(known(number, text) for number, text in enumerate(memories, 1)))
    found = Extraction(
        (Fact("User lives in Lyon.", "I moved to Lyon", replaces=(1,)),),
        confirmed=(*(MemoryReference(n, "I still have my cat") for n in (3, 3, 1, 9)), MemoryReference(4, "I said it")),
        outdated=(2, 1, 3, 9),
    )
    assert [type(decision) for decision in decided(found, heard)] == [Add, Confirm, MarkOutdated]
    assert decided(found, heard)[1:] == [
        Confirm("id-3", "said again"),
        MarkOutdated("id-2", "a fact it depended on has changed"),
    ]


def test_a_fact_that_is_over_ends_on_the_day_that_was_said() -> None:
    """Or today; never by the model's word alone."""
    heard = exchange("I quit smoking on Monday", known(1, "User smokes."))
    said = Extraction(ended=(MemoryReference(1, "I quit smoking", date(2026, 6, 1)),))
    assert decided(said, heard) == [End("id-1", date(2026, 6, 1), "said to be over")]
    undated = Extraction(
        ended=(MemoryReference(1, "I quit smoking"), MemoryReference(1, "smoking"), MemoryReference(2, "smoking"))
    )
    assert decided(undated, heard) == [End("id-1", TODAY, "said to be over")]
    assert decided(Extraction(ended=(MemoryReference(1, "User has quit"),)), heard) == []


def test_what_is_replaced_and_ended_is_handled_once() -> None:
    """The successor says it all."""
    heard = exchange("I moved from Berlin to Lyon", known(1))
    found = Extraction(
        (Fact("User lives in Lyon.", "to Lyon", replaces=(1,)),),
        ended=(MemoryReference(1, "from Berlin"),),
        confirmed=(MemoryReference(1, "from Berlin"),),
        outdated=(1,),
    )
    assert [type(decision) for decision in decided(found, heard)] == [Add]


# Forgetting.

ASKS = [
    "Please forget that I live in Berlin",
    "Delete my address in Berlin",
    "I want you to forget Berlin",
    "Could you remove Berlin from your memory?",
    "No, forget Berlin",
    "Vergiss bitte, dass ich in Berlin wohne",
    "Lösche Berlin",
    "Olvida que vivo en Berlin",
    "Oublie Berlin",
    "Berlinのことは忘れて",
    "请忘记 Berlin",
]


@pytest.mark.parametrize("said", ASKS)
def test_what_a_person_asks_to_forget_is_forgotten(said: str) -> None:
    """In their own words, whatever the language."""
    assert decided(Extraction(forget=(MemoryReference(1, "Berlin"),)), exchange(said, known(1))) == [
        Forget("id-1", "asked to forget")
    ]


REMINDS = [
    "Don't forget that I live in Berlin",
    "don’t ever forget Berlin",
    "Never forget Berlin",
    "I always forget where in Berlin",
    "I forgot my keys in Berlin",
    "Vergiss nicht, dass ich in Berlin wohne",
    "Vergiss bitte nicht: Berlin",
    "Bitte nicht vergessen: Berlin",
    "No olvides que vivo en Berlin",
    "No te olvides de Berlin",
    "N'oublie pas que j'habite à Berlin",
    "Non dimenticare Berlin",
    "Berlinを忘れないで",
    "别忘了 Berlin",
]


@pytest.mark.parametrize("said", REMINDS)
def test_a_reminder_erases_nothing(said: str) -> None:
    """A model that misreads "don't forget" costs no memory, and ends none."""
    assert decided(Extraction(forget=(MemoryReference(1, "Berlin"),)), exchange(said, known(1))) == []


def test_without_words_that_ask_for_it_a_memory_ends_at_most() -> None:
    """Erasing takes the person's own asking words; their mention of it must be quoted too."""
    found = Extraction(forget=(MemoryReference(1, "Berlin"), MemoryReference(5, "Berlin")))
    assert decided(found, exchange("Berlin is over", known(1))) == [End("id-1", TODAY, "said to be over")]
    assert decided(Extraction(forget=(MemoryReference(1, "Paris"),)), exchange("Forget Berlin", known(1))) == []


def test_what_is_to_be_forgotten_is_erased_also_where_something_replaces_it() -> None:
    """The new fact does not keep the old one as its former version."""
    heard = exchange("Forget Berlin, I live in Lyon now", known(1))
    found = Extraction(
        (Fact("User lives in Lyon.", "I live in Lyon", replaces=(1,)),),
        forget=(MemoryReference(1, "Forget Berlin"), MemoryReference(1, "Berlin")),
        ended=(MemoryReference(1, "Berlin"),),
    )
    added, forgotten = decided(found, heard)
    assert isinstance(added, Add)
    assert added.replaces == ()
    assert forgotten == Forget("id-1", "asked to forget")


# Whose.


def test_a_conversation_teaches_its_person_else_its_agent_else_itself() -> None:
    """With nobody named, the facts are still somebody's."""
    assert Session("s1", "al", "bot", "", NOON, NOON).owner == AL
    assert Session("s1", "", "bot", "", NOON, NOON).owner == Owner.agent("bot")
    assert Session("s1", "", None, "", NOON, NOON).owner == Owner(Scope.SESSION, "s1")


def test_where_nobody_is_named_every_fact_has_the_owners_scope() -> None:
    """A model cannot hand it to somebody else."""
    for owner in (Owner.agent("bot"), Owner(Scope.SESSION, "s1")):
        added = learned(
            Fact("User drinks tea.", "tea", scope=Scope.USER), exchange("tea"), LearningSource(owner, "s1", "m1", "x")
        )
        assert added is not None
        assert (added.draft.owner.kind, added.draft.scope) == (owner.kind, owner.kind)
