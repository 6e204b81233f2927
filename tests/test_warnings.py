"""Python's warnings: errors in the tests where they are memchat's, and no concern where they are a library's."""

import warnings

import pytest


@pytest.mark.parametrize("module", ["memchat", "memchat.llm.retry", "tests.conftest"])
def test_a_warning_of_memchat_fails_a_test(module: str) -> None:
    """The filter in pyproject.toml matches the module that a warning is attributed to."""
    with pytest.raises(UserWarning, match="memchat's own"):
        warnings.warn_explicit("memchat's own", UserWarning, "file.py", 1, module=module)


@pytest.mark.parametrize("module", ["litellm", "pydantic.main", "memchatter", "__main__"])
def test_a_warning_of_a_library_fails_no_test(module: str) -> None:
    """It is only recorded."""
    with warnings.catch_warnings(record=True) as recorded:
        warnings.warn_explicit("a library's", UserWarning, "file.py", 1, module=module)
    assert [str(warning.message) for warning in recorded] == ["a library's"]
