"""The Auto Scaling groups of a resolved template: their limits, their policies, and the alarms that invoke these.

What the functions beside this module do not model is refused, so that no test passes for a template it did not read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from photofleet.fleet.alarms import COMPARISONS, Alarm, Metric, Query, Treatment
from photofleet.fleet.scaling import AGGREGATIONS, Policy, Step, StepScaling, TargetTracking
from photofleet.fleet.template import TemplateError

# What a group publishes if its MetricsCollection names nothing, as far as policies may want it.
METRICS = frozenset(
    {
        "GroupDesiredCapacity",
        "GroupInServiceInstances",
        "GroupPendingInstances",
        "GroupTerminatingInstances",
        "GroupTotalInstances",
    }
)


@dataclass(frozen=True)
class Group:
    """An Auto Scaling group. `collected` are the metrics that it publishes, `warmup` is in seconds."""

    name: str
    spot: bool
    minimum: int
    maximum: int
    warmup: int
    collected: frozenset[str]
    policies: Mapping[str, Policy]
    alarms: tuple[Alarm, ...]


def read_groups(resolved: Mapping[str, Any]) -> tuple[Group, ...]:
    """The groups among a resolved template's resources, in the template's order."""
    resources: Mapping[str, Any] = resolved["Resources"]
    policies: dict[str, dict[str, Policy]] = {}
    for name, properties in _of_type(resources, "AWS::AutoScaling::ScalingPolicy"):
        policies.setdefault(properties["AutoScalingGroupName"], {})[name] = _policy(name, properties)
    alarms = [_alarm(name, properties) for name, properties in _of_type(resources, "AWS::CloudWatch::Alarm")]
    return tuple(
        _group(name, properties, policies.get(name, {}), alarms)
        for name, properties in _of_type(resources, "AWS::AutoScaling::AutoScalingGroup")
    )


def _of_type(resources: Mapping[str, Any], kind: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    return ((name, resource["Properties"]) for name, resource in resources.items() if resource["Type"] == kind)


def _group(name: str, properties: Mapping[str, Any], policies: Mapping[str, Policy], alarms: list[Alarm]) -> Group:
    if "DefaultInstanceWarmup" not in properties:
        raise TemplateError(f"{name} does not state its DefaultInstanceWarmup, without which a cooldown applies.")
    distribution = properties.get("MixedInstancesPolicy", {}).get("InstancesDistribution", {})
    own = [policy.alarm for policy in policies.values() if isinstance(policy, TargetTracking)]
    return Group(
        name=name,
        spot=int(distribution.get("OnDemandPercentageAboveBaseCapacity", 100)) == 0,
        minimum=int(properties["MinSize"]),
        maximum=int(properties["MaxSize"]),
        warmup=int(properties["DefaultInstanceWarmup"]),
        collected=frozenset(
            metric
            for collection in properties.get("MetricsCollection", [])
            for metric in collection.get("Metrics", METRICS)
        ),
        policies=policies,
        alarms=(*own, *(alarm for alarm in alarms if set(alarm.actions) & set(policies))),
    )


def _policy(name: str, properties: Mapping[str, Any]) -> Policy:
    if "EstimatedInstanceWarmup" in properties:
        raise TemplateError(f"{name} has a warm-up of its own; state one DefaultInstanceWarmup for the group.")
    match properties.get("PolicyType"):
        case "TargetTrackingScaling":
            return _target_tracking(name, properties["TargetTrackingConfiguration"])
        case "StepScaling":
            return StepScaling(
                name=name,
                adjustment_type=properties["AdjustmentType"],
                steps=tuple(map(_step, properties["StepAdjustments"])),
                aggregation=_known(properties.get("MetricAggregationType", "Average"), AGGREGATIONS, name),
                minimum_magnitude=int(properties.get("MinAdjustmentMagnitude", 0)),
            )
    raise TemplateError(f"{name} is neither target tracking nor step scaling: its type is not supported here.")


def _target_tracking(name: str, configuration: Mapping[str, Any]) -> TargetTracking:
    if str(configuration.get("DisableScaleIn")).lower() != "true":
        raise TemplateError(f"{name} may scale in; target tracking is supported here with DisableScaleIn only.")
    metrics = configuration.get("CustomizedMetricSpecification", {}).get("Metrics")
    if metrics is None:
        raise TemplateError(f"{name} does not track a metric of its own: CustomizedMetricSpecification.Metrics.")
    return TargetTracking(name, _query(name, metrics), float(configuration["TargetValue"]))


def _step(properties: Mapping[str, Any]) -> Step:
    lower, upper = properties.get("MetricIntervalLowerBound"), properties.get("MetricIntervalUpperBound")
    return Step(
        lower=None if lower is None else float(lower),
        upper=None if upper is None else float(upper),
        adjustment=int(properties["ScalingAdjustment"]),
    )


def _alarm(name: str, properties: Mapping[str, Any]) -> Alarm:
    if "Metrics" in properties:
        query = _query(name, properties["Metrics"])
    else:
        query = Query({"metric": _metric(name, properties, properties)}, {}, "metric")
    periods = {metric.period for metric in query.metrics.values()}
    if len(periods) != 1:
        raise TemplateError(f"{name} mixes metrics of different periods, or has none.")
    if str(properties.get("ActionsEnabled", True)).lower() != "true":
        raise TemplateError(f"{name} does nothing: its actions are not enabled.")
    count = int(properties["EvaluationPeriods"])
    return Alarm(
        name=name,
        query=query,
        evaluation_periods=count,
        datapoints_to_alarm=int(properties.get("DatapointsToAlarm", count)),
        threshold=float(properties["Threshold"]),
        comparison=_known(properties["ComparisonOperator"], COMPARISONS, name),
        missing=_known(properties.get("TreatMissingData", "missing"), get_args(Treatment), name),
        actions=tuple(str(action).split(".")[0] for action in properties.get("AlarmActions", [])),
    )


def _query(name: str, queries: list[Mapping[str, Any]]) -> Query:
    """The metrics and expressions of a list of MetricDataQuery; an expression stands after those that it uses."""
    returned = [query["Id"] for query in queries if str(query.get("ReturnData", True)).lower() == "true"]
    if len(returned) != 1:
        raise TemplateError(f"{name} must return the data of one query, not of {len(returned)}.")
    return Query(
        metrics={
            query["Id"]: _metric(name, query["MetricStat"]["Metric"], query["MetricStat"])
            for query in queries
            if "MetricStat" in query
        },
        expressions={query["Id"]: query["Expression"] for query in queries if "Expression" in query},
        result=returned[0],
    )


STATISTICS = frozenset({"Average", "Maximum", "Minimum", "Sum"})


def _metric(name: str, metric: Mapping[str, Any], asked: Mapping[str, Any]) -> Metric:
    dimensions = ((entry["Name"], entry["Value"]) for entry in metric.get("Dimensions", []))
    period = int(asked.get("Period", 60))
    if period % 60:
        raise TemplateError(f"{name} has a period of {period} seconds; whole minutes are supported.")
    return Metric(
        namespace=metric["Namespace"],
        name=metric["MetricName"],
        dimensions=tuple(sorted(dimensions)),
        statistic=_known(asked.get("Stat", asked.get("Statistic", "")), STATISTICS, name),
        period=period,
    )


def _known(value: Any, known: Iterable[str], name: str) -> Any:
    if value not in known:
        raise TemplateError(f"{name} has {value!r} where one of {', '.join(sorted(known))} is supported.")
    return value
