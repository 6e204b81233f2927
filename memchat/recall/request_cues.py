"""Recognise small talk, requests for the assistant's earlier words, for several things, and for an item of a list."""

import re
from dataclasses import dataclass

from memchat.text.normalize import words
from memchat.text.patterns import compiled

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
    "proposed|propose|gave|give|given|listed|list|named|name|described|describe|wrote|write|written|called|call|"
    "answered|answer|come up with|came up with|think of|thought of|promised|promise|warned|warn|quoted|quote|"
    "pointed out|point out|point me|pointed me|prefer|preferred|pick|picked|chose|choose|chosen|favou?r|favou?red|"
    "offer|offered|want me|wanted me|estimate|estimated|calculate|calculated|translate|translated|refer|referred|"
    "bring up|brought up|go for|gone for|have me|like (?:better|best|more|most)"
)
_PAST = (
    "said|told|recommended|suggested|mentioned|explained|advised|proposed|gave|given|listed|named|described|wrote|"
    "written|called|answered|came up with|come up with|thought of|promised|warned|quoted|pointed out|pointed me|"
    "preferred|picked|chose|chosen|favou?red|offered|wanted me|estimated|calculated|translated|referred|brought up"
)
_GERMAN = (
    "gesagt|empfohlen|vorgeschlagen|geraten|erwähnt|genannt|erklärt|gemeint|gegeben|geschrieben|beschrieben|aufgezählt|"
    "gewarnt|erzählt|verraten|angegeben"
)
_FRENCH = "dit|recommand|conseill|suggér|propos|mentionn|expliqu|donn|cit|indiqu"
_BY_ASSISTANT = (
    rf"\b(?:did|had|have) you (?:\w+ ){{0,3}}?(?:{_ASKED_ABOUT})\b",
    rf"\byou(?:['’](?:d|ve))? (?:had |have |just |once |already |also |last |recently |previously |then |"
    rf"yesterday )*(?:{_PAST})\b",
    r"\byour (?:\w+ ){0,2}?(?:recommendation|suggestion|advice|tip|answer|explanation|list|idea|proposal|reply|warning|"
    r"recipe|instruction|pick|draft|poem|translation)s?\b",
    r"\baccording to you\b|\b(?:ideas|options|names|tips|suggestions) you had\b",
    rf"\b(?:(?:hast|hattest) du|habt ihr|ha(?:b|tt)en (?-i:Sie))\b.*\b(?:{_GERMAN})\b",
    rf"\b(?:du|ihr|(?-i:Sie))\b.*\b(?:{_GERMAN}) (?:hast|hattest|habt|haben|hatten)\b",
    r"\b(?:sagtest|empfahlst|nanntest|erwähntest|rietst|meintest|schlugst|gabst|hattest) du\b",
    r"\bdu (?:mir |uns |damals |gestern |letztens )*"
    r"(?:sagtest|empfahlst|nanntest|erwähntest|rietst|meintest|vorschlugst|gabst|schriebst)\b",
    r"\b(?:laut dir|deiner meinung nach|von dir (?:empfohlen|vorgeschlagen|genannt|erwähnt|gesagt)\w*)\b",
    r"\bdeine?[rnms]? (?:\w+ )?(?:empfehlung|vorschl[aä]g|rat\b|tipp|antwort|idee|liste|rezept|erklärung|anleitung)",
    r"\b(?:recomendaste|dijiste|sugeriste|aconsejaste|mencionaste|explicaste|propusiste|nombraste|diste|contaste|"
    r"comentaste|indicaste|hablaste|escribiste|preferiste|elegiste|advertiste)\b|\bsegún tú\b",
    r"\b(?:has|habías|usted (?:me )?ha(?:bía)?) (?:recomendado|dicho|sugerido|aconsejado|mencionado|propuesto|dado|"
    r"explicado|comentado|nombrado|indicado|escrito)\b",
    r"\busted (?:me )?(?:recomendó|dijo|sugirió|aconsejó|mencionó|dio|propuso)\b",
    r"\btus? (?:\w+ )?(?:recomendaci|consejo|sugerencia|respuesta|propuesta|receta|lista|explicaci)",
    r"\b(?:as[- ]tu|tu (?:m['’]|nous )?(?:as|avais)|t['’]as|avez[- ]vous|vous (?:m['’]|nous )?(?:avez|aviez)) (?:\w+ )?"
    rf"(?:{_FRENCH})",
    r"\b(?:ta|tes|ton|vos|votre) (?:\w+ )?(?:recommandation|conseil|suggestion|réponse|proposition|recette|idée|liste)",
    r"\b(?:hai|avevi) (?:\w+ )?(?:detto|"
    r"(?:consigliat|raccomandat|suggerit|propost|menzionat|spiegat|dat|nominat|indicat)[oaie])\b",
    r"\b(?:você|vc|tu) (?:\w+ )?(?:disse|recomendou|sugeriu|aconselhou|mencionou|indicou|deu|disseste|recomendaste)\b",
    r"\b(?:heb|had|hebt) je\b.*\b(?:gezegd|aangeraden|aanbevolen|voorgesteld|genoemd|gegeven)\b"
    r"|\b(?:raadde|zei|stelde|noemde|gaf) je\b"
    r"|\bje\b.*\b(?:gezegd|aangeraden|aanbevolen|voorgesteld|genoemd|gegeven) (?:hebt|had)\b",
    r"\b(?:poleciłeś|poleciłaś|radziłeś|mówiłeś|sugerowałeś|zaproponowałeś)\b",
    r"\b(?:ты|вы) (?:\w+ )?(?:говорил|сказал|советовал|посоветовал|рекомендовал|порекомендовал|предлагал|предложил)",
    r"你.{0,6}(?:说|推荐|建议|提到|告诉)|(?:勧め|薦め|すすめ|推薦し|提案し|言っ|教え)(?:てくれ|てい|て|た)|추천했|말했|추천해",
)


