"""Cut pasted, quoted and announced documents out of a message; what is left are its writer's own words."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from memchat.text.paste_heuristics import (
    Span,
    find_articles,
    find_chat_logs,
    find_delimited,
    find_emails,
    lines_of,
    machine_text,
)
from memchat.text.punctuation import SENTENCE_ENDS, WIDE_SENTENCE_ENDS


def own_words(message: str) -> str:
    """Replace what is pasted or quoted in `message` by a line '[…]'."""
    parts: list[str] = []
    at = 0
    for start, end in foreign_spans(message):
        parts += message[at:start], "\n[…]\n"
        at = end
    return "".join([*parts, message[at:]])


def foreign_spans(message: str) -> list[Span]:
    """Find where `message` is a pasted or quoted document and not the person's own words: sorted, disjoint, not empty.

    A document with a visible end (a fenced block, lines quoted with '>', a tagged text) is cut out. So is an
    unannounced one where its form shows it (a log, code, a chat, a mail from greeting to signature) or several signs
    together do (a long page without an 'I', and more). One that is only announced ('here is the email I got:', a
    forwarding mark, mail headers) reaches to the end of the message, unless what follows the announcement has a visible
    end. Words in quotation marks stay.
    """
    lines = lines_of(message)
    fences = [match.span() for match in re.finditer("`{3,}+", message)]
    code_blocks = (
        (opening[0], closing[1] if closing else len(message))
        for opening, closing in zip_longest(fences[::2], fences[1::2])
    )
    quoted_lines = (match.span() for match in _QUOTED_LINE.finditer(message))
    shown = [*code_blocks, *_find_tagged(message), *quoted_lines, *find_delimited(message)]
    delimited = _merge(
        [*shown, *machine_text(message, lines), *find_chat_logs(message, lines), *find_emails(message)], message
    )
    delimited = _merge([*delimited, *find_articles(message, lines, delimited)], message)
    starts = [start for start, _ in delimited]

    def shown_apart(at: int) -> bool:
        before = bisect_right(starts, at) - 1
        return before >= 0 and at < delimited[before][1]

    begins = (match.end() for at in _find_announced(message) if (match := _SPACE.match(message, at)))
    announced = [at for at in begins if not shown_apart(at)]
    return _merge([*delimited, (min(announced), len(message))], message) if announced else delimited


_SPACE = re.compile(r"\s*+")


def _merge(spans: list[Span], message: str) -> list[Span]:
    """Sort the spans, strip white space at their ends, and join those with only white space between them."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and (start <= merged[-1][1] or message[merged[-1][1] : start].isspace()):
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:
            merged.append((start, end))
    stripped = [(start, start + len(message[start:end].rstrip())) for start, end in merged]
    return [(start, end) for start, end in stripped if start < end]


_QUOTED_LINE = re.compile(r"(?m)^[ \t]{0,3}>(?:[ >\t].*|$)")


_TAG = re.compile(
    r"(?im)(?P<alone>^[ \t]*+)?<(?P<tag>document|doc|file|attachment|attached_file|email|mail|article|webpage|page"
    r"|context|source|quote|blockquote|excerpt|transcript|log|output|paste|dokument|datei|anhang|documento|archivo|adjunto)"
    r"(?:\s[^<>]{0,500})?>(?P<rest>[ \t]*+$)?"
)


def _find_tagged(message: str) -> Iterator[Span]:
    """Yield the spans from a tag to its closing tag; an unclosed tag counts only on a line of its own."""
    at = 0
    unclosed: set[str] = set()
    while tag := _TAG.search(message, at):
        at = tag.end()
        name = tag["tag"].lower()
        closing = None if name in unclosed else re.compile(rf"(?i)</{name}\s*>").search(message, at)
        if closing:
            at = closing.end()
            yield tag.start("tag") - 1, at
        elif tag["alone"] is not None and tag["rest"] is not None:
            yield tag.start("tag") - 1, len(message)
            return
        else:
            unclosed.add(name)


# Announcements: what says, in a line of its own or before a colon, that a document follows.


@dataclass(frozen=True, slots=True)
class _AnnouncementPhrases:
    """The announcement phrases of one language, as alternatives of a pattern.

    `shows` presents something ('here is'), `this` points at what follows, `asks` wants something done with it, `says`
    reports it, `of` names its origin. The person's `own` ('my plan'), or something `about` the document, is not
    another's document. A sentence with an `opinion` ('I learned') announces only what it plainly shows.
    """

    documents: str
    shows: str
    this: str
    asks: str
    says: str
    of: str
    own: str
    opinion: str


