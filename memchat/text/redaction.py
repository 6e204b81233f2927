"""Mask secrets before anything reaches the disk.

A rule is a kind of secret and a function that finds secrets of this kind, mostly by a pattern and a test of what the
pattern found. The rules read the original text, independently of each other. Overlapping matches become one mask with
the kind of the rule named first in `_RULES`.

Every pattern starts at a literal or at a word edge and looks a bounded distance ahead, or consumes what it reads, so
that the work grows linearly with the length of any text.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from memchat.core.types import LearningOptions, Metadata, MetadataValue
from memchat.text import redaction_labels as labels
from memchat.text.redaction_world import labelled_spans


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without its secrets, and the kinds that were masked, each once, in the order of first appearance."""

    text: str
    kinds: tuple[str, ...]


def redact(text: str) -> Redacted:
    """Replace each secret in `text` by `[redacted KIND]`. Redacting twice changes nothing more."""
    kinds: dict[str, None] = {}
    # A mask is an edge where there was none: what touched a secret may be one itself.
    while finds := _merge(text):
        masked = text
        for find in reversed(finds):
            masked = f"{masked[: find.start]}[redacted {find.kind}]{masked[find.end :]}"
        if masked == text:
            break
        text = masked
        kinds.update(dict.fromkeys(find.kind for find in finds))
    return Redacted(text, tuple(kinds))


def redact_pairs(metadata: Metadata) -> dict[str, MetadataValue]:
    """Mask secrets in the values of `metadata`. Each is examined together with its key, as in `password=…`."""
    masked: dict[str, MetadataValue] = dict(metadata)
    for key, value in metadata.items():
        if not isinstance(value, bool):
            pair, written = redact(f"{key}={value}").text, str(value)
            shown = pair.removeprefix(f"{key}=") if pair.startswith(f"{key}=") else redact(written).text
            masked[key] = value if shown == written else shown
    return masked


def redact_options(terms: LearningOptions) -> LearningOptions:
    """Mask secrets in `terms`, which wait on disk until an exchange is learned from."""
    instructions = None if terms.instructions is None else redact(terms.instructions).text
    return replace(terms, instructions=instructions, metadata=redact_pairs(terms.metadata))


@dataclass(frozen=True, slots=True)
class _Match:
    start: int
    end: int
    rank: int
    kind: str


def _merge(text: str) -> list[_Match]:
    """Sort the matches of all rules by position and join overlapping ones."""
    plain = text.translate(_HALF_WIDTH)
    finds = [_Match(start, end, rank, rule.kind) for rank, rule in enumerate(_RULES) for start, end in rule.find(plain)]
    merged: list[_Match] = []
    for find in sorted(finds, key=lambda f: (f.start, f.end)):
        if merged and find.start < merged[-1].end:
            last = merged[-1]
            first = min(last, find, key=lambda f: f.rank)
            merged[-1] = _Match(last.start, max(last.end, find.end), first.rank, first.kind)
        else:
            merged.append(find)
    return merged


_ZEROS = (
    "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0de6\u0e50\u0ed0\u0f20\u1040\u17e0\u1810"
)
_HALF_WIDTH = (
    {full: full - 0xFEE0 for full in range(0xFF01, 0xFF5F)}
    | {0x3000: 0x20}
    | {ord(zero) + digit: 0x30 + digit for zero in _ZEROS for digit in range(10)}
    | dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2212), 0x2D)
)
"""Maps full-width letters, digits of other scripts, signs and the ideographic space one for one: positions stay."""


# How a rule finds.

_Span = tuple[int, int]
_Test = Callable[[re.Match[str]], bool]


@dataclass(frozen=True, slots=True)
class _Rule:
    """A kind of secret; `find` yields where such secrets are in a text."""

    kind: str
    find: Callable[[str], Iterator[_Span]]


def _exact(pattern: re.Pattern[str], accepts: _Test, text: str, *, closers: str = "") -> Iterator[_Span]:
    """Find the group `s` of the accepted matches, without the `closers` at its end."""
    for match in pattern.finditer(text):
        if accepts(match):
            yield match.start("s"), match.start("s") + len(match["s"].rstrip(closers))


