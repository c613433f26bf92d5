"""The status document: what /run/guestinit/status.json holds, documented in docs/reference/status.md.

Anyone may read it (0644): no file content, no command text, no secret, and not the machine's uuid.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from guestinit.model.action import KINDS
from guestinit.model.plan import FAILED, INTERRUPTED, LEFT, OK, SKIPPED, UNCHANGED
from guestinit.model.report import DEGRADED, DONE, FAILURE, NOTHING, RUNNING, Report

VERSION = 1
# Which of two results a run of several stages has.
RANK = (DONE, DEGRADED, FAILURE)


class Boot(NamedTuple):
    """This boot, as the status names it. Times are seconds since the kernel started."""

    boot_id: str
    started: object
    finished: object
    addresses: tuple[str, ...] = ()
    host_keys: tuple[str, ...] = ()  # fingerprints, "ED25519 SHA256:..."


def build(report: Report, boot: Boot, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """The document after a stage. `earlier` is that of the stages before it in this boot, or empty."""
    result = report.result
    if RANK.index(result) < RANK.index(earlier.get("result", DONE)):
        result = earlier["result"]
    # What this boot is was decided by its first stage; a later one resumes what that began.
    first = bool(earlier.get("instance_id"))
    identity = {"kind": report.identity.kind, "reason": report.identity.reason}
    datasource = {"name": report.datasource, "where": report.where, "reasons": list(report.reasons)}
    modules = [*earlier.get("modules", []), *_modules(report)]
    actions = [*earlier.get("actions", []), *_actions(report)]
    state = result if report.finished else RUNNING
    if not report.datasource and report.finished and result == DONE:
        state = NOTHING
    return {
        "version": VERSION,
        "boot_id": boot.boot_id,
        "state": state,
        "result": result,
        "stage": report.stage,
        "instance_id": earlier["instance_id"] if first else report.identity.instance_id,
        "datasource": earlier["datasource"] if first else datasource,
        "identity": earlier["identity"] if first else identity,
        "refused": report.refused,
        "earlier_network_files": report.earlier or earlier.get("earlier_network_files", ""),
        "modules": modules,
        "actions": actions,
        "problems": [
            {
                "severity": problem.severity, "file": problem.position.file, "line": problem.position.line,
                "column": problem.position.column, "path": problem.path, "message": problem.message,
            }
            for problem in report.problems
        ],
        "addresses": list(boot.addresses),
        "ssh_host_keys": list(boot.host_keys),
        "started": earlier.get("started", boot.started),
        "finished": boot.finished if report.finished else None,
    }  # fmt: skip


def _modules(report: Report) -> list[dict[str, Any]]:
    """Each module of this stage with its result, how long it took, and the first thing that went wrong."""
    found: dict[str, dict[str, Any]] = {}
    for outcome in report.outcomes:
        step = outcome.change.step
        entry = found.setdefault(
            step.module,
            {"name": step.module, "stage": step.stage, "result": OK, "changed": 0, "ms": 0.0, "reason": ""},
        )
        entry["ms"] = round(entry["ms"] + outcome.seconds * 1000, 1)
        if outcome.change.change not in (UNCHANGED, LEFT) and outcome.result == OK:
            entry["changed"] += 1
        if outcome.result in (FAILED, SKIPPED, INTERRUPTED) and entry["result"] == OK:
            entry["result"] = FAILED
            entry["reason"] = f"{step.id}: {outcome.message}"
    return list(found.values())


def _actions(report: Report) -> list[dict[str, Any]]:
    """Every action that did not do what was asked or has something to say, and every command with its exit status."""
    entries = []
    for outcome in report.outcomes:
        step = outcome.change.step
        if outcome.result == OK and outcome.code is None and not outcome.message:
            continue
        entries.append({
            "id": step.id, "module": step.module, "stage": step.stage, "kind": KINDS[type(step.action)],
            "result": outcome.result, "code": outcome.code, "message": outcome.message,
            "because": str(step.because),
        })  # fmt: skip
    return entries


def template(report: Report) -> dict[str, Any]:
    """The document of later boots that find nothing changed; the marks are filled in by then (system/unchanged.py)."""
    document = build(report._replace(outcomes=(), left=()), Boot("@boot_id@", "@uptime@", "@uptime@"), {})
    document["stage"] = "local"
    document["identity"] = {"kind": "@kind@", "reason": "@reason@"}
    return document
