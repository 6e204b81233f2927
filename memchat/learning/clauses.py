"""Which parts of a message may tell something that lasts: no questions, tasks, suppositions or passing circumstances.

For what a small model notes. A large one is told to leave these out, and does.
"""

import re
from collections.abc import Iterator

from memchat.learning.support import units
from memchat.text.normalize import sentences

_CLAUSE = re.compile(r"[,;:—–()]\s+|\s+-\s+|[、，；：]|\s+(?:but|also|aber|und|pero|y|mais|et|e)\s+")
_QUESTION = re.compile(r"[?？؟]\s*[\"'”»)]*\s*$")
_SUPPOSED = re.compile(
    r"\b(?:what if|if (?:i|we|you)\b(?! (?:don|do not|am|have|remember))|suppose|imagine|hypothetically"
    r"|let['’]?s say|pretend"
    r"|just kidding|kidding|joking|jk|would i|should i|i (?:might|may|could|would)\b(?! (?:like|love|rather"
    r"|prefer))|maybe|perhaps"
    r"|i wonder|wondering|thinking (?:of|about)|wenn ich|angenommen|vielleicht|würde ich|si (?:yo|me|tuviera"
    r"|fuera)|quizás|tal vez"
    r"|si j['’]|peut-être|forse|se io|talvez)\b|もし|かもしれ|如果|也许|만약",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"\b(?:right now|at the moment|just (?:checking|wondering|asking|saying)|while (?:i|we)\b|brb|on (?:the"
    r"|my) (?:bus|train|phone"
    r"|way)|(?:i['’]?m|i am|feeling|feel) (?:so |really |very |just |a bit |bit |super |kinda "
    r"|pretty )*(?:tired|bored|hungry|sleepy"
    r"|exhausted|happy|sad|angry|annoyed|excited|confused|curious|sorry|glad|done|back|here|busy|knackered"
    r"|off|thinking|trying"
    r"|looking|wondering)|gerade|müde|kaputt|estoy (?:cansad|aburrid)\w+|fatigué\w*|thanks|thank you|danke"
    r"|gracias|merci|haha|lol)\b",
    re.IGNORECASE,
)
_WISH_BY_ITSELF = re.compile(
    r"\b(?:call me|address me|duz\w+ mich|siez\w+ mich|nenn\w* mich|tut[eé]ame|ll[aá]mame|tutoie"
    r"|appelle[- ]moi|chiamami)\b"
    r"|タメ口|敬語|と呼んで|叫我",
    re.IGNORECASE,
)
_FOR_GOOD = re.compile(
    r"\b(?:always|never|from now on|going forward|whenever|in (?:the )?future|every time|don['’]?t ever"
    r"|no more|stop|immer|nie"
    r"|niemals|ab jetzt|ab sofort|künftig|siempre|nunca|a partir de ahora|toujours|jamais|désormais|sempre"
    r"|mai|d['’]ora in poi"
    r"|a partir de agora)\b|いつも|必ず|今後|これから|总是|以后|从现在",
    re.IGNORECASE,
)
_OF_ANSWERS = re.compile(
    r"\b(?:answer|repl[yi]|respon|writ|us(?:e|ing)\b|giv|speak|talk|say|tell|explain|format|emoji|unit|metric"
    r"|short|brief|detail"
    r"|antwort|schreib|sprich|benutz|verwend|contest|escrib|usa\b|usar|habla|répon|écri|utilis|parle|rispond"
    r"|scriv)\w*"
    r"|回答|答え|話し|使っ|用.{1,6}(?:说|写)",
    re.IGNORECASE,
)
_OF_ONESELF = re.compile(
    r"\b(?:i|we|he|she|they|my \w+|ich|wir|yo|je|j['’]|io|eu)\b(?!['’]?d like| want| prefer| would like"
    r"| ask)[^,.;]*$",
    re.IGNORECASE,
)
_TASK = re.compile(
    r"^\W*(?:(?:can|could|would|will) you|please|pls|ok(?:ay)?|now|and|then|hey|hi)?\W*(?:can you |could you "
    r"|please )?(?:write|translate"
    r"|fix|explain|summari[sz]e|give|tell|show|make|suggest|recommend|list|find|help|compare|draft|generate"
    r"|create|calculate|convert"
    r"|rewrite|proofread|describe|define|schreib|übersetz|erklär|fass|gib|zeig|escrib|traduc|explic|dame|écri"
    r"|tradui|expliqu|donne)\w*\b",
    re.IGNORECASE,
)


def is_question(sentence: str) -> bool:
    """Whether it ends in a question mark."""
    return _QUESTION.search(sentence) is not None


def is_wish(clause: str) -> bool:
    """Whether it asks, in the person's own words, to be answered in some way from now on."""
    if _WISH_BY_ITSELF.search(clause):
        return True
    lasting = _FOR_GOOD.search(clause)
    if lasting is None or not _OF_ANSWERS.search(clause):
        return False
    return not _OF_ONESELF.search(clause[: lasting.start()])


def telling_clauses(message: str) -> Iterator[str]:
    """The parts of a message that may tell something lasting: sentences, and what precedes a question."""
    return (clause for clause in _declared(message) if not _is_beside_the_point(clause))


def _declared(message: str) -> Iterator[str]:
    for sentence in sentences(message):
        if not is_question(sentence):
            yield sentence
            continue
        before = sentence
        for mark in _CLAUSE.finditer(sentence):
            before = sentence[: mark.start()]
        if before != sentence:
            yield before


def _is_beside_the_point(clause: str) -> bool:
    if is_wish(clause):
        return False
    return bool(_SUPPOSED.search(clause) or _TASK.search(clause)) or _is_passing(clause)


def _is_passing(clause: str) -> bool:
    """Whether nothing is left of `clause` but a mood or a circumstance."""
    parts = [part for part in _CLAUSE.split(clause) if part and units(part)]
    return bool(parts) and all(_PASSING.search(part) for part in parts)
