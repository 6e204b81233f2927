"""Read the statements of a message by rules: facts as sentences about 'User', and endings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from memchat.core.types import MAX_TEXT
from memchat.offline.clauses import Clause, clauses, literal_sentences
from memchat.offline.grammar import third_person
from memchat.offline.instructions import parse_instruction, to_third
from memchat.offline.patterns import add_subject, category_of, pattern, rephrase, word_list
from memchat.text.dates import Dated, resolve_dates
from memchat.text.normalize import content_words

MAX_SENTENCE_CHARACTERS = 240
"""Maximum length of a fact, in characters; a longer sentence is a story."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A fact with the words that state it. If it has `needs`, a known memory must contain one of these words."""

    text: str
    quote: str
    category: str
    valid_from: date | None = None
    standing: bool = False
    session: bool = False
    needs: frozenset[str] = frozenset()
    corrects: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """An ending; `instead` is the fact to keep when no known memory is about it."""

    quote: str
    words: frozenset[str]
    day: date
    parted: bool = False
    instead: Statement | None = None


_TASTES = frozenset(
    "user users like likes love loves enjoy enjoys adores hate hates dislike dislikes detests "
    "not no never cannot longer called named".split()
)
"""Words that do not tell what a sentence is about. Negation is compared separately."""


def stems(text: str) -> frozenset[str]:
    """Return the content words of `text` without their endings."""
    return frozenset(stems_in_order(text))


def stems_in_order(text: str) -> list[str]:
    return [
        re.sub(r"(?:'s|ing|ies|ied|ed|es|s|e|y)$", "", word) if len(word) > 3 else word
        for word in content_words(text)
        if word not in _TASTES
    ]


def read(message: str, today: date) -> Iterator[Statement | Ended]:
    """Yield the statements of `message` in order.

    What a sentence asks to remember is kept in its own words if no rule reads it.
    """
    for sentence in literal_sentences(message):
        found: list[Statement | Ended] = []
        unread: list[Clause] = []
        for clause in clauses(sentence):
            read_here = list(_read(clause, today))
            found += read_here
            unread += [] if read_here else [clause]
        yield from found
        asked = pattern("asked_to_remember").match(sentence)
        polite = re.match(r"(?i)(?:\w+,? )*?(?:can|could|will|would) you\b", sentence)
        what = asked["what"].strip() if asked and (polite or not sentence.endswith("?")) else ""
        if not what or pattern("recalls").match(what) or len(what) > MAX_TEXT // 2:
            continue
        # Beside a fact that was read, only clauses that make sense alone.
        alone = [
            (clause.words, clause.quote)
            for clause in unread
            if not pattern("points_back").match(clause.words) and not pattern("asked_to_remember").match(clause.words)
        ]
        for words, quote in alone if found else [(what, what)]:
            yield _verbatim_statement(words, quote, today)


def _verbatim_statement(what: str, quote: str, today: date) -> Statement:
    """Return `what` in its own words with its dates written out; a phrase becomes something to remember."""
    if bare := pattern("to_do_or_thing").match(what):
        doing = bare["doing"] or ""
        if asked := parse_instruction(doing) or parse_instruction(f"always {doing}"):
            return Statement(asked.text, quote, asked.category, standing=asked.standing, session=asked.session)
        what = f"User wants to remember {to_third(what)}"
    text = _stop(resolve_dates(what, today).text)
    return Statement(text, quote, category_of(text) or "other")


_NEW_JOB = re.compile(r"(?i)\b(?:new job|new employer|changed jobs|hired|job change)\b")


def _read(clause: Clause, today: date) -> Iterator[Statement | Ended]:
    words = add_subject(clause.words)
    if asked := parse_instruction(words):
        yield Statement(asked.text, clause.quote, asked.category, standing=asked.standing, session=asked.session)
        return
    words = re.sub(r"(?<= )(?:As a|As of|On|In|Since|Every)(?= )", lambda first: first[0].lower(), rephrase(words))
    if _NEW_JOB.search(clause.sentence):
        words = re.sub(r"^I am (?:now )?(?:at|with) (?=[A-Z])", "I work at ", words)
    if re.search(r"(?i)\byou(?:r|rs)?\b", words):
        return
    if ending := _over(words, clause, today):
        yield ending
    elif statement := _statement(words, clause, today):
        yield statement


