"""Random cases through idtviz and Bochs: `python -m tests.conformance --cases 20000 --seed 1`.

Prints, for each mode, each row of the delivery (the rule that the first failure was at): how many cases, how many
agree, how many agree once a known deviation of Bochs is taken into account, and every other disagreement with the
recipe that makes its case again. Ends with 1 where there is one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from .compare import Verdict
from .generator import MODES, Mode
from .run import shares, verdicts


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=20000, help="how many, over all modes (20000)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other cases (1)")
    parser.add_argument("--mode", choices=MODES, action="append", help="only this mode; may be given again")
    parser.add_argument("--processes", type=int, help="how many at once (one for each processor)")
    parser.add_argument("--qemu", type=int, default=0, metavar="N", help="so many of the cases through QEMU too (0)")
    options = parser.parse_args()
    modes: tuple[Mode, ...] = tuple(options.mode or MODES)
    found: dict[Mode, list[Verdict]] = {mode: [] for mode in modes}
    began, done = time.monotonic(), 0
    for share, answered in verdicts(shares(modes, options.cases, options.seed), options.processes):
        found[share.mode] += answered
        done += len(answered)
        if sys.stderr.isatty():
            print(f"\r{done} of {options.cases}", end="", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    if sys.stderr.isatty():
        print(file=sys.stderr)
    wrong = sum([report(mode, sorted(verdicts, key=lambda verdict: verdict.name)) for mode, verdicts in found.items()])
    print(f"{done} cases in {seconds:.0f} s: {done / seconds:.0f} cases per second, {wrong} unexplained disagreements")
    if options.qemu:
        from .qemu import second_opinion  # noqa: PLC0415 -- QEMU need not be there

        second_opinion(modes, options.qemu, options.seed)
    return 1 if wrong else 0


def report(mode: Mode, answered: list[Verdict]) -> int:
    """The table of one mode; returns the number of unexplained disagreements."""
    judged = [verdict for verdict in answered if verdict.unjudged is None]
    rows: dict[str, list[Verdict]] = {}
    for verdict in judged:
        rows.setdefault(verdict.row, []).append(verdict)
    width = max((len(row) for row in rows), default=0)
    print(f"{mode:{width + 2}} {'cases':>6} {'agree':>6} {'reasons':>8} {'disagree':>9}")
    for row, verdicts_of_row in sorted(rows.items(), key=lambda item: -len(item[1])):
        print(f"  {_line(row, verdicts_of_row, width)}")
    print(f"  {_line('all', judged, width)}")
    reasons = Counter(name for verdict in judged for name in dict.fromkeys(verdict.reasons) if not verdict.difference)
    for name, count in reasons.most_common():
        print(f"  {count:6} with the reason: {name}")
    unjudged = Counter((verdict.unjudged or "").split(" 0x")[0] for verdict in answered if verdict.unjudged)
    for text, count in unjudged.most_common():
        print(f"  {count:6} not judged: {text}")
    wrong = [verdict for verdict in judged if verdict.difference]
    for verdict in wrong:
        print(f"  {verdict.name} ({verdict.row}): {verdict.difference}")
    print()
    return len(wrong)


def _line(row: str, verdicts_of_row: list[Verdict], width: int) -> str:
    wrong = sum(verdict.difference is not None for verdict in verdicts_of_row)
    explained = sum(bool(verdict.reasons) and verdict.difference is None for verdict in verdicts_of_row)
    agree = len(verdicts_of_row) - wrong - explained
    return f"{row:{width}} {len(verdicts_of_row):6} {agree:6} {explained:8} {wrong:9}"


if __name__ == "__main__":
    sys.exit(main())
