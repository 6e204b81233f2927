"""An exact name or word is found first in every script."""

from pathlib import Path

import pytest

from memchat.core.protocols import MemoryFilter
from memchat.recall.retriever import Query
from tests.learning.harness import AL, Home

EXACT = {
    "Thai": ("ฉันทำงานที่ธนาคาร", "ธนาคาร", ["แมวของฉันชื่อข้าวปั้น", "ฉันแพ้ถั่วลิสง"]),
    "Khmer": ("ខ្ញុំធ្វើការនៅធនាគារ", "ធនាគារ", ["ឆ្មារបស់ខ្ញុំឈ្មោះសុខា", "ខ្ញុំចូលចិត្តតែ"]),
    "Lao": ("ຂ້ອຍເຮັດວຽກຢູ່ທະນາຄານ", "ທະນາຄານ", ["ແມວຂອງຂ້ອຍຊື່ບຸນ", "ຂ້ອຍມັກກາເຟ"]),
    "Burmese": ("ကျွန်တော် ဘဏ်မှာ အလုပ်လုပ်တယ်", "ဘဏ်", ["ကြောင်နာမည်က ရွှေဝါ", "လက်ဖက်ရည် ကြိုက်တယ်"]),
    "Japanese": ("猫の名前はおにぎりです", "おにぎり", ["銀行で働いている", "ピーナッツアレルギーがある"]),
    "one character": ("毎朝犬と散歩する", "犬", ["銀行で働いている", "猫の名前はおにぎりです"]),
    "the last character": ("飼っているのは猫", "猫", ["銀行で働いている", "妹は東京に住んでいる"]),
    "Chinese": ("我的猫叫饭团", "饭团", ["我在银行工作", "我对花生过敏"]),
    "Korean": ("내 고양이 이름은 주먹밥이다", "주먹밥", ["나는 은행에서 일한다", "땅콩 알레르기가 있다"]),
    "Arabic with points": ("اِسْمُ قِطَّتِي لُؤْلُؤَة", "لؤلؤة", ["أعمل في مصرف", "لدي حساسية من الفول السوداني"]),
    "Hebrew without points": ("לחתול שלי קוראים פנינה", "פְּנִינָה", ["אני עובד בבנק", "אני אלרגי לבוטנים"]),
    "Turkish": ("Kedimin adı IŞIL", "ışıl", ["Bankada çalışıyorum", "Fıstığa alerjim var"]),
    "Turkish, plain": ("Diyarbakır'da oturuyor", "Diyarbakir", ["Bankada çalışıyorum", "Fıstığa alerjim var"]),
    "Vietnamese, plain": ("Anh ấy sống ở Đà Lạt", "Da Lat", ["Tôi làm ở ngân hàng", "Tôi dị ứng đậu phộng"]),
    "Greek, plain": ("Η γάτα μου λέγεται Ζαχαρένια", "ζαχαρενια", ["Δουλεύω σε τράπεζα", "Έχω αλλεργία στα φιστίκια"]),
    "Russian": ("Кота зовут Пончик", "пончик", ["Я работаю в банке", "У меня аллергия на арахис"]),
    "Hindi": ("मेरी बिल्ली का नाम रसगुल्ला है", "रसगुल्ला", ["मैं बैंक में काम करता हूँ", "मुझे मूँगफली से एलर्जी है"]),
    "Amharic": ("የድመቴ ስም ሉሉ ነው", "ሉሉ", ["በባንክ እሠራለሁ", "ሻይ እወዳለሁ"]),
    "German": (
        "Der Kater heißt Zwetschgenknödel",
        "zwetschgenknödel",
        ["Arbeitet bei der Bank", "Isst keine Nüsse"],
    ),
    "emoji": ("Mum signs with 🌷", "🌷", ["User likes tea.", "User works at a bank."]),
    "a number": ("เลขที่สั่งซื้อ 48213", "48213", ["เลขที่สั่งซื้อ 77120", "ฉันแพ้ถั่วลิสง"]),
    "a script without pieces": ("The rune is ꙮꙮ today", "ꙮꙮ", ["User likes tea.", "The rune is ꔀꔁ today"]),
}


