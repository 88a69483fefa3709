"""Checkpoint: a folder of finished blocks, from which a run that died goes on."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import AnalysisWarning, OptionError
from ..text_files import folder_path
from .packing import Unreadable, differences, head_of, made_by, unpack

MANIFEST = "manifest.json"
_PARTIAL = ".partial-"
_STALE = 3600.0  # seconds after which a file being written has been left behind: writing one takes far less than one
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what room would mend
_SHOWN, _LONG = 5, 60
_PACKAGE = str(Path(__file__).parent.parent) + os.sep


class Checkpoint:
    """A folder that keeps the blocks of one simulation.

    Each block is a file of its own, written beside its place, flushed to the disk and then renamed: it is there whole or not at
    all. It carries a SHA-256 of its content and the key of the simulation it belongs to, so that one that was damaged, or comes
    from elsewhere, is never counted. Nothing in it is code: reading runs none.

    Two processes may work in one folder at a time if they do the same: a block is the same whoever computes it, and the later of
    two replaces the earlier. They save each other no work. Two that do different things are told apart by the manifest or, should
    they have begun in the same instant, by the key in each block.

    Parameters
    ----------
    folder : path
        Made if need be; a leading "~" is the home folder.
    description : mapping
        All that decides the numbers, as plain values (what JSON can hold). Versions are added.

    Attributes
    ----------
    key : str
        SHA-256 of the description.

    Raises
    ------
    OptionError
        A folder that belongs to another simulation (the message names what differs) or cannot be written to.
    """

    def __init__(self, folder: Any, description: Mapping[str, Any]):
        try:
            self.folder = folder_path("checkpoint", folder).expanduser()
        except RuntimeError:
            raise OptionError(f"`checkpoint` is in the home folder of a user who has none: {folder!r}.") from None
        text = _text({**description, "made_by": dict(made_by())})
        self.key = hashlib.sha256(text.encode()).hexdigest()
        self._safe: set[range] = set()
        self._total = 0
        if self.folder.exists() and not self.folder.is_dir():
            raise OptionError(f"{self.folder}: this is a file; `checkpoint` names a folder.")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._tidy()
            self._claim(text)
        except OSError as error:
            raise OptionError(f"{self.folder}: no checkpoint can be kept there ({error.strerror or error}).") from None

    def stored(self, blocks: Iterable[range]) -> set[range]:
        """Return which of the blocks are there and whole; one warning tells of those that are not what they should be."""
        blocks = list(blocks)
        self._total, self._safe = len(blocks), set()
        wrong: dict[str, list[range]] = {}
        for block in blocks:
            state = self._state(block)
            if state == "whole":
                self._safe.add(block)
            elif state:
                wrong.setdefault(state, []).append(block)
        if wrong:
            kinds = "; ".join(f"{state}: {_names(found)}" for state, found in wrong.items())
            what = f"{self.folder}: these blocks are not used and are computed again. {kinds}."
            warnings.warn(what, AnalysisWarning, stacklevel=_callers())
        return set(self._safe)

    def read(self, block: range, record: Callable[..., Any]) -> list[Any] | None:
        """Return the results of a block; None if it is no longer there as it was."""
        try:
            found = unpack(self._path(block).read_bytes(), record)
        except (OSError, Unreadable):
            return None
        return found["results"] if self._belongs(found, block) else None

    def write(self, block: range, data: bytes) -> None:
        """Keep a finished block."""
        try:
            self._write(self._path(block), data)
        except OSError as error:
            left, full = len(data) * (self._total - len(self._safe)), error.errno in _FULL
            room = f" It needs {len(data):,} bytes, all those missing about {left:,}." if full else ""
            remedy = "Make room" if full else f"See to it that {self._path(block).name} can be written there"
            raise OptionError(
                f"{self.folder}: a finished block could not be written ({error.strerror or error}).{room} {len(self._safe):,} of "
                f"{self._total:,} blocks are safe there, and none is half-written. {remedy} and call again with the same "
                "checkpoint: it goes on from them."
            ) from None
        self._safe.add(block)

    def _path(self, block: range) -> Path:
        return self.folder / f"{block.start:09d}-{block.stop:09d}.block"

    def _state(self, block: range) -> str:
        """Return "whole", "" for a block that is not there, or what is wrong with it."""
        try:
            head, _ = head_of(self._path(block).read_bytes())
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"cannot be read ({error.strerror or error})"
        except Unreadable:
            return "damaged"
        return "whole" if self._belongs(head, block) else "from another simulation"

    def _belongs(self, head: Mapping[str, Any], block: range) -> bool:
        return head["key"] == self.key and head["replicates"] == [block.start, block.stop]

    def _write(self, path: Path, data: bytes) -> None:
        """Write a file so that it is there whole or not at all, also after a crash.

        The folder itself is not flushed: a power failure may take back the last files, and can make none of them wrong.
        """
        partial = self.folder / f"{_PARTIAL}{uuid.uuid4().hex}"
        try:
            with open(partial, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def _tidy(self) -> None:
        """Remove what a process that was killed was about to write."""
        for path in self.folder.glob(f"{_PARTIAL}*"):
            try:
                if time.time() - path.stat().st_mtime > _STALE:
                    path.unlink()
            except FileNotFoundError:  # another process was faster
                continue

    def _claim(self, text: str) -> None:
        """Write the manifest, or compare with the one that is there."""
        path = self.folder / MANIFEST
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._write(path, text.encode())
            return
        except ValueError:
            self._write(path, text.encode())
            what = f"{path}: was damaged and is written anew; each block tells by itself what it belongs to."
            warnings.warn(what, AnalysisWarning, stacklevel=_callers())
            return
        found = list(differences(there, json.loads(text)))
        if not found:
            return
        shown = "; ".join(f"{name} is {_brief(there)} there, {_brief(here)} here" for name, there, here in found[:_SHOWN])
        more = f"; and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        raise OptionError(
            f"{self.folder}: this checkpoint belongs to another simulation: {shown}{more}. Nothing was changed in it. Name "
            "another folder, or remove this one."
        )


def _callers() -> int:
    """Return the stacklevel with which a warning points to the line that called the library."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level


def _text(description: Mapping[str, Any]) -> str:
    return json.dumps(description, indent=1, default=str) + "\n"  # not sorted: the order of analytes is that of the arrays


def _brief(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value)
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."


def _names(blocks: Sequence[range]) -> str:
    names = [f"studies {block.start:,} to {block.stop - 1:,}" for block in blocks[:_SHOWN]]
    return ", ".join(names) + (f" and {len(blocks) - _SHOWN:,} more" if len(blocks) > _SHOWN else "")
