"""Find secrets that only their label reveals: passwords, PINs, login codes, keys after their names.

A pattern names its label in the group `name`, what joins the two in `sep`, a quotation mark in `open`, and the secret
in `s`. It only looks at what follows a label, without consuming it, since that may contain the next label.
"""

import re

CLOSERS = ".,;:)]}>\"'”“’»」』。、"

_QUOTES = "\"'`“”„«»「」『』"
_VALUE = rf"(?=(?P<open>[{_QUOTES}])?+(?P<s>(?(open)[^{_QUOTES}\n]++|(?!\[redacted )\S{{1,200}})))"

_ASSIGNED = r"[\"']?\s{0,3}(?:=>|:=|={1,3}|:)[ \t]{0,8}\n?[ \t]{0,8}"
_VERB = (
    r"\s{1,3}(?:is|was|will\sbe|ist|lautet|war|es|era|est)(?:\s{1,3}(?:now|still|set\sto|jetzt|nun|ahora))?:?\s{1,3}"
)
_WHOSE = (
    r"(?:\s(?:for|to|of|on|für|zum|von|d[eiu]|des|del|dell[ao]|d[oa]|para|per|pour|van|voor)"
    r"(?:\s[\w.@'’-]{1,30}){1,4}?)?"
)

PASSWORD = re.compile(
    r"(?i)(?P<name>pass(?:word|wd|phrase|code)|(?<![a-z])pwd(?![ :=]{1,3}[/~])|passwort|kennwort"
    r"|contraseña|contrasena)"
    rf"(?P<sep>{_ASSIGNED}|{_WHOSE}{_VERB}|(?<=--password)\s{{1,3}}){_VALUE}"
)

_STILL = r"(?:\s(?:now|jetzt|maintenant|toujours|adesso|ora|agora|ainda|ahora|nu|nog))?"
_IS = (
    rf"{_STILL}(?:\s{{1,3}}(?:is|was|luidt|ist|war|est|était|sera|è|era|sarà|é|foi|será|es)|,?\sc['’]est)"
    rf"{_STILL}:?\s{{1,3}}"
)
_WHERE = r"(?:\s(?:wi-?fi|wlan|e?-?mail|gmail|pc))?"
PASSWORD_ROMANCE_DUTCH = re.compile(
    r"(?i)(?P<name>mot de passe|parola d['’]ordine|(?<!\w)senha|palavra[ -]passe|palabra de paso|wachtwoord"
    rf"|password(?=\s(?:di|del|della|do|da|du)\s|{_WHOSE}{_STILL}\s[èé]\s))"
    rf"(?P<sep>{_WHERE}{_WHOSE}(?:{_ASSIGNED}|{_IS})){_VALUE}"
)
"""French, Italian, Portuguese, Spanish and Dutch."""

PASSWORD_SHORT = re.compile(
    r"(?i)(?P<name>(?<!\w)(?:pw|psw|mdp|ww|clave|parola chiave|codice di accesso|toegangscode)"
    r"|(?:passwor[dt]|kennwort|contraseña)(?=\s(?:for|für|zum|de|para|per|pour|voor)\s)"
    r"|(?:(?<![^\n])|(?<=[,;|/]\s)|(?<=[,;|/]))pass)"
    rf"(?P<sep>{_WHERE}{_WHOSE}(?:{_ASSIGNED}|{_IS})){_VALUE}"
)
"""Labels with other common meanings: only what looks like neither a word nor a measure is a password after them."""

LOGIN = re.compile(
    r"(?i)(?<!\w)(?P<name>log-?in|sign-?in|anmeldedaten|zugang(?:sdaten)?|cred(?:ential)?s|inlog(?:gegevens)?"
    r"|user(?:name)?\s?/\s?pass(?:word)?|identifiants?|credenziali|accesso|acesso|acceso|登[录錄]|ログイン)"
    rf"(?P<sep>{_ASSIGNED})[\w.@+-]{{1,60}}\s{{0,2}}[/|,;]\s{{0,2}}{_VALUE}"
)
"""A name followed by its password: `login: al / Hunter22!`."""

