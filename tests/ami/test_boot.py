"""The boot's commands, on a root folder of their own, against what an instance finds around it."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import create_engine, make_url, text

from photofleet.catalog.migrate import migrate
from photofleet.fleet.template import load_template, resolve
from photofleet.local.aws import EmbeddedAWS
from photofleet.local.postgres import EmbeddedPostgres
from photofleet.settings import PREFIX
from photofleet.stack import Clients
from tests.cloudformation.rules.rule import FOLDER
from tests.metadata_service import INSTANCE_ID, MetadataService
from tests.photofleet.test_settings import VALID
from tests.workers.drain.autoscaling_service import AutoscalingService

WEB = {"STACK": "mine", "ROLE": "web", "LOGS": "/photofleet/mine/web", "REGION": "us-east-1"}
RESIZE = {"STACK": "mine", "ROLE": "resize", "LOGS": "/photofleet/mine/resize", "REGION": "us-east-1", "SLOTS": "4"}
IMAGE = Path(__file__).parents[2] / "ami" / "image"
AGENT = "opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.d/photofleet.json"
SIGNALS = {"SIGNAL_STACK": "waiting", "SIGNAL_RESOURCE": "Wait"}
SCRIPT = Path(__file__).parents[2] / "ami/image/usr/local/sbin/photofleet-boot"
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:missing"  # noqa: S105 - its name

SYSTEMCTL = """#!/bin/sh
case "$*" in
    *=Wants*) echo "Wants=photofleet-drain.service photofleet-resize.service" ;;
    *=Id,*) cat "$(dirname "$0")/units" ;;
    *) echo "${2#--property=}=1000000" ;;
