#!/usr/bin/env python3
"""Writes what is derived from the comments in values.yaml: the chart's README.md and the
descriptions in values.schema.json. `--check` only compares, and names what is old."""

import json
import sys
from pathlib import Path

import values_comments

CHART = Path(__file__).resolve().parents[2] / "charts" / "paifang"
HEAD = """# Paifang chart

Installs [Paifang](https://github.com/paifang-dev/paifang), a Kubernetes-native ingress controller and API gateway.
How to install, upgrade and remove it, and which values matter: `docs/install.md` in the repository.

The chart renders no hooks (but the pod of `helm test`) and no webhooks. Its pods meet the restricted Pod Security
Standard, and by default they read TLS Secrets in their own namespace alone.

## Values

This table is generated from the comments in `values.yaml`. Unknown keys are refused.

| key | default | meaning |
| --- | --- | --- |
"""


def readme(entries) -> str:
    """The README: one row for each leaf; a section's comment is a row without a default."""
    rows = []
    for entry in entries:
        default = "" if entry.default is None else f"`{entry.default}`"
        rows.append(f"| `{'.'.join(entry.path)}` | {default} | {entry.comment.replace('|', chr(92) + '|')} |\n")
    return HEAD + "".join(rows)


def schema(entries) -> str:
    """The schema with each description taken from values.yaml."""
    tree = json.loads((CHART / "values.schema.json").read_text())
    for entry in entries:
        node = tree
        for name in entry.path:
            node = node.get("properties", {}).get(name)
            if node is None:
                break
        # Free maps (labels and the like) have defaults without a schema of their own.
        if node is not None:
            node["description"] = entry.comment
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    entries = values_comments.read(CHART / "values.yaml")
    wanted = {CHART / "README.md": readme(entries), CHART / "values.schema.json": schema(entries)}
    old = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in old:
            print(f"{path.relative_to(CHART.parents[1])} is older than values.yaml: run `make manifests`", file=sys.stderr)
        return 1 if old else 0
    for path in old:
        path.write_text(wanted[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
