"""The estimate of tokens beside OpenAI's tokenizer."""

import pytest

from memchat.llm.litellm_setup import litellm
from memchat.llm.token_estimate import estimate_tokens

TEXTS = {
    "English": "I moved to Amsterdam last week, and my sister Ana, who is vegetarian, visits me on March 3rd at 14:30.",
    "German": "Ich bin umgezogen und suche Sportvereine und eine Krankenversicherung für meine Großmutter.",
    "Russian": "Я недавно переехал в Санкт-Петербург и работаю программистом в небольшой компании.",
    "Chinese": "我上个月刚搬到上海，现在在一家小公司当程序员，周末喜欢爬山和看电影。",
    "Japanese": "先月東京に引っ越してきて、小さな会社でプログラマーとして働いています。",
    "Hindi": "मैं पिछले महीने दिल्ली आया हूँ और एक छोटी कंपनी में प्रोग्रामर हूँ।",
    "Arabic": "انتقلت مؤخرا إلى القاهرة وأعمل مبرمجا في شركة صغيرة",
    "Thai": "ฉันเพิ่งย้ายมาอยู่กรุงเทพเมื่อเดือนที่แล้วและทำงานเป็นโปรแกรมเมอร์",
    "JSON": '{"facts": [{"text": "User lives in Porto.", "quote": "I live in Porto", "valid_from": null}]}',
    "code": "def f(x):\n    return [y**2 for y in range(x) if y % 2 == 0]\n\nclass A:\n    pass\n",
    "emoji": "🎉🎉 so happy 🦀🍵",
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_estimate_is_near_and_rather_high(name: str) -> None:
    """In scripts of every kind."""
    counted = litellm().token_counter(model="gpt-4", text=TEXTS[name])
    assert 0.9 * counted <= estimate_tokens(TEXTS[name]) <= 1.5 * counted


def test_nothing_has_no_tokens_and_odd_text_has_some() -> None:
    """Also half a surrogate pair, and marks that tokenizers take for their own."""
    assert estimate_tokens("") == 0
    assert estimate_tokens("<|endoftext|>\ud800") > 0
