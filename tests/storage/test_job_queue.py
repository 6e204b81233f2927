import multiprocessing
import os
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memchat.core.types import Add, Confirm, Draft, Event, Forget, JobState, LearningJob, MessageStatus
from memchat.errors import StoreError
from memchat.storage.job_queue import FIRST_WAIT_S, LONGEST_WAIT_S
from memchat.storage.leases import CLAIM_S, holder_is_dead, process_lease_id
from memchat.storage.protocols import MAX_BLOCKING_ATTEMPTS
from memchat.storage.store import Store
from tests.conftest import FINGERPRINT, SettableClock
from tests.storage.memory_factories import ALICE, add, embedded, say, texts


def claimed(store: Store) -> LearningJob:
    work = store.work.claim(None)
    assert work is not None
    return work


def ended_process() -> int:
    """The id of a process that has ended and is waited for."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def pretend(store: Store, work: LearningJob, claim: str) -> None:
    """Let another process have the claim."""
    store.database.execute("UPDATE work SET claim = ? WHERE id = ?", (claim, work.id))


def no_more_room(store: Store) -> None:
    """The file may not grow any more, as on a full disk."""
    store.database.value(f"PRAGMA max_page_count = {store.database.value('PRAGMA page_count')}")


def test_a_turn_whose_reply_found_no_room_is_learned_from_all_the_same(store: Store) -> None:
    """This process goes on living, but nobody waits until it lets go of what it could not write about."""
    asked = store.conversations.begin_turn(store.conversations.new_session("alice", None), "I like tea")
    assert store.work.claim(None) is None
    no_more_room(store)
    with pytest.raises(StoreError, match="No room"):
        store.conversations.end_turn(asked, "x" * 100_000, MessageStatus.COMPLETE, "test", [])
    assert claimed(store).user_message_id == asked.id


def test_work_whose_failure_found_no_room_can_be_taken_again(store: Store) -> None:
    """And what was done with it under the former claim no longer counts."""
    say(store, "I like tea")
    work = claimed(store)
    no_more_room(store)
    with pytest.raises(StoreError, match="No room"):
        store.work.fail(work, "x" * 100_000)
    assert not store.work.is_ours(work)
    assert claimed(store).id == work.id
    assert store.work.is_ours(work)


def test_work_is_taken_in_order_and_once(store: Store) -> None:
    """The oldest first; what is claimed is nobody else's."""
    asked = [say(store, f"message {number}", user=f"person {number}") for number in range(3)]
    taken = [claimed(store) for _ in range(3)]
    assert [work.user_message_id for work in taken] == [message.id for message in asked]
    assert store.work.claim(None) is None
    assert all(store.work.is_ours(work) for work in taken)


def test_one_persons_exchanges_wait_for_each_other(store: Store) -> None:
    """While the first is under way the second is not begun; somebody else's is."""
    first, second = say(store, "one"), say(store, "two")
    bobs = say(store, "three", user="bob")
    work = claimed(store)
    assert work.user_message_id == first.id
    assert claimed(store).user_message_id == bobs.id
    assert store.work.claim(None) is None
    store.work.done(work)
    assert claimed(store).user_message_id == second.id


def test_a_persons_work_is_taken_by_those_who_serve_them_alone(store: Store) -> None:
    """Neither taken nor counted nor hurried for somebody else."""
    say(store, "one", user="bob")
    store.work.fail(claimed(store), "no")
    (waiting,) = store.work.pending("bob")
    assert store.work.retry_all("alice") == 0
    assert store.work.pending("bob") == [waiting]
    assert store.work.retry_all("bob") == 1
    assert (store.work.claim("alice"), store.work.due("alice"), store.work.pending("alice")) == (None, 0, [])
    assert store.work.due("bob") == 1
    work = store.work.claim("bob")
    assert work is not None
    assert work.id == waiting.id


def test_what_another_live_process_is_at_is_not_waited_for(store: Store) -> None:
    """Nor what must wait for that; what this process is at is, and what the other one leaves behind when it dies."""
    say(store, "one")
    first = claimed(store)
    assert store.work.due("alice") == 1
    pretend(store, first, f"{os.getppid()}.parent")
    say(store, "two")
    assert store.work.due("alice") == store.work.due(None) == 0
    pretend(store, first, f"{ended_process()}.gone")
    assert store.work.due("alice") == 2