def _find_labelled(pattern: re.Pattern[str], accepts: _Test, text: str) -> Iterator[_Span]:
    """Find values after a label. The pattern reads the beginning of a value; an accepted one extends to its end."""
    covered = 0
    for match in pattern.finditer(text):
        start, end = match.span("s")
        if start < covered or not accepts(match):
            continue
        if match["open"] is None:
            rest = _REST_OF_WORD.match(text, start)
            end = start + len(rest[0].rstrip(labels.CLOSERS) if rest else "")
        covered = end
        yield start, end


_REST_OF_WORD = re.compile(r"(?:(?!\[redacted )\S)++")


def _always(_match: re.Match[str]) -> bool:
    return True


# Tokens known by their form.

_TOKENS = (
    r"sk-(?:ant|proj|svcacct|admin|or|lf)-(?=[\w-]{0,60}[0-9])[A-Za-z0-9_-]{20,}+",  # OpenAI, Anthropic, OpenRouter
    r"sk-(?=[A-Za-z0-9]{0,60}[0-9])[A-Za-z0-9]{20,}+",  # OpenAI, DeepSeek
    r"(?:gsk_|xai-|pplx-|nvapi-|tvly-|csk-|r8_|fw_)(?=[\w-]{0,40}[0-9])[A-Za-z0-9_-]{20,}+",  # other model providers
    r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",  # AWS
    r"gh[pousr]_[A-Za-z0-9]{20,}+",  # GitHub
    r"github_pat_[A-Za-z0-9_]{20,}+",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{20,}+",  # GitLab
    r"xox[abeoprs]-(?=[A-Za-z0-9-]{0,30}[0-9])[A-Za-z0-9-]{10,}+",  # Slack
    r"xapp-[0-9]-[A-Za-z0-9-]{10,}+",
    r"hooks\.slack\.com/services/[A-Za-z0-9/]{20,}+",
    r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",  # Google
    r"ya29\.[A-Za-z0-9_-]{20,}+",
    r"GOCSPX-[A-Za-z0-9_-]{20,}+",
    r"(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,}+",  # Stripe
    r"hf_[A-Za-z0-9]{30,}+",  # Hugging Face
    r"npm_[A-Za-z0-9]{30,}+",
    r"pypi-AgE[A-Za-z0-9_-]{30,}+",
    r"SG\.[A-Za-z0-9_-]{16,}+\.[A-Za-z0-9_-]{16,}+",  # SendGrid
    r"dop_v1_[a-f0-9]{40,}+",  # DigitalOcean
    r"AGE-SECRET-KEY-1[A-Z0-9]{40,}+",
)
_TOKEN = re.compile(rf"(?<![A-Za-z0-9_])(?P<s>{'|'.join(_TOKENS)})")

_JWT = re.compile(r"(?<![A-Za-z0-9_-])(?P<s>eyJ[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]++){1,4}+\.?)")

_BEARER = re.compile(
    r"(?i)(?<!\w)(?:bearer|authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:basic|token|apikey))\s{1,3}"
    r"(?P<s>(?=[^\s\"']{0,60}[0-9])[A-Za-z0-9._~+/=-]{12,}+)"
)

_PEM_EDGE = r"[A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
_PEM = re.compile(
    rf"(?P<s>-----BEGIN {_PEM_EDGE}(?:"
    rf"(?:(?!-----)[\s\S])*+-----END {_PEM_EDGE}"  # whole
    r"|(?:(?:\s|\\[rn])++(?:[A-Z][A-Za-z-]{2,20}: [^\n]*+|[A-Za-z0-9+/=]{20,}+))++"  # cut off: while it looks like one
    r"(?:(?:\s|\\[rn])++[A-Za-z0-9+/=]{1,19}+(?=\s*(?:\n|\Z)))?"
    r"))"
)


_URL_PASSWORD = re.compile(r"://[^\s/?#@:]*+:(?P<s>(?!\[redacted )[^\s/?#]*[^\s/?#@])@")


