"""A secret that only its label tells is masked in nine languages, and talk about passwords in them is left alone."""

import re

import pytest

from memchat.text.redaction import Redacted, redact

SECRETS = {
    "French": [
        ("Mon mot de passe est {}, retiens-le", "soleil42"),
        ("mot de passe : {}", "Soleil!42"),
        ("Le mot de passe du wifi est {}.", "orage2019"),
        ("le mot de passe de ma box, c'est {}", "ch@t-noir"),
        ("mot de passe : {}", "tournesol"),
        ("Mot de passe : «{}»", "\u00a0le chat noir dort\u00a0"),
        ("mdp : {}", "zebre77"),
        ("mon mdp est {} pour Netflix", "k1wi-vert"),
        ("Le mot de passe était {} avant", "pomme99"),
        ("Le mot de passe pour la tablette est maintenant {}.", "citron"),
    ],
    "Italian": [
        ("La password è {}", "gatto99"),
        ("la password del wifi è {}, ricordatelo", "Mare2020!"),
        ("la mia password è {}.", "girasole"),
        ("La parola d'ordine è {}", "luna77"),
        ("parola chiave: {}", "sole-88"),
        ("password di Netflix: {}", "pizza4ever"),
        ("la password per la banca era {} prima", "cane2001"),
        ("psw: {}", "topo!12"),
        ("la password è adesso {}", "vela55"),
        ("Il codice di accesso è {}", "ulivo31"),
        ("il PIN della carta è {}", "4821"),
    ],
    "Portuguese": [
        ("senha: {}", "gato99"),
        ("A minha senha é {}", "gatinha7"),
        ("a senha do wifi é {}, anota", "Praia2021"),
        ("Senha do Gmail: {}", "abelha!5"),
        ("a palavra-passe é {}.", "girassol"),
        ("palavra passe: {}", "mar1nho"),
        ("A senha era {} até ontem", "velha22"),
        ("minha senha agora é {}", "nova-33"),
        ("a password é {}", "limao77"),
        ("Senha do cofre: {}", "482913"),
    ],
    "Spanish": [
        ("La clave del wifi es {}", "perro77"),
        ("clave: {}", "Sol#2020"),
        ("mi clave es {}, no la pierdas", "luna-45"),
        ("la contraseña de la wifi es {}", "gato2020"),
        ("Clave de acceso: {}", "x9mango"),
        ("mi clave era {} antes", "rojo99"),
        ("la clave para Netflix es ahora {}", "cine4todos"),
        ("La palabra de paso es {}", "verde12"),
        ("clave = {}", "h0la-mundo"),
        ("Clave del banco: {}", "739201"),
    ],
    "Dutch": [
        ("Mijn wachtwoord is {}", "fiets99"),
        ("wachtwoord: {}", "fiets99"),
        ("Het wachtwoord voor de wifi is {}, onthoud dat", "Tulp!2020"),
        ("het wachtwoord van de laptop was {} tot gisteren", "kaas12"),
        ("wifi-wachtwoord: {}", "windmolen"),
        ("Wifiwachtwoord = {}", "gracht88"),
        ("mijn wachtwoord is nu {}.", "stroopwafel"),
        ("toegangscode: {}", "polder7"),
        ("Mijn wachtwoord luidt {}", "zee-en-zand1"),
        ("ww: {}", "duin2021"),
    ],
    "Chinese": [
        ("密码是 {}", "abc12345"),
        ("密码是{}。", "abc12345"),
        ("我的密码是{},请记住", "qwe!2020"),
        ("密码:{}", "panda77"),
        ("wifi密码:{}", "qwer1234"),
        ("密碼是{}", "taipei101x"),
        ("密码为{}", "sun2moon"),
        ("密码改成了{}", "new-pass9"),
        ("口令:{}", "dragon88"),
        ("我的邮箱密码是「{}」", "bamboo"),
    ],
    "Japanese": [
        ("パスワードは、{}です", "hunter2"),
        ("Wi-Fiのパスワードは{}だよ", "sakura88"),
        ("パスワード:{}", "neko-77"),
        ("合言葉は「{}」です", "山と川"),
        ("パスは{}です", "kitsune9"),
        ("暗証番号は{}です", "4821"),
        ("パスワードは今は{}です", "umi2020"),
        ("新しいパスワードは {} です", "kaze!5"),
        ("ログインパスワード={}", "hoshi33"),
        ("パスワードが{}に変わりました", "tsuki44"),
    ],
    "short labels": [
        ("pw: {}", "hunter2"),
        ("PW={}", "Sommer!24"),
        ("my pw is {}", "hunter2"),
        ("wifi pw: {}", "tea&milk9"),
        ("user: max, pass: {}", "hunter2"),
        ("pass: {}", "s3cret!"),
        ("Mein PW ist {}", "haus77"),
        ("pwd: {}", "x7-turbo"),
        ("psw = {}", "ab12cd"),
        ("the pw for the printer is {}", "laser88"),
        ("Passwort für Netflix: {}", "Katze77"),
        ("mot de passe wifi : {}", "soleil42"),
    ],
    "logins": [
        ("my bank login: max / {}", "Hunter22!"),
        ("login: al@example.org / {}", "swordfish9"),
        ("Login = max|{}", "t3a-pot"),
        ("Zugang: erika / {}", "Sommer24"),
        ("Zugangsdaten: erika.m, {}", "Blume!99"),
        ("user/pass: root / {}", "toor42"),
        ("identifiants : marie / {}", "rose-77"),
        ("credenziali: luca / {}", "Roma2020"),
        ("acesso: joao / {}", "bola123"),
        ("登录: wang / {}", "panda77x"),
    ],
}


