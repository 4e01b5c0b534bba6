#!/usr/bin/env python3
"""Compares files that must agree: values and schema; alerts and their pages; dashboards, alerts and
the metrics that the binary exposes; the chart's CRDs and the generated ones; versions; the image."""

import json
import re
import sys
from pathlib import Path

import values_comments

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "paifang"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
METRIC = re.compile(r"\b(?:paifang|process)_[a-z_]+")


def schema_is_strict(node=SCHEMA, path="values"):
    """Every object with known keys refuses others (but `global`, which parent charts share)."""
    if node.get("type") == "object" and "properties" in node and path != "values.global":
        if node.get("additionalProperties") is not False:
            yield f"values.schema.json: {path} takes unknown keys"
    for name, child in node.get("properties", {}).items():
        if not child.get("description"):
            yield f"values.schema.json: {path}.{name} has no description"
        yield from schema_is_strict(child, f"{path}.{name}")
    for name, child in node.get("$defs", {}).items():
        yield from schema_is_strict(child, f"$defs.{name}")


def schema_knows_every_value():
    """Each key of values.yaml is in the schema, and each of the schema's sections has its keys."""
    for entry in values_comments.read(CHART / "values.yaml"):
        node = SCHEMA
        for name in entry.path:
            if "$ref" in node or "additionalProperties" in node and "properties" not in node:
                break
            node = node.get("properties", {}).get(name)
            if node is None:
                yield f"values.yaml: {'.'.join(entry.path)} is not in values.schema.json"
                break


def values_are_short():
    """A reader gets through values.yaml."""
    lines = len((CHART / "values.yaml").read_text().splitlines())
    if lines > 600:
        yield f"values.yaml: {lines} lines, the limit is 600"


def known_metrics():
    """Names from metrics.txt; a histogram stands for its three series."""
    for line in (ROOT / "tests/chart/metrics.txt").read_text().splitlines():
        name, _, kind = line.partition(" ")
        if name and not name.startswith("#"):
            yield from (f"{name}{suffix}" for suffix in ("_bucket", "_sum", "_count")) if kind == "histogram" else (name,)


def queries_name_known_metrics():
    """No dashboard and no alert asks for a series that does not exist."""
    known = set(known_metrics())
    for path in [*sorted((CHART / "dashboards").glob("*.json")), CHART / "files/alerts.yaml"]:
        text = path.read_text()
        if path.suffix == ".json":
            text = "\n".join(t["expr"] for p in json.loads(text)["panels"] for t in p["targets"])
        for name in sorted(set(METRIC.findall(text)) - known):
            yield f"{path.name}: {name} is not in tests/chart/metrics.txt"


def every_alert_has_a_page():
    """The runbook link of each alert leads somewhere, and can be switched off by name."""
    headings = {line[3:].strip().lower() for line in (ROOT / "docs/alerts.md").read_text().splitlines() if line.startswith("## ")}
    rule = SCHEMA["properties"]["metrics"]["properties"]["prometheusRule"]["properties"]
    alerts = re.findall(r"^  - alert: (\w+)$", (CHART / "files/alerts.yaml").read_text(), re.M)
    yield from (f"docs/alerts.md: no section for {a}" for a in alerts if a.lower() not in headings)
    if sorted(alerts) != sorted(rule["disabled"]["items"]["enum"]):
        yield "values.schema.json: metrics.prometheusRule.disabled does not list the alerts of files/alerts.yaml"


def crds_are_copies():
    """The chart's CRDs equal the generated ones in crds/."""
    source, copy = ({p.name: p.read_text() for p in d.glob("*.yaml")} for d in (ROOT / "crds", CHART / "files/crds"))
    yield from (f"charts/paifang/files/crds/{n}: run `make manifests`" for n in {*source, *copy} if source.get(n) != copy.get(n))


def versions_agree():
    """One version in Chart.yaml and Cargo.toml; the image in the annotations is the one that runs."""
    chart = (CHART / "Chart.yaml").read_text()
    field = lambda name: re.search(rf"^{name}: \"?([^\"\n]+)", chart, re.M)[1]
    cargo = ROOT / "Cargo.toml"
    if cargo.exists() and (v := re.search(r'^version = "(.+)"', cargo.read_text(), re.M)[1]) != field("appVersion"):
        yield f"Chart.yaml: appVersion {field('appVersion')} but Cargo.toml says {v}"
    if f"ARG VERSION={field('appVersion')}\n" not in (ROOT / "Dockerfile").read_text():
        yield f"Dockerfile: ARG VERSION is not {field('appVersion')}"
    if f"image: paifang-dev/paifang:{field('appVersion')}\n" not in chart:
        yield f"Chart.yaml: artifacthub.io/images does not name version {field('appVersion')}"


def image_is_small_and_unprivileged():
    """The last stage starts from nothing, runs as the chart's user, and adds nothing by a command."""
    stage = (ROOT / "Dockerfile").read_text().split("\nFROM ")[-1].splitlines()
    user = re.search(r"runAsUser: (\d+)", (CHART / "values.yaml").read_text())[1]
    if stage[0] != "scratch" or any(line.startswith("RUN") for line in stage):
        yield "Dockerfile: the last stage must be `FROM scratch` without RUN"
    if f"USER {user}:{user}" not in stage:
        yield f"Dockerfile: no `USER {user}:{user}`, which values.yaml runs"


def changes_are_wellformed():
    """artifacthub.io/changes lists what changed, and CHANGELOG.md, where there is one, says the same."""
    chart = (CHART / "Chart.yaml").read_text()
    block = re.search(r"^  artifacthub.io/changes: \|\n((?:    .*\n)+)", chart, re.M)
    kinds = {"added", "changed", "deprecated", "removed", "fixed", "security"}
    changes = re.findall(r"^    - kind: (\w+)\n      description: (.+)$", block[1] if block else "", re.M)
    if not changes or {kind for kind, _ in changes} - kinds or len(changes) * 2 != len(block[1].splitlines()):
        yield f"Chart.yaml: artifacthub.io/changes needs `- kind:` ({', '.join(sorted(kinds))}) and `description:` pairs"
    log = CHART / "CHANGELOG.md"
    if not log.exists():
        yield "charts/paifang/CHANGELOG.md is missing"
        return
    newest = re.search(r"^## .*\n((?:(?!^## ).*\n?)*)", log.read_text(), re.M)[1]
    logged = re.findall(r"^- (\w+): (.+)$", newest, re.M)
    if logged != changes:
        yield "Chart.yaml: artifacthub.io/changes differs from the newest section of CHANGELOG.md"


CHECKS = (
    schema_is_strict, schema_knows_every_value, values_are_short, queries_name_known_metrics,
    every_alert_has_a_page, crds_are_copies, versions_agree, image_is_small_and_unprivileged,
    changes_are_wellformed,
)


def main() -> int:
    problems = [problem for check in CHECKS for problem in check()]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
