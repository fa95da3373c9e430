"""Alarms that say what is the matter, and that decide what no news are."""

from collections.abc import Iterator

from tests.cloudformation.rules.rule import (
    Documents,
    is_sentence,
    mappings,
    properties,
    resource,
    rule,
)

ALARM = "AWS::CloudWatch::Alarm"


@rule(
    lambda documents: resource(documents, "workers.yaml", "WakeAlarm").pop("AlarmDescription"),
    lambda documents: resource(documents, "monitoring.yaml", "SiteIsDown").update(AlarmDescription="Site is down"),
    lambda documents: resource(documents, "monitoring.yaml", "SiteIsDown").update(AlarmDescription="down."),
    lambda documents: resource(documents, "monitoring.yaml", "SiteIsSlow").pop("TreatMissingData"),
    lambda documents: resource(documents, "monitoring.yaml", "SiteIsSlow").update(AlarmActions=[]),
    lambda documents: resource(documents, "monitoring.yaml", "SiteIsSlow").update(ActionsEnabled=False),
)
def every_alarm_says_what_is_the_matter_and_what_no_data_mean(documents: Documents) -> Iterator[str]:
    for where, alarm in properties(documents, ALARM):
        description = alarm.get("AlarmDescription", "")
        text = description["Fn::Sub"] if isinstance(description, dict) else description
        if not is_sentence(text) or len(text.split()) < 8 or text[0] != text[0].upper():
            yield f"{where} is not described by a full sentence."
        if alarm.get("TreatMissingData") not in ("breaching", "notBreaching", "ignore", "missing"):
            yield f"{where} does not say what missing data mean."
        if not alarm.get("AlarmActions") or alarm.get("ActionsEnabled") is False:
            yield f"{where} tells nobody."


@rule(
    lambda documents: resource(documents, "workers.yaml", "WakeAlarm")["Metrics"][0].update(ReturnData=True),
    lambda documents: resource(documents, "workers.yaml", "WakeAlarm")["Metrics"][-1].update(ReturnData=False),
    lambda documents: resource(documents, "workers.yaml", "BacklogPolicy")["TargetTrackingConfiguration"][
        "CustomizedMetricSpecification"
    ]["Metrics"][0].pop("ReturnData"),
)
def of_several_metrics_exactly_one_decides(documents: Documents) -> Iterator[str]:
    for where, given in properties(documents, ALARM, "AWS::AutoScaling::ScalingPolicy"):
        for mapping in mappings(given):
            for several in [mapping["Metrics"]] if "Metrics" in mapping else []:
                # Without it a metric is returned.
                if [metric.get("ReturnData", True) for metric in several].count(True) != 1:
                    yield f"{where} does not have exactly one metric that decides."


@rule(
    lambda documents: resource(documents, "logs.yaml", "WebLogs").pop("RetentionInDays"),
    lambda documents: resource(documents, "pipeline.yaml", "BuildProject").update(
        LogsConfig={"CloudWatchLogs": {"Status": "ENABLED"}}
    ),
    lambda documents: resource(documents, "pipeline.yaml", "Drift").pop("LoggingConfig"),
)
def no_log_is_kept_for_ever(documents: Documents) -> Iterator[str]:
    for where, logs in properties(documents, "AWS::Logs::LogGroup"):
        if "RetentionInDays" not in logs:
            yield f"{where} keeps its logs for ever."
    for where, project in properties(documents, "AWS::CodeBuild::Project"):
        if "GroupName" not in project.get("LogsConfig", {}).get("CloudWatchLogs", {}):
            yield f"{where} writes into a log group that is kept for ever."
    for where, function in properties(documents, "AWS::Lambda::Function"):
        if "LogGroup" not in function.get("LoggingConfig", {}):
            yield f"{where} writes into a log group that is kept for ever."
