"""What systemd knows about our units, and what they logged last."""

import json
import subprocess

from ami.boot import BootError

TIMEOUT_S = 10
LINES = 50


def show(properties: str, *units: str) -> list[dict[str, str]]:
    """Return properties, named with commas between them, of each unit, or of systemd itself."""
    blocks = _run("systemctl", "show", f"--property={properties}", *units).strip().split("\n\n")
    return [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]


def check_target(name: str) -> None:
    """Check that all units of a target run, or have run to their end.

    Raises:
        BootError: one does not; it says what that one logged last.
    """
    (target,) = show("Wants", name)
    units = show("Id,ActiveState,Result,InvocationID", *target["Wants"].split())
    idle = [unit for unit in units if unit["ActiveState"] != "active"]
    # Of one that did not start as another failed, which it requires, the result is success.
    if failed := [unit for unit in idle if unit["Result"] != "success"] or idle:
        names = " and ".join(sorted(unit["Id"] for unit in failed))
        state = failed[0]["ActiveState"] if failed[0]["Result"] == "success" else failed[0]["Result"]
        raise BootError(f"{names} did not start ({state}): {_last_words(failed[0]['InvocationID'])}")


def _last_words(invocation: str) -> str:
    """What a unit logged last, in one of its lives; what systemd did about it, if it said nothing."""
    _run("journalctl", "--sync")
    journal = ("journalctl", "--quiet", "--output=cat", f"--lines={LINES}")
    lines = [line for line in _run(*journal, f"_SYSTEMD_INVOCATION_ID={invocation}").splitlines() if line.strip()]
    if not lines:
        return _run(*journal, f"INVOCATION_ID={invocation}").strip().rpartition("\n")[2] or "it logged nothing"
    records = [_record(line) for line in lines]
    # Supervisors like gunicorn go on after the line that matters, which is the one with a traceback.
    best = next((record for record in reversed(records) if "exc_info" in record), records[-1])
    cause = str(best.get("exc_info", "")).strip().rpartition("\n")[2]
    return ": ".join(filter(None, (str(best["message"]).rstrip("."), cause)))


def _record(line: str) -> dict[str, object]:
    """A line of ours, which is JSON, or anybody's."""
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    return record if isinstance(record, dict) and "message" in record else {"message": line}


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BootError(f"{command[0]} does not work: {error}.") from None
    return done.stdout
