"""The public names of the package: all there, nothing heavy loaded for them, nothing else promised."""

import inspect
import subprocess
import sys

import pytest

import memchat
from memchat import errors


@pytest.mark.parametrize("name", memchat.__all__)
def test_a_public_name_can_be_imported(name: str) -> None:
    """`from memchat import NAME` gives the object itself."""
    assert getattr(memchat, name) is not None
    assert name in dir(memchat)


def test_every_error_is_public() -> None:
    """Callers can catch each kind of failure without looking into the package."""
    defined = {
        name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.MemchatError)
    }
    assert defined <= set(memchat.__all__)


def test_another_name_is_refused() -> None:
    """A misspelled import fails as usual."""
    with pytest.raises(ImportError):
        from memchat import Memmory  # noqa: F401


def test_importing_the_package_loads_nothing_heavy() -> None:
    """The errors can be caught without loading numpy, Chroma or LiteLLM."""
    code = (
        "import sys; from memchat import MemchatError, Settings, ModelOptions\n"
        "print({'numpy', 'chromadb', 'litellm', 'onnxruntime'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