_LANGUAGES = (
    _AnnouncementPhrases(  # English
        documents=r"e-?mails?|mails?|letters?|articles?|(?:web ?|home)?pages?|web ?sites?|(?:blog ?)?posts?|messages?"
        r"|sms|texts?|newsletter|documents?|docs|pdf|reports?|(?:log ?)?files?|logs?|errors?|output|stack ?trace"
        r"|traceback|transcript|press release|notice|contract|passage|paragraph|excerpt|chapter|readme|thread|ticket"
        r"|paper|memo",
        shows=r"here(?:['’]s| is| are| comes)|below (?:is|are)|attached is|this is|the following"
        r"|(?:got|received|found|saw|sent me|wrote me|forwarded me|gave me) (?:this|these|the following)",
        this="this|these|the following",
        asks=r"summari[sz]e|translate|proofread|explain|analy[sz]e|rewrite|shorten|reply to|respond to|answer|review"
        r"|check|read|look at|what do(?:es)?|what do you think",
        says="says|said|reads|states|goes",
        of="from|by",
        own=r"(?:my|our|for|about|on|in|to|with)\b(?! (?:\w+ )?(?:logs?|errors?|output|traceback|stack))",
        opinion=r"\b(?:i|we) (?:learn|like|love|hate|think|hope)|\b(?:thing|reason|point|problem|address)s?\b",
    ),
    _AnnouncementPhrases(  # German
        documents=r"e-?mails?|mails?|brief\w{0,2}|(?:zeitungs)?artikels?|(?:web)?seite|nachricht(?:en)?|sms|newsletter|text"
        r"|dokument\w{0,2}|pdf|bericht|logs?|log-?datei|protokoll|(?:fehler)?ausgabe|fehlermeldung|schreiben|beitrag"
        r"|vertrag|absatz|auszug|(?:chat)?verlauf",
        shows=r"hier (?:ist|sind|kommt)|anbei|unten steht|es folgt|das ist|folgende[nrms]?|habe diese[nrms]?",
        this=r"diese[nrms]?|(?:die|den|das|der) folgende[nrms]?|folgende[nrms]?",
        asks=r"zusammenfass\w+|zusammen|fasse?|übersetz\w*|erklär\w*|korrigier\w*|beantwort\w*|kürze\w*|umschreiben"
        r"|findest|bedeutet|prüf\w*|lies",
        says="sagt|lautet|besagt|steht|schreibt",
        of="aus|von|vom",
        own=r"(?:mein\w{0,2}|unser\w{0,2}|für|über|zu[mr]?|auf|mit)\b(?! (?:\w+ )?(?:log|fehler))",
        opinion=r"\b(?:ich|wir) (?:mag|liebe|will|möchte|brauche|denke|finde|hasse)\b|\b(?:grund|problem|adresse)\b",
    ),
    _AnnouncementPhrases(  # Spanish
        documents=r"e-?mails?|correos?(?: electrónico)?|cartas?|artículos?|páginas?(?: web)?|mensajes?|sms|boletín"
        r"|documentos?|pdf|informes?|registros?|logs?|salida|error|texto|contrato|párrafo|extracto",
        shows=r"aquí (?:está|están|va|tienes|te dejo)|est[ea] es|a continuación|el siguiente|la siguiente"
        r"|(?:recibí|me llegó|me enviaron|me mandaron|encontré) est[ea]",
        this="este|esta|el siguiente|la siguiente",
        asks=r"resum\w+|traduc\w+|explic\w+|revis\w+|corrig\w+|corregir|respond\w+|contest\w+",
        says="dice|decía|pone",
        of=r"de|del",
        own=r"(?:mi|mis|nuestr\w+|para|sobre|en|con|a)\b(?! (?:\w+ )?(?:log|error|registro))",
        opinion=r"\b(?:me gusta|quiero|necesito|pienso|creo|aprendí)|\b(?:razón|problema|cosa|dirección)\b",
    ),
)

_JAPANESE = re.compile(
    r"(?:(?:以下|次|下記|こちら)(?:の|は|が).{0,20}?|(?:届いた|受け取った|もらった|送られてきた|来た|からの|この))"
    r"(?:メール|手紙|記事|ページ|サイト|メッセージ|ログ|出力|エラー|文書|資料|文章|お知らせ|契約書)"
    r"(?!アドレス).{0,20}$|^(?:メール|手紙|記事|ページ|サイト|ログ)(?:から|より|には|によると).{0,12}$"
)
_JAPANESE_REQUEST = re.compile(
    r"(?:この|次の|以下の)(?:メール|手紙|記事|ページ|メッセージ|ログ|文書|文章|エラー).{0,8}(?:要約|翻訳|訳し|説明|返信|添削).{0,12}$"
)


