"""The rules that the templates keep, each proven to find what breaks it; and that Celery starts from the root."""

import re
from pathlib import Path

import pytest

from photofleet.broker import app
from photofleet.catalog.models import STAGES
from photofleet.settings import read_settings, variable
from tests.cloudformation.rules import (  # noqa: F401 - their rules are known once they are imported
    alarms,
    composition,
    database,
    documentation,
    instances,
    parameter_sets,
    parameters,
    permissions,
    queues,
    state,
)
from tests.cloudformation.rules.rule import FOLDER, ROOT, RULES, Breach, Documents, Rule, documents, origins
from tests.cloudformation.rules.settings import settings

MOST_BYTES = 51_200
"""What CloudFormation takes of a template that is not in a bucket."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_templates_keep_the_rule(rule: Rule) -> None:
    assert list(rule(documents())) == []


@pytest.mark.parametrize(
    ("rule", "breach"),
    [
        pytest.param(rule, breach, id=f"{rule.__name__}-{number}")
        for rule, breaches in RULES.items()
        for number, breach in enumerate(breaches)
    ],
)
def test_whoever_breaks_the_rule_is_found(rule: Rule, breach: Breach) -> None:
    broken = documents()
    breach(broken)
    assert set(rule(broken)) - set(rule(documents()))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_a_template_is_small_enough_to_be_launched_without_a_bucket(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES


def test_celery_starts_from_what_the_root_tells_and_reads_each_stages_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    templates = documents()
    for name, text in settings(templates).items():
        monkeypatch.setenv(name, re.sub(r"\$\{[^}]+\}", lambda found: _physical(templates, found[0]), text))
    monkeypatch.setenv(variable("database_url"), "postgresql://user:password@host/photofleet")
    monkeypatch.setattr(app, "get_settings", read_settings)

    celery = app.create_app()

    assert tuple(queue.name for queue in celery.conf.task_queues) == STAGES
    for kind, suffix in (("queue_urls", "Queue"), ("dead_letter_urls", "DeadLetterQueue")):
        urls = celery.conf.broker_transport_options[kind]
        assert {stage: url.rsplit("/", 1)[-1] for stage, url in urls.items()} == {
            stage: f"{stage.title()}{suffix}" for stage in STAGES
        }


def _physical(templates: Documents, reference: str) -> str:
    """What AWS would put in the place of a reference in the root."""
    for origin in origins(templates, ROOT, {"Fn::Sub": reference}):
        file, name = origin.split()
        match templates[file]["Resources"].get(name, {}).get("Type"):
            case "AWS::SQS::Queue":
                return f"https://sqs.eu-central-1.amazonaws.com/123456789012/{name}"
            case "AWS::SNS::Topic":
                return f"arn:aws:sns:eu-central-1:123456789012:{name}"
    default: str = templates[ROOT]["Parameters"].get(reference[2:-1], {}).get("Default", "photofleet")
    return default