PIN = re.compile(
    r"(?i)(?<![\w-])(?:(?P<mine>my |our |meine |mi |mon |mijn )|(?P<lock>(?:sim|card|bank|atm|debit|phone|door)[ -]?))?"
    r"(?:pin(?P<code>[ -]?(?:code|number|nummer))?|geheimzahl)"
    rf"(?P<sep>{_ASSIGNED}|{_WHOSE}(?:{_VERB}|{_IS})|は| )['\"]?(?P<s>[0-9]{{4,8}}|[0-9](?:[ -][0-9]){{3,5}})"
    r"(?![0-9A-Za-z%]|[.,/-][0-9]|[ -](?:mm|cm|m|px|kg|g|char|digit|letter)\w*)"
)

PASSWORD_CJK = re.compile(
    r"(?:(?:パスワード|パスフレーズ|パスコード|暗証番号|合言葉|密[码碼]|口令)(?:は|が|:|=|是|为|為|就是|改[成为為]了?)"
    r"|(?<![ァ-ヿ])パス[は:=])[、,]?(?:今は|現在)?\s{0,3}(?:(?P<open>[「『“])|[\"'])?(?!\[redacted )"
    r"(?P<s>(?(open)[^」』”\n]{2,60}|[!-~]{4,}+(?: [!-~]++)*+))(?P<after>です|だ|に[変設し]|」|』|”|。|、|\s|\Z)?"
)

_WORD = r"[^\s.,;:!?()\[\]{}<>=\"“”„«»]{1,40}"
PASSPHRASE = re.compile(
    rf"(?i)(?P<name>pass[ -]?phrase|passwor[dt]|kennwort|contraseña|contrasena)(?P<sep>{_ASSIGNED}|{_WHOSE}{_VERB})"
    rf"(?=(?P<s>(?!['`‘]|\[redacted ){_WORD}(?: {_WORD}){{1,15}}))"
)

_ONE_TIME = (
    r"(?<!\w)(?:(?:verification|2fa|two[- ]factor|mfa|one[- ]time|otp|sms|authenticat\w{2,4}|log-?in|sign-?in|security)"
    r"[ -](?:pass)?code|otp|(?-i:TAN)|(?:bestätigungs|sicherheits|verifizierungs|anmelde|einmal)code"
    r"|código de (?:verificación|seguridad|acceso)|認証(?:コード|番号)|確認コード)(?![A-Za-z0-9])"
)
_ONE_TIME_CODE = r"(?P<s>[0-9]{4,8}|[0-9]{3}[ -][0-9]{3})(?![0-9A-Za-z]|[.,/-][0-9])"
ONE_TIME_BEHIND = re.compile(
    rf"(?i){_ONE_TIME}(?:{_ASSIGNED}|{_WHOSE}{_VERB}|[ は]"
    rf"|[^\[]{{0,120}}?\b(?:code(?:['’]s|:| is| ist| es)|it(?:['’]s| is)(?= [0-9]{{5}})) )(?:G-)?{_ONE_TIME_CODE}"
)
ONE_TIME_BEFORE = re.compile(
    rf"(?i)(?<![\w.,-])(?:G-)?{_ONE_TIME_CODE}"
    rf"(?= (?:is|ist|es) (?:your|my|the|dein|ihr|tu|su|mi)\b[^.\n]{{0,30}}?{_ONE_TIME})"
)

SECRET = re.compile(
    r"(?i)(?P<name>(?:api|access|auth|private|signing|encryption|secret|account)[ _-]?(?:access[ _-]?)?key"
    r"|secret|token|credentials?|api-schlüssel|clave (?:de )?api|apiキー|トークン)(?:_?[0-9]{1,2})?"
    rf"(?P<sep>{_ASSIGNED}|{_VERB}|(?:(?<=--token)|(?<=-secret)|(?<=-api-key))\s{{1,3}}|は){_VALUE}"
)


def is_password(match: re.Match[str]) -> bool:
    value = match["s"].rstrip(CLOSERS)
    if len(value) < 3 or "[redacted " in value or PLACEHOLDER.fullmatch(value):
        return False
    if match["open"] is None and _is_assignment(match) and _CODE.match(value):
        return False
    if value.isdigit():
        return _is_long_number(match, value)
    if match["open"] is not None and value.count(" ") >= 2:
        return True
    return not _is_prose(value) and (not _is_word(value) or "\n" not in match["sep"])