def is_small_talk(text: str) -> bool:
    """Return whether `text` is only a greeting, thanks or a goodbye."""
    found = words(text)
    return len(found) <= 12 and all(word in SMALL_TALK for word in found)


def asks_about_assistant(text: str) -> bool:
    """Return whether `text` asks for the assistant's earlier words ("what did you recommend?")."""
    return compiled(*_BY_ASSISTANT).search(text) is not None


_THINGS = (
    "options?|ideas?|suggestions?|recommendations?|choices?|alternatives?|possibilit(?:y|ies)|tips?|items?|points?|steps?|"
    "reasons?|names?|titles?|places?|things?|ones?|of (?:your|the|those)"
    "|möglichkeit|idee|vorschl[aä]g|empfehlung|alternative|tipp|punkt|schritt|grund|gründe|titel|ort|von (?:deinen|den)"
    "|opci(?:ón|ones)|sugerencia|recomendaci(?:ón|ones)|consejo|alternativa|paso|punto|raz(?:ón|ones)|nombre|título|lugar"
    "|de (?:tus|los|las|tes|vos|les)|idées?|conseil|recommandation|possibilité|étape|raison|nom|titre"
    "|opzione|suggerimento|consiglio|passo|nome|titolo|opção|sugestão|recomendação|conselho|dica|ponto|razão|título|ideia"
)
_PLACES = (
    r"first|1st|erste|primer[oa]?|premi(?:er|ère)|prim[oa]|primeir[oa]",
    r"second|2nd|zweite|segund[oa]|deuxième|seconde?|second[oa]",
    r"third|3rd|dritte|tercer[oa]?|troisième|terz[oa]|terceir[oa]",
    r"fourth|4th|vierte|cuart[oa]|quatrième|quart[oa]",
    r"fifth|5th|fünfte|quint[oa]|cinquième",
    r"sixth|6th|sechste|sext[oa]|sixième|sest[oa]",
    r"seventh|7th|siebte|séptim[oa]|septième|settim[oa]|sétim[oa]",
    r"eighth|8th|achte|octav[oa]|huitième|ottav[oa]|oitav[oa]",
    r"ninth|9th|neunte|noven[oa]|neuvième|non[oa]",
    r"tenth|10th|zehnte|décim[oa]|dixième|decim[oa]",
)
_NUMBERED = "number|option|idea|point|step|tip|item|nummer|punkt|schritt|opción|punto|paso|étape"
_LAST_PLACE = r"last|final|letzte|últim[oa]|derni(?:er|ère)|ultim[oa]"
_EACH_PLACE = "|".join(f"(?P<place{at}>{forms})" for at, forms in enumerate(_PLACES, 1))
_PLACE_IN_LIST = (
    rf"\b(?:(?:{_EACH_PLACE}|(?:{_LAST_PLACE}))(?:[rnms])? (?:{_THINGS})\b"
    rf"|(?:{_NUMBERED}) (?P<number>\d{{1,2}})\b)"
)


def place_asked(text: str) -> int | None:
    """Return the place in a list that `text` asks for ("the second option you gave me"), from 1; -1 for the last."""
    match = compiled(_PLACE_IN_LIST).search(text)
    if match is None:
        return None
    if match["number"]:
        return int(match["number"])
    return next((at for at in range(1, len(_PLACES) + 1) if match[f"place{at}"]), -1)


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
    """Return whether `text` asks for a list or a count ("which books have I read?") of things said at several times."""
    return compiled(*_SEVERAL).search(text) is not None


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
    for pattern in _EVENTS:
        if match := compiled(pattern).search(text):
            return Event(re.split(r"[?!.,;]", match["event"])[0].strip(), match["before"] is not None)
    return None
