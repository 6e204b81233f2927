"""The offline model behind the protocol of all language models."""

import json
import subprocess
import sys

import pytest

from memchat.core.protocols import LanguageModel, ModelRequest, PromptMessage
from memchat.core.types import Role
from memchat.learning import extraction
from memchat.learning.extraction import SCHEMA, Exchange
from memchat.learning.extraction_parser import parse
from memchat.offline.model import OfflineModel
from tests.offline.cases import TODAY


def test_a_stream_is_the_reply_word_by_word_with_its_usage_at_the_end() -> None:
    """Nothing is lost between the words; it costs nothing, which is known."""
    model: LanguageModel = OfflineModel()
    request = ModelRequest([PromptMessage(Role.USER, "What do you know about me?")])
    *words, last = model.stream(request)
    assert len(words) > 5
    assert "".join(delta.text for delta in words) == model.complete(request).text
    assert last.usage is not None
    assert last.usage.cost_usd == 0.0
    assert last.usage.prompt_tokens == model.count_tokens("What do you know about me?")


def test_a_stream_can_be_closed_early() -> None:
    """As with every model."""
    stream = OfflineModel().stream(ModelRequest([PromptMessage(Role.USER, "hello")]))
    next(stream)
    stream.close()


def test_the_answer_to_extraction_has_the_keys_of_its_schema() -> None:
    """Every fact holds all that the schema requires."""
    reply = OfflineModel().complete(extraction.request(Exchange(TODAY, "I'm vegan.")))
    answer = json.loads(reply.text)
    assert list(answer) == SCHEMA["required"]
    assert set(answer["facts"][0]) == set(SCHEMA["properties"]["facts"]["items"]["required"])


def test_a_repair_call_reads_the_exchange_again() -> None:
    """The complaint is the last message; the exchange is the one before."""
    asked = extraction.request(Exchange(TODAY, "I'm vegan."))
    again = extraction.retry_request(asked, "nonsense", ["no JSON"])
    assert OfflineModel().complete(again).text == OfflineModel().complete(asked).text


@pytest.mark.parametrize("content", ["", "no JSON", "[1]", '{"user": "I am vegan"}'])
def test_a_request_without_an_exchange_teaches_nothing(content: str) -> None:
    """Whatever is asked in the schema's name gets an answer in its form."""
    reply = OfflineModel().complete(ModelRequest([PromptMessage(Role.USER, content)], schema=SCHEMA))
    assert parse(reply.text) == extraction.Extraction()


@pytest.mark.parametrize(
    "message",
    ["\ud800", "a" * 20_000, "I " * 5_000, "((((" * 500, "I'm " + "very " * 3_000 + "vegan", "，" * 300, "- \n" * 999],
)
def test_no_message_is_too_strange(message: str) -> None:
    """Long, broken and empty texts are read in reasonable time and teach nothing."""
    reply = OfflineModel().complete(extraction.request(Exchange(TODAY, message)))
    assert parse(reply.text).facts == ()


def test_it_needs_nothing_heavy() -> None:
    """No vendor is loaded by learning or answering."""
    program = (
        "import sys\n"
        "from memchat.offline.model import OfflineModel\n"
        "from memchat.core.protocols import PromptMessage, ModelRequest\n"
        "from memchat.core.types import Role\n"
        "OfflineModel().complete(ModelRequest([PromptMessage(Role.USER, 'Where do I live?')]))\n"
        "assert not {'litellm', 'chromadb', 'numpy', 'onnxruntime', 'rich'} & set(sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
