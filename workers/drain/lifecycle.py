"""The lifecycle action by which a hook of the autoscaling group holds this instance until its worker has ended.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
"""

import logging
import time
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from workers.drain.timing import Timing

logger = logging.getLogger(__name__)

# One short attempt: whoever waits here stops a worker in time as well, and we try again ourselves.
_CONFIG = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1})


_FAILURES = (BotoCoreError, ClientError, LookupError)


class LifecycleAction:
    """The action of one instance. What AWS refuses is logged, and tried again."""

    def __init__(self, instance_id: str, hook: str, timing: Timing) -> None:
        self._instance_id = instance_id
        self._hook = hook
        self._timing = timing
        self._next_heartbeat = self._next_attempt = 0.0
        self._retry = timing.retry
        self._completed = False

    def hold(self) -> None:
        """Ask for more time, if it is time to ask."""
        if time.monotonic() < self._next_heartbeat:
            return
        self._next_heartbeat = time.monotonic() + self._timing.heartbeat
        try:
            self._autoscaling.record_lifecycle_action_heartbeat(**self._action)
        except _FAILURES as error:
            logger.warning("autoscaling was not asked for more time: %s", error)
        else:
            logger.info("autoscaling was asked for more time")

    def complete(self) -> None:
        """Let the instance go, unless that is done, or was tried a moment ago."""
        if self._completed or time.monotonic() < self._next_attempt:
            return
        try:
            self._autoscaling.complete_lifecycle_action(LifecycleActionResult="CONTINUE", **self._action)
        except _FAILURES as error:
            logger.warning("autoscaling was not told that the instance may end; again in %g s: %s", self._retry, error)
            self._next_attempt = time.monotonic() + self._retry
            self._retry = min(2 * self._retry, self._timing.longest_retry)
        else:
            logger.info("autoscaling was told that the instance may end")
            self._completed = True

    @cached_property
    def _autoscaling(self) -> Any:
        return boto3.session.Session().client("autoscaling", config=_CONFIG)

    @cached_property
    def _action(self) -> dict[str, str]:
        found = self._autoscaling.describe_auto_scaling_instances(InstanceIds=[self._instance_id])
        if not found["AutoScalingInstances"]:
            raise LookupError(f"it knows no instance {self._instance_id}")
        return {
            "AutoScalingGroupName": found["AutoScalingInstances"][0]["AutoScalingGroupName"],
            "LifecycleHookName": self._hook,
            "InstanceId": self._instance_id,
        }
