"""Stores of any size, filled fast: sentences from templates and word lists, each with three cues.

A pool of facts is embedded exactly. A memory takes a fact of the pool with a detail of its own behind it (who said it,
and a number), and the fact's vectors, each moved a little in a random direction (to a cosine of NUDGED_COSINE):
embedding five texts for each of 100,000 memories would take longer than all that is measured on them. Names follow
Zipf's law, so that some words of the store are common and most are rare. All else is what learning does: the same
`Store.apply`, in larger transactions.
"""

import itertools
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from memchat.core.protocols import Embedded, Embedder
from memchat.core.types import Add, Draft, Owner, Role, Source
from memchat.storage.protocols import Storage
from memchat.text.embedding import texts_to_embed

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

POOL = 1_000
NAMES = 20_000
NUDGE = 0.35
NUDGED_COSINE = 1 / (1 + NUDGE**2) ** 0.5
BATCH = 1_000
TALK = 10
FIRST_DAY = date(2024, 1, 1)

FOODS = (
    "lentil soup;grilled sardines;green curry;rye bread;goat cheese;dark chocolate;ramen;paella;pickles;figs"
).split(";")
SPORTS = (
    "bouldering;open-water swimming;badminton;trail running;rowing;fencing;table tennis;cross-country skiing"
).split(";")
THINGS = ("a cargo bike;noise-cancelling headphones;a cast-iron pan;a film camera;a standing desk;a rain jacket").split(
    ";"
)
SUBJECTS = ("medieval maps;home fermentation;Rust macros;bird migration;jazz harmony;urban planning;bookbinding").split(
    ";"
)
PLACES = "Lisbon;Leipzig;Osaka;Tromsø;Valparaíso;Hobart;Tbilisi;Winnipeg;Galway;Kraków;Da Nang;Accra".split(";")
PEOPLE = ("sister;landlord;dentist;neighbour;oldest friend;manager;nephew;piano teacher;flatmate;grandmother").split(
    ";"
)
TROUBLES = "an allergy to walnuts;a bad knee;migraines;trouble sleeping;hay fever;a fear of flying".split(";")
JOBS = "a night nurse;a tax adviser;a stage technician;a data engineer;a florist;a ferry pilot".split(";")
TIMES = "every morning;on Sundays;in winter;after work;twice a month;before breakfast;on long train rides".split(";")


@dataclass(frozen=True, slots=True)
class Template:
    """A kind of fact: its words, with a list for each gap, the three situations it matters in, and what is asked."""

    text: str
    gaps: tuple[Sequence[str], ...]
    category: str
    cues: tuple[str, str, str]
    question: str


TEMPLATES = (
    Template(
        "User eats {} {}, preferably in {}",
        (FOODS, TIMES, PLACES),
        "preference",
        ("choosing a restaurant for {}", "groceries and recipes with {}", "inviting me to dinner"),
        "What should I cook that goes with {}?",
    ),
    Template(
        "User's {} has moved to {} and works as {}",
        (PEOPLE, PLACES, JOBS),
        "relationship",
        ("planning a visit to my {}", "who could I ask about the {}", "writing a card to family"),
        "Where does my {} live now?",
    ),
    Template(
        "User does {} {} with a {}",
        (SPORTS, TIMES, PEOPLE),
        "health",
        ("planning a week of {}", "finding somebody for {}", "what to do at the weekend"),
        "How often do I do {}?",
    ),
    Template(
        "User bought {} in {} and wants to use it for {}",
        (THINGS, PLACES, SPORTS),
        "event",
        ("repairing or returning {}", "insurance for {}", "what I own already"),
        "Where did I get {}?",
    ),
    Template(
        "User is reading about {} {} and keeps notes for a {}",
        (SUBJECTS, TIMES, PEOPLE),
        "project",
        ("recommending a book on {}", "a course about {}", "something to talk about"),
        "Which notes do I have on {}?",
    ),
    Template(
        "User has {} and takes care of it {} in {}",
        (TROUBLES, TIMES, PLACES),
        "health",
        ("a doctor's appointment about {}", "travelling with {}", "what I should avoid"),
        "What helps me with {}?",
    ),
    Template(
        "User plans to work as {} in {} together with a {}",
        (JOBS, PLACES, PEOPLE),
        "plan",
        ("an application as {}", "training to become {}", "thinking about next year"),
        "When do I want to start as {}?",
    ),
)


@dataclass(frozen=True, slots=True)
class Fact:
    text: str
    category: str
    cues: tuple[str, ...]


def facts(count: int) -> list[Fact]:
    """The first `count` facts of the pool: every template in turn, its gaps filled at random (with a fixed seed)."""
    rng = random.Random(4)
    found: dict[str, Fact] = {}
    for template in itertools.cycle(TEMPLATES):
        words = [rng.choice(gap) for gap in template.gaps]
        text = template.text.format(*words)
        cues = tuple(cue.format(words[0]) for cue in template.cues)
        found.setdefault(text, Fact(text, template.category, cues))
        if len(found) == count:
            return list(found.values())
    raise AssertionError("templates never end")


