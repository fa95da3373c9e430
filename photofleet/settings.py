"""Every setting of the service: typed, read once from the environment, checked before anything starts."""

import os
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from photofleet.images.renditions import DEFAULT_RENDITIONS, RenditionSpec, parse_renditions

PREFIX = "PHOTOFLEET_"

Kind = TypeVar("Kind", bound=BaseSettings)

DEFAULT_MODEL = "efficientnet_lite2"


def _renditions(value: str) -> str:
    parse_renditions(value)
    return value


def _postgresql_url(value: SecretStr) -> SecretStr:
    try:
        url = make_url(value.get_secret_value())
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() != "postgresql" or not url.host or not url.database:
        raise ValueError("must be a PostgreSQL address, like postgresql://user:password@host:5432/photofleet")
    return value


def _path_or_object(value: str) -> str:
    if value.startswith("s3:") and not re.fullmatch(r"s3://[^/]+/.*[^/]", value):
        raise ValueError("must be a path, or an object in S3, like s3://bucket/key")
    return value


HttpUrl = Annotated[str, Field(pattern=r"^https?://[^/]+(/.*)?$")]


def is_program(weights: str | Path) -> bool:
    """Whether a file of weights is a network of one's own, with its code."""
    return Path(weights).suffix in (".pt", ".pt2")


class LabelSettings(BaseSettings):
    """What the label fleet labels with: all that its network needs to know, wherever it is made ready."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    label_model: str = Field(
        DEFAULT_MODEL,
        pattern=r"^[A-Za-z0-9_]{1,100}$",
        description="The network that labels: efficientnet_lite2, a torchvision classification model, or the name that "
        "a network of your own is to have.",
    )
    label_weights: Annotated[str, AfterValidator(_path_or_object)] | None = Field(
        None,
        description="The file with the weights, a path or s3://bucket/key: a state dict for a torchvision model; a "
        "TorchScript (.pt) or ExportedProgram (.pt2) file for one of your own. efficientnet_lite2 brings its own.",
    )
    label_weights_sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="The SHA-256 that the file of the weights must have, in hexadecimal; needed for one in S3, and for "
        "a .pt or .pt2 file, which is code.",
    )
    label_cache: Path = Field(
        Path("~/.cache/photofleet"),
        description="The folder that keeps weights from S3, and what `photofleet models prepare` makes of weights.",
    )
    label_device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="What the network runs on: cpu, cuda, or auto for a GPU where there is one."
    )
    label_batch: int = Field(32, ge=1, le=1024, description="The most pictures that a GPU looks at together.")
    label_threshold: float = Field(
        0.05,
        ge=0,
        le=1,
        description="The confidence from which a label is kept, between 0 and 1; what is shown has thresholds of its "
        "own, from this one up.",
    )
    label_limit: int = Field(
        5, ge=1, le=20, description="The most labels the network may give one photo, beside what these are kinds of."
    )

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        weights, sha256 = variable("label_weights"), variable("label_weights_sha256")
        if self.label_weights is None:
            if self.label_model != DEFAULT_MODEL:
                raise ValueError(f"{weights} must name the file with the weights of {self.label_model}")
        elif self.label_weights_sha256 is None:
            if self.label_weights.startswith("s3://"):
                raise ValueError(f"{sha256} must be set, as {weights} is in S3")
            if is_program(self.label_weights):
                raise ValueError(
                    f"{sha256} must be set, as a .pt or .pt2 file is code, which is only run if it is known"
                )
        return self


class Settings(LabelSettings):
    """The settings, each named after its variable without the prefix, in lower case."""

    database_url: Annotated[SecretStr, AfterValidator(_postgresql_url)] = Field(
        description="Where the catalog is: a PostgreSQL address with user, password, host and database. "
        "Without a user, that of the secret signs in."
    )
    database_iam: bool = Field(
        False, description="Whether the address's user signs in to RDS with tokens of its IAM role, without a password."
    )
    database_secret: str | None = Field(
        None,
        pattern=r"^arn:aws[a-z-]*:secretsmanager:",
        description="The secret in Secrets Manager with username and password of the tables' owner, who migrates.",
    )
    topic_arn: str = Field(
        pattern=r"^arn:aws[a-z-]*:sns:", description="The SNS topic that hears of every uploaded photo."
    )
    resize_queue_url: HttpUrl = Field(description="The SQS queue that feeds the resize fleet.")
    resize_dead_letter_url: HttpUrl = Field(description="Where messages go that the resize fleet gave up on.")
    label_queue_url: HttpUrl = Field(description="The SQS queue that feeds the label fleet.")
    label_dead_letter_url: HttpUrl = Field(description="Where messages go that the label fleet gave up on.")
    control_prefix: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,40}$",
        description="What the names of the workers' mailboxes begin with, through which `celery inspect` reaches them.",
    )
    originals_bucket: str = Field(description="The S3 bucket that keeps the uploaded files.")
    renditions_bucket: str = Field(description="The S3 bucket that keeps the resized pictures.")
    renditions_url: HttpUrl = Field(description="Where browsers load renditions from: the CDN's address.")

    hosts: str = Field(
        "", description="The host names that the site answers to, separated by commas; where it is empty, to any."
    )

    visibility_timeout: int = Field(
        60,
        ge=6,
        le=43200,
        description="Seconds for which a received message is hidden; as the queues have it.",
    )
    receive_wait: int = Field(
        20, ge=1, le=20, description="Seconds for which a worker waits at its queue in one request."
    )
    retry_backoff: float = Field(
        10, ge=0.1, le=900, description="Seconds before a failed attempt is repeated; doubled with each attempt."
    )
    worker_memory: int = Field(
        3000, ge=500, description="The most memory that one process of a worker may take, in megabytes."
    )
    sweep_interval: int = Field(30, ge=1, description="Seconds between two looks for photos whose work is overdue.")
    sweep_overdue: int = Field(
        900,
        ge=200,  # longer than the time limit of a task, or one that still runs would be given up
        description="Seconds without progress after which a photo is announced to the workers again.",
    )

    upload_max_bytes: int = Field(
        50_000_000,
        ge=1024,
        le=5_000_000_000,  # S3's limit for one request
        description="The largest file accepted, in bytes.",
    )
    upload_max_files: int = Field(50, ge=1, le=1000, description="The most files accepted in one request.")
    upload_max_request_bytes: int = Field(
        500_000_000, ge=1024, description="The largest request accepted, all its files together, in bytes."
    )
    max_pixels: int = Field(
        50_000_000,
        ge=10_000,
        le=178_956_970,  # Pillow's own limit
        description="The most pixels accepted in one photo, all its frames together.",
    )

    renditions: Annotated[str, AfterValidator(_renditions)] = Field(
        DEFAULT_RENDITIONS,
        description="What every photo is resized to, separated by commas: "
        "NAME SIZE [cover|animation] [FORMAT[:QUALITY[:EFFORT]]...].",
    )

    metadata_url: HttpUrl = Field(
        "http://169.254.169.254", description="Where an instance's metadata service is, which says when it is to end."
    )

    log_format: Literal["text", "json"] = Field("json", description="How log lines look: text, or json for machines.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least severe log line shown."
    )

    @property
    def rendition_specs(self) -> tuple[RenditionSpec, ...]:
        """What `renditions` declares."""
        return parse_renditions(self.renditions)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        self._check_sign_in()
        if self.upload_max_bytes > self.upload_max_request_bytes:
            raise ValueError(f"{variable('upload_max_bytes')} is more than {variable('upload_max_request_bytes')}")
        return self

    def _check_sign_in(self) -> None:
        name, iam, secret = variable("database_url"), variable("database_iam"), variable("database_secret")
        url = make_url(self.database_url.get_secret_value())
        if self.database_iam and (not url.username or url.password):
            raise ValueError(f"{name} must have a user and no password, as tokens take its place with {iam}")
        if not url.username and self.database_secret is None:
            raise ValueError(f"{name} has no user; name one, or a secret with one in {secret}")
        # Else tokens and passwords would be told to whoever answers at that address.
        if (self.database_iam or self.database_secret) and url.query.get("sslmode") != "verify-full":
            raise ValueError(f"{name} must end with ?sslmode=verify-full with {iam if self.database_iam else secret}")


class SettingsError(SystemExit):
    """One or more settings are missing or wrong; the message names each variable and what is wrong with it.

    No program runs on wrong settings: where nobody catches it, it ends the process, with the message and no traceback.
    """


def variable(name: str) -> str:
    """The environment variable that carries the setting called `name`."""
    return PREFIX + name.upper()


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: naming every variable that is missing or does not fit.
    """
    return _read(Settings)


