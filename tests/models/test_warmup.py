"""Loading ahead of time."""

from memchat.models.warmup import in_background


def test_a_failure_stays_behind_the_prompt() -> None:
    """The thread ends without a word; pytest would take one for an error."""
    begun = []

    def load() -> None:
        begun.append(True)
        raise ImportError("no such library")

    in_background("broken", load).join()
    assert begun == [True]