def test_an_agents_work_with_nobody_is_taken_up_in_another_session_of_its_own(store: Store) -> None:
    """Not in a session with another agent, nor in one with a person."""
    conversations = store.conversations
    say(store, "one", conversations.new_session("", "bot"))
    strangers = [conversations.new_session(*them) for them in (("", "shop"), ("", None), ("alice", "bot"))]
    assert [store.work.claim_of(session) for session in strangers] == [None] * 3
    assert store.work.claim_of(conversations.new_session("", "bot")) is not None


def test_people_without_a_name_do_not_wait_for_each_other(store: Store) -> None:
    """Sessions with nobody named stand for themselves."""
    say(store, "one", user="")
    say(store, "two", user="")
    claimed(store)
    claimed(store)


def test_failed_work_waits_longer_each_time(store: Store, clock: SettableClock) -> None:
    """With its reason; five seconds, then twice as long, and never more than six hours."""
    say(store, "one")
    for failures in range(20):
        work = claimed(store)
        assert work.attempts == failures
        store.work.fail(work, f"reason {failures}")
        (waiting,) = store.work.pending("alice")
        assert waiting.error == f"reason {failures}"
        wait_s = (waiting.due_at - clock()).total_seconds()
        assert wait_s == min(FIRST_WAIT_S * 2**failures, LONGEST_WAIT_S)
        clock.forward(seconds=wait_s - 1)
        assert store.work.claim(None) is None
        assert store.work.due(None) == 0
        clock.forward(seconds=1)
        assert store.work.due(None) == 1


def test_work_that_keeps_failing_stops_holding_up_the_later_ones(store: Store, clock: SettableClock) -> None:
    """After MAX_BLOCKING_ATTEMPTS failures the person's next exchange has its turn."""
    say(store, "bad")
    good = say(store, "good")
    for _ in range(MAX_BLOCKING_ATTEMPTS):
        store.work.fail(claimed(store), "no")
        if store.work.pending()[0].attempts < MAX_BLOCKING_ATTEMPTS:
            assert store.work.claim(None) is None
            clock.forward(hours=6)
    assert claimed(store).user_message_id == good.id


def test_a_person_can_make_all_work_due(store: Store) -> None:
    """`status --retry` does not wait for the clock."""
    say(store, "one")
    store.work.fail(claimed(store), "no")
    assert store.work.claim(None) is None
    assert store.work.retry_all("alice") == 1
    assert claimed(store).attempts == 1


def test_a_clock_that_is_put_back_does_not_make_work_wait(store: Store, clock: SettableClock) -> None:
    """A year back: what is due stays due, and a wait of five seconds is no wait of a year."""
    say(store, "one", user="alice")
    say(store, "two", user="bob")
    store.work.fail(claimed(store), "no")
    clock.forward(days=-365)
    assert store.work.due(None) == 2
    claimed(store)
    claimed(store)


def test_the_work_of_a_dead_process_is_taken_over(store: Store) -> None:
    """At once, for it is seen that the process has ended; a live one's is left alone."""
    say(store, "one")
    work = claimed(store)
    pretend(store, work, f"{os.getppid()}.parent")
    assert store.work.claim(None) is None
    pretend(store, work, f"{ended_process()}.gone")
    assert claimed(store).id == work.id
    pretend(store, work, f"{os.getpid()}.before")
    assert claimed(store).id == work.id
    pretend(store, work, "nonsense")
    assert claimed(store).id == work.id


def test_a_claim_ends_even_when_its_process_lives(store: Store, clock: SettableClock) -> None:
    """A process that hangs holds its work for a quarter of an hour."""
    say(store, "one")
    pretend(store, claimed(store), f"{os.getppid()}.parent")
    clock.forward(seconds=CLAIM_S - 1)
    assert store.work.claim(None) is None
    clock.forward(seconds=1)
    claimed(store)


def test_a_claim_names_its_process() -> None:
    """The same within a process, and alive as long as that is."""
    assert process_lease_id() == process_lease_id()
    assert not holder_is_dead(process_lease_id())


# Applying.


def tea(store: Store, work: LearningJob) -> list[Event]:
    return [one.event for one in store.apply([Add(Draft("User likes tea", ALICE))], [embedded("tea")], work)]


def test_applying_ends_the_work_in_the_same_transaction(store: Store) -> None:
    """Memory there, work gone; a second time nothing happens."""
    say(store, "one")
    work = claimed(store)
    assert tea(store, work) == [Event.ADD]
    assert store.work.pending() == []
    assert tea(store, work) == []
    assert len(store.memories.history(add(store, "User likes tea"))) == 2


