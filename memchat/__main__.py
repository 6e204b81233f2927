"""The entry point: `memchat` and `python -m memchat`."""

import gc
import io
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import NoReturn


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


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
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
    except Exception:
        sys.excepthook(*sys.exc_info())
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            code = code or 1
    # All that memchat opened is closed. Python would now look through everything LiteLLM has loaded for reference
    # cycles, which takes a second, and stop daemon threads where they stand: an object of a library that imports a
    # module when it is deleted then waits forever for a thread that was importing.
    os._exit(code)


if __name__ == "__main__":
    main()
