"""Reads charts/paifang/values.yaml the way its comments are written, without a YAML library.

Owns one fact: a key is documented by the comment block right above it, whose first line starts
with `# -- `. A leaf has its default on its own line.
"""

import re
from pathlib import Path
from typing import NamedTuple

KEY = re.compile(r"^(?P<indent> *)(?P<name>[A-Za-z_][\w./-]*):(?: (?P<value>.*))?$")


class Entry(NamedTuple):
    """One key: its dotted path, its comment, and its default (None for a section)."""

    path: tuple
    comment: str
    default: str | None


def read(path: Path) -> list[Entry]:
    """All keys in the order of the file. A key without a comment is an error that names its line."""
    entries, stack, comment, problems = [], [], [], []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.strip()
        if not text:
            comment = []
        elif text.startswith("#"):
            comment = [text[5:]] if text.startswith("# -- ") else comment and comment + [text[2:]]
        else:
            match = KEY.match(line)
            if match is None:
                problems.append(f"{path}:{number}: expected `key:` or `key: default`")
                continue
            depth = len(match["indent"]) // 2
            stack[depth:] = [match["name"]]
            if not comment:
                problems.append(f"{path}:{number}: {'.'.join(stack)} has no `# -- ` comment above it")
            entries.append(Entry(tuple(stack), " ".join(comment), match["value"]))
            comment = []
    if problems:
        raise SystemExit("\n".join(problems))
    return entries