def is_password_romance_dutch(match: re.Match[str]) -> bool:
    """Return a plain word only if the sentence ends after it and it is not a word that describes passwords."""
    value = match["s"].rstrip(CLOSERS)
    if not _may_be_secret(match, value):
        return False
    if not _is_word(value):
        is_phrase = match["open"] is not None and value.count(" ") >= 2
        return is_phrase or value.isdigit() or any(char.isalpha() for char in value)
    ends = _CLAUSE_END.match(match.string, match.start("s") + len(value)) is not None
    return ends and not _is_prose(value) and not _SAID_OF_PASSWORDS.fullmatch(value)


def looks_random(match: re.Match[str]) -> bool:
    """Return whether letters mix with digits or signs in another order than in measures, file names, number plates."""
    value = match["s"].rstrip(CLOSERS)
    if not _may_be_secret(match, value):
        return False
    if value.isdigit():
        return len(value) >= 6
    return not value.isupper() and is_mixed(value, 5)


def is_mixed(value: str, least: int) -> bool:
    """Return whether `value` has `least` characters or more, both letters and others, and is no measure or address."""
    if any(shape.fullmatch(value) for shape in (_MEASURE, _ADDRESS, _KNOWN_NAME)) or _PATH.match(value):
        return False
    return len(value) >= least and any(map(str.isalpha, value)) and re.search(r"[0-9!#$%&*+?@^~]", value) is not None


def is_login(match: re.Match[str]) -> bool:
    return looks_random(match) and not match["s"].rstrip(CLOSERS).isdigit()


def _may_be_secret(match: re.Match[str], value: str) -> bool:
    if len(value) < 3 or "[redacted " in value or PLACEHOLDER.fullmatch(value) or _KNOWN_NAME.fullmatch(value):
        return False
    if match["open"] is None and (_CODE.match(value) or _PATH.match(value)):
        return False
    return not value.isdigit() or _is_long_number(match, value)


def _is_long_number(match: re.Match[str], value: str) -> bool:
    return len(value) >= 4 and _UNIT.match(match.string, match.start("s") + len(value)) is None


def is_cjk_password(match: re.Match[str]) -> bool:
    is_word = match["open"] is None and match["s"].replace(" ", "").isalpha()
    if any(names.fullmatch(match["s"]) for names in (PLACEHOLDER, _KNOWN_NAME, _RANGE)):
        return False
    return match["after"] is not None or not (is_word or match[0].startswith(("パスは", "合言葉", "口令")))


def words_of_phrase(words: list[str], match: re.Match[str]) -> int:
    """Count how many of `words` are the secret; 0 if they talk about it ('too long to remember')."""
    plain = [word.lower() for word in words]
    if "phrase" in match["name"].lower():
        whole = len(_GOES_ON.sub("", " ".join(plain)).split(" "))
        if whole >= 3 and not _ABOUT_PASSPHRASES & set(plain[:whole]):
            return whole
    count = next((at for at, word in enumerate(plain) if word in _FUNCTION_WORDS), len(plain))
    if plain[0].isdigit() or _UNIT.search(" ".join(["", *plain[1:count]])):
        return 0
    if _is_assignment(match):
        return count if count == len(plain) >= 4 and not _PROSE & set(plain[1:]) and "".join(plain).isalpha() else 0
    if _is_prose(words[0]):
        return count if count >= 4 and not _PROSE & set(plain[1:count]) else 0
    return count if count >= 2 else 0


def is_pin(match: re.Match[str]) -> bool:
    """Return whether it is a secret PIN: six digits may be an Indian postal code, and 'pin 1024' that of a plug."""
    if match["sep"] == " ":
        return bool(match["mine"] or match["lock"]) or (match[0].startswith("PIN") and len(match["s"]) == 4)
    if len(match["s"]) != 6 or match["lock"]:
        return True
    begins_line = match.string[: match.start()].rpartition("\n")[2].strip() == ""
    return match["code"] is None and (bool(match["mine"]) or not _is_assignment(match) or begins_line)


