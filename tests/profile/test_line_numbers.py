"""Which line holds a key, whatever TOML allows around it."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mmload.profile.lines import KeyPath, key_lines, nearest_line

AWKWARD = '''\
# [not.a.table]
a = 1 # b = 2
"quoted key".x = """
[no]
c = 3
"""
list = [
  1, # ]
  "]", \'[\',
]

[t.u]
d = {e = 1, f = [2]}
\'g.h\' = \'\'\'
i = 1\'\'\'
[[p]]
j = 1
[p.q]
k = 1
[[p]]
j = 2
[[p.r]]
[[p.r]]
l = "a \\" b ] ["
m = 1'''


def test_awkward_toml_is_found_line_by_line() -> None:
    tomllib.loads(AWKWARD)
    lines = key_lines(AWKWARD)
    expected: dict[KeyPath, int] = {
        ("a",): 2,
        ("quoted key", "x"): 3,
        ("list",): 7,
        ("t", "u"): 12,
        ("t", "u", "d"): 13,
        ("t", "u", "g.h"): 14,
        ("p", 0): 16,
        ("p", 0, "j"): 17,
        ("p", 0, "q", "k"): 19,
        ("p", 1, "j"): 21,
        ("p", 1, "r", 1, "l"): 24,
        ("p", 1, "r", 1, "m"): 25,
    }
    assert {path: lines.get(path) for path in expected} == expected
    assert ("c",) not in lines
    assert ("b",) not in lines


def test_a_key_inside_an_inline_table_has_the_line_of_what_holds_it() -> None:
    assert nearest_line(key_lines(AWKWARD), ("t", "u", "d", "e")) == 13
    assert nearest_line(key_lines(AWKWARD), ("nowhere",)) is None


KEYS = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
VALUES = st.sampled_from(
    ["1", '"x # [y"', "[1, [2, 3]]", "[\n 1,\n 2 # ]\n]", "{ z = 1 }", '"""\nq = 1\n"""', "'['"]
)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4), st.booleans())
def test_every_key_of_a_text_is_found_on_its_own_line(tables: dict[str, dict[str, str]], crlf: bool) -> None:
    text = "".join(
        f"[{t}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()) for t, keys in tables.items()
    )
    text = text.replace("\n", "\r\n") if crlf else text
    data: dict[str, Any] = tomllib.loads(text)
    lines, written = key_lines(text), text.split("\n")
    for table, keys in data.items():
        assert written[lines[(table,)] - 1].strip() == f"[{table}]"
        for key in keys:
            assert written[lines[(table, key)] - 1].startswith(f"{key} = ")
