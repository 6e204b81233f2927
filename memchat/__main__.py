"""The entry point: `memchat` and `python -m memchat`."""

import gc
import io
import os
import sys
from contextlib import AbstractContextManager, nullcontext


def _buffer_early_keys(arguments: list[str]) -> AbstractContextManager[None]:
    """Keep the keys typed while a chat loads for its first prompt, with Enter as Enter.

    Until then nothing is searched for reference cycles, which modules that stay do not form; the chat begins with it.
    """
    starts_chat = not arguments or (arguments[0] == "chat" and not {"-h", "--help"} & set(arguments))
    if not (starts_chat and sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()):
        return nullcontext()
    from memchat.repl.terminal_modes import no_echo

    gc.disable()
    return no_echo()


def main() -> None:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # Recall multiplies small matrices: waiting for a second thread on a busy machine costs several times what it saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from memchat.library_warnings import silence_library_warnings

    silence_library_warnings()
    from memchat.cli.main import run

    try:
        with _buffer_early_keys(sys.argv[1:]):
            code = run(sys.argv[1:])
    finally:
        # At exit Python would search everything LiteLLM has loaded for reference cycles, which takes a second.
        gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