def test_an_apply_that_fails_changes_nothing(store: Store) -> None:
    """Neither memories nor work."""
    say(store, "one")
    work = claimed(store)
    odd = Add(Draft("odd", ALICE, metadata={"k": object()}))  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        store.apply([Add(Draft("User likes tea", ALICE)), odd], [embedded("tea"), embedded("odd")], work)
    assert texts(store) == []
    assert store.work.is_ours(work)


def test_work_that_is_somebody_elses_by_now_applies_nothing(store: Store, clock: SettableClock) -> None:
    """Taken over after the claim ran out, or let go of, or finished elsewhere."""
    say(store, "one")
    work = claimed(store)
    pretend(store, work, f"{os.getppid()}.parent")
    assert tea(store, work) == []
    store.work.fail(work, "late")
    assert store.work.pending()[0].state is JobState.CLAIMED
    assert texts(store) == []


def test_work_erased_meanwhile_applies_nothing(store: Store) -> None:
    """What was forgotten is not learned by a worker that still holds it."""
    say(store, "I like tea")
    work = claimed(store)
    store.eraser.erase_person("alice")
    assert tea(store, work) == []
    assert texts(store) == []


def test_work_erased_meanwhile_is_never_taken_for_later_work(store: Store) -> None:
    """A new turn, claimed by the same process until its reply has ended, keeps its own work."""
    say(store, "I like tea")
    old = claimed(store)
    store.eraser.erase_person("alice")
    asked = store.conversations.begin_turn(store.conversations.new_session("alice", None), "I like plums")
    assert tea(store, old) == []
    store.work.fail(old, "late")
    store.work.discard(old)
    store.conversations.end_turn(asked, "Noted.", MessageStatus.COMPLETE, "test", [])
    assert claimed(store).user_message_id == asked.id


def test_forgetting_in_a_conversation_erases_and_ends_the_work(store: Store) -> None:
    """In one transaction with what else was decided; cleaning the files is noted as still to be done."""
    memory = add(store, "User likes tea")
    say(store, "forget the tea")
    applied = store.apply([Forget(memory.id), Confirm(memory.id)], [None, None], claimed(store))
    assert [one.event for one in applied][-1] is Event.DELETE
    assert texts(store) == []
    assert store.work.pending() == []
    assert store.database.value("SELECT count(*) FROM erasures WHERE finished = 0") == 1


# Several at once.


def drain(path: Path, seen: list[int], name: str) -> None:
    """Take all there is and apply a memory for each, with a connection of one's own."""
    with Store(path, lambda: datetime.now(UTC), FINGERPRINT) as store:
        while store.work.due(None):
            work = store.work.claim(None)
            if work is None:
                continue
            seen.append(work.id)
            draft = Draft(f"learned from {work.user_message_id}", ALICE, verbatim=True)
            assert store.apply([Add(draft)], [embedded(draft.text)], work), name


def filled(path: Path, exchanges: int) -> None:
    with Store(path, lambda: datetime.now(UTC), FINGERPRINT) as store:
        for number in range(exchanges):
            say(store, f"message {number}", user=f"person {number % 7}")


def learned_once(path: Path, exchanges: int) -> None:
    with Store(path, lambda: datetime.now(UTC), FINGERPRINT) as store:
        counts = Counter(texts(store))
        assert len(counts) == exchanges
        assert set(counts.values()) == {1}
        assert store.work.pending() == []


def test_threads_never_get_the_same_work(home: Path) -> None:
    """Four threads, each with its own connection, learn sixty exchanges once each."""
    filled(home / "memchat.db", 60)
    seen: list[list[int]] = [[] for _ in range(4)]
    threads = [
        threading.Thread(target=drain, args=(home / "memchat.db", own, str(number))) for number, own in enumerate(seen)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(number for own in seen for number in own).most_common(1)[0][1] == 1
    learned_once(home / "memchat.db", 60)


def drain_in_process(path: Path) -> None:
    drain(path, [], str(os.getpid()))


def test_processes_never_get_the_same_work(home: Path) -> None:
    """Four processes learn sixty exchanges once each."""
    filled(home / "memchat.db", 60)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=drain_in_process, args=(home / "memchat.db",)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    learned_once(home / "memchat.db", 60)
