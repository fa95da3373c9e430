"""A boot that fails says why, in one sentence, on the console, in the log and to its stack, and powers off."""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from tests.ami.image.bake import Image
from tests.ami.image.cloud import Cloud
from tests.ami.image.conftest import Note
from tests.ami.image.instance import instance

PATIENCE_S = 240.0
_numbers = count(101)


@dataclass(frozen=True)
class Fault:
    """Something that is wrong with an instance, and what is to be said of it."""

    sentence: str
    change: Callable[[str], str] = field(default=lambda user_data: user_data)
    prepare: Callable[[Path], None] = field(default=lambda root: None)
    options: Sequence[str] = ()
    knows_its_stack: bool = True


def settings(edit: Callable[[str], str]) -> Callable[[str], str]:
    """Return what changes the settings in user data."""

    def change(user_data: str) -> str:
        encoded = user_data.rsplit("content: ", 1)[1].strip()
        text = edit(base64.b64decode(encoded).decode())
        return user_data.replace(encoded, base64.b64encode(text.encode()).decode())

    return change


def without(name: str) -> Callable[[str], str]:
    """Return what takes a setting away."""
    return settings(lambda text: re.sub(rf"^{name}=.*\n", "", text, flags=re.MULTILINE))


FAULTS = {
    "a setting is missing": Fault("PHOTOFLEET_TOPIC_ARN", change=without("PHOTOFLEET_TOPIC_ARN")),
    "its role is another": Fault("its image is for web", change=lambda text: text.replace("ROLE=web", "ROLE=resize")),
    "its user data is empty": Fault("boot.env", change=lambda _: "#cloud-config\n{}\n", knows_its_stack=False),
    "the database does not answer": Fault(
        "192.0.2.99:5432", change=settings(lambda text: re.sub(r"//[^/]*:5432/", "//192.0.2.99:5432/", text))
    ),
    "the secret is not there": Fault("secret", change=settings(lambda text: text.replace("photofleet-local-", "no-"))),
    "the database is that of somebody else": Fault(
        "certificate", prepare=lambda root: (root / "etc/photofleet/database-ca.pem").write_bytes(b"")
    ),
    "the disk is full": Fault("full", options=("--tmpfs=/tmp:size=1m,mode=1777",)),
    "the image was baked half": Fault(
        "not baked to its end", prepare=lambda root: (root / "opt/photofleet/baked").unlink()
    ),
    "a program is broken": Fault(
        "photofleet-web", prepare=lambda root: (root / "opt/photofleet/venv/bin/gunicorn").write_text("not a program")
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_boot_fails_because(name: str, network_cloud: Cloud, web_image: Image, workplace: Path, note: Note) -> None:
    fault, stack = FAULTS[name], name.replace(" ", "-")
    with (
        network_cloud.waiting_for_a_signal(stack),
        instance(
            network_cloud,
            web_image,
            next(_numbers),
            workplace / stack,
            signals=stack,
            change=fault.change,
            prepare=fault.prepare,
            options=fault.options,
        ) as machine,
    ):
        seconds = machine.wait_until(lambda: not machine.is_on(), "it is powered off", PATIENCE_S)

        # systemd writes to the console, too, and maybe within the line.
        (reason,) = set(re.findall(r"The boot failed: (.+)", machine.console))
        note(f"{name}: {reason} (off after {seconds:.0f} s)")
        assert fault.sentence in reason
        if fault.knows_its_stack:
            assert network_cloud.stack_status(stack) == "CREATE_FAILED"
            shown = [event.partition("UniqueId ")[2].removesuffix("...") for event in network_cloud.events(stack)]
            assert any(len(part) > 20 and reason.startswith(part) for part in shown), shown
            (group,) = re.findall("LOGS=(.+)", network_cloud.user_data("web"))
            assert f"The boot failed: {reason}" in network_cloud.log_lines(group, f"{machine.instance_id}-boot")
