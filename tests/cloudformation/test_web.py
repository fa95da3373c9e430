"""What the web tier is scaled by."""

import pytest

from photofleet.fleet.metric_math import evaluate
from photofleet.fleet.template import load_template, resolve
from tests.cloudformation.rules.rule import FOLDER


@pytest.mark.parametrize(
    ("pages", "uploads", "requests"), [(300, 20, 320), (300, None, 300), (None, 20, 20), (0, 0, 0), (None, None, None)]
)
def test_pages_and_uploads_count_together(pages: int | None, uploads: int | None, requests: int | None) -> None:
    template = load_template(FOLDER / "web.yaml")
    policy = resolve(template, dict.fromkeys(template["Parameters"], "1"))["Resources"]["RequestsPolicy"]["Properties"]
    metrics = policy["TargetTrackingConfiguration"]["CustomizedMetricSpecification"]["Metrics"]
    groups = {
        metric["Id"]: metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"]
        for metric in metrics
        if "MetricStat" in metric
    }
    (expression,) = (metric["Expression"] for metric in metrics if metric["ReturnData"])

    assert groups == {
        "pages": "TargetGroup.TargetGroupFullName",
        "uploads": "UploadTargetGroup.TargetGroupFullName",
    }
    assert evaluate(expression, {"pages": (pages,), "uploads": (uploads,)}) == (requests,)
