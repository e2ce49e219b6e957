"""Reports for students: a page each, which holds all that it shows and runs nothing; and a page that lists them."""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape

from idtviz.checks.rules import BY_ID
from idtviz.cli.grades.outcome import Outcome
from idtviz.lab.grading.verdicts import Check, Kind, Verdict, earned
from idtviz.lab.problems import printable

INDEX = "index.html"
"""The file of the page that lists them."""
_OTHER = re.compile(r"[^A-Za-z0-9_.-]+")
_RULE = re.compile(r"\b([A-Z]{3}\d{3}): ")
_LONGEST = 80
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24 }
h1 { font-size: 1.4rem } td, th { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0 }
td:nth-child(3) { white-space: nowrap }
table { border-collapse: collapse } tr { border-bottom: 1px solid #d0d7de }
.ok { color: #116329 } .wrong { color: #a40e26 } img { width: 100%; border-radius: 6px }
pre { white-space: pre-wrap; background: #f6f8fa; padding: 1rem; overflow-wrap: anywhere }
@media (prefers-color-scheme: dark) {
  body { background: #0d1117; color: #e6edf3 } pre { background: #161b22 }
  tr { border-color: #30363d } .ok { color: #3fb950 } .wrong { color: #ff7b72 } a { color: #58a6ff }
}"""


def page(title: str, verdict: Verdict) -> tuple[str, str]:
    """The page for one student of the lab called `title`: the name of its file, and the text."""
    return file_of(verdict.student), _student(title, verdict)


def index(outcome: Outcome) -> str:
    """The page that lists them."""
    rows = "\n".join(map(_entry, outcome.verdicts))
    table = f"<table><tr><th>Student</th><th>Points</th><th>Verdict</th><th>Why</th></tr>\n{rows}\n</table>"
    return _page(printable(outcome.title), f"<p>{_text(outcome.summary)}</p>\n{table}")


def file_of(student: str) -> str:
    """A name that is a file's everywhere, and no other student's."""
    plain = _OTHER.sub("_", student)[:_LONGEST].strip(".-")
    if plain == student and plain.lower() == student and plain != "index":
        return f"{plain}.html"
    mark = hashlib.sha256(student.encode("utf-8", "surrogateescape")).hexdigest()[:10]
    return f"{plain or 'student'}-{mark}.html"


def _student(title: str, verdict: Verdict) -> str:
    body = [
        f"<p>{_text(title)}</p>",
        f"<p><strong class={_class(verdict.passed)}>{verdict.word.value}</strong>, {verdict.score} of 100 points</p>",
    ]
    if verdict.why:
        body.append(f"<p>{_text(verdict.why)}</p>")
    if verdict.picture is not None:
        picture = base64.b64encode(verdict.picture.encode()).decode()
        body.append(f"<h2>{_text(verdict.where)}</h2>")
        body.append(f'<p><img alt="The debugger at that moment" src="data:image/svg+xml;base64,{picture}"></p>')
    if verdict.checks:
        rows = "\n".join(map(_row, verdict.checks, earned(verdict.checks)))
        body.append(f"<table><tr><th></th><th>Looked at</th><th>Points</th><th>Seen</th></tr>\n{rows}\n</table>")
    rules = [rule for rule in _found(verdict) if rule in BY_ID]
    if rules:
        body.append("<h2>What to change</h2>")
        body += [f"<p><strong>{rule}</strong>: {_text(BY_ID[rule].fix)}</p>" for rule in rules]
    if verdict.output:
        body.append(f"<h2>What the tools said</h2>\n<pre>{_lines(verdict.output)}</pre>")
    return _page(printable(verdict.student), "\n".join(body))


def _found(verdict: Verdict) -> list[str]:
    """The ids of the rules that have found an error."""
    said = " ".join(check.detail for check in verdict.checks if check.kind is Kind.RULES and not check.ok)
    return list(dict.fromkeys(_RULE.findall(said)))


def _row(check: Check, got: float) -> str:
    mark = "✓" if check.ok else "✗"
    points = f"{got:.3g} of {check.weight:.3g}" if check.weight else ""
    return (
        f"<tr><td class={_class(check.ok)}>{mark}</td><td>{_text(check.title)}</td><td>{points}</td>"
        f"<td>{_text(check.detail)}</td></tr>"
    )


def _entry(verdict: Verdict) -> str:
    return (
        f'<tr><td><a href="{escape(file_of(verdict.student))}">{_text(verdict.student)}</a></td>'
        f"<td>{verdict.score}</td><td class={_class(verdict.passed)}>{verdict.word.value}</td>"
        f"<td>{_text(verdict.why)}</td></tr>"
    )


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n"
        f"<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _class(ok: bool) -> str:
    return "ok" if ok else "wrong"


def _text(text: str) -> str:
    return escape(printable(text))


def _lines(text: str) -> str:
    return "\n".join(map(_text, text.splitlines()))