def is_secret(match: re.Match[str]) -> bool:
    value = match["s"].rstrip(CLOSERS)
    if "[redacted " in value or " " in value or any(rule.match(value) for rule in (_PATH, _CODE)):
        return False
    if PLACEHOLDER.fullmatch(value):
        return False
    if match["name"].isupper() and match["sep"].strip(" \t\"'") == "=":
        return (len(value) >= 6 and not value.isupper()) or _is_random(value, 8)
    return _is_random(value, 8 if _is_assignment(match) else 12)


def _is_assignment(match: re.Match[str]) -> bool:
    return not match["sep"].strip(" \t\n\"'").strip(":=>")


def _is_random(value: str, least: int) -> bool:
    """Return whether letters and digits mix in another order than in words, versions and identifiers."""
    mixed = any(char.isdigit() for char in value) and any(char.isalpha() for char in value)
    return len(value) >= least and mixed and not _NUMBERED_WORDS.fullmatch(value)


_NUMBERED_WORDS = re.compile(
    r"(?i)[a-z]+[0-9]{0,3}(?:[-_./:][a-z]*[0-9]{0,3})*+|v?[0-9]+(?:[.-][0-9]+)+[a-z0-9.-]*|[0-9]+-?[a-z]+"
)
_CLAUSE_END = re.compile(r"[\"'”’»」]?\s*(?:[.,;!?)\]\n»]|\Z)")
_KNOWN_NAME = re.compile(
    r"(?i)(?:base|sha|md|utf|aes|rsa|ipv|o?auth|saml|openid|wpa|http|bcrypt|argon)-?[0-9]+|1password|(?:ctrl|cmd|alt|shift|strg)\+\w+"
)
_MEASURE = re.compile(r"(?i)[0-9]+(?:[.,:-][0-9]+)*[a-z%°/]{1,4}|[0-9.,:/-]+|v[0-9.]+")
_RANGE = re.compile(r"[0-9]+[-~][0-9]+")
_ADDRESS = re.compile(r"(?i)[\w.+-]+@[\w-]+\.[\w.]+|\w+://.*|[\w/-]+\.[a-z]{2,4}")
_SAID_OF_PASSWORDS = re.compile(
    r"(?i)\w+(?:ée?s?|[aiu]t[ao]|[ai]d[ao]|[aií]vel|ible|able|bile|[oó]ri[oa]|oire|aire|ile|ide|id[ao]|áli[dc]a"
    r"|ique|ecte?|ett[oa]|lijk|ig|isch|loos)|(?:ge|ver|be|ont)\w+(?:d|t|en)"
    r"|courte?|long(?:ue)?|faible|forte?|sûre?|bonne?|fausse|faux|mauvais|nouveau|ancien|même|vide|(?:in)?connue?|perdue?"
    r"|requis|simple|complexe|secret|privé|public|caché|cort[ao]|lung[ao]|debole|sicur[ao]|giust[ao]|vecchi[ao]|nuov[ao]"
    r"|ugual[ei]|igual|stess[ao]|mesm[ao]|divers[ao]|vuot[ao]|segret[ao]|secret[ao]|pront[ao]|frac[ao]|curt[ao]|longa"
    r"|segur[ao]|cert[ao]|nov[ao]|antig[ao]|velh[ao]|diferente|dif[ií]cil|f[aá]cil|vazi[ao]|simples|inv[aá]lid[ao]"
    r"|unic[ao]|pessoal|personale?|stom|kort|lang|zwak|sterk|fout|goed|juist|onjuist|nieuw|oud|leeg|hetzelfde|anders|kwijt|nodig|weg|uniek|verplicht"
)
"""Continuations of sentences about a password in French, Italian, Portuguese and Dutch: endings and short words."""
PLACEHOLDER = re.compile(
    r"(?i)[*•x.…_-]{3,}|<[^>]*>?|(?-i:\$\{?[A-Z_][A-Z0-9_]*\}?)|\$\{\w+\}|\$\w*pass\w*|\{+[^}]*\}*"
    r"|%\(?\w+\)?s?%?|%s|\[[a-z _-]+\]?"
    r"|(?:your|dein|ihr|tu)[-_].*|my[-_](?:password|secret|token|api[-_]?key)|changeme|example|placeholder|none|null|nil|true|false|undefined"
)
_CODE = re.compile(
    r"[A-Za-z_.]+\(|[A-Za-z_.]+\[['\"\w]*\]?\W*\Z"
    r"|(?:self|this|os|process|env|config|settings|args|options|params|request|req|user|form|data|ctx|app)\.\w"
    r"|(?i:[a-z_]*pass(?:word|wd|wort)s?[a-z_]*\W*\Z)"
)
_PATH = re.compile(r"[~.]{0,2}/[a-z0-9_./-]+\Z")
_UNIT = re.compile(
    r"(?i)[\s-]+(?:char|letter|symbol|digit|zeichen|stellen|buchstaben|caracter|letra|d[ií]gito|day|year|caract[èe]|caratter|cifr|chiffre|lett[er]|cijfer|teken)"
)


