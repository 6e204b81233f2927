"""Secrets are masked, everything else is left as it was.

The secrets here are made up and put together at run time, so that no scanner takes this file for a leak.
"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memchat.text.redaction import Redacted, redact

ALNUM = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"
BASE64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n"
JWT = ".".join(("eyJ" + "hbGciOiJIUzI1NiJ9", "eyJ" + "zdWIiOiIxMjM0In0", "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9"))
VISA = "4111" + "1111" * 3
IBAN = "DE89" + "370400440532013000"

TOKENS = {
    "OpenAI": "sk-" + ALNUM,
    "OpenAI project": "sk-" + "proj-" + ALNUM,
    "Anthropic": "sk-" + "ant-api03-" + ALNUM + "-_AA",
    "OpenRouter": "sk-" + "or-v1-" + ALNUM,
    "Groq": "gsk" + "_" + ALNUM,
    "AWS": "AKIA" + "Q3EXAMPLE7ABCDEF",
    "AWS session": "ASIA" + "Q3EXAMPLE7ABCDEF",
    "GitHub": "ghp" + "_" + ALNUM[:36],
    "GitHub fine-grained": "github" + "_pat_" + ALNUM,
    "GitLab": "glpat" + "-" + ALNUM[:20],
    "Slack": "xoxb" + "-1234567890-" + ALNUM[:24],
    "Google": "AIza" + ALNUM[:35],
    "Stripe": "sk" + "_live_" + ALNUM[:24],
    "Hugging Face": "hf" + "_" + ALNUM[:34],
    "npm": "npm" + "_" + ALNUM[:36],
    "PyPI": "pypi" + "-AgEIcHlwaS5vcmc" + ALNUM,
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
@pytest.mark.parametrize("form", ["{}", "my key: {}.", "use ({}), please", "それは{}です", 'curl -H "x: {}"'])
def test_tokens_with_known_looks_are_masked(form: str, token: str) -> None:
    """A provider's token goes wherever it stands in a sentence, and nothing around it does."""
    assert token not in redact(form.format(token)).text
    assert redact(token) == Redacted("[redacted api key]", ("api key",))


SECRETS = [
    ("my password is {}.", "hunter2"),
    ("My wifi password is {} and I like tea", "swordfish"),
    ("password for gmail is {}, ok?", "Tr0ub4dor&3"),
    ("the password to the router is still {}", "hunter2"),
    ("password: {}", "hunter2"),
    ("Password:\n{}", "hunter2"),
    ("password：{}", "hunter2"),
    ("my password is '{}'", "correct horse battery staple"),
    ("Mein Passwort ist {}", "Sommer2024!"),
    ("Das Passwort lautet {}.", "regenbogen"),
    ("Passwort: {}", "geheim77"),
    ("password: {}", "blue.horse"),
    ("my password is {}", "my-dog-77"),
    ("password={}", "$ecret"),
    ("mi contraseña es {}, vale?", "perro-azul"),
    ("Contraseña: {}", "perro77"),
    ("パスワードは{}です。", "hunter2"),
    ("パスワードは「{}」です", "swordfish"),
    ("パスワード：{}", "hunter2"),
    ("DB_PASSWORD={}", "swordfish"),
    ("export OPENAI_API_KEY={}", "abcdefghijkl"),
    ("AWS_SECRET_ACCESS_KEY = {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY"),
    ("aws secret access key: {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY"),
    ('{{"password": "{}"}}', "hunter2"),
    ('{{"api_key": "{}", "n": 1}}', "abcd1234efgh"),
    ("clientSecret: '{}'", "8f14e45fceea167a5a36dedd4bea2543"),
    ("my api key is {}", "abc123def456ghi"),
    ("SESSION_TOKEN={}", "x" * 50 + "7" * 400),
    ("mysql --password {} -u al", "hunter2"),
    ("password: password: {}", "hunter2"),
    ("Authorization: Bearer {}", "abc123def456ghi789"),
    ("Authorization: Basic {}", "YWxhZGRpbjpvcGVuc2VzYW1l1"),
    ("postgres://al:{}@db.example.org/x", "s3cr3t"),
    ("redis://:{}@localhost:6379", "p@ss"),
    ("it is {}, isn't it", JWT),
    ("card {} since 2019", VISA),
    ("card {} please", "4111 1111 1111 1111"),
    ("my password is {} and I like tea", "correct horse battery staple"),
    ("my passphrase is {}.", "correct horse battery staple"),
    ("my passphrase is {} and I like tea", "the cow jumps over the moon"),
    ("the passphrase for the laptop is {}", "tulip garden heron moss"),
    ("das Passwort lautet {}, ja", "grüner Elefant tanzt nachts"),
    ("Mein Passwort ist {} und ich mag Tee", "blauer Reiher sieben"),
    ("mi contraseña es {} y me gusta", "caballo azul grapa correcta"),
    ("パスワードは{} です", "correct horse battery staple"),
    ("パスフレーズは「{}」です", "山と川と海"),
    ("my PIN is {}", "4821"),
    ("PIN: {}.", "4821"),
    ("PIN: {}", "482913"),
    ("card PIN {}, thanks", "4821"),
    ("my pin number is {}", "4 8 2 1"),
    ("the pin for the alarm is {}", "482913"),
    ("die PIN ist {}", "4821"),
    ("meine PIN lautet {} und ich wohne in Bonn", "4821"),
    ("Geheimzahl: {}", "4821"),
    ("el PIN es {}", "4821"),
    ("PINは{}です", "4821"),
    ("my verification code is {}", "482913"),
    ("they sent a 2FA code, and the code is {}, right?", "482913"),
    ("2FA code: {}", "482 913"),
    ("{} is your login code", "482913"),
    ("Der Bestätigungscode lautet {}", "482913"),
    ("el código de verificación es {}", "482913"),
    ("認証コードは{}です", "482913"),
    ("{}", "5555-5555-5555-4444"),
    ("Amex {}", "3782 822463 10005"),
    ("カード番号は{}です", "４１１１１１１１１１１１１１１１"),
    ("IBAN {} BIC COBADEFF", IBAN),
    ("IBAN {} BIC COBADEFF", "DE89 3704 0044 0532 0130 00"),
    ("to {}.", "gb82 west 1234 5698 7654 32"),
]


