"""Failures are told by their cause in the form that each release of LiteLLM and OpenAI's client gives them."""

import pytest

from memchat.errors import ModelError
from memchat.llm.endpoint import Endpoint
from memchat.llm.provider_errors import RequestRefused, translate_errors
from tests.llm.error_forms import CASES, rebuilt, recorded

RECORDED = recorded()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("release", RECORDED)
def test_the_cause_is_found_in_every_recorded_form(release: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it would be with that release installed."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    case = CASES[name]
    with (
        pytest.raises(case.error, match=case.message) as raised,
        translate_errors(Endpoint(case.model, case.api_key, case.api_base)),
    ):
        raise rebuilt(RECORDED[release][name])
    assert type(raised.value) in {case.error, RequestRefused if case.error is ModelError else case.error}