def _announcing(words: _AnnouncementPhrases) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Compile the patterns of a sentence before a colon that announces a document, and of one that wants something
    done with 'this' document.
    """
    word = r"[^\s.:;!?]{1,40}"
    document = rf"(?:{words.documents})\b"
    introduction = (
        rf"(?i)^.*\b(?:{words.shows}) (?:(?!{words.own}){word} ){{0,4}}{document}(?! address)(?:,? {word}){{0,8}}$"
        rf"|^(?!.*(?:{words.opinion}))(?:(?:{word} )?(?:{words.of}) (?:{word} ){{0,3}}{document}(?: {word}){{0,3}}"
        rf"|.*\b{document}(?: {word}){{0,5}} (?:{words.says})"
        rf"|(?:{word} )?{document} (?:{words.of})(?: {word}){{1,6}}"
        r")$"
    )
    this = rf"\b(?:{words.this}) (?:\w{{1,40}} )?{document}"
    request = rf"(?i)\b(?:{words.asks})\b.{{0,30}}?{this}|{this}.{{0,40}}?\b(?:{words.asks})\b"
    return re.compile(introduction), re.compile(request)


_INTRODUCTIONS, _REQUESTS = zip(*map(_announcing, _LANGUAGES), (_JAPANESE, _JAPANESE_REQUEST), strict=True)

_FORWARDED = re.compile(
    r"(?im)^[ \t]*(?:-{2,20} ?(?:original message|forwarded message|ursprüngliche nachricht|weitergeleitete nachricht"
    r"|mensaje original|mensaje reenviado|元のメッセージ|転送(?:された)?メッセージ)\b.*"
    r"|(?:begin forwarded message|anfang der weitergeleiteten nachricht|inicio del mensaje reenviado):"
    r"|(?:on .{5,100} wrote|am .{5,100} schrieb.{0,80}|el .{5,100} escribió|.{2,60}さんは書きました)[:：])[ \t]*$"
)
_HEADER = (
    r"(?:subject|from|to|cc|date|sent|reply-to|betreff|von|an|gesendet|datum|asunto|de|para|fecha|enviado"
    r"|件名|差出人|宛先|送信者|日時)[:：]"
)
_HEADERS = re.compile(rf"(?im)^[ \t]*{_HEADER}.*(?:\n[ \t]*{_HEADER}.*)++")
_IS_MAIL = re.compile(r"(?im)^[ \t]*(?:subject|betreff|asunto|件名)[:：]|\w@\w")
_COLON = re.compile(r"[:：](?=\s|[^\x00-\x7f]|$)")
_LINE = re.compile(r"(?m)^.*\n")
_SENTENCE_END = re.compile(rf"[{SENTENCE_ENDS};:](?=\s)|[{WIDE_SENTENCE_ENDS}：]")
_LONGEST_SENTENCE = 160


def _find_announced(message: str) -> Iterator[int]:
    """Yield where announced documents begin, in no order."""
    yield from (match.end() for match in _FORWARDED.finditer(message))
    yield from (match.start() for match in _HEADERS.finditer(message) if _IS_MAIL.search(match[0]))
    for colon in _COLON.finditer(message):
        sentence = _sentence_before(message, colon.start())
        introduces = bool(sentence) and any(form.search(sentence) for form in (*_INTRODUCTIONS, *_REQUESTS))
        # Only an address or a number on the rest of the line ('here is the page: https://…') is no document.
        if introduces and not _PLACE.match(message, colon.end()):
            yield colon.end()
    for line in _LINE.finditer(message):
        end = line.start() + len(line[0].rstrip(f" \t\n{SENTENCE_ENDS}{WIDE_SENTENCE_ENDS}"))
        sentence = _sentence_before(message, end)
        if sentence and any(request.search(sentence) for request in _REQUESTS):
            yield line.end()


def _sentence_before(message: str, end: int) -> str:
    """Return the last sentence of the line that ends at `end`, with single spaces."""
    line = message[max(0, end - _LONGEST_SENTENCE) : end].rpartition("\n")[2]
    return " ".join(_SENTENCE_END.split(line)[-1].split())


_PLACE = re.compile(r"(?m)[ \t]*+[!-~]++[ \t]*+$")
