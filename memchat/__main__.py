"""The entry point: `memchat` and `python -m memchat`."""

import gc
import io
import os
import sys
from contextlib import AbstractContextManager, nullcontext


def _keys_kept(arguments: list[str]) -> AbstractContextManager[None]:
    """In a chat, keep what is typed while it loads for its first prompt, Enter as Enter."""
    talks = not arguments or (arguments[0] == "chat" and not {"-h", "--help"} & set(arguments))
    if not (talks and sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()):
        return nullcontext()
    from memchat.repl.terminal_modes import no_echo

    return no_echo()


def main() -> None:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # What recall multiplies is small: to wait for a second thread on a busy machine costs several times what it saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from memchat.library_warnings import silence_library_warnings

    silence_library_warnings()
    from memchat.cli.main import run

    try:
        with _keys_kept(sys.argv[1:]):
            code = run(sys.argv[1:])
    finally:
        # Python would end by looking through all that LiteLLM has loaded for cycles, which takes a second.
        gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