def read_label_settings() -> LabelSettings:
    """Read the settings of labelling alone, as where an image is baked that knows of no service yet.

    Raises:
        SettingsError: naming every variable that does not fit.
    """
    return _read(LabelSettings)


def _read(kind: type[Kind]) -> Kind:
    known = {variable(name) for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    problems = [f"{name}: there is no such setting; `photofleet settings` lists them" for name in unknown]
    try:
        settings = kind.model_validate({})
    except ValidationError as error:
        problems += [_sentence(item["loc"], item["type"], item["msg"]) for item in error.errors()]
        settings = None
    if settings is None or problems:
        raise SettingsError("The settings are not right.\n" + "\n".join(f"  {problem}" for problem in problems))
    return settings


def _sentence(location: tuple[int | str, ...], kind: str, message: str) -> str:
    if not location:  # two settings that do not fit together
        return message.removeprefix("Value error, ")
    name = str(location[0])
    field = Settings.model_fields[name]
    if kind == "missing":
        return f"{variable(name)}: is not set. {field.description}"
    value = "" if "SecretStr" in str(field.annotation) else f", not {os.environ.get(variable(name))!r}"
    complaint = message.removeprefix("Value error, ").removeprefix("Input ")
    return f"{variable(name)}: {complaint}{value}. {field.description}"


@cache
def get_settings() -> Settings:
    """The settings of this process, read at the first call."""
    return read_settings()
