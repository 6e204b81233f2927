"""Convert English sentences from the first person to the third and the second: 'I use' → 'User uses' → 'You use'."""

import re

from memchat.text.dates import PAST_VERBS

ADVERBS = (
    "also|always|usually|normally|generally|often|never|ever|only|mostly|mainly|sometimes|currently|recently|really|"
    "absolutely|totally|still|already|finally|actually|now|just|even|both|severely|strongly|rarely|hardly|honestly|"
    "originally|occasionally|typically|probably|basically|officially|regularly|kind of|sort of"
)
_EMPTY = re.compile(
    r"(?i)\b(I|we|am|are|have|was) (?:(?:just|honestly|actually|basically|finally|totally|kind of|sort of|also|even) )+"
)
"""Adverbs that add nothing to a fact, behind its subject or its auxiliary."""

_AUXILIARIES = {
    "am": "is", "are": "is", "have": "has", "do": "does", "were": "was",
    "can": "can", "cannot": "cannot", "will": "will", "would": "would", "must": "must", "should": "should",
}  # fmt: skip
_SPELLING = (
    (r"[’‘`´]", "'"),
    (r"(?i)\bi['´]?m\b(?!\.)", "I am"),
    (r"(?i)\bi'?ve\b", "I have"),
    (r"\bI'd\b|\bid(?= (?:rather|prefer|like))", "I would"),
    (r"(?i)\bwe'?ve\b", "we have"),
    (r"(?i)\bwe're\b", "we are"),
    (r"(?i)\b(i|we)'ll\b", r"\1 will"),
    (r"(?i)\b(have|has) got\b(?! to)", r"\1"),
    (r"(?i)\bcan't\b|\bcant\b|\bcan not\b", "cannot"),
    (r"(?i)\bwon't\b", "will not"),
    (r"(?i)\b(do|does|did|is|are|was|were|has|have|had|would|could|should)n['’]?t\b", r"\1 not"),
    (r"(?i)\bthere'?s\b", "there is"),
    (r"(?i)\b(it|she|he|that|who)'s\b", r"\1 is"),
    (r"\bi\b", "I"),
)
_NOT_POSSESSED = (
    "called|named|on|in|at|from|coming|going|a|an|the|not|due|vegan|vegetarian|allergic|been|turning|moving"
)
_DAYS = re.compile(r"(?i)\b(mon|tues|wednes|thurs|fri|satur|sun)(days?)\b")


def expand_contractions(text: str) -> str:
    """Write out contractions and capitalise 'I', as the rules expect."""
    for pattern, plain in _SPELLING:
        text = re.sub(pattern, plain, text)
    text = re.sub(rf"(?i)\b(my (?:\w+ )?)(\w+)'s (?=(?:{_NOT_POSSESSED})\b)", r"\1\2 is ", text)
    text = re.sub(r"(?i)\b((?:first |last |middle )?name)'?s (?=\w)", r"\1 is ", text)
    text = re.sub(r"(?i)\b(the \w+)'s (?=on\b|in\b)", r"\1 is ", text)
    return _DAYS.sub(lambda day: day[0].capitalize(), text)


_JOINED = re.compile(
    r"(?i)(^ (?:and|or) )([a-z]+)\b|"
    r"\b((?:and|or|but) )(am|are|have|do|(?:sell|make|write|teach|sing|go|run|swim|cook|bake|eat|watch|read|take|"
    r"give|get|want|need|live|work|play|paint|draw|dance|travel|hike|ride|coach|help|lead|manage|grow|keep|build|design)"
    r"(?= (?:an?|the|my|our|it|them|in|at|for|to|on|with|every|about)\b))\b"
)
"""Further verbs of the same subject."""


def third_person(clause: str) -> str | None:
    """Return a clause about the speaker ('I …', 'we …', 'my …') as a sentence about 'User', without a full stop.

    Returns None for any other clause, and if the speaker is a subject again later ('the shop where I work').
    """
    clause = _EMPTY.sub(r"\1 ", clause)
    if own := re.match(r"(?i)(?:my|our)\s+(?P<rest>.+)$", clause):
        sentence = f"User's {own['rest']}"
    elif said := re.match(rf"(?i)(?:I|we)\s+(?P<adverbs>(?:(?:{ADVERBS})\s+)*)(?P<verb>[\w'-]+)(?P<rest>.*)$", clause):
        rest = _JOINED.sub(lambda verb: (verb[1] or verb[3]) + _third(verb[2] or verb[4]), said["rest"])
        verb = _third(said["verb"]) if said["verb"].lower() not in ("has", "does") else said["verb"]
        sentence = f"User {said['adverbs'].lower()}{verb}{rest}"
    else:
        return None
    for first, third in (
        ("my|our", "their"),
        ("mine|ours", "theirs"),
        ("me|us", "them"),
        ("myself|ourselves", "themselves"),
    ):
        sentence = re.sub(rf"(?i)\b(?:{first})\b", third, sentence)
    sentence = re.sub(r"(?i)\b(an?) their\b", r"\1", sentence)
    return None if re.search(r"\bI\b|\bwe\b", sentence) else sentence


def _third(verb: str) -> str:
    verb = verb.lower()
    if verb in _AUXILIARIES:
        return _AUXILIARIES[verb]
    if verb in PAST_VERBS or (verb.endswith("ed") and verb not in ("need", "feed", "breed", "speed")):
        return verb
    if re.search(r"(?:s|x|z|ch|sh|o)$", verb):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if re.search(r"[^aeiou]y$", verb) else f"{verb}s"


def second_person(sentence: str) -> str:
    """Return a memory as addressed to its user; a sentence that is not about 'User' stays unchanged."""
    text, about = re.subn(r"\b(?:[Tt]he )?(?:[Uu]ser)('s)?\b", lambda m: "your" if m[1] else "you", sentence.strip())
    if not about:
        return text
    subject = re.match(rf"(?i)you\s+((?:(?:{ADVERBS})\s+)*)(\w+)(.*)$", text, re.DOTALL)
    if subject and subject[2].lower() not in ("and", "or"):
        rest = re.sub(r"\b((?:and|or|but) (?:still )?)(is|has|does|was)\b", lambda m: m[1] + _second(m[2]), subject[3])
        text = f"you {subject[1]}{_second(subject[2])}{rest}"
    for third, second in (("their", "your"), ("theirs", "yours"), ("them", "you"), ("themselves", "yourself")):
        text = re.sub(rf"\b{third}\b", second, text)
    return text[0].upper() + text[1:]


def _second(verb: str) -> str:
    irregular = {"is": "are", "was": "were", "has": "have", "does": "do", "goes": "go"}
    if verb in irregular:
        return irregular[verb]
    if verb in PAST_VERBS or verb.endswith(("ss", "us")) or not verb.endswith("s"):
        return verb
    if re.search(r"(?:s|x|z|ch|sh)es$", verb):
        return verb[:-2] if not verb.endswith(("uses", "oses", "ases", "ises", "izes")) else verb[:-1]
    return f"{verb[:-3]}y" if re.search(r"[^aeiou]ies$", verb) and len(verb) > 4 else verb[:-1]