def _no_placeholder(match: re.Match[str]) -> bool:
    return not labels.PLACEHOLDER.fullmatch(match["s"]) and match["s"].lower() not in {
        "password",
        "pass",
        "pwd",
        "secret",
    }


# Numbers with a checksum.

_CARD = re.compile(
    r"(?<![A-Za-z0-9_+-])(?<![0-9]\.)(?P<s>[0-9]{13,19}+"
    r"|[0-9]{4}(?P<sep>[ -])[0-9]{4}(?P=sep)[0-9]{4}(?P=sep)[0-9]{4}(?:(?P=sep)[0-9]{3}(?![0-9]))?"
    r"|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}|[0-9]{4}[ -][0-9]{3}[ -][0-9]{3}[ -][0-9]{3})(?![A-Za-z0-9_]|[.-][0-9])"
)
_CARD_CODE = re.compile(
    r"(?i)\b(?:cvc2?|cvv2?|cvn|csc|card security code)(?: is| code)?[ :=]{1,3}(?P<s>[0-9]{3,4})(?![0-9A-Za-z])"
)
_MONTH = r"(?:0?[1-9]|1[0-2]) ?[/.-] ?(?:20)?[2-4][0-9](?![0-9]|[/.-][0-9])"
_EXPIRES = (
    r"(?<!\w)(?:exp(?:\.|ir\w{1,5})?|(?:valid|good) (?:thru|through|until|till?|to)|gültig bis|ablauf\w{0,7}|läuft ab"
    r"|caduca\w{0,4}|vence|vencimiento|válida hasta|有効期限)[^\w\n]{0,4}(?:(?:date|is|am|ist|es|は)[^\w\n]{0,3}){0,2}"
)
_NEAR = r"(?:[^\[]|\[redacted card code\]){0,40}?"
_EXPIRY_BEHIND = re.compile(
    rf"(?i)\[redacted card number\](?:[ ,;|/()-]{{0,3}}(?={_MONTH})|{_NEAR}{_EXPIRES})(?P<s>{_MONTH}|[01][0-9]{{3}}\b)"
)
"""A date is an expiry only beside a card; the card is already a mask when the text is read again."""
_EXPIRY_BEFORE = re.compile(rf"(?i){_EXPIRES}(?P<s>{_MONTH})(?={_NEAR}\[redacted card number\])")
_CODE_BEHIND = re.compile(r"\[redacted card expiry\][ ,;|/]{1,3}(?P<s>[0-9]{3,4})(?= *(?:[,.;)\n]|\Z))")
_BRANDS = (
    (r"4", (13, 16, 19)),  # Visa
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),  # Mastercard
    (r"3[47]", (15,)),  # American Express
    (r"30[0-5]|36|38|39", (14,)),  # Diners Club
    (r"6011|64[4-9]|65|62", (16, 17, 18, 19)),  # Discover, UnionPay
    (r"352[89]|35[3-8]", (16, 17, 18, 19)),  # JCB
    (r"220[0-4]", (16,)),  # Mir
    (r"5018|5020|5038|5893|6304|6759|676[1-3]", (13, 14, 15, 16, 17, 18, 19)),  # Maestro
)
"""First digits and lengths of the cards in use."""


def _is_card(match: re.Match[str]) -> bool:
    """Return whether a brand has such numbers and the check digit is right (ISO/IEC 7812-1)."""
    digits = re.sub(r"[ -]", "", match["s"])
    if not any(len(digits) in lengths and re.match(prefix, digits) for prefix, lengths in _BRANDS):
        return False
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(int(digit) for digit in digits[::-2])) % 10 == 0


_IBAN_REGISTRY = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18
FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21
LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27
ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20
"""
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBAN_REGISTRY.split()}
"""Characters of an IBAN by country, from SWIFT's registry."""

_IBAN = re.compile(r"(?<![A-Za-z0-9])(?=(?P<s>[A-Za-z]{2}[0-9]{2}(?:[ \u00a0\u202f-]?[A-Za-z0-9]){11,30}))")


