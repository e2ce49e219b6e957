"""Verdicts as JUnit XML: a suite for each student, a case for each check."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from idtviz.cli.grades.outcome import Outcome
from idtviz.lab.grading.verdicts import Verdict, Word
from idtviz.lab.problems import printable

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def report(outcome: Outcome) -> bytes:
    """The whole file."""
    root = ET.Element("testsuites", name=_clean(outcome.title))
    for verdict in outcome.verdicts:
        _suite(root, verdict)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite(root: ET.Element, verdict: Verdict) -> None:
    student = _clean(printable(verdict.student))
    suite = ET.SubElement(root, "testsuite", name=student)
    failures = errors = 0
    for check in verdict.checks:
        case = ET.SubElement(suite, "testcase", classname=student, name=_clean(check.title))
        if not check.ok:
            ET.SubElement(case, "failure", message=_clean(check.detail))
            failures += 1
    total = len(verdict.checks)
    if verdict.word not in (Word.PASSED, Word.FAILED):
        case = ET.SubElement(suite, "testcase", classname=student, name="graded")
        ET.SubElement(case, "error", type=verdict.word.value, message=_clean(verdict.why))
        errors, total = 1, total + 1
    suite.set("tests", str(total))
    suite.set("failures", str(failures))
    suite.set("errors", str(errors))


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
