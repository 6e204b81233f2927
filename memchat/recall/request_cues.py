"""Recognise small talk, requests for the assistant's earlier words, and requests for several things."""

import re
from dataclasses import dataclass
from functools import cache

from memchat.text.normalize import words

SMALL_TALK = frozenset(
    """
    hi hello hey hiya yo greetings howdy good morning afternoon evening night day everyone there again thanks thank
    you thx ty cheers please welcome ok okay k yes yeah yep no nope sure right fine great nice cool perfect awesome
    wonderful
    alright bye goodbye see later soon take care how are is it going doing been what s up everything lol haha hehe
    hmm oh ah wow so much very a lot for your the help that this was well and im i am m re me too appreciate got
    love sounds to hear talk nothing much today have one who do
    hallo guten morgen tag abend nacht danke schön vielen dank bitte ja nein gut gern tschüss bis bald wie geht s dir es
    ihnen servus moin super
    hola buenos buenas días dias tardes noches gracias muchas por favor sí si vale adiós adios hasta luego cómo como
    estás estas está qué que tal bien muy
    bonjour bonsoir salut merci beaucoup oui non ça ca va bien au revoir comment vas tu allez vous bonne nuit journée
    ciao buongiorno buonasera grazie mille prego sì arrivederci come stai va bene
    olá ola oi bom dia boa tarde noite obrigado obrigada tudo bem sim não tchau
    hoi goedemorgen dank je wel bedankt doei hoe gaat het met
    cześć czesc dzień dobry dziękuję dzięki tak nie jak się masz
    привет здравствуйте спасибо пока да нет как дела доброе утро добрый день вечер
    你好 谢谢 谢谢你 再见 早上好 晚安 你好吗 好的
    こん んに にち ちは おは はよ よう あり りが がと とう ござ ざい いま ます さよ よう うな なら 元気
    สวัสดี ขอบคุณ
    """.split()
)
"""Words of greetings, thanks and good-byes; a text of only such words asks for nothing."""

_ASKED_ABOUT = (
    "said|say|told|tell|recommended|recommend|suggested|suggest|mentioned|mention|explained|explain|advised|advise|"
    "proposed|propose|gave|give|listed|list|named|name|described|describe|wrote|write|called|call|answered|answer|"
    "come up with|came up with|think of|thought of|promised|promise|warned|warn|quoted|quote|pointed out"
)
_PAST = (
    "said|told|recommended|suggested|mentioned|explained|advised|proposed|gave|listed|named|described|wrote|called|"
    "answered|came up with|thought of|promised|warned|quoted|pointed out"
)
_BY_ASSISTANT = (
    rf"\b(?:did|had|have) you (?:\w+ ){{0,3}}?(?:{_ASKED_ABOUT})\b",
    rf"\byou(?:['’](?:d|ve))? (?:had |have |just |once |already |also |last |recently |previously )*(?:{_PAST})\b",
    r"\byour (?:\w+ )?(?:recommendation|suggestion|advice|tip|answer|explanation|list|idea|proposal|reply|warning)s?\b",
    r"\b(?:hast|hattest|habt) du\b.*\b(?:gesagt|empfohlen|vorgeschlagen|geraten|erwähnt|genannt|erklärt|gemeint)\b",
    r"\bdu\b.*\b(?:gesagt|empfohlen|vorgeschlagen|geraten|erwähnt|genannt|erklärt) (?:hast|hattest)\b",
    r"\b(?:sagtest|empfahlst|nanntest|erwähntest|rietst) du\b|\bhaben sie\b.*\b(?:gesagt|empfohlen|vorgeschlagen)\b",
    r"\bdeine?[rnms]? (?:empfehlung|vorschl[aä]g|rat\b|tipp|antwort|idee|liste)",
    r"\b(?:recomendaste|dijiste|sugeriste|aconsejaste|mencionaste|explicaste|propusiste|nombraste)\b",
    r"\b(?:has|habías) (?:recomendado|dicho|sugerido|aconsejado|mencionado|propuesto)\b",
    r"\btus? (?:recomendaci|consejo|sugerencia|respuesta|propuesta)",
    r"\b(?:as[- ]tu|tu as|tu avais|t['’]as|avez[- ]vous|vous avez|vous aviez) (?:\w+ )?"
    r"(?:dit|recommandé|conseillé|suggéré|proposé|mentionné|expliqué)",
    r"\b(?:ta|tes|ton|vos|votre) (?:recommandation|conseil|suggestion|réponse|proposition)",
    r"\b(?:hai|avevi) (?:\w+ )?(?:detto|consigliato|raccomandato|suggerito|proposto|menzionato|spiegato)\b",
    r"\b(?:você|vc|tu) (?:\w+ )?(?:disse|recomendou|sugeriu|aconselhou|mencionou|indicou|disseste|recomendaste)\b",
    r"\b(?:heb|had|hebt) je\b.*\b(?:gezegd|aangeraden|aanbevolen|voorgesteld|genoemd)\b|\b(?:raadde|zei|stelde) je\b",
    r"\b(?:poleciłeś|poleciłaś|radziłeś|mówiłeś|sugerowałeś|zaproponowałeś)\b",
    r"\b(?:ты|вы) (?:\w+ )?(?:говорил|сказал|советовал|посоветовал|рекомендовал|порекомендовал|предлагал|предложил)",
    r"你.{0,6}(?:说|推荐|建议|提到|告诉)|(?:勧め|薦め|すすめ|推薦し|提案し|言っ|教え)(?:てくれ|てい|て|た)|추천했|말했|추천해",
)