def questions(count: int, seed: int = 7) -> list[str]:
    """Requests for what the templates hold, some of them with a name."""
    rng = random.Random(seed)
    asked = []
    for template in itertools.islice(itertools.cycle(TEMPLATES), count):
        text = template.question.format(rng.choice(template.gaps[0]))
        asked.append(f"{text} {_name(rng)} told me once." if rng.random() < 0.5 else text)
    return asked


class Pool:
    """Facts with their vectors, and the memories made of them."""

    def __init__(self, embedder: Embedder, count: int = POOL) -> None:
        self._facts = facts(count)
        plans = [texts_to_embed(Draft(fact.text, Owner.user(""), cues=fact.cues)) for fact in self._facts]
        # Cues recur: each text is embedded once.
        places = {text: place for place, text in enumerate(dict.fromkeys(text for plan in plans for _, text in plan))}
        rows = embedder.embed(list(places))
        self._embedded = [
            Embedded(tuple(kind for kind, _ in plan), rows[[places[text] for _, text in plan]]) for plan in plans
        ]

    def fill(self, store: Storage, user: str, count: int, seed: int = 1) -> None:
        """Store `count` memories of `user`."""
        made = self._memories(user, count, seed)
        while batch := list(itertools.islice(made, BATCH)):
            store.apply([Add(draft) for draft, _ in batch], [embedded for _, embedded in batch])

    def _memories(self, user: str, count: int, seed: int) -> Iterator[tuple[Draft, Embedded]]:
        rng, noise = random.Random(seed), np.random.default_rng(seed)
        said: set[str] = set()
        while len(said) < count:
            place = rng.randrange(len(self._facts))
            fact, day = self._facts[place], FIRST_DAY + timedelta(days=rng.randrange(700))
            text = f"{fact.text}, as {_name(rng)} said at number {rng.randrange(1, 400)}"
            if text in said:
                continue
            said.add(text)
            draft = Draft(text, Owner.user(user), category=fact.category, cues=fact.cues, valid_from=day)
            yield draft, _nudged(self._embedded[place], noise)


class PooledEmbedder:
    """Implements `core.protocols.Embedder` with rows that `embedder` has made of POOL facts, each moved a little."""

    def __init__(self, embedder: Embedder, count: int = POOL) -> None:
        self.fingerprint, self.dimension = embedder.fingerprint, embedder.dimension
        self._rows = embedder.embed([fact.text for fact in facts(count)])

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """A row for each text, the same for the same words."""
        rows = []
        for text in texts:
            chance = np.random.default_rng(zlib.crc32(text.encode()))
            step = chance.standard_normal(self.dimension, dtype=np.float32)
            row = self._rows[chance.integers(len(self._rows))] + NUDGE * step / np.linalg.norm(step)
            rows.append(row / np.linalg.norm(row))
        return np.stack(rows).astype(np.float32)


def fill_messages(store: Storage, embedder: Embedder, user: str, count: int) -> None:
    """Hold conversations of TALK messages each, `count` in all, and index them as the learner does."""
    rng, pool, pooled = random.Random(11), facts(POOL), PooledEmbedder(embedder)
    for start in range(0, count, TALK):
        session = store.conversations.new_session(user, None)
        for number in range(start, min(start + TALK, count)):
            one, other = rng.choice(pool), rng.choice(pool)
            text = f"{one.text.replace('User', 'My friend')}, as {_name(rng)} said. What do you think of {number}?"
            if number % 2:
                ideas = " ".join(f"You could try {cue}." for cue in (*one.cues, *other.cues))
                text = f"I recommend asking {_name(rng)} about it. {ideas}"
            store.conversations.record(session, (Role.USER, Role.ASSISTANT)[number % 2], text)
    while store.message_index.index_next(user, pooled, BATCH):
        pass


def told(count: int, seed: int) -> list[Draft]:
    """Facts to be learned one by one, their texts in no store yet."""
    rng = random.Random(seed)
    return [
        Draft(
            f"{fact.text}, new since {_name(rng)} {i}",
            Owner.user(""),
            category=fact.category,
            cues=fact.cues,
            source=Source.SAID,
        )
        for i, fact in enumerate(facts(count))
    ]


def _nudged(embedded: Embedded, noise: np.random.Generator) -> Embedded:
    steps = noise.standard_normal(embedded.rows.shape, dtype=np.float32)
    moved = embedded.rows + NUDGE * steps / np.linalg.norm(steps, axis=1, keepdims=True)
    return Embedded(embedded.kinds, moved / np.linalg.norm(moved, axis=1, keepdims=True))


def _name(rng: random.Random) -> str:
    """An invented name; the n-th most common one is n times rarer than the first."""
    number = int(NAMES ** rng.random())
    syllables = ("ba", "do", "fe", "gi", "ku", "la", "mo", "ne", "pi", "ro", "su", "ta", "ve", "wi", "xo", "zu")
    parts = []
    while number:
        number, syllable = divmod(number, len(syllables))
        parts.append(syllables[syllable])
    return "".join(parts).capitalize()
