"""The table of word pieces and their ids."""

import subprocess
import sys
from pathlib import Path

import pytest

from memchat.llm.e5 import PIECES_FILE
from memchat.llm.piece_ids import PieceIds


def test_every_piece_has_the_number_of_its_line(tmp_path: Path) -> None:
    """Pieces of any script and length, also the first and the last of the file."""
    pieces = ["<s>", "▁", "▁the", "e", "été", "猫", "ปี", "🙂", "a" * 16, "\u3000", "\r", "end"]
    file = tmp_path / "pieces.txt"
    file.write_bytes("\n".join(pieces).encode())
    table = PieceIds(file)
    assert [table.get(piece) for piece in pieces] == list(range(len(pieces)))


def test_what_is_no_piece_has_no_number(tmp_path: Path) -> None:
    """Beginnings, endings and neighbours of pieces are none themselves."""
    file = tmp_path / "pieces.txt"
    file.write_bytes(b"cat\ndog")
    table = PieceIds(file)
    assert [piece for piece in ("ca", "at", "cats", "cat\ndog", "\n", "", "do", "og") if piece in table] == []


def test_the_shipped_pieces_are_found_as_a_dictionary_finds_them() -> None:
    """Among 250,002 pieces many share a remainder."""
    pieces = PIECES_FILE.read_bytes().decode().split("\n")
    table = PieceIds(PIECES_FILE)
    assert len(pieces) == 250_002
    assert all(table.get(piece) == number for number, piece in enumerate(pieces))
    known = set(pieces)
    assert not any(f"{piece}q" in table for piece in pieces[::7] if f"{piece}q" not in known)


GROWTH = """
import ctypes
from pathlib import Path
import numpy
from memchat.llm.e5 import vocabulary
from memchat.memory_use import return_freed_memory

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

before = resident_mb()
vocabulary()
return_freed_memory()
print(resident_mb() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells")
def test_the_vocabulary_stays_small_in_memory() -> None:
    """A dictionary of the same pieces takes 36 MB."""
    grown = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True).stdout
    assert float(grown) < 20