@pytest.mark.parametrize(("form", "secret"), SECRETS)
def test_a_secret_goes_and_its_sentence_stays(form: str, secret: str) -> None:
    """Only the secret is replaced; the words around it are those that were written."""
    before, after = form.replace("{{", "{").replace("}}", "}").split("{}")

    masked = redact(form.format(secret))

    assert secret not in masked.text
    assert re.fullmatch(re.escape(before) + r"\[redacted [a-z ]+\]" + re.escape(after), masked.text)


CARD_EXPIRES = [
    (f"{VISA}, exp {{}}", "04/27"),
    (f"card {VISA} {{}}", "12/27"),
    (f"card {VISA} valid thru {{}}, cvc 737", "09/28"),
    (f"my card is {VISA} and it expires {{}}", "04/2027"),
    (f"Card: {VISA}\nCVC: 737\nExpiry date: {{}}", "04-27"),
    (f"exp {{}}, card {VISA}", "04/27"),
    (f"Karte {VISA}, gültig bis {{}}", "09/28"),
    (f"tarjeta {VISA}, caduca {{}}", "09/28"),
    (f"カード{VISA}、有効期限は{{}}", "09/28"),
]


@pytest.mark.parametrize(("form", "expiry"), CARD_EXPIRES)
def test_the_expiry_beside_a_card_number_is_masked(form: str, expiry: str) -> None:
    """Before or behind the number, with its words or without."""
    masked = redact(form.format(expiry))
    assert expiry not in masked.text
    assert "[redacted card expiry]" in masked.text


def test_the_code_behind_a_card_and_its_expiry_is_masked() -> None:
    """Typed in a row, nothing but its place tells what it is."""
    assert redact(f"{VISA} 12/27 737").kinds == ("card number", "card expiry", "card code")
    assert redact(f"{VISA} 12/27 12 Larch Lane").text.endswith("12 Larch Lane")


RECOVERY_WORDS = "abandon ability able about above absent absorb abstract absurd abuse access accident".split()