@pytest.mark.parametrize(
    ("form", "secret"), [pair for pairs in SECRETS.values() for pair in pairs], ids=lambda text: text[:40]
)
def test_a_labelled_secret_goes_and_its_sentence_stays(form: str, secret: str) -> None:
    """Only the secret is replaced; the words around it are those that were written."""
    before, after = form.split("{}")

    masked = redact(form.format(secret)).text

    assert secret not in masked
    assert re.fullmatch(re.escape(before) + r"\W?\[redacted [a-z ]+\]\W?" + re.escape(after), masked)


HARMLESS = {
    "French": [
        "Mon mot de passe est trop court, il faut le changer.",
        "J'ai oublié mon mot de passe.",
        "Le mot de passe est expiré.",
        "Le mot de passe de la banque est difficile à retenir",
        "mot de passe : obligatoire, 8 caractères au moins",
        "Mot de passe : 12 caractères minimum",
        "Le mot de passe est enregistré dans le navigateur.",
        "Mon mot de passe est le même partout",
        "mot de passe oublié ? Cliquez ici.",
        "Le mot de passe est sensible à la casse.",
        "Mon mot de passe n'est pas sûr; le mot de passe était incorrect.",
        "Le mot de passe est invalide.",
        "le mot de passe est : inconnu",
    ],
    "Italian": [
        "La password è scaduta.",
        "La password è troppo corta",
        "La password è sbagliata.",
        "Ho dimenticato la password; la password è stata cambiata ieri",
        "La password è obbligatoria.",
        "La password è la stessa di prima",
        "password dimenticata? Reimpostala.",
        "La password è sicura.",
        "la password del wifi è difficile.",
        "La parola chiave è lo studio",
        "La parola d'ordine è semplicità e costanza",
        "La password è unica; la password è nel cassetto.",
        "La password è composta da 8 caratteri.",
        "Il codice di accesso è scaduto.",
    ],
    "Portuguese": [
        "Minha senha é muito fraca.",
        "Esqueci a senha.",
        "A senha é obrigatória.",
        "a senha é a mesma de sempre",
        "senha: obrigatória",
        "A senha é inválida.",
        "Ela desenha: gatos2",
        "A senha foi alterada ontem",
        "A senha do banco era fraca.",
        "Senha: mínimo de 8 caracteres",
        "a senha foi esquecida.",
        "A palavra-passe é demasiado curta.",
        "A senha é curta.",
        "A senha é pessoal.",
    ],
    "Spanish": [
        "La clave es empezar temprano",
        "La clave del éxito es la constancia.",
        "La clave es paciencia.",
        "Palabra clave: memoria",
        "clave: sol mayor",
        "en clave de sol",
        "La clave es que no hay clave.",
        "Su clave es incorrecta.",
        "la clave es 4 veces más corta",
        "Clave: obligatoria",
        "La clave para dormir bien es el silencio",
        "una persona clave: Ana",
    ],
    "Dutch": [
        "Mijn wachtwoord is verlopen.",
        "Het wachtwoord is te kort",
        "Ik ben mijn wachtwoord vergeten",
        "wachtwoord: verplicht",
        "Het wachtwoord is onjuist.",
        "Wachtwoord vergeten? Klik hier.",
        "Het wachtwoord voor de wifi is moeilijk.",
        "Mijn wachtwoord is hetzelfde als vroeger",
        "Het wachtwoord was gewijzigd.",
        "Wachtwoord: minimaal 8 tekens",
        "Het wachtwoord is hoofdlettergevoelig.",
        "Dat wachtwoord is onveilig.",
    ],
    "Chinese": [
        "密码是必填项",
        "我忘记密码了",
        "密码是8位数",
        "密码是Google管理的",
        "密码是用SHA256加密的",
        "密码错误,请重试",
        "密码:必填",
        "密码是 Base64 编码的",
        "密码为空",
        "请输入密码:",
        "密码是我和WiFi2一起设置的",
        "口令:不能为空",
        "密码:8-16位字母",
        "密码是 WPA2 加密",
    ],
    "Japanese": [
        "パスワードは忘れました。",
        "パスワードは長すぎます",
        "パスワードはGoogleに保存されています",
        "合言葉は何ですか",
        "合言葉は忘れました",
        "ボスポラスは2つの海をつなぐ",
        "パスはEast2から来た",
        "バスは7時です",
        "キャンパスは2023年に移転した",
        "パスワードは8文字以上です",
        "コンパスはiPhone15に入っている",
        "パスワードがわかりません",
        "パスワードはCtrl+Vで貼れます",
    ],
    "short labels": [
        "PW: 450kW, PS: 612",
        "the pw is too short",
        "PW: Porsche",
        "PW 2024 war ein gutes Jahr",
        "pw = pandas.read_csv('x1.csv')",
        "boarding pass: B12345",
        "Reise: Bahn, Pass: C01X00T47",
        "pass: 3 tests, fail: 0",
        "pass: yes",
        "the pass is closed since 2024-11",
        "pwd: /home/al",
        "ski pass: 310 euros",
        "ww: 1939-1945",
        "bypass: on2",
        "pw: see mail2 from Bob",
        "my pw is in 1Password; pw: 1Password",
        "Passwort für alle: Mitarbeiter",
    ],
    "logins": [
        "login: 9:00 / 17:00",
        "Login: Google / Facebook",
        "login: email / password",
        "login: admin, settings and users",
        "Login: page 3/4",
        "login: oauth2 / saml2",
        "login: 12 / 15 succeeded",
        "Zugang: links / rechts",
        "Zugang: Tor 3 / Tor 4b",
        "my login: max",
        "login: max, since 2019-05",
        "acesso: 24h / 7 dias",
        "login: v1 / v2.3",
        "ログイン: Google / LINE",
        "Anmeldung: VHS, Kurs23B",
        "Login: max@firma.de / siehe 1Password",
        "login: 2024-05-01 / 10:30",
    ],
}


@pytest.mark.parametrize("text", [text for texts in HARMLESS.values() for text in texts])
def test_talk_about_passwords_is_left_alone(text: str) -> None:
    """What goes on with a sentence, a number with its unit, a date, or a word that only looks like a label."""
    assert redact(text) == Redacted(text, ())


def test_every_label_has_ten_sentences_without_a_secret() -> None:
    """A false alarm costs a person's own words."""
    assert HARMLESS.keys() == SECRETS.keys()
    assert min(map(len, HARMLESS.values())) >= 10


HOSTILE = [
    "mot de passe de ",
    "mot de passe est ",
    "senha é ",
    "wachtwoord voor ",
    "密码是",
    "パスは、",
    "login: a ",
    "pw:",
]


@pytest.mark.parametrize("unit", [*HOSTILE, "login: " + "a" * 50, "pass: ", "clave del ", "login: a / "])
def test_a_password_behind_much_that_leads_nowhere_is_found(unit: str) -> None:
    """A pattern that goes back over what came before would not come to the end of this."""
    text = unit * (250_000 // len(unit)) + "\n\n. mon mot de passe est soleil42"
    assert redact(text).text.endswith("mon mot de passe est [redacted password]")
