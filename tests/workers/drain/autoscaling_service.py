"""As much of autoscaling's API as an instance needs for its lifecycle action, as strict as the real one about it.

The embedded AWS would not do: it says yes to every lifecycle action, whatever is asked, and notes none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from tests.loopback import Handler, serve
from tests.metadata_service import INSTANCE_ID

GROUP = "resize-fleet"
HOOK = "drain"
NAMESPACE = "http://autoscaling.amazonaws.com/doc/2011-01-01/"


class AutoscalingService:
    """A group with one instance."""

    address: str

    def __init__(self) -> None:
        self.waiting = False
        """Whether a hook holds the instance in Terminating:Wait."""
        self.heartbeats = 0
        self.result: str | None = None
        """How its lifecycle action was completed."""
        self.failures = 0
        """How many of the next calls meet an error of the service's own."""
        self.calls: list[str] = []
        self.knows_the_instance = True
        self.health = "Healthy"

    def answer(self, parameters: dict[str, str]) -> tuple[int, str]:
        """Status and XML."""
        action = parameters["Action"]
        self.calls.append(action)
        if self.failures:
            self.failures -= 1
            return 500, _error("InternalFailure", "An internal error has occurred.")
        if action == "DescribeAutoScalingInstances":
            known = self.knows_the_instance and parameters["InstanceIds.member.1"] == INSTANCE_ID
            return 200, _result(action, f"<AutoScalingInstances>{_INSTANCE if known else ''}</AutoScalingInstances>")
        if action == "SetInstanceHealth":
            if parameters["InstanceId"] != INSTANCE_ID or parameters["HealthStatus"] not in ("Healthy", "Unhealthy"):
                return 400, _error("ValidationError", "No such instance or health.")
            self.health = parameters["HealthStatus"]
            return 200, _result(action, "")
        if parameters.get("AutoScalingGroupName") != GROUP or parameters.get("LifecycleHookName") != HOOK:
            return 400, _error("ValidationError", "No such lifecycle hook.")
        if parameters.get("InstanceId") != INSTANCE_ID or not self.waiting:
            return 400, _error("ValidationError", f"No active Lifecycle Action found with instance ID {INSTANCE_ID}")
        if action == "RecordLifecycleActionHeartbeat":
            self.heartbeats += 1
        elif action == "CompleteLifecycleAction" and parameters.get("LifecycleActionResult") in ("CONTINUE", "ABANDON"):
            self.waiting = False
            self.result = parameters["LifecycleActionResult"]
        else:
            return 400, _error("InvalidAction", f"{action} makes no sense here.")
        return 200, _result(action, "")

    @contextmanager
    def running(self) -> Iterator["AutoscalingService"]:
        service = self

        class AutoscalingHandler(Handler):
            def do_POST(self) -> None:  # noqa: N802 -- http.server's name
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if "/autoscaling/aws4_request" not in self.headers.get("Authorization", ""):
                    self.answer(403, _error("MissingAuthenticationToken", "The request is not signed."))
                else:
                    self.answer(*service.answer(dict(parse_qsl(body))))

        with serve(AutoscalingHandler) as self.address:
            yield self


_INSTANCE = (
    f"<member><InstanceId>{INSTANCE_ID}</InstanceId><AutoScalingGroupName>{GROUP}</AutoScalingGroupName>"
    "<AvailabilityZone>us-east-1a</AvailabilityZone><LifecycleState>Terminating:Wait</LifecycleState>"
    "<HealthStatus>HEALTHY</HealthStatus><ProtectedFromScaleIn>false</ProtectedFromScaleIn></member>"
)


def _result(action: str, inner: str) -> str:
    return f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{inner}</{action}Result></{action}Response>'


def _error(code: str, message: str) -> str:
    return (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    )