@pytest.mark.parametrize("form", ["my seed phrase is {}", "Recovery phrase: {}.", "frase semilla: {}"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_recovery_phrase_is_masked_whole(form: str, times: int) -> None:
    """Twelve words or twenty-four, in a row, numbered, or one a line."""
    words = RECOVERY_WORDS * times
    numbered = [f"{number}. {word}" for number, word in enumerate(words, 1)]
    for written in (" ".join(words), ", ".join(numbered), "\n".join(words)):
        assert redact(form.format(written)).text == form.format("[redacted recovery phrase]")


def test_fewer_words_are_no_recovery_phrase() -> None:
    """Eleven are not one."""
    assert redact(said := f"my seed phrase is {' '.join(RECOVERY_WORDS[:11])}") == Redacted(said, ())


def _pem(kind: str) -> str:
    return f"-----BEGIN {kind}" + f"PRIVATE KEY-----\n{BASE64}-----END {kind}PRIVATE KEY-----"


@pytest.mark.parametrize("kind", ["", "RSA ", "OPENSSH ", "ENCRYPTED "])
def test_a_private_key_is_masked_over_all_its_lines(kind: str) -> None:
    """The whole block becomes one mask."""
    assert redact(f"look:\n{_pem(kind)}\nthanks").text == "look:\n[redacted private key]\nthanks"


def test_a_private_key_in_one_escaped_line_is_masked() -> None:
    """Keys in JSON and in environment files have their newlines written out."""
    escaped = _pem("").replace("\n", "\\n")
    assert redact(f'{{"k": "{escaped}"}}').text == '{"k": "[redacted private key]"}'


def test_a_private_key_that_was_cut_off_is_masked() -> None:
    """What is there of it goes, the sentence behind it stays."""
    cut = _pem("RSA ").partition("-----END")[0] + "BKcwggSj"
    assert redact(cut).text == "[redacted private key]"
    assert redact(cut + "\nWhy is this wrong?").text == "[redacted private key]\nWhy is this wrong?"


HARMLESS = [
    "my order is 4821-7733-1234 and the other 112-9876543-1234567",
    "call +49 170 1234567890 or (555) 010-9999, +1 4155 552671 000",
    "born 1990-05-17, at 2026-05-01 12:00:00.000000, 01/02/2026",
    "ISBN 978-3-16-148410-0, 9783161484100 and 0-306-40615-2",
    "commit 8f14e45fceea167a5a36dedd4bea2543a1b2c3d4 broke it, deadbee too",
    "550e8400-e29b-41d4-a716-446655440000 and 11111111-4111-1111-1111-111111111111",
    "colours #ff00aa, #abc and 0xDEADBEEF",
    "tracking 1Z999AA10123456784, IMEI 356938035643809, at 1716239022123 ms",
    "v1.2.3-beta.4, python 3.11.7, litellm==1.106.2",
    "I forgot my password. Can I change passwords?",
    "the password is too short, it was wrong, and my password is not working",
    "My password is expired. The password is 12 characters long.",
    "the password is case-sensitive and the token is base64-encoded",
    "I reset my password: it was too weak",
    "I need a password manager; password: required, at least 8 characters",
    "Das Passwort ist zu kurz, mein Passwort ist abgelaufen",
    "La contraseña es incorrecta y mi contraseña es muy corta",
    "パスワードは忘れました。パスワードはGoogleで管理しています。",
    "def login(user: str, password: str = None, token: Optional[str] = None)",
    "password = input('Password: ')",
    "password = getpass.getpass(); token = next(tokens); secret = self.secret",
    "if password == user.password: return token",
    "api_key = os.environ['KEY1']; API_KEY=$KEY; export TOKEN=<your-token>; API_KEY=your-api-key",
    "MAX_TOKENS=4096 PWD=/home/al OLDPWD=/tmp SECRET_KEY_FILE=/run/secrets/key",
    "password: ********, token: ..., api key: xxxxxxxxxxxx",
    "the key is to start early; the secret is good flour",
    "sk-circle-fade-dot-animation-long and sk-learn are no keys",
    "http://localhost:8080/a@b, mail al@x.org, https://x.org:443/p?q=1",
    "bearer authentication-scheme of the standard-bearer",
    "-----BEGIN PRIVATE KEY----- is how such a file begins",
    "-----BEGIN CERTIFICATE-----\n" + BASE64 + "-----END CERTIFICATE-----",
    "4111 1111 1111 1112 has a wrong check digit, 4222-22 is too short",
    "DE88370400440532013000 has a wrong check digit",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "0.4111111111111111 is a fraction",
    "12 MG Road, Bengaluru, PIN code 560001",
    "MG Road, Bengaluru, PIN: 560001, and my pin code is 560001",
    "PIN the map, PIN my order 4821 to the top",
    "the pin on my jacket, pin 1024 of the chip, my pin is 12 mm long",
    "My PIN is 4 digits long and was sent by post",
    "die PIN habe ich vergessen; PINを忘れた; he perdido el PIN",
    "my ticket number is 482913 and the code is 10115",
    "the error code is 482913, the dialling code is 49, my postcode is 10115",
    "the verification code never arrived on +49 170 1234567",
    "2FA codes expire after 30 seconds; security code review on 2026-05-01",
    "OTP 26 came out, and my tan is gone since 2024",
    "passphrase length is 12; I use a passphrase of six words",
    "my password is too long to remember",
    "the passphrase is the one you gave me yesterday, it is too short to be safe",
    "my password is case sensitive; the password is wrong again",
    "Das Passwort ist leider wieder abgelaufen",
    "mi contraseña es muy larga y difícil",
    "パスワードは長すぎて覚えられません",
    "the milk expires 04/27, my visa runs out 04/27, valid until 04/27",
    "my seed phrase has twelve words which every wallet asks for when you restore",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_resembles_a_secret_is_left_alone(text: str) -> None:
    """Numbers, hashes, code and talk about passwords are not touched."""
    assert redact(text) == Redacted(text, ())


def test_the_kinds_are_named_once_in_order() -> None:
    """A caller can say what was masked without seeing it."""
    masked = redact(f"{VISA}, my password is hunter2, {VISA}, {IBAN}")
    assert masked.kinds == ("card number", "password", "iban")


def test_a_label_within_a_value_still_counts() -> None:
    """What follows a label is read again, for it may hold the next one."""
    assert redact("token=PASSWORD=abc123").text == "token=[redacted password]"


def test_a_token_after_a_label_is_one_mask() -> None:
    """Where two rules find the same words, the more telling one names the mask."""
    token = TOKENS["Anthropic"]
    assert redact(f"ANTHROPIC_API_KEY={token}").text == "ANTHROPIC_API_KEY=[redacted api key]"


PIECES = st.sampled_from(
    [
        *TOKENS.values(),
        JWT,
        VISA,
        IBAN,
        _pem(""),
        BASE64,
        "password: ",
        "my password is ",
        "パスワードは",
        "token=",
        "API_KEY=",
        '"',
        "'",
        " ",
        "\n",
        ".",
        ",",
        "-",
        "@",
        "://a:",
        "Bearer ",
        "my pin is ",
        "4821",
        "exp ",
        "04/27",
        "2FA code",
        "seed phrase: ",
        " ".join(RECOVERY_WORDS),
        "hunter2",
        "x",
        "4",
        "[redacted ",
        "]",
    ]
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join))
def test_masking_twice_is_masking_once(text: str) -> None:
    """A masked text comes back unchanged, so that every door may mask."""
    once = redact(text).text
    assert redact(once).text == once


@given(st.text(alphabet="abcdefghij klmno.,\n", max_size=200))
def test_plain_words_pass(text: str) -> None:
    """Lower-case words and stops are never a secret."""
    assert redact(text).text == text


HOSTILE = ["a", " ", "\n", "1", "4111 ", "A1 ", "DE89", "sk-ant-", "eyJa.", "://a:", "://", "password: ", "password=("]
HOSTILE += ['token="', "token=ab1", "password for a ", "secret key ", "パスワードは", "Bearer ", "@", "SG." + "a" * 20]
HOSTILE += [
    "[redacted card number] ",
    "exp 04/27 ",
    "seed phrase ",
    "abandon ",
    "2fa code ",
    "482913 is your ",
    "my pin ",
]
HOSTILE += ["passphrase is tulip "]
HOSTILE += ["-----BEGIN PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\n" + BASE64, "[redacted ", "eyJ"]


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_secret_behind_much_that_leads_nowhere_is_found(unit: str) -> None:
    """A pattern that goes back over what came before would not come to the end of this."""
    text = unit * (250_000 // len(unit)) + "\n\n. my password is hunter2"
    assert redact(text).text.endswith("my password is [redacted password]")


def test_every_secret_in_a_megabyte_is_masked() -> None:
    """The number of masks is the number of secrets, however long the text."""
    text = "so my password is hunter2 and 0123456789abcdef is a hash\n" * 18_000
    assert redact(text).text.count("[redacted password]") == 18_000


@pytest.mark.parametrize("said", ["cvc 737", "CVV: 123", "the cvv2 is 9041", "card security code 737"])
def test_the_code_on_a_card_is_masked(said: str) -> None:
    """It is three or four digits, and only its name tells."""
    assert redact(said).kinds == ("card code",)
    assert not any(character.isdigit() for character in redact(said).text.replace("cvv2", ""))


@pytest.mark.parametrize("said", ["cvcs 737 of them", "room 737", "a CVC of 73700 units", "the csc file has 12 rows"])
def test_other_short_numbers_are_not(said: str) -> None:
    """Nothing else of three digits is a secret."""
    assert redact(said).text == said
