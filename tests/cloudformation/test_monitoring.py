"""What the alarms take for trouble, and the dashboard on the embedded AWS."""

import json
from pathlib import Path
from typing import Any

import pytest

from photofleet.fleet.alarms import COMPARISONS
from photofleet.fleet.metric_math import evaluate
from photofleet.fleet.template import load_template, resolve
from photofleet.operations.metrics import DIMENSIONS, NAMESPACE, UNITS
from tests.cloudformation.conftest import Launch, RootClient

TEMPLATE = load_template(Path(__file__).parents[2] / "cloudformation" / "monitoring.yaml")
PARAMETERS = {
    "Name": "watched",
    "LogGroups": "/photofleet/watched",
    "AlarmEmail": "nobody@example.com",
    "LoadBalancerFullName": "app/balancer/1",
    "TargetGroupFullName": "targetgroup/web/1",
    "WebGroupName": "web-group",
    "WebMaxInstances": "10",
    "DistributionId": "EDISTRIBUTION",
    "TopicName": "topic",
    "ResizeQueueName": "resize-queue",
    "ResizeDeadLetterName": "resize-dead",
    "ResizeLatencySeconds": "120",
    "LabelQueueName": "label-queue",
    "LabelDeadLetterName": "label-dead",
    "LabelLatencySeconds": "300",
    "ResizeSpotGroupName": "resize-spot",
    "ResizeOnDemandGroupName": "resize-on-demand",
    "ResizeMaxInstances": "20",
    "LabelSpotGroupName": "label-spot",
    "LabelOnDemandGroupName": "label-on-demand",
    "LabelMaxInstances": "5",
}
DATABASE = {"DatabaseInstanceId": "database"}
CLUSTER = {"DatabaseClusterId": "cluster"}
US_EAST_1 = {"AWS::Region": "us-east-1"}


def alarms(**parameters: str) -> dict[str, Any]:
    resources = resolve(TEMPLATE, PARAMETERS | parameters)["Resources"]
    return {name: made["Properties"] for name, made in resources.items() if made["Type"] == "AWS::CloudWatch::Alarm"}


def is_trouble(alarm: dict[str, Any], **metrics: float | None) -> bool:
    """Whether an alarm on an expression takes metrics, by their ids, for a reason to alarm; None is a missing one."""
    (expression,) = (metric["Expression"] for metric in alarm["Metrics"] if metric["ReturnData"])
    assert {metric["Id"] for metric in alarm["Metrics"] if "MetricStat" in metric} == set(metrics)
    (value,) = evaluate(expression, {name: (point,) for name, point in metrics.items()})
    return value is not None and COMPARISONS[alarm["ComparisonOperator"]](value, alarm["Threshold"])


@pytest.mark.parametrize(("fleet", "allowed"), [("Resize", 120), ("Label", 300)])
def test_a_queue_is_late_at_three_times_its_latency(fleet: str, allowed: int) -> None:
    alarm = alarms()[f"{fleet}QueueIsLate"]
    assert not is_trouble(alarm, age=3 * allowed - 1)
    assert is_trouble(alarm, age=3 * allowed)


@pytest.mark.parametrize(
    ("errors", "requests", "trouble"),
    [
        (None, 1000, False),
        (None, None, False),
        (4, 4, False),
        (5, 1000, False),
        (20, 1000, True),
        (20, None, True),  # no instance took any of them, so that none was counted as a request
    ],
)
def test_a_share_of_failed_requests_is_trouble(errors: int | None, requests: int | None, trouble: bool) -> None:
    assert is_trouble(alarms()["LoadBalancerFails"], errors=errors, requests=requests) == trouble
    if errors is None or requests is not None:
        assert is_trouble(alarms()["ApplicationFails"], errors=errors, requests=requests) == trouble


@pytest.mark.parametrize(("desired", "minimum", "trouble"), [(9, 2, False), (10, 2, True), (10, 10, False)])
def test_the_web_tier_at_its_maximum_is_trouble_unless_its_size_is_fixed(
    desired: int, minimum: int, trouble: bool
) -> None:
    assert is_trouble(alarms()["WebTierIsAtItsMaximum"], desired=desired, minimum=minimum) == trouble