def _over(words: str, clause: Clause, today: date) -> Ended | None:
    dated = resolve_dates(words, today)
    day = dated.day if dated.day and dated.day <= today else today
    if parted := pattern("parted").match(words):
        who = stems(parted["who"] or "")
        return Ended(
            clause.quote,
            who or frozenset({"boyfriend", "girlfriend", "partner", "husband", "wif", "fianc"}),
            day,
            parted=True,
        )
    ended = pattern("over").match(words)
    if ended is None:
        return None
    thing = resolve_dates(ended["what"] or ended["rest"] or ended["thing"], today).text
    thing = re.sub(r"\b(?:on|in)(?: the \w+ of)? (?:\d+ )?[A-Z]\w+ 20\d\d\b", "", thing)
    statement = _statement(words, clause, today)
    return Ended(clause.quote, stems(re.split(r",| because | instead ", thing)[0]), day, instead=statement)


def _statement(words: str, clause: Clause, today: date) -> Statement | None:
    dated = resolve_dates(words, today)
    if re.search(r"(?i)\bbirthday\b", words):
        dated = Dated(re.sub(r"(?<=\d )([A-Z]\w+) 20\d\d", r"\1", dated.text))
    # 'The refund arrived' is kept only if a known memory is about it.
    arrived = pattern("arrived").match(dated.text)
    needs = stems(arrived["thing"]) if arrived else frozenset()
    news = re.sub(r"(?i)\bmy\b", "User's", dated.text)
    if needs and not category_of(news) and _reads_well(news):
        return Statement(_stop(news), clause.quote, "support", dated.day or today, needs=needs)
    spoken = third_person(dated.text)
    if not spoken and re.match(r"(?i)the .+ from my (?:order|parcel)\b|the wedding\b", dated.text):
        spoken = re.sub(r"(?i)^the wedding\b", "User's wedding", re.sub(r"\bmy\b", "User's", f"T{dated.text[1:]}"))
    if not spoken:
        return None
    sentence = _to_lasting_form(spoken)
    category = category_of(sentence) or ("other" if pattern("asked_to_remember").match(clause.sentence) else None)
    if category is None or not _reads_well(sentence):
        return None
    if sentence.startswith("User was born") and dated.day and (today - dated.day).days < 400:
        return None
    if category in ("plan", "preference") and dated.day == today and not dated.begins:
        return None
    begins = None
    if dated.day is not None and dated.day <= today and not re.search(r"birthday|born|annivers", sentence):
        begins = dated.day
    elif category in ("work", "health", "project") and re.search(r"(?i)\bnow\b", clause.quote):
        begins = today
    return Statement(
        _stop(sentence),
        clause.quote,
        category,
        begins,
        session=pattern("for_now").match(sentence) is not None,
        corrects=re.match(r"(?i)(?:no|nope|sorry|oops|correction|wrong|I meant)\b", clause.sentence) is not None,
    )


def _to_lasting_form(sentence: str) -> str:
    """Turn 'User is Rosalind' into a name and a move into a home; remove what holds only at the time of speaking."""
    said = re.fullmatch(r"User is (?P<name>[A-ZÀ-Þ][\w'-]+)(?: [A-ZÀ-Þ][\w'-]+)?", sentence)
    if said is None or category_of(sentence):
        sentence = re.sub(r"(?<=name is )[a-z]+$", lambda name: name[0].capitalize(), sentence)
    elif not said["name"].isupper() and not pattern("mood").fullmatch(said["name"]):
        sentence = sentence.replace("User is", "User's name is")
    moved = pattern("moved").fullmatch(sentence)
    if moved and not word_list("tech").match(moved["place"]):
        since = f"User has lived in {moved['place']} since {moved['since']}"
        return since if moved["since"] else f"User lives in {moved['place']}"
    return pattern("momentary").sub("", sentence)


def _reads_well(sentence: str) -> bool:
    """Return whether the sentence is short enough and refers to nothing outside of it."""
    return len(sentence) <= MAX_SENTENCE_CHARACTERS and not pattern("unclear").search(sentence)


def _stop(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:].rstrip(" ,;:.!") + "."
