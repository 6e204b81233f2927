"""Find documents that were pasted without an announcement, by their form or by several signs together."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

Span = tuple[int, int]

_TRIPLE_QUOTED = re.compile(r"(?ms)^[ \t]*(\"{3}|'{3}|~{3}).*?\1")
_FILE_LINE = re.compile(
    r"(?im)^[-=*#~_]{3,} ?(?:(?:begin|start|attach\w+|file|datei|anhang|archivo|adjunto)\b.{0,80}|\S{1,80}\.\w{1,5})"
    r" ?[-=*#~_]{3,}$"
)
_FILE_END = re.compile(r"(?im)^[-=*#~_]{3,} ?(?:end|eof|ende|fin)\b.{0,80}$")


def find_delimited(message: str) -> Iterator[Span]:
    """Find text between triple quotes, and from a line such as '--- notes.txt ---' to one that says 'end'."""
    yield from (match.span() for match in _TRIPLE_QUOTED.finditer(message))
    at = 0
    while begins := _FILE_LINE.search(message, at):
        ends = _FILE_END.search(message, begins.end())
        at = ends.end() if ends else len(message)
        yield begins.start(), at


_NONBLANK = re.compile(r"\S[^\n]*")


def lines_of(message: str) -> list[Span]:
    """Return the spans of the non-blank lines of `message`, each from its first character on."""
    return [match.span() for match in _NONBLANK.finditer(message)]


_LOG = (
    r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|\[?\d\d:\d\d:\d\d[\].,]|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d "
    r"|\[?(?:INFO|WARN(?:ING)?|ERROR|DEBUG|TRACE|FATAL|CRITICAL)\b[\]:]? |Traceback \(|File \"[^\"]+\", line \d"
    r"|at [\w.$<>]+\(|Caused by: |[\w.]{0,80}(?:Error|Exception): "
)
_CODE = (
    r"(?:def|class|func|fn|function|interface|struct|enum) \w+.{0,200}[({:]|(?:const|let|var|val) \w+ ?[:=]"
    r"|#include ?[<\"]|from [\w.]+ import |import [\w.]+(?: as \w+)?;?$"
    r"|(?:SELECT|INSERT INTO|CREATE TABLE|DELETE FROM) "
    r"|(?:if|elif|while|for|with) .{0,200}[()=<>\[\]_].{0,200}:$|(?:else|try|finally|except\b.{0,80}):$"
    r"|return\b.{0,200}[()=_;]|[\w.]+\([^)]{0,200}\);?$|[\"'][\w-]+[\"'] ?: |[\[\]{}(),;]+$|\}|.{0,300}\{$"
    r"|.{0,300}[=()].{0,300};$|[A-Z][A-Z0-9_]{2,}=\S|@@ |(?:\+\+\+|---) \S|\$ [a-z]|>>> "
    r"|<(?:!|/?[a-z][a-z0-9]*(?:\s[^<>]{0,300})?/?>)"
)
_MACHINE = re.compile(rf"\s*(?:{_LOG}|{_CODE})")
_CLOCK = r"\d{1,2}[:.]\d\d(?:[:.]\d\d)?(?: ?[AaPp][Mm])?"
_SPEAKER = re.compile(
    rf"\s*(?P<time>\[?(?:\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}},? )?{_CLOCK}\]?(?: [-–])? ?)?"
    r"<?(?P<name>[^\W\d_][\w.'-]{0,20}(?: [^\W\d_][\w.'-]{0,20}){0,2})>?[:：] *\S"
)
_WITHIN = 2
"""Lines of another form that may stand between those that reveal a document."""


def machine_text(message: str, lines: Sequence[Span]) -> Iterator[Span]:
    """Find logs, traces, code and markup of at least three lines."""
    marked = [at for at, (start, end) in enumerate(lines) if _MACHINE.match(message[start:end].rstrip())]
    for run in _runs(marked, lines, message):
        if len(run) >= 3:
            yield lines[run[0]][0], lines[run[-1]][1]


def find_chat_logs(message: str, lines: Sequence[Span]) -> Iterator[Span]:
    """Find chat logs: lines of two or more speakers in turn. A list of facts ('Name: Ana') does not repeat a name."""
    said = {at: match for at, span in enumerate(lines) if (match := _SPEAKER.match(message[slice(*span)]))}
    for run in _runs(list(said), lines, message):
        names = [said[at]["name"] for at in run]
        timed = all(said[at]["time"] for at in run)
        if any(_first_person_count(name) and " " in name for name in names):  # 'my wife: vegan'
            continue
        if len(set(names)) > 1 and len(names) >= (2 if timed else 4) and (timed or len(set(names)) < len(names)):
            yield lines[run[0]][0], lines[run[-1]][1]


def _runs(marked: Sequence[int], lines: Sequence[Span], message: str) -> Iterator[list[int]]:
    """Group the marked lines with at most `_WITHIN` others between them, none of which says 'I'."""
    run: list[int] = []
    for at in marked:
        between = range(run[-1] + 1, at) if run else ()
        if run and (
            len(between) > _WITHIN or any(_first_person_count(message[slice(*lines[other])]) for other in between)
        ):
            yield run
            run = []
        run.append(at)
    if run:
        yield run


_GREETING = re.compile(
    r"(?m)^[ \t]*"
    r"(?:(?i:dear|hi|hello|hey|hallo|liebe[rs]?|sehr geehrte[rs]?|guten tag|hola|estimad[oa]s?|querid[oa]s?) "
    r"(?!.{0,40}\b(?i:support|team|service|sir|madam|assistant|bot|memchat|there|all|damen|señor(?:es)?)\b)"
    r"[A-ZÀ-Þ][\w .'-]{0,40}|\S{1,12} ?様)[,:!、]?[ \t]*$"
)
_CLOSING = re.compile(
    r"(?im)^[ \t]*(?:(?:(?:best|kind|warm)(?:est)? (?:regards|wishes)|best|regards"
    r"|(?:yours )?(?:sincerely|truly|faithfully)|cheers|(?:many )?thanks(?: in advance)?|thank you|love"
    r"|mit (?:freundlichen|besten|lieben) grüßen|(?:viele|liebe|beste|herzliche) grüße|vg|lg|mfg"
    r"|(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente"
    r"|un abrazo)[,.!]?|敬具|.{0,20}お願い(?:いた)?します。?)[ \t]*$"
)
_SIGNED = re.compile(r"(?P<gap>\s+)(?P<words>\S[^\n?:]{0,58})(?=\n|\Z)")


def find_emails(message: str) -> Iterator[Span]:
    """Find emails from a greeting by name to the signature. One that fills the message was written to us."""
    at = 0
    while greeting := _GREETING.search(message, at):
        closing = _CLOSING.search(message, greeting.end())
        if closing is None:
            return
        # The signature: up to three short lines, of which the first may follow a blank line.
        at = closing.end()
        for breaks in (2, 1, 1):
            line = _SIGNED.match(message, at)
            if line is None or line["gap"].count("\n") > breaks or _first_person_count(line["words"]):
                break
            at = line.end()
        if message[: greeting.start()].strip() or message[at:].strip():
            yield greeting.start(), at


@dataclass(frozen=True, slots=True)
class _Language:
    """A language, by words that few of its texts lack, and by how people speak of themselves in it.

    `says_i` where that shows in everything people write about themselves.
    """

    common: frozenset[str]
    own: re.Pattern[str]
    says_i: bool = True


def _tongue(common: str, own: str, *, says_i: bool = True) -> _Language:
    return _Language(frozenset(common.split()), re.compile(rf"(?<![\w’'])(?:{own})(?!\w)"), says_i)


_LANGUAGES = {
    "en": _tongue(
        "the and of to is that for was with are this what do a i my you it",
        r"i|i['’](?:m|ve|d|ll)|im|ive|my|me|mine|myself|we(?:['’](?:re|ve))?|our",
    ),
    "de": _tongue(
        "der die und das ist nicht ein mit den von was ich wir es im", r"ich|mein\w{0,2}|mir|mich|wir|unser\w{0,2}|uns"
    ),
    "fr": _tongue("le les des et est une dans pour du ce je vous", r"je|j['’]\w+|moi|mon|ma|mes|nous|notre"),
    "es": _tongue(
        "el los de que y se del las una por qué en mi",
        r"yo|mis?|me|nos|nuestr\w+|soy|estoy|tengo|vivo|trabajo|quiero|puedo|llevo|hago|uso|\w+[éí]",
        says_i=False,
    ),
    "ja": _Language(frozenset(), re.compile("私|僕|俺|わたし|ぼく|うち|自分|我々"), says_i=False),
}
_OURS = re.compile(r"we|our|wir|uns|nous|no[st]|nuestr")
_YOURS = re.compile(r"\b(?:you|your|sie|ihnen|ihr\w{0,2}|usted|vous|votre|vos)\b")
_IN_QUOTES = re.compile(r"[\"“„«「『][^\"”“»」』\n]{1,300}[\"”“»」』]")
_KANA = re.compile("[\u3040-\u30ff]")
_IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def _language(text: str) -> str:
    """Guess the language of `text` by its commonest words; empty if none of the listed words occurs."""
    if _KANA.search(text):
        return "ja"
    words = re.findall(r"[^\W\d_]+", text.lower())
    hits = {name: sum(word in tongue.common for word in words) for name, tongue in _LANGUAGES.items()}
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] * 20 > len(words) else ""


def _first_person_count(text: str) -> int:
    """Count how often the writers of `text` speak of themselves outside quotation marks.

    'We' and 'our' beside 'you' do not count: a company may say so.
    """
    text = text.lower()
    tongue = _LANGUAGES.get(_language(text), _LANGUAGES["en"])
    found = tongue.own.findall(_IN_QUOTES.sub(" ", text))
    return sum(_OURS.match(word) is None for word in found) if _YOURS.search(text) else len(found)


def _size(text: str) -> int:
    """Return the size in words; two ideographs count as one."""
    return len(text.split()) + len(_IDEOGRAPHS.findall(text)) // 2


_LEAST_WORDS = 25
_TELLING_WORDS = 60
_LONG_WORDS = 120
_WORDS_AN_I, _WORDS_AN_I_WRAPPED = 50, 20
"""Words per 'I': people say 'I' more often than this when they talk about themselves; a letter may not."""
_NEEDED = 3
_AROUND = 2_000
"""Characters on either side that show the language of the rest."""
_ORDERS = re.compile(
    r"(?i)\bnotes? (?:to|for) (?:(?:all |any )?(?:ai|llm|language[- ]model)|assistants?\b)"
    r"|\bif you are an? (?:ai|llm|language model)"
    r"|\b(?:(?:ai|llm) (?:assistant|agent|model|system|bot)s?|assistants) (?:must|should|shall|reading|are)\b"
    r"|\b(?:remember|store|save|record|memori[sz]e)(?: permanently)?,? that (?:the|this) user\b"
    r"|\bki-(?:assistent|modell|system)\w* (?:müssen|sollen|sollten|muss|soll)\b"
    r"|\bmerken? (?:sie )?(?:dir|sich),? dass der (?:be)?nutzer\b|\basistentes? de ia\b|\brecuerd[ae] que el usuario\b"
    r"|AIアシスタント(?:は|へ|の皆)|ユーザーは.{0,60}(?:記憶|覚え)"
)
"""Orders to an assistant that may read the text; a person does not call themselves 'the user'."""
_OVERRIDES = re.compile(
    r"(?i)\b(?:ignore|disregard|forget) (?:all |any |the |your |of )*(?:previous|prior|earlier|above) "
    r"(?:instruction|prompt|message)|\bignorier\w* .{0,20}(?:bisherigen|vorherigen) anweisungen"
    r"|\bignora .{0,20}instrucciones anteriores|指示を無視"
)
_OF_A_PAGE = re.compile(
    r"(?im)©|\ball rights reserved|\b(?:privacy|cookie) policy|\b(?:un)?subscribe\b|\bread more\b|\bshare (?:this|on)\b"
    r"|\b\d+[- ]min(?:ute)?s? read\b|\b(?:posted|published|updated) (?:on|by|\d)|^by [A-Z]\w+ [A-Z]\w+"
    r"|\((?:reuters|ap|afp|dpa|efe)\)|\babbestellen\b|\bimpressum\b|\bweiterlesen\b|\bleer más\b|\bsuscr[ií]b"
    r"|\btodos los derechos|続きを読む|無断転載|^(?:home|start|startseite|inicio) ?[>»/|]|^\#{1,4} \S|\]\(https?://"
    r"|^sent from my |\bthis (?:e-?mail|message) .{0,40}confidential"
)
_POINTS = re.compile(
    r"(?i)\b(?:tl;?dr|summar\w+|translat\w+|proofread\w*|explain|thoughts|legit|scam|(?:is|does|of|with|on) this)\b"
    r"|\bshould i (?:answer|reply|respond|do about)\b|\bwas (?:soll|antworte) ich\b|\bqué (?:respondo|contesto)\b"
    r"|\b(?:zusammenfass\w*|übersetz\w*|hältst du (?:davon|hiervon)|meinst du dazu|stimmt das)\b"
    r"|\b(?:resum\w+|traduc\w+|opinas|es verdad)\b|要約|翻訳|訳して|どう思う|本当"
)
"""Phrases that point at something above or below."""


def find_articles(message: str, lines: Sequence[Span], taken: Sequence[Span]) -> Iterator[Span]:
    """Find paragraphs by another writer: long enough, without 'I', and with further signs."""
    paragraphs = [(span, _kind(message, span, taken)) for span in _paragraphs(message, lines)]
    for own, group in groupby(paragraphs, key=lambda paragraph: paragraph[1] == "own"):
        run = [] if own else list(group)
        theirs = [at for at, (_, kind) in enumerate(run) if kind == "theirs"]
        if theirs:
            spans = [span for span, _ in run[theirs[0] : theirs[-1] + 1]]
            if _signs(message, spans) >= _NEEDED:
                yield spans[0][0], spans[-1][1]


_STARTS_ITEM = re.compile(r"[-*•–+#>|]|\(?\w{1,3}[.)]\s")


def _paragraphs(message: str, lines: Sequence[Span]) -> Iterator[Span]:
    """Join the `lines` of `message` into paragraphs; lines wrapped to one width are one."""
    begun, last = -1, (0, 0)
    for start, end in lines:
        full = 45 <= last[1] - last[0] <= 100 and "\n" not in message[last[1] + 1 : start]
        if begun >= 0 and (not full or _STARTS_ITEM.match(message, start)):
            yield begun, last[1]
            begun = -1
        begun = start if begun < 0 else begun
        last = (start, end)
    if begun >= 0:
        yield begun, last[1]


def _kind(message: str, span: Span, taken: Sequence[Span]) -> str:
    """Return 'own', 'theirs' (which may still be the person's), or 'short', which goes with its surroundings."""
    at = bisect_right(taken, span)
    if any(start < span[1] and span[0] < end for start, end in taken[max(0, at - 1) : at + 1]):
        return "own"
    text = message[slice(*span)]
    size, own = _size(text), _first_person_count(text)
    if size < _LEAST_WORDS:
        return "own" if own else "theirs" if _ORDERS.search(text) or _OF_A_PAGE.search(text) else "short"
    most = _WORDS_AN_I_WRAPPED if _is_wrapped(text) else _WORDS_AN_I
    return "own" if own * most >= size else "theirs"


def _signs(message: str, paragraphs: Sequence[Span]) -> int:
    """Count the signs of a document in `paragraphs`."""
    start, end = paragraphs[0][0], paragraphs[-1][1]
    text = message[start:end]
    before, behind = message[max(0, start - _AROUND) : start].rstrip(), message[end : end + _AROUND].lstrip()
    language, around = _language(text), _language(f"{before} {behind}")
    size, own = _size(text), _first_person_count(text)
    says_i = language in _LANGUAGES and _LANGUAGES[language].says_i
    return (
        (size >= _LONG_WORDS)
        + (len(paragraphs) >= 3)
        + (size >= _TELLING_WORDS and own == 0 and says_i)
        + 2 * _is_wrapped(text)
        + min(2, len({sign[0].lower() for sign in _OF_A_PAGE.finditer(text)}))
        + (2 + says_i) * (language != around and bool(language and around))
        + any(_POINTS.search(beside) is not None for beside in (before[-200:], behind[:200]))
        + 3 * (own == 0 and _ORDERS.search(text) is not None)
        + 2 * (_OVERRIDES.search(text) is not None)
    )


def _is_wrapped(text: str) -> bool:
    """Return whether most lines break in the middle of a sentence, as people do not type."""
    lines = [line.strip() for line in text.splitlines()]
    broken = sum(
        45 <= len(line) <= 100 and line[-1] not in ".!?:;" and following[:1].islower()
        for line, following in pairwise(lines)
    )
    return broken >= 3 and broken * 2 >= len(lines)