def _ibans(text: str) -> Iterator[_Span]:
    """Find IBANs. The pattern may read on into the next words; the country determines the length."""
    for match in _IBAN.finditer(text):
        places = [at for at in range(*match.span("s")) if text[at].isalnum()]
        length = _IBAN_LENGTHS.get(match["s"][:2].upper(), 0)
        if not 0 < length <= len(places):
            continue
        end = places[length - 1] + 1
        # The check digits are right if the number, with them behind, is 1 modulo 97 (ISO 13616).
        moved = (text[at] for at in [*places[4:length], *places[:4]])
        if not text[end : end + 1].isalnum() and int("".join(str(int(char, 36)) for char in moved)) % 97 == 1:
            yield match.start("s"), end


def _phrases(text: str) -> Iterator[_Span]:
    """Find several words that form one secret, without the words of the sentence around them."""
    for match in labels.PASSPHRASE.finditer(text):
        words = match["s"].split(" ")
        start = match.start("s")
        if count := labels.words_of_phrase(words, match):
            yield start, start + len(" ".join(words[:count]))


_SEED_WORD = (
    r"(?:[0-9]{1,2}[.):]? ?)?+(?!(?:the|and|for|was|are|has|had|were|but|not|which|your|their|would|from|been|its|who"
    r"|how|und|der|die|das|ist|mit|auf|ein|que|los|las|con|por|una)\b)(?:[a-zà-ÿ]{3,10}|[ぁ-ん]{2,8})(?!\w)"
)
"""Short words that are not in BIP 39; a sentence of a dozen words hardly does without one."""
_SEED = re.compile(
    r"(?i)(?:(?:seed|recovery|secret|backup|mnemonic) (?:phrase|words)|mnemonic|wiederherstellungs(?:phrase|wörter)"
    r"|frase (?:semilla|de recuperación)|(?:シード|リカバリー?|復元)フレーズ)"
    rf"[^\[]{{0,40}}?(?<!\w)(?P<s>{_SEED_WORD}(?:[\s,、]{{1,3}}{_SEED_WORD}){{11,23}}+)"
)

_RULES = (
    _Rule("private key", partial(_exact, _PEM, lambda match: re.search(r"[A-Za-z0-9+/=]{16}", match["s"]) is not None)),
    _Rule("api key", partial(_exact, _TOKEN, _always)),
    _Rule("token", partial(_exact, _JWT, _always)),
    _Rule("token", partial(_exact, _BEARER, _always)),
    _Rule("password", partial(_exact, _URL_PASSWORD, _no_placeholder)),
    _Rule("card number", partial(_exact, _CARD, _is_card)),
    _Rule("card code", partial(_exact, _CARD_CODE, _always)),
    _Rule("card code", partial(_exact, _CODE_BEHIND, _always)),
    _Rule("card expiry", partial(_exact, _EXPIRY_BEHIND, _always)),
    _Rule("card expiry", partial(_exact, _EXPIRY_BEFORE, _always)),
    _Rule("iban", _ibans),
    _Rule("password", partial(_find_labelled, labels.PASSWORD, labels.is_password)),
    _Rule("recovery phrase", partial(_exact, _SEED, _always)),
    _Rule("login code", partial(_exact, labels.ONE_TIME_BEHIND, _always)),
    _Rule("login code", partial(_exact, labels.ONE_TIME_BEFORE, _always)),
    _Rule("pin", partial(_exact, labels.PIN, labels.is_pin)),
    _Rule("password", _phrases),
    _Rule("password", partial(_find_labelled, labels.PASSWORD_ROMANCE_DUTCH, labels.is_password_romance_dutch)),
    _Rule("password", partial(_find_labelled, labels.PASSWORD_SHORT, labels.looks_random)),
    _Rule("password", partial(_find_labelled, labels.LOGIN, labels.is_login)),
    _Rule("password", partial(_exact, labels.PASSWORD_CJK, labels.is_cjk_password, closers=labels.CLOSERS)),
    _Rule("secret", partial(_find_labelled, labels.SECRET, labels.is_secret)),
    *(_Rule(kind, partial(labelled_spans, kind)) for kind in ("card code", "login code", "pin", "api key", "password")),
)
