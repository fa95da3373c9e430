"""Groups, policies and alarms as they are read from a template, and the refusal of what is not modelled."""

from copy import deepcopy
from typing import Any

import pytest

from photofleet.fleet.alarms import Metric
from photofleet.fleet.groups import METRICS, read_groups
from photofleet.fleet.scaling import Step, StepScaling, TargetTracking
from photofleet.fleet.template import TemplateError

VISIBLE = {
    "Id": "visible",
    "ReturnData": "false",
    "MetricStat": {
        "Metric": {
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Dimensions": [{"Name": "QueueName", "Value": "photos"}],
        },
        "Stat": "Maximum",
        "Period": "60",
    },
}
DOUBLE = {"Id": "double", "Expression": "visible * 2"}
RESOLVED: dict[str, Any] = {
    "Resources": {
        "Group": {
            "Type": "AWS::AutoScaling::AutoScalingGroup",
            "Properties": {
                "MinSize": "0",
                "MaxSize": "20",
                "DefaultInstanceWarmup": "120",
                "MetricsCollection": [{"Granularity": "1Minute"}],
                "MixedInstancesPolicy": {"InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": "0"}},
            },
        },
        "Out": {
            "Type": "AWS::AutoScaling::ScalingPolicy",
            "Properties": {
                "AutoScalingGroupName": "Group",
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingConfiguration": {
                    "DisableScaleIn": "true",
                    "TargetValue": "480",
                    "CustomizedMetricSpecification": {"Metrics": [VISIBLE, DOUBLE]},
                },
            },
        },
        "In": {
            "Type": "AWS::AutoScaling::ScalingPolicy",
            "Properties": {
                "AutoScalingGroupName": "Group",
                "PolicyType": "StepScaling",
                "AdjustmentType": "ExactCapacity",
                "StepAdjustments": [{"MetricIntervalUpperBound": "0", "ScalingAdjustment": "0"}],
            },
        },
        "Idle": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "Namespace": "AWS/SQS",
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Dimensions": [{"Name": "QueueName", "Value": "photos"}],
                "Statistic": "Sum",
                "Period": "300",
                "EvaluationPeriods": "3",
                "Threshold": "0",
                "ComparisonOperator": "LessThanOrEqualToThreshold",
                "AlarmActions": ["In"],
            },
        },
    }
}


def changed(resource: str, **properties: Any) -> dict[str, Any]:
    resolved = deepcopy(RESOLVED)
    resolved["Resources"][resource]["Properties"].update(properties)
    return resolved


def test_a_group_is_read_with_its_policies_and_the_alarms_that_invoke_them() -> None:
    (group,) = read_groups(RESOLVED)

    assert (group.name, group.spot, group.minimum, group.maximum, group.warmup) == ("Group", True, 0, 20, 120)
    assert group.collected == METRICS
    out, shrink = group.policies["Out"], group.policies["In"]
    assert isinstance(out, TargetTracking)
    assert isinstance(shrink, StepScaling)
    assert (out.target, out.query.expressions, out.query.result) == (480, {"double": "visible * 2"}, "double")
    assert shrink.steps == (Step(lower=None, upper=0, adjustment=0),)
    high, idle = group.alarms
    assert (high.evaluation_periods, high.datapoints_to_alarm, high.threshold) == (3, 3, 480)
    assert (idle.evaluation_periods, idle.datapoints_to_alarm, idle.missing) == (3, 3, "missing")
    dimensions = (("QueueName", "photos"),)
    expected = Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", dimensions, "Sum", 300)
    assert idle.query.metrics["metric"] == expected


def test_a_group_publishes_only_what_its_metrics_collection_names() -> None:
    named = changed("Group", MetricsCollection=[{"Granularity": "1Minute", "Metrics": ["GroupDesiredCapacity"]}])
    none = changed("Group", MetricsCollection=[])

    assert read_groups(named)[0].collected == {"GroupDesiredCapacity"}
    assert read_groups(none)[0].collected == frozenset()


def test_a_group_without_a_distribution_is_on_demand() -> None:
    assert not read_groups(changed("Group", MixedInstancesPolicy={}))[0].spot


def metrics(*queries: dict[str, Any]) -> dict[str, Any]:
    specification = {"Metrics": list(queries)}
    return {"DisableScaleIn": True, "TargetValue": 1, "CustomizedMetricSpecification": specification}


@pytest.mark.parametrize(
    ("resolved", "problem"),
    [
        (changed("In", PolicyType="SimpleScaling"), "In is neither target tracking nor step scaling"),
        (changed("In", EstimatedInstanceWarmup=60), "In has a warm-up of its own"),
        (changed("In", MetricAggregationType="Sum"), "In has 'Sum' where one of Average, Maximum, Minimum"),
        (changed("Out", TargetTrackingConfiguration={"TargetValue": 1}), "Out may scale in"),
        (
            changed("Out", TargetTrackingConfiguration={"DisableScaleIn": True}),
            "Out does not track a metric of its own",
        ),
        (
            changed("Out", TargetTrackingConfiguration=metrics(VISIBLE)),
            "Out must return the data of one query, not of 0",
        ),
        (
            changed("Out", TargetTrackingConfiguration=metrics({**VISIBLE, "ReturnData": True}, DOUBLE)),
            "Out must return the data of one query, not of 2",
        ),
        (changed("Idle", Period=10), "Idle has a period of 10 seconds"),
        (changed("Idle", Statistic="SampleCount"), "Idle has 'SampleCount' where one of Average"),
        (changed("Idle", ComparisonOperator="GreaterThanUpperThreshold"), "Idle has 'GreaterThanUpperThreshold'"),
    ],
)
def test_what_is_not_modelled_is_refused(resolved: dict[str, Any], problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        read_groups(resolved)


def test_a_group_states_its_warm_up() -> None:
    resolved = deepcopy(RESOLVED)
    del resolved["Resources"]["Group"]["Properties"]["DefaultInstanceWarmup"]

    with pytest.raises(TemplateError, match="Group does not state its DefaultInstanceWarmup"):
        read_groups(resolved)


def test_metrics_of_an_alarm_share_a_period() -> None:
    slow = {**VISIBLE, "Id": "slow", "MetricStat": {**VISIBLE["MetricStat"], "Period": "300"}}  # type: ignore[dict-item]
    resolved = changed("Idle", Metrics=[VISIBLE, slow, DOUBLE])

    with pytest.raises(TemplateError, match="Idle mixes metrics of different periods"):
        read_groups(resolved)