@pytest.mark.parametrize("group", ["ResizeSpot", "ResizeOnDemand", "LabelSpot", "LabelOnDemand"])
@pytest.mark.parametrize(
    ("wanted", "working", "leaving", "trouble"),
    [(5, 3, 0, True), (5, 3, 2, False), (5, 5, 0, False), (3, 5, 0, False), (0, 0, 0, False)],
)
def test_a_group_that_gets_no_instances_is_trouble(
    group: str, wanted: int, working: int, leaving: int, trouble: bool
) -> None:
    assert is_trouble(alarms()[f"{group}IsShort"], wanted=wanted, working=working, leaving=leaving) == trouble


def test_silence_is_trouble_only_where_something_must_speak() -> None:
    silent = {
        name for name, alarm in alarms(**DATABASE, **US_EAST_1).items() if alarm["TreatMissingData"] == "breaching"
    }
    assert silent == {"SiteIsDown", "HousekeepingIsSilent"}


def test_every_alarm_is_heard_and_its_end_too() -> None:
    for name, alarm in alarms(**DATABASE, **US_EAST_1).items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == ["AlarmTopic"], name


def test_housekeeping_is_heard_by_the_metrics_that_it_logs() -> None:
    alarm = alarms()["HousekeepingIsSilent"]
    assert alarm["Namespace"] == NAMESPACE
    assert alarm["MetricName"] in UNITS
    assert {dimension["Name"] for dimension in alarm["Dimensions"]} == set(DIMENSIONS)


def test_a_database_is_watched_where_there_is_one() -> None:
    def watched(**parameters: str) -> set[tuple[str, str, str]]:
        return {
            (alarm["MetricName"], dimension["Name"], dimension["Value"])
            for alarm in alarms(**parameters).values()
            if alarm.get("Namespace") == "AWS/RDS"
            for dimension in alarm["Dimensions"]
        }

    metrics = ["CPUUtilization", "DatabaseConnections", "FreeableMemory"]
    assert watched() == set()
    assert watched(**DATABASE) == {
        (metric, "DBInstanceIdentifier", "database") for metric in [*metrics, "FreeStorageSpace"]
    }
    assert watched(**CLUSTER) == {
        (metric, "DBClusterIdentifier", "cluster") for metric in [*metrics, "FreeLocalStorage"]
    }


def test_cloudfront_is_watched_in_the_region_that_has_its_metrics() -> None:
    assert "DistributionFails" in alarms(**US_EAST_1)
    assert "DistributionFails" not in alarms(**{"AWS::Region": "eu-central-1"})


@pytest.mark.parametrize("database", [{}, DATABASE, CLUSTER], ids=["none", "instance", "cluster"])
def test_the_dashboard_shows_all_alarms_and_metrics(launch: Launch, root: RootClient, database: dict[str, str]) -> None:
    # Log groups outlive their stack, and have fixed names.
    name = "-".join(("watched", *database.values()))
    outputs = launch("monitoring", **PARAMETERS | database | {"Name": name, "LogGroups": f"/photofleet/{name}"})

    dashboard = outputs["DashboardUrl"].rsplit("/", 1)[-1]
    body = json.loads(root("cloudwatch").get_dashboard(DashboardName=dashboard)["DashboardBody"])
    assert body["widgets"][0]["type"] == "alarm"
    shown = {arn.rsplit(":", 1)[-1].split("-")[-2] for arn in body["widgets"][0]["properties"]["alarms"]}
    assert shown == set(alarms(**{"AWS::Region": "eu-central-1"}))

    metrics = [
        [part for part in metric if isinstance(part, str)]
        for widget in body["widgets"][1:]
        for metric in widget["properties"]["metrics"]
    ]
    assert all(part and "$" not in part for metric in metrics for part in metric)
    assert all(len(metric) % 2 == 0 for metric in metrics)  # namespace, name, and dimensions with their values
    ours = [metric for metric in metrics if metric[0] == NAMESPACE]
    assert {metric[1] for metric in ours} == {"FinishedPerMinute"} <= set(UNITS)
    assert any(metric[0] == "AWS/RDS" for metric in metrics) == bool(database)


def test_logs_end_when_they_are_to_end(launch: Launch, root: RootClient) -> None:
    launch("logs", Name="logging", LogGroups="/photofleet/logging", LogDays="7")
    groups = root("logs").describe_log_groups(logGroupNamePrefix="/photofleet/logging/")["logGroups"]
    assert {group["logGroupName"].rsplit("/", 1)[-1] for group in groups} == {"web", "resize", "label"}
    assert {group["retentionInDays"] for group in groups} == {7}
