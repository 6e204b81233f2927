"""The offline model tells people in their own language that it does not read it."""

import pytest

from memchat.offline.languages import honest_sentence
from tests.offline.test_replies import asked

MESSAGES = {
    "de": ["Ich wohne in Köln und habe einen Hund.", "Wie heißt mein Hund?", "Kannst du mir ein Restaurant empfehlen?"],
    "es": [
        "Vivo en Bogotá y me gusta el té.",
        "¿Cómo se llama mi perro?",
        "Recomiéndame un restaurante para hoy, que no sea caro.",
    ],
    "fr": ["J'habite à Lyon et je suis végétarienne.", "Où est-ce que j'habite ?"],
    "it": ["Abito a Torino e non mangio carne.", "Come si chiama il mio cane?"],
    "pt": ["Moro em Braga e tenho uma irmã.", "Onde é que eu moro?"],
    "nl": ["Ik woon in Gent en heb een kat.", "Waar woon ik?"],
    "pl": ["Mieszkam w Gdyni i mam psa.", "Gdzie mieszkam i jak się nazywam?"],
    "ru": ["Я живу в Казани.", "Как зовут мою собаку?"],
    "uk": ["Я живу у Львові, маю собаку і її звати Ласка.", "Де я живу і як її звати?"],
    "tr": ["Ankara'da yaşıyorum ve bir kedim var.", "Benim kedimin adı ne?"],
    "ja": ["東京に住んでいます。", "私の犬の名前は？"],
    "zh": ["我住在成都。", "我的狗叫什么？"],
    "ko": ["부산에 살아요.", "우리 개 이름이 뭐야?"],
    "ar": ["أسكن في القاهرة.", "ما اسم كلبي؟"],
    "fa": ["من در تهران زندگی می‌کنم و یک گربه دارم.", "اسم گربه‌ام چیست؟"],
    "he": ["אני גר בחיפה.", "איך קוראים לכלב שלי?"],
    "hi": ["मैं पुणे में रहता हूँ।", "मेरे कुत्ते का नाम क्या है?"],
    "th": ["ฉันอยู่เชียงใหม่", "หมาของฉันชื่ออะไร"],
    "el": ["Ζω στην Πάτρα.", "Πώς λένε τον σκύλο μου;"],
    "sv": ["Jag bor i Umeå och har en hund.", "Vad heter min hund?"],
    "vi": ["Tôi sống ở Huế.", "Con chó của tôi tên gì?"],
    "id": ["Saya tinggal di Bandung.", "Siapa nama kucing saya?"],
}
OWN_WORDS = {
    "de": "kein Sprachmodell",
    "es": "modelo de lenguaje",
    "fr": "modèle de langue",
    "it": "modello linguistico",
    "pt": "modelo de linguagem",
    "nl": "taalmodel",
    "pl": "modelu językowego",
    "ru": "языковой модели",
    "uk": "мовної моделі",
    "tr": "dil modeli",
    "ja": "言語モデル",
    "zh": "语言模型",
    "ko": "언어 모델",
    "ar": "نموذج لغوي",
    "fa": "مدل زبانی",
    "he": "מודל שפה",
    "hi": "भाषा मॉडल",
    "th": "โมเดลภาษา",
    "el": "γλωσσικό μοντέλο",
    "sv": "språkmodell",
    "vi": "mô hình ngôn ngữ",
    "id": "model bahasa",
}


@pytest.mark.parametrize(
    ("language", "message"), [(code, one) for code, several in MESSAGES.items() for one in several]
)
def test_it_says_in_the_persons_language_that_it_reads_english(language: str, message: str) -> None:
    """What is told is not kept and a question not understood; both get the sentence."""
    assert OWN_WORDS[language] in asked(message)
    assert "/remember" in asked(message)


@pytest.mark.parametrize(
    "message",
    [
        "I live in Köln.",
        "Where do I live?",
        "My sister Zoë is vegan",
        "I love 寿司",
        "Thanks!",
        "42",
        "",
        "Naïve café",
        "Is it far to Das Haus?",
    ],
)
def test_english_stays_english(message: str) -> None:
    """Names and loan words of other languages make no other language."""
    assert honest_sentence(message) is None


def test_what_was_recalled_is_shown_under_the_sentence() -> None:
    """Recall reads every language: the memories are there for the person to read."""
    reply = asked("Wie heißt mein Hund?", "- Der Hund des Nutzers heißt Bodo. (noted 2026-03-01)")
    assert "kein Sprachmodell" in reply
    assert "- Der Hund des Nutzers heißt Bodo." in reply
