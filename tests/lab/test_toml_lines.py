"""Every key of a TOML text is found in the line in which it stands."""

from __future__ import annotations

from idtviz.lab.toml_lines import key_lines, line_of

TEXT = '''\
# a comment with [brackets] and "quotes
title = "a # b = c"
text = """
[not.a.table]
x = 1 \\""" still
"""
raw = \'\'\'
y = 2
\'\'\'

[machine]   # a table
memory = 1
a.b = { c = 1, "d e" = [1,
  2, 3] }
[[input]]
at = "x"
[input.more]
deep = true
[[input]]
list = [
  { k = 1 },
  # nothing
  { k = 2 },
]
'''


def test_keys_tables_and_elements_have_their_lines():
    lines = key_lines(TEXT)
    assert lines["title",] == 2
    assert lines["text",] == 3
    assert ("not",) not in lines
    assert lines["raw",] == 7
    assert lines["machine",] == 11
    assert lines["machine", "memory"] == 12
    assert lines["machine", "a", "b"] == 13
    assert lines["machine", "a", "b", "d e", 1] == 14
    assert lines["input", 0] == 15
    assert lines["input", 0, "more", "deep"] == 18
    assert lines["input", 1, "list"] == 20
    assert lines["input", 1, "list", 1, "k"] == 23


def test_what_is_missing_is_complained_of_where_it_should_stand():
    lines = key_lines(TEXT)
    assert line_of(lines, ("input", 1, "at")) == 19
    assert line_of(lines, ("nothing",)) == 1