def is_small_talk(text: str) -> bool:
    """Whether `text` is only a greeting, thanks or a good-bye."""
    found = words(text)
    return len(found) <= 12 and all(word in SMALL_TALK for word in found)


def asks_about_assistant(text: str) -> bool:
    """Whether `text` asks for the assistant's earlier words ("what did you recommend?")."""
    return _by_assistant().search(text) is not None


@cache
def _by_assistant() -> re.Pattern[str]:
    return re.compile("|".join(_BY_ASSISTANT), re.IGNORECASE)


_VERB = "has|have|had|did|do|does|is|are|was|were|can|could|will|would|shall|should|might|may|must"
_PLURAL = rf"people|children|men|women|(?!(?:{_VERB})\b)\w+[^\Wsui]s"
_SEVERAL = (
    rf"\b(?:what|which)(?: (?!(?:{_VERB})\b)[\w'’-]+){{0,3}}? (?:{_PLURAL})"
    rf"(?= (?:{_VERB}|that|i|you|we|they|he|she|(?-i:[A-Z])\w+)\b|\?)",
    r"\b(?:what|which|who) (?:are|were)\b|\b(?:kinds?|types?|sorts?) of\b|\bhow (?:many|often)\b|\bwhat else\b",
    r"\b(?:everything|every time|list|all (?:of )?(?:the|my|our|her|his|their|your))\b",
    r"\b(?:welche[rnms]?|was (?:sind|waren)|was für|wie (?:viele|oft)|alles?|sämtliche)\b",
    r"\b(?:qué|cuántos|cuántas) \w+s\b|\bcuáles\b|\btod[oa]s (?:los|las|mis)\b",
    r"\bquel(?:le)?s\b|\btou(?:s|tes) (?:les|mes)\b|\bquali\b|\btutt[ie] (?:i|gli|le)\b",
    r"\bquais\b|\btod[oa]s (?:os|as)\b|\bwelke\b|\bкаки[ем]\w*\b|\bсколько\b|\bвсе\b",
    r"哪些|哪几|所有|几[个次本]|どんな|どれくらい|いくつ|全部|すべて|어떤|모든",
)


def asks_for_several(text: str) -> bool:
    """Whether `text` asks for a list or a number of things ("which books have I read?"), said at different times."""
    return _several().search(text) is not None


@cache
def _several() -> re.Pattern[str]:
    return re.compile("|".join(_SEVERAL), re.IGNORECASE)


_SOMETHING = r"(?:the|my|our|his|her|their|i|we|he|she|they|(?-i:[A-Z]\w+))\b"
_EVENTS = (
    rf"\b(?:(?P<before>before|until|till)|(?P<after>after|since)) (?={_SOMETHING})(?P<event>.+)",
    r"\b(?:(?P<before>vor|bis zu)|(?P<after>nach|seit)) (?=(?:dem|der|den|mein|unser)\w*)(?P<event>.+)",
    r"\b(?:(?P<before>bevor)|(?P<after>nachdem|seitdem?)) (?P<event>.+)",
    r"\b(?:(?P<before>antes de|avant|prima d)|(?P<after>después de|desde|après|depuis|dopo))"
    r"(?:l|el|i|ella)?\b (?=(?:que|la|le|el|l['’]|mi|mon|ma|mes|nuestr|notre|il|lo|mio|mia|je|me)\w*)(?P<event>.+)",
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a request dates its answer by: it was said `before` what the words tell of, or after."""

    words: str
    before: bool


def event_in(text: str) -> Event | None:
    """Return what `text` names to say when ("before the move"); None where it names nothing."""
    for pattern in _event_patterns():
        if match := pattern.search(text):
            return Event(re.split(r"[?!.,;]", match["event"])[0].strip(), match["before"] is not None)
    return None


@cache
def _event_patterns() -> list[re.Pattern[str]]:
    return [re.compile(pattern, re.IGNORECASE) for pattern in _EVENTS]