def _is_word(value: str) -> bool:
    return re.sub(r"[-'’ ]", "", value).isalpha()


def _is_prose(value: str) -> bool:
    """Return whether `value` continues a sentence about the password ('too short') instead of being it."""
    if not _is_word(value):
        return re.match(r"[0-9]+-(?:char|digit|letter)", value) is not None
    first = re.split(r"[-'’ ]", value.lower())[0]
    return first in _PROSE or (value.islower() and value.endswith(("ed", "ing", "ly")))


_FUNCTION_WORDS = frozenset(
    """
    the a an this that these those it its my your his her our their what which who when where why how if because and
    but or so as at by for from in into of on onto out over to under up with without i you he she we they there here
    too not no never always still also just only really very quite pretty rather already about again almost probably
    maybe apparently actually supposed since every each single should shall can cannot could will would needs has have
    had does did do don isn wasn use uses using please thanks your zu nicht kein keine nie immer noch schon auch nur
    sehr ganz ziemlich wirklich leider wieder das der die den dem ein eine einen mein meine dein sein ihr es er sie ich
    wir was wie wo wenn weil und aber oder bei mit ohne für von auf im am als seit bitte danke muy nunca siempre
    prima adesso ora ma con non è et mais avec avant maintenant puis e mas agora antes ontem com en maar nu voor met
    todavía aún también solo sólo el la los las lo un una mi tu su que cuando donde si porque y pero o con sin para por
    de del en como desde más menos esta este esa ese no gracias
    """.split()
)
_PROSE = _FUNCTION_WORDS | frozenset(
    """
    return raise pass print stolen broken cracked one two something anything nothing someone everyone hard easy simple
    complex secure insecure safe unsafe weak strong short long longer shorter old new same different wrong right correct
    incorrect invalid valid known unknown bad good fine great gone lost full empty blank non plain case well user self
    pre auto due stale public private secret secrets hidden visible kept sent set unset reset written stored being going
    getting between minimum maximum min max least less more most must enter type click link see check string str bytes
    bool int text varchar char any optional required password passwords passphrase username email login manager policy
    hash field input value weird stupid terrible unique random part key everywhere somewhere fallen become gestohlen
    gehackt falsch richtig korrekt ungültig gültig abgelaufen kurz lang kürzer länger alt neu gleich dasselbe anders
    schwach stark sicher unsicher einfach schwer leer weg bekannt unbekannt gespeichert vergessen verloren mindestens
    höchstens geändert gesperrt vorgeschrieben erforderlich eingeben robada demasiado incorrecta correcta corta larga
    débil segura insegura fuerte fácil difícil inválida válida vieja nueva antigua igual distinta diferente desconocida
    conocida algo nada mínimo máximo necesaria obligatoria olvidada
    """.split()
)
"""Continuations of sentences about a password in English, German and Spanish."""
_ABOUT_PASSPHRASES = frozenset(
    """
    i you he she it we they me my your this that these those same too not never no very quite must should need needs
    required least minimum long short weak strong characters letters words digits numbers saved stored written kept
    forgotten expired wrong changed ich du wir mein meine dein nicht zu sehr muss soll lang kurz stark schwach zeichen
    wörter gespeichert vergessen falsch abgelaufen yo mi tu no muy debe larga corta débil caracteres palabras guardada
    olvidada
    """.split()
)
"""Words said about a passphrase and rarely in one: articles and prepositions occur in both."""
_GOES_ON = re.compile(
    r" (?:(?:but|because|which|please|aber|weil|pero|porque)|(?:and|so|und|y) (?:i|my|we|it|you|ich|mein\w*|mi))"
    r"(?: .*|\Z)"
)
