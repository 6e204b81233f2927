"""Which parts of a message may tell something that lasts: no questions, tasks, suppositions or passing circumstances.

For what a small model notes. A large one is told to leave these out, and does.
"""

import re
from collections.abc import Iterator

from memchat.learning.support import units
from memchat.text.normalize import STOP_WORDS, sentences, words

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
    r"|gracias|merci|haha|lol|off to|good ?(?:morning|night)|morning|bye|user (?:is|feels|was) (?:so |very "
    r"|really )*(?:tired|bored|hungry|sleepy|exhausted|happy|sad|angry|annoyed|excited|confused|curious|sorry"
    r"|glad|done|back|busy|grateful|morning|the best|trying)|trying (?:that|it|this))\b",
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
_FIRST_PERSON = re.compile(
    r"\b(?:i|i['’]\w+|im|ive|my|mine|me|we|we['’]\w+|our|us|ich|mein\w*|mir|mich|wir|unser\w*|yo|mi|mis|me"
    r"|nosotros|je|j['’]\w*"
    r"|mon|ma|mes|moi|nous|notre|io|mio|mia|eu|meu|minha)\b|私|僕|俺|我|저는|나는|제 |\bя\b|\bмо[йяеи]\b",
    re.IGNORECASE,
)
_SECOND_PERSON = re.compile(r"\b(?:you|you['’]\w+|your|u|ur|du|dein\w*|eres|tu es|sei)\b", re.IGNORECASE)
_OTHER_LANGUAGES = frozenset(
    """
    ich und der die das ist bin mein meine meinen nicht ein eine einen wir mit zu im nutzer yo soy el los las que es
    mi mis vivo tengo de del por para con una usuario je suis le les est mon mes et un une dans avec utilisateur io sono
    che di ho eu sou uma tenho moro meu minha ik ben mijn en het een van
    """.split()
)
"""Small words of some languages that English does not have."""
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
    return (
        bool(_SUPPOSED.search(clause) or _TASK.search(clause))
        or _is_for_the_assistant(clause)
        or _holds_only_passing(clause)
    )


def is_passing(text: str) -> bool:
    """Whether `text` tells of a mood, thanks, or what somebody is at right now."""
    return _PASSING.search(text) is not None


def is_foreign(text: str) -> bool:
    """Whether `text` seems to be in another language than English: by its letters and its small words."""
    said = words(text)
    foreign = sum(word in _OTHER_LANGUAGES or not word.isascii() for word in said)
    return foreign > sum(word in STOP_WORDS and word not in _OTHER_LANGUAGES for word in said)


def speaks_of_oneself(text: str) -> bool:
    """Whether `text` says I, my, we or our."""
    return _FIRST_PERSON.search(text) is not None


def split_clauses(sentence: str) -> list[str]:
    """The clauses of `sentence`."""
    return [part for part in _CLAUSE.split(sentence) if part]


def _is_for_the_assistant(clause: str) -> bool:
    """Whether `clause` is about the one who is spoken to, and not about the person."""
    return _SECOND_PERSON.search(clause) is not None and not speaks_of_oneself(clause)


def _holds_only_passing(clause: str) -> bool:
    """Whether nothing is left of `clause` but a mood or a circumstance."""
    parts = [part for part in _CLAUSE.split(clause) if part and units(part)]
    return bool(parts) and all(_PASSING.search(part) for part in parts)