esac
"""
"""As much of systemctl as the boot asks, of a machine that tests need not start."""

STEPS = """#!/bin/sh
echo "$*" >> "$(dirname "$0")/steps"
case "$*" in *"$BROKEN"*) echo working; echo "$0 is broken" >&2; exit 1 ;; esac
"""
"""A step of the boot that does nothing, or fails when its words contain what is broken."""

JOURNALCTL = """#!/bin/sh
case "$*" in *_SYSTEMD_INVOCATION_ID=2*) cat "$(dirname "$0")/journal" ;; esac
"""


@dataclass
class Instance:
    """An instance with its files, as the image and the user data leave them."""

    root: Path
    environment: dict[str, str]
    boot: dict[str, str] = field(default_factory=RESIZE.copy)
    settings: dict[str, str] = field(default_factory=VALID.copy)

    def path(self, path: str) -> Path:
        """A file on it, whose folder is there."""
        found = self.root / path
        found.parent.mkdir(parents=True, exist_ok=True)
        return found

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of the boot's commands."""
        for file, variables in (("boot", self.boot), ("settings", self.settings)):
            if variables:
                lines = "".join(f"{name}={value}\n" for name, value in variables.items())
                self.path(f"etc/photofleet/{file}.env").write_text(lines)
        command = (sys.executable, "-m", "ami.boot", "--root", str(self.root), *words)
        clean = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "AWS_"))}
        return subprocess.run(
            command, env=clean | self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def refuse(self, *words: str) -> str:
        """Run a command that ends the boot, and return the sentence that says why."""
        done = self.run(*words)
        assert done.returncode == 1, done
        (sentence,) = done.stderr.splitlines()
        return sentence


@pytest.fixture
def metadata_service() -> Iterator[MetadataService]:
    """The metadata service of an instance."""
    with MetadataService().running() as service:
        yield service


@pytest.fixture
def instance(tmp_path: Path, metadata_service: MetadataService) -> Instance:
    """An instance of the resize fleet, with settings that lead nowhere."""
    made = Instance(tmp_path / "root", {"PHOTOFLEET_METADATA_URL": metadata_service.address})
    made.path("opt/photofleet/baked").write_text("1\n")
    made.path("opt/photofleet/role").write_text("resize\n")
    made.path("run/photofleet/boot.log").touch()
    (made.root / "tmp").mkdir()
    shutil.copy(IMAGE / "etc/photofleet/cloudwatch-agent.json", made.path("etc/photofleet/cloudwatch-agent.json"))
    made.path(AGENT).touch()
    return made


@pytest.fixture
def machine(instance: Instance, tmp_path: Path) -> Instance:
    """The same, with a systemd that has started all its units."""
    for name, script in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
    instance.environment["PATH"] = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    instance.path("run/photofleet/marks").write_text("settings 2.5\ndatabase 3.0\n")
    instance.path("run/photofleet/instance-id").write_text(INSTANCE_ID)
    (tmp_path / "bin" / "units").write_text(_units("active", "success"))
    return instance


def _units(state: str, result: str) -> str:
    return (
        "Id=photofleet-drain.service\nActiveState=active\nResult=success\nInvocationID=1\n\n"
        f"Id=photofleet-resize.service\nActiveState={state}\nResult={result}\nInvocationID=2\n"
    )


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The address of a new, empty database."""
    url = make_url(postgres.url)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE booting"))
        yield url.set(drivername="postgresql", database="booting").render_as_string(hide_password=False)
        connection.execute(text("DROP DATABASE booting WITH (FORCE)"))
    engine.dispose()


def _migrate(url: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    migrate(engine)
    engine.dispose()


def _resources(file: str, **parameters: str) -> Any:
    """The resources of a template, for parameters of which most do not matter."""
    template = load_template(FOLDER / file)
    return resolve(template, dict.fromkeys(template["Parameters"], "1") | parameters)["Resources"]


def test_what_units_read_is_written_for_systemd_and_a_shell_alike(instance: Instance, database: str) -> None:
    _migrate(database)
    instance.settings |= {"PHOTOFLEET_DATABASE_URL": database, "PHOTOFLEET_RENDITIONS_URL": "https://cdn.example/$x'&y"}
    instance.settings |= {"PHOTOFLEET_RENDITIONS": "w320 320 avif:60, square 400x400 cover", "PHOTOFLEET_HOSTS": ""}

    done = instance.run("prepare")

    assert done.returncode == 0, done
    written = instance.root / "run/photofleet/environment"
    assert written.stat().st_mode & 0o022 == 0
    shell = subprocess.run(
        ("env", "-i", "sh", "-c", f"set -a; . {written}; env -0"), capture_output=True, text=True, check=True
    )
    variables = dict(line.split("=", 1) for line in shell.stdout.split("\0") if line)
    ours = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "PHOTOFLEET_LOG_FORMAT": "json"}
    processes = {"WORKER_POOL": "prefork", "WORKER_PROCESSES": str(len(os.sched_getaffinity(0)))}
    assert {name: value for name, value in variables.items() if name not in ("PWD", "_", "SHLVL", "OLDPWD")} == (
        instance.settings | ours | processes
    )


def test_a_worker_with_a_gpu_has_a_thread_for_each_slot_and_insists_on_the_gpu(
    instance: Instance, database: str
) -> None:
    _migrate(database)
    instance.boot |= {"ROLE": "label", "SLOTS": "7"}
    instance.path("opt/photofleet/role").write_text("label-gpu\n")
    instance.settings["PHOTOFLEET_DATABASE_URL"] = database

    assert instance.run("prepare").returncode == 0

    lines = (instance.root / "run/photofleet/environment").read_text().splitlines()
    assert {"WORKER_POOL=threads", "WORKER_PROCESSES=7", "PHOTOFLEET_LABEL_DEVICE=cuda"} <= set(lines)
    assert "PHOTOFLEET_LABEL_BATCH=3" in lines, "half of them wait for the GPU while the others are decoded"


def test_programs_are_told_of_the_network_that_their_image_brings(instance: Instance, database: str) -> None:
    _migrate(database)
    instance.boot["ROLE"] = "label"
    instance.path("opt/photofleet/role").write_text("label-cpu\n")
    instance.path("opt/photofleet/label.env").write_text(
        "PHOTOFLEET_LABEL_MODEL=mine\nPHOTOFLEET_LABEL_WEIGHTS=/models/my own.pth\n"
    )
    instance.settings["PHOTOFLEET_DATABASE_URL"] = database

    assert instance.run("prepare").returncode == 0

    lines = (instance.root / "run/photofleet/environment").read_text().splitlines()
    assert {"PHOTOFLEET_LABEL_MODEL=mine", "PHOTOFLEET_LABEL_WEIGHTS='/models/my own.pth'"} <= set(lines)


def test_of_another_network_in_the_user_data_nothing_is_that_of_the_image(instance: Instance, database: str) -> None:
    _migrate(database)
    instance.boot["ROLE"] = "label"
    instance.path("opt/photofleet/role").write_text("label-cpu\n")
    instance.path("opt/photofleet/label.env").write_text(
        f"PHOTOFLEET_LABEL_CACHE=/models\nPHOTOFLEET_LABEL_WEIGHTS=/models/own.pth\n"
        f"PHOTOFLEET_LABEL_WEIGHTS_SHA256={'0' * 64}\n"
    )
    instance.settings["PHOTOFLEET_DATABASE_URL"] = database
    instance.settings["PHOTOFLEET_LABEL_MODEL"] = "resnet50"
    instance.settings["PHOTOFLEET_LABEL_WEIGHTS"] = "/other.pth"

    assert instance.run("prepare").returncode == 0

    lines = (instance.root / "run/photofleet/environment").read_text().splitlines()
    assert {"PHOTOFLEET_LABEL_CACHE=/models", "PHOTOFLEET_LABEL_WEIGHTS=/other.pth"} <= set(lines)
    assert not [line for line in lines if "SHA256" in line]


def test_the_cloudwatch_agent_is_told_whose_logs_and_metrics_it_ships(instance: Instance, database: str) -> None:
    _migrate(database)
    instance.settings["PHOTOFLEET_DATABASE_URL"] = database

    assert instance.run("prepare").returncode == 0

    text = instance.path(AGENT).read_text()
    (log,) = json.loads(text)["logs"]["logs_collected"]["files"]["collect_list"]
    assert log["log_group_name"] == RESIZE["LOGS"]
    assert json.loads(text)["metrics"]["metrics_collected"]["mem"]["append_dimensions"] == {
        "Stack": RESIZE["STACK"],
        "Role": RESIZE["ROLE"],
    }
    assert "@" not in text


@pytest.mark.parametrize(("template", "role"), [("web.yaml", "web"), ("workers.yaml", "resize")])
def test_the_user_data_of_the_templates_is_what_the_boot_reads(
    instance: Instance, database: str, template: str, role: str
) -> None:
    _migrate(database)
    told = {name: value for name, value in VALID.items() if name != "PHOTOFLEET_DATABASE_URL"}
    told |= {"PHOTOFLEET_HOSTS": "", "PHOTOFLEET_RENDITIONS": "w320 320 avif:60, square 400x400 cover"}
    settings = "".join(f"{name}={value}\n" for name, value in told.items())
    given = {"Fleet": role} if template == "workers.yaml" else {}
    given |= {"Name": "mine", "Settings": f"{settings}PHOTOFLEET_DATABASE_URL={database}"}
    launched = _resources(template, **given)["LaunchTemplate"]["Properties"]
    files = yaml.safe_load(base64.b64decode(launched["LaunchTemplateData"]["UserData"]))["write_files"]
    contents = {
        Path(file["path"]).stem: base64.b64decode(file["content"]).decode() if "encoding" in file else file["content"]
        for file in files
    }
    instance.path("opt/photofleet/role").write_text(f"{role}\n")
    instance.boot, instance.settings = (
        dict(line.split("=", 1) for line in contents[name].splitlines()) for name in ("boot", "settings")
    )

    assert instance.run("prepare").stderr == ""


Change = Callable[[Instance], object]
Script = Callable[[str], tuple[int, str, list[str]]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda i: (i.root / "opt/photofleet/baked").unlink(), "This image was not baked to its end; bake it again."),
        (lambda i: i.boot.pop("LOGS"), "boot.env, which the instance's user data writes, does not say LOGS."),
        (lambda i: i.boot.pop("ROLE"), "boot.env, which the instance's user data writes, does not say ROLE."),
        (lambda i: i.boot.pop("SLOTS"), "boot.env, which the instance's user data writes, does not say SLOTS."),
        (lambda i: i.boot.update(SLOTS="four"), "boot.env says SLOTS=four, which is no number."),
        (lambda i: i.boot.update(ROLE="web"), "The instance was started as web, but its image is for resize."),
        (lambda i: i.boot.update(STACK="a "), "boot.env has a line that is not NAME=value: 'STACK'."),
        (lambda i: i.settings.update(AWS_PROFILE="x"), "settings.env has AWS_PROFILE, which is no setting"),
        (lambda i: i.settings.pop("PHOTOFLEET_TOPIC_ARN"), "PHOTOFLEET_TOPIC_ARN: is not set."),
        (lambda i: i.settings.update(PHOTOFLEET_SIZE="9"), "PHOTOFLEET_SIZE: there is no such setting"),
    ],
)
def test_what_is_wrong_with_the_instance_is_named(instance: Instance, change: Change, sentence: str) -> None:
    change(instance)

    assert sentence in instance.refuse("prepare", "--patience", "0")


@pytest.mark.parametrize("file", ["boot", "settings"])
def test_a_file_that_was_not_written_is_named(instance: Instance, file: str) -> None:
    setattr(instance, file, {})

    sentence = f"{file}.env, which the instance's user data writes, cannot be read: No such file or directory."
    assert sentence in instance.refuse("prepare")


def test_a_full_disk_is_named_with_its_numbers(instance: Instance) -> None:
    (instance.root / "tmp").rmdir()
    (instance.root / "tmp").symlink_to("/proc")  # a file system without space

    assert re.search(r"The disk is full: .*/tmp has 0 MB free of 0 MB\.$", instance.refuse("prepare"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda service: setattr(service, "status", 405), "it gives no token: status 405"),
        (lambda service: service.values.pop("instance-id"), "knows no instance-id"),
        (lambda service: service.works.clear(), "it does not answer"),
    ],
)
def test_a_metadata_service_that_is_of_no_use_is_named(
    instance: Instance, metadata_service: MetadataService, change: Callable[[MetadataService], object], words: str
) -> None:
    change(metadata_service)

    sentence = instance.refuse("prepare")

    assert metadata_service.address in sentence
    assert words in sentence


def test_a_database_that_does_not_answer_is_named(instance: Instance, unused_port: Callable[[], int]) -> None:
    port = unused_port()
    instance.settings["PHOTOFLEET_DATABASE_URL"] = f"postgresql://user:hunter2@127.0.0.1:{port}/photofleet"

    sentence = instance.refuse("prepare", "--patience", "0.1")

    assert sentence == f"No database at 127.0.0.1:{port}: Connection refused (waited 0 s)."


@pytest.mark.parametrize("role", ["web", "resize"])
def test_a_database_that_refuses_the_password_is_named(instance: Instance, database: str, role: str) -> None:
    url = make_url(database).set(password="hunter2")  # noqa: S106 - it is wrong
    instance.settings["PHOTOFLEET_DATABASE_URL"] = url.render_as_string(hide_password=False)
    instance.boot["ROLE"] = role
    instance.path("opt/photofleet/role").write_text(role)

    sentence = instance.refuse("prepare", "--patience", "0.1")

    assert f"The database at {url.host}:{url.port} refuses the sign-in" in sentence
    assert "password authentication failed" in sentence
    assert "hunter2" not in sentence


def test_a_database_whose_name_is_not_proven_is_not_waited_for(instance: Instance, database: str) -> None:
    instance.settings["PHOTOFLEET_DATABASE_URL"] = f"{database}?sslmode=verify-full&sslrootcert=system"
    began = time.monotonic()

    assert "server does not support SSL" in instance.refuse("prepare", "--patience", "1")
    assert time.monotonic() - began < 20


def test_a_secret_that_is_not_there_is_named(instance: Instance, aws: EmbeddedAWS) -> None:
    instance.environment |= aws.client_environment()
    instance.settings |= {
        "PHOTOFLEET_DATABASE_URL": "postgresql://127.0.0.1/photofleet?sslmode=verify-full&sslrootcert=system",
        "PHOTOFLEET_DATABASE_SECRET": SECRET,
    }

    sentence = instance.refuse("prepare", "--patience", "0.1")

    assert f"The database's secret {SECRET} cannot be read" in sentence
    assert "ResourceNotFoundException" in sentence


def test_a_worker_waits_for_the_web_tier_to_migrate(instance: Instance, database: str) -> None:
    instance.settings["PHOTOFLEET_DATABASE_URL"] = database
    assert "was not migrated to this version by the web tier" in instance.refuse("prepare", "--patience", "0.1")

    web = threading.Timer(3, _migrate, [database])
    web.start()
    try:
        assert instance.run("prepare", "--patience", "30").returncode == 0
    finally:
        web.join()


def test_a_boot_that_went_well_says_how_long_each_step_took(machine: Instance) -> None:
    done = machine.run("ready")

    assert done.returncode == 0, done
    steps = r"1\.0 s until the boot began, 1\.5 s settings, 0\.5 s database, -2\.0 s units, \d+\.\d s readiness"
    assert re.fullmatch(rf"Ready \d+\.\d s after (the kernel|systemd) started \({steps}\)\.\n", done.stdout)


@pytest.mark.parametrize(
    ("state", "result", "journal", "sentence"),
    [
        ("activating", "exit-code", "No module named x", "(exit-code): No module named x"),
        ("failed", "timeout", "", "(timeout): it logged nothing"),
        ("inactive", "success", "", "(inactive): it logged nothing"),
        (
            "failed",
            "protocol",
            '{"message": "It broke.", "exc_info": "Traceback\\n  line\\nOSError: gone"}\n{"message": "Ending"}',
            "(protocol): It broke: OSError: gone",
        ),
    ],
)
def test_a_unit_that_did_not_start_is_named_with_what_it_logged(
    machine: Instance, tmp_path: Path, state: str, result: str, journal: str, sentence: str
) -> None:
    (tmp_path / "bin" / "units").write_text(_units(state, result))
    (tmp_path / "bin" / "journal").write_text(journal)

    assert machine.refuse("ready") == f"photofleet-resize.service did not start {sentence}"


@dataclass
class Waiting:
    """A stack that waits for the signal of an instance."""

    cloudformation: Any

    def events(self) -> list[tuple[str, str]]:
        events = self.cloudformation.describe_stack_events(StackName="waiting")["StackEvents"]
        return [(event["ResourceStatus"], event.get("ResourceStatusReason", "")) for event in reversed(events)]


@pytest.fixture
def waiting(clients: Clients) -> Iterator[Waiting]:
    """Such a stack, which has just begun to wait."""
    cloudformation = clients("cloudformation")
    wait = {
        "Type": "AWS::CloudFormation::WaitCondition",
        "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT1M"}},
    }
    cloudformation.create_stack(StackName="waiting", TemplateBody=json.dumps({"Resources": {"Wait": wait}}))
    stack = Waiting(cloudformation)
    while not any(status == "CREATE_IN_PROGRESS" for status, _ in stack.events()):
        time.sleep(0.05)
    time.sleep(0.2)
    yield stack
    cloudformation.delete_stack(StackName="waiting")


@pytest.fixture
def autoscaling() -> Iterator[AutoscalingService]:
    """Autoscaling, with the instance in a group."""
    with AutoscalingService().running() as service:
        yield service


@pytest.fixture
def heard(machine: Instance, aws: EmbeddedAWS, autoscaling: AutoscalingService) -> Instance:
    """An instance whose role may tell everybody how it is."""
    machine.environment |= aws.client_environment() | {"AWS_ENDPOINT_URL_AUTO_SCALING": autoscaling.address}
    return machine


def test_a_stack_that_waits_is_told_of_a_boot_that_went_well(heard: Instance, waiting: Waiting) -> None:
    heard.boot |= SIGNALS

    assert heard.run("ready").returncode == 0

    assert ("CREATE_IN_PROGRESS", f"Received SUCCESS signal with UniqueId {INSTANCE_ID}") in waiting.events()


def test_a_stack_that_does_not_wait_keeps_no_instance_from_working(heard: Instance) -> None:
    heard.boot |= SIGNALS

    done = heard.run("ready")

    assert done.returncode == 0
    assert "CloudFormation was not told, which matters only if it waits for this" in done.stdout


def test_everybody_is_told_why_an_instance_gives_up(
    heard: Instance, waiting: Waiting, clients: Clients, autoscaling: AutoscalingService
) -> None:
    heard.boot |= SIGNALS
    logs, cloudwatch = clients("logs"), clients("cloudwatch")
    logs.create_log_group(logGroupName=RESIZE["LOGS"])
    heard.path("run/photofleet/boot.log").write_text("Waiting.\n\nThe boot failed.\n")
    reason = "No database at db.example.com:5432: Connection refused (waited 120 s); naïve\tas it is"

    done = heard.run("fail", reason)

    assert (done.returncode, done.stderr) == (0, "")
    assert "could not" not in done.stdout
    told = logs.get_log_events(logGroupName=RESIZE["LOGS"], logStreamName=f"{INSTANCE_ID}-boot")["events"]
    assert [event["message"] for event in told] == ["Waiting.", "The boot failed.", reason]
    signal = "Received FAILURE signal with UniqueId No database at db.example.com:5432: Connection refused..."
    assert ("CREATE_IN_PROGRESS", signal) in waiting.events()
    assert autoscaling.health == "Unhealthy"
    alarm = _resources("monitoring.yaml", Name="mine")["ResizeBootsFail"]["Properties"]
    (metric,) = cloudwatch.list_metrics(Namespace=alarm["Namespace"], MetricName=alarm["MetricName"])["Metrics"]
    assert metric["Dimensions"] == alarm["Dimensions"]


@pytest.mark.parametrize("length", [1, 64, 65])
def test_a_reason_of_any_length_reaches_the_stack(heard: Instance, waiting: Waiting, length: int) -> None:
    heard.boot |= SIGNALS

    heard.run("fail", "x" * length)

    assert any("Received FAILURE signal" in reason for _, reason in waiting.events())


def test_whoever_can_be_told_is_told_where_others_cannot(
    heard: Instance, autoscaling: AutoscalingService, unused_port: Callable[[], int]
) -> None:
    heard.boot |= SIGNALS
    heard.environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{unused_port()}"
    began = time.monotonic()

    done = heard.run("fail", "A reason.")

    assert done.returncode == 0
    assert done.stdout.count("could not be told") == 3
    assert autoscaling.health == "Unhealthy"
    assert time.monotonic() - began < 20


def test_an_instance_that_knows_nothing_of_itself_is_still_replaced(
    heard: Instance, metadata_service: MetadataService, autoscaling: AutoscalingService
) -> None:
    metadata_service.values["placement/region"] = "us-east-1"
    heard.boot = {}

    assert heard.run("fail", "A reason.").returncode == 0

    assert autoscaling.health == "Unhealthy"


def test_nothing_is_known_and_nobody_answers_and_it_ends_all_the_same(
    instance: Instance, unused_port: Callable[[], int]
) -> None:
    nowhere = f"http://127.0.0.1:{unused_port()}"
    instance.environment = {"PHOTOFLEET_METADATA_URL": nowhere, "AWS_EC2_METADATA_SERVICE_ENDPOINT": nowhere}

    done = instance.run("fail", "A reason.")

    assert done.returncode == 0
    assert "The log group could not be told: Unable to locate credentials" in done.stdout


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """A function that runs photofleet-boot with a step that is broken: its status, its last lines, and its steps."""
    folder = tmp_path / "script"
    folder.mkdir()
    text = SCRIPT.read_text().replace("/opt/photofleet/venv/bin/python", f"{folder}/python")
    text = text.replace("/run/photofleet", str(folder)).replace("/etc/photofleet", str(folder))
    (folder / "boot.env").write_text("STACK=mine\nROLE=web\n")
    for name, program in (("photofleet-boot", text), ("python", STEPS), ("systemctl", STEPS)):
        (folder / name).write_text(program)
        (folder / name).chmod(0o755)

    def run(broken: str) -> tuple[int, str, list[str]]:
        environment = {"PATH": f"{folder}:{os.environ['PATH']}", "BROKEN": broken}
        done = subprocess.run(folder / "photofleet-boot", env=environment, capture_output=True, text=True, check=False)
        steps = (folder / "steps").read_text().replace(f"{folder}/", "").splitlines()
        return done.returncode, done.stdout.replace(f"{folder}/", ""), steps

    return run


PREPARE, START, READY = "-m ami.boot prepare", "start photofleet-web.target", "-m ami.boot ready"


def test_the_boot_goes_from_step_to_step(script: Script) -> None:
    assert script("nothing") == (0, "", [PREPARE, START, READY])


@pytest.mark.parametrize(
    ("broken", "program", "steps"),
    [
        ("prepare", "python", [PREPARE]),
        ("start", "systemctl", [PREPARE, START]),
        ("ready", "python", [PREPARE, START, READY]),
    ],
)
def test_a_step_that_fails_ends_the_boot_and_its_last_line_is_the_reason(
    script: Script, broken: str, program: str, steps: list[str]
) -> None:
    status, output, done = script(broken)

    assert status == 1
    assert output == f"working\n{program} is broken\nThe boot failed: {program} is broken\n"
    assert done == [*steps, f"-m ami.boot fail -- {program} is broken"]


def test_a_boot_that_can_tell_nobody_ends_all_the_same(script: Script) -> None:
    status, output, _ = script("ami.boot")

    assert status == 1
    assert output.endswith("Nobody could be told.\n")
