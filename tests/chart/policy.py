#!/usr/bin/env python3
"""Judges rendered objects: restricted pods, least rights, no hooks and no webhooks.

Usage: policy.py NAME < documents.json. Each check is a function that yields problems; one line each.
"""

import json
import sys

# Kinds with a pod template, and where it is.
TEMPLATES = {"Deployment": ("spec", "template"), "DaemonSet": ("spec", "template"), "Pod": ()}
# Rights that no value set of ours may ever ask for.
WRITABLE = {"gatewayroutes/status", "ingresses/status", "events", "leases"}


def title(item) -> str:
    """Kind and name of one object."""
    return f"{item['kind']}/{item['metadata']['name']}"


def pods(items):
    """Every pod specification with the title of its owner."""
    for item in items:
        if item["kind"] in TEMPLATES:
            pod = item
            for key in TEMPLATES[item["kind"]]:
                pod = pod[key]
            yield title(item), pod["spec"]


def restricted(items, **_):
    """The restricted Pod Security Standard, and our own bar on top: read-only root and a memory limit."""
    for owner, spec in pods(items):
        pod = spec.get("securityContext", {})
        if spec.get("hostPID") or spec.get("hostIPC"):
            yield f"{owner}: shares a namespace of the node"
        for volume in spec.get("volumes", []):
            if "hostPath" in volume:
                yield f"{owner}: volume {volume['name']} is a host path"
        for container in spec.get("initContainers", []) + spec["containers"]:
            where = f"{owner} container {container['name']}"
            own = container.get("securityContext", {})
            both = {**pod, **own}
            wanted = [
                (both.get("runAsNonRoot") is True, "runAsNonRoot is not true"),
                (both.get("runAsUser", 0) != 0, "runAsUser is 0 or absent"),
                (both.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"), "no seccomp profile"),
                (own.get("allowPrivilegeEscalation") is False, "allowPrivilegeEscalation is not false"),
                (own.get("readOnlyRootFilesystem") is True, "the root file system can be written"),
                ("ALL" in own.get("capabilities", {}).get("drop", []), "capabilities are not dropped"),
                (not own.get("capabilities", {}).get("add"), "capabilities are added"),
                (not own.get("privileged"), "privileged"),
                ("memory" in container.get("resources", {}).get("limits", {}), "no memory limit"),
                ({"cpu", "memory"} <= set(container.get("resources", {}).get("requests", {})), "no requests"),
            ]
            yield from (f"{where}: {problem}" for good, problem in wanted if not good)


def gateway_pod(items, **_):
    """Grace covers the drain, three probes ask the admin port, /tmp is memory, no preStop."""
    for owner, spec in pods(items):
        if owner.startswith("Pod/"):
            continue
        gateway = next(c for c in spec["containers"] if c["name"] == "paifang")
        flags = dict(a.lstrip("-").split("=", 1) for a in gateway["args"] if "=" in a)
        drain = sum(int(flags[name].rstrip("s")) for name in ("drain-delay", "drain-timeout"))
        if spec["terminationGracePeriodSeconds"] != drain + 5:
            yield f"{owner}: grace {spec['terminationGracePeriodSeconds']} s is not drain {drain} s + 5 s"
        for probe, path in (("startupProbe", "/startupz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")):
            if gateway.get(probe, {}).get("httpGet") != {"path": path, "port": "admin"}:
                yield f"{owner}: {probe} does not ask {path} on port admin"
        if "lifecycle" in gateway:
            yield f"{owner}: a life-cycle hook; the drain belongs to the process"
        if not any(v["name"] == "tmp" and v["emptyDir"]["medium"] == "Memory" for v in spec["volumes"]):
            yield f"{owner}: /tmp is not in memory"


def rights(items, values_set, **_):
    """Reads of Secrets and writes of anything are where they are meant to be."""
    wide = values_set == "secrets-cluster-wide"
    namespaced = values_set.startswith("namespaced")
    for item in items:
        cluster = item["kind"] == "ClusterRole"
        if item["kind"] not in ("Role", "ClusterRole"):
            continue
        if cluster and namespaced:
            yield f"{title(item)}: rbac.scope is namespace"
        for rule in item["rules"]:
            resources, verbs = set(rule["resources"]), set(rule["verbs"])
            if "*" in resources | verbs | set(rule["apiGroups"]):
                yield f"{title(item)}: a wildcard"
            if cluster and "secrets" in resources and not wide:
                yield f"{title(item)}: reads the Secrets of all namespaces"
            if verbs - {"get", "list", "watch"} and not resources <= WRITABLE:
                yield f"{title(item)}: may write {', '.join(sorted(resources))}"
            if "leases" in resources and verbs != {"create"} and not rule.get("resourceNames"):
                yield f"{title(item)}: may change any Lease"


def no_hooks(items, **_):
    """No hook but the one of `helm test`, no webhook of any kind."""
    for item in items:
        hook = item["metadata"].get("annotations", {}).get("helm.sh/hook", "test")
        if hook != "test":
            yield f"{title(item)}: hook {hook}"
        if "Webhook" in item["kind"]:
            yield f"{title(item)}: a webhook"


def selectors(items, **_):
    """Selectors hold name and instance alone, for they can never change; none selects the test pod."""
    stable = {"app.kubernetes.io/name", "app.kubernetes.io/instance"}
    for item in items:
        if item["kind"] in ("Deployment", "DaemonSet"):
            if set(item["spec"]["selector"]["matchLabels"]) != stable:
                yield f"{title(item)}: selector {item['spec']['selector']}"
        if item["kind"] == "Service" and set(item["spec"]["selector"]) != stable:
            yield f"{title(item)}: selector {item['spec']['selector']}"
        if item["kind"] == "Pod" and item["metadata"]["labels"]["app.kubernetes.io/name"] == "paifang":
            yield f"{title(item)}: Services select the test pod"


def names(items, values_set, **_):
    """Names are unique, short enough, and namespaced objects say where they are."""
    seen = set()
    scopeless = {"ClusterRole", "ClusterRoleBinding", "IngressClass", "CustomResourceDefinition", "Namespace", "PriorityClass"}
    for item in items:
        namespace = item["metadata"].get("namespace")
        key = (item["kind"], namespace, item["metadata"]["name"])
        if key in seen:
            yield f"{title(item)}: rendered twice in {namespace}"
        seen.add(key)
        if item["kind"] == "Service" and len(item["metadata"]["name"]) > 63:
            yield f"{title(item)}: more than 63 characters"
        if (item["kind"] in scopeless) == bool(namespace):
            yield f"{title(item)}: namespace {namespace}"
    if values_set == "namespaced-no-cluster-objects":
        yield from (f"{k} {n}: cluster-scoped" for k, ns, n in seen if ns is None)


CHECKS = (restricted, gateway_pod, rights, no_hooks, selectors, names)


def main() -> int:
    values_set, items = sys.argv[1], json.load(sys.stdin)
    problems = [p for check in CHECKS for p in check(items, values_set=values_set)]
    for problem in problems:
        print(f"{values_set}: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