@pytest.mark.parametrize("case", EXACT)
def test_the_memory_with_the_very_word_comes_first(tmp_path: Path, case: str) -> None:
    """Above the floor, whatever else is kept."""
    memory, request, others = EXACT[case]
    with Home(tmp_path) as home:
        home.keep(*others, memory)
        hits = home.recall.search(Query(request, MemoryFilter((AL,))))
        assert [hit.memory.text for hit in hits][:1] == [memory]


CHINESE = ["用户的母亲是中学老师。", "用户不吃香菜。", "用户每周三去游泳。", "用户在苏州租房。", "用户的弟弟学摄影。"]


@pytest.mark.parametrize(
    "request_", ["三十的平方根是多少？", "怎么拔掉拧断的螺丝？", "“马马虎虎”英文怎么说？", "鲸鱼是鱼吗？"]
)
def test_an_unrelated_request_in_chinese_recalls_nothing(tmp_path: Path, request_: str) -> None:
    """Though texts in Chinese lie nearer to each other than those of other languages do."""
    with Home(tmp_path) as home:
        home.keep(*CHINESE)
        assert home.recall.search(Query(request_, MemoryFilter((AL,)))) == []


@pytest.mark.parametrize(
    ("request_", "needed"), [("晚上的凉拌菜要放香菜吗？", 1), ("我住在哪个城市？", 3), ("星期三下午我有什么安排？", 2)]
)
def test_a_request_in_chinese_recalls_what_it_needs(tmp_path: Path, request_: str, needed: int) -> None:
    """Above the same floor."""
    with Home(tmp_path) as home:
        home.keep(*CHINESE)
        assert CHINESE[needed] in [hit.memory.text for hit in home.recall.search(Query(request_, MemoryFilter((AL,))))]


TOLD_IN = {
    "German": ["Der Nutzer züchtet Bienen auf dem Dach.", "Die Tochter des Nutzers studiert Medizin in Wien."],
    "English": ["User keeps bees on the roof.", "User's daughter studies medicine in Vienna."],
    "Russian": ["Пользователь разводит пчёл на крыше.", "Дочь пользователя изучает медицину в Вене."],
    "Japanese": ["ユーザーは屋上でミツバチを飼っている。", "ユーザーの娘はウィーンで医学を学んでいる。"],
    "Spanish": ["El usuario cría abejas en la azotea.", "La hija del usuario estudia medicina en Viena."],
}
ASKED_IN = {
    "German": "Was studiert meine Tochter?",
    "Spanish": "¿Qué estudia mi hija?",
    "French": "Qu'étudie ma fille ?",
    "Chinese": "我女儿学什么专业？",
    "Arabic": "ماذا تدرس ابنتي؟",
    "English": "What does my daughter study?",
}


@pytest.mark.parametrize("asked", ASKED_IN)
@pytest.mark.parametrize("told", TOLD_IN)
def test_what_was_told_in_one_language_is_recalled_in_another(tmp_path: Path, told: str, asked: str) -> None:
    """Above the floor, and first, though the two texts share no word and no script."""
    with Home(tmp_path) as home:
        home.keep(*TOLD_IN[told])
        hits = home.recall.search(Query(ASKED_IN[asked], MemoryFilter((AL,))))
        assert [hit.memory.text for hit in hits][:1] == [TOLD_IN[told][1]]


ENGINES = [
    "Wie funktioniert ein Dieselmotor?",
    "How does a diesel engine work?",
    "柴油机是怎么工作的？",
    "Comment marche un moteur diesel ?",
]


@pytest.mark.parametrize("request_", ENGINES)
@pytest.mark.parametrize("told", TOLD_IN)
def test_an_unrelated_request_in_another_language_recalls_nothing(tmp_path: Path, told: str, request_: str) -> None:
    """The floor is the same across languages."""
    with Home(tmp_path) as home:
        home.keep(*TOLD_IN[told])
        assert home.recall.search(Query(request_, MemoryFilter((AL,)))) == []
