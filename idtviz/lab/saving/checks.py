"""What must hold of a saved session beyond its form, so that it can be one that someone has had."""

from __future__ import annotations

from itertools import pairwise

from idtviz.debugger.inputs import Edit
from idtviz.debugger.moment import START, Moment
from idtviz.lab.image_file import LARGEST_DISK, LARGEST_FILE
from idtviz.lab.saving.document import Document, SavedBranch, moment_of
from idtviz.lab.saving.given import Entry, input_of

_MOST_BYTES = 4 * LARGEST_DISK + 8 * LARGEST_FILE


def check(document: Document) -> None:
    """Raises ValueError, saying what is wrong."""
    known: dict[int, SavedBranch] = {}
    for branch in document.branches:
        _check_branch(branch, known)
        known[branch.number] = branch
    present = document.present
    if present.branch not in known or moment_of(present.at) > moment_of(known[present.branch].frontier):
        raise ValueError(f"present: branch {present.branch} does not reach {present.at}")
    numbers = [entry.number for entry in document.breakpoints.listed]
    if sorted(set(numbers)) != sorted(numbers):
        raise ValueError("breakpoints: a number stands there twice")
    roles = [file.role for file in document.opened.files]
    if len(set(roles)) != len(roles):
        raise ValueError("opened.files: a role stands there twice")
    if sum(file.size for file in document.opened.files) > _MOST_BYTES:
        raise ValueError(f"opened.files: expected at most {_MOST_BYTES} bytes in all")


def _check_branch(branch: SavedBranch, known: dict[int, SavedBranch]) -> None:
    name = f"branch {branch.number}"
    fork, frontier = moment_of(branch.fork), moment_of(branch.frontier)
    given = [at_of(name, entry) for entry in branch.inputs]
    if branch.parent is None:
        if known or fork != START or branch.shared:
            raise ValueError(f"{name}: only the first branch begins at 0, and has no parent")
    elif branch.parent not in known or branch.number <= max(known):
        raise ValueError(f"{name}: expected a higher number than those before it, and a parent among these")
    else:
        _check_fork(name, branch, known[branch.parent], given)
    if any(later < earlier for earlier, later in pairwise((fork, *given, frontier))):
        raise ValueError(f"{name}: its inputs and its frontier are not in the order of time")
    for index, entry in enumerate(branch.inputs):
        try:
            is_edit = isinstance(input_of(entry), Edit)
        except ValueError as error:
            raise ValueError(f"{name}, inputs[{index}]: {error}") from error
        if is_edit and (branch.parent is None or given[index] > fork):
            raise ValueError(f"{name}, inputs[{index}]: an edit stands behind the moment at which the branch parts")
    notes = [moment_of(note.at) for note in branch.notes]
    if any(later <= earlier for earlier, later in pairwise(notes)) or (notes and notes[-1] > frontier):
        raise ValueError(f"{name}: its notes are not in the order of time")


def _check_fork(name: str, branch: SavedBranch, parent: SavedBranch, given: list[Moment]) -> None:
    fork = moment_of(branch.fork)
    if fork > moment_of(parent.frontier):
        raise ValueError(f"{name}: branch {parent.number} does not reach {branch.fork}")
    if not given or given[0] != fork:
        raise ValueError(f"{name}: nothing is given where it parts")
    of_parent = [at_of(name, entry) for entry in parent.inputs]
    before, now = sum(at < fork for at in of_parent), sum(at <= fork for at in of_parent)
    if not before <= branch.shared <= now:
        raise ValueError(f"{name}: expected {before} to {now} for shared, not {branch.shared}")


def at_of(name: str, entry: Entry) -> Moment:
    """The moment of an input. Raises ValueError."""
    at = entry.get("at")
    instruction, plus, step = at.partition("+") if isinstance(at, str) else ("", "", "")
    if not _is_count(instruction, 15) or (plus and not _is_count(step, 6)):
        raise ValueError(f"{name}: expected a moment such as '812+3' for each of its inputs")
    return moment_of(str(at))


def _is_count(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= most
