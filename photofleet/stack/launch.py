"""Launching a stack: packaged, previewed, changed, followed and protected."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from photofleet.stack import Clients, StackError, change_sets
from photofleet.stack.bucket import templates_bucket
from photofleet.stack.change_sets import ChangeSet
from photofleet.stack.events import Event, Follower, root_cause
from photofleet.stack.guard_rails import (
    check_changes,
    check_environment,
    check_is_ours,
    check_name,
    is_protected,
    protect,
)
from photofleet.stack.packaging import templates, upload
from photofleet.stack.parameters import combine, values
from photofleet.stack.stacks import Stack, describe, outputs


@dataclass(frozen=True)
class Launch:
    """How a launch is done: to be asked before something changes, and to be told of what happens."""

    clients: Clients
    agree: Callable[[str, ChangeSet], bool] = lambda _stack, _changes: True
    tell: Callable[[str], None] = lambda _line: None
    follow: Callable[[Event], None] = lambda _event: None
    poll_seconds: float = 1.0

    def run(
        self, name: str, parameters: Mapping[str, str], template: str = "photofleet", bucket: str | None = None
    ) -> dict[str, str] | None:
        """Create a stack or bring it up to date, and return its outputs; None if `agree` says no.

        Calling it again changes nothing.

        Raises:
            StackError: it is refused, or failed; the message says why.
            ClientError: AWS refuses a request.
        """
        check_name(name)
        cloudformation = self.clients("cloudformation")
        existing = self._ready_to_change(cloudformation, name)
        if existing:
            check_environment(existing, parameters.get("Environment"))
        address = upload(self.clients, bucket or templates_bucket(self.clients), templates(), f"{template}.yaml")
        change_set = self._change_set(cloudformation, name, address, parameters, existing)
        if change_set:
            if not self._carry_out(cloudformation, name, change_set, is_new=existing is None):
                return None
        elif existing:
            self.tell(f"{name} is up to date.")
        stack = describe(cloudformation, name)
        if stack is None:
            raise StackError(f"The stack {name} was deleted meanwhile.")
        if change_set or not is_protected(cloudformation, stack):
            protect(cloudformation, name)
        return outputs(stack)

    def _ready_to_change(self, cloudformation: Any, name: str) -> Stack | None:
        """Return the stack to update, or None where one is to be created, once what is in the way is gone."""
        stack = describe(cloudformation, name)
        status = stack["StackStatus"] if stack else ""
        if stack is None or status == "REVIEW_IN_PROGRESS":
            return None
        check_is_ours(cloudformation, stack)
        if status == "ROLLBACK_COMPLETE":
            self.tell(f"{name} was never created to its end, and that was rolled back; the empty stack is deleted.")
            self._delete_empty(cloudformation, stack)
            return None
        if status in ("CREATE_FAILED", "ROLLBACK_FAILED"):
            raise StackError(
                f"{name} was not created to its end, and what is there of it was kept ({status}). `photofleet stack "
                f"status {name}` says why; `photofleet stack delete {name}` deletes it, once it has asked."
            )
        if status.endswith("_IN_PROGRESS"):
            raise StackError(
                f"{name} is being changed already ({status}). `photofleet stack status {name}` says when it is done."
            )
        if status == "UPDATE_ROLLBACK_FAILED":
            raise StackError(
                f"An update of {name} failed, and so did taking it back. `photofleet stack status {name}` says why. "
                f"Mend that, then run: aws cloudformation continue-update-rollback --stack-name {name}"
            )
        if status == "DELETE_FAILED":
            raise StackError(
                f"{name} was to be deleted, and that failed. `photofleet stack status {name}` says why; "
                f"`photofleet stack delete {name}` tries again."
            )
        return stack

    def _delete_empty(self, cloudformation: Any, stack: Stack) -> None:
        cloudformation.update_termination_protection(StackName=stack["StackId"], EnableTerminationProtection=False)
        cloudformation.delete_stack(StackName=stack["StackId"])
        while (left := describe(cloudformation, stack["StackId"])) and left["StackStatus"] != "DELETE_COMPLETE":
            if left["StackStatus"] == "DELETE_FAILED":
                raise StackError(f"{stack['StackName']} cannot be deleted. {left.get('StackStatusReason', '')}")
            time.sleep(self.poll_seconds)

    def _change_set(
        self, cloudformation: Any, name: str, address: str, given: Mapping[str, str], existing: Stack | None
    ) -> ChangeSet | None:
        declared = [
            item["ParameterKey"] for item in cloudformation.get_template_summary(TemplateURL=address)["Parameters"]
        ]
        parameters = combine(declared, given, values(existing) if existing else ())
        try:
            return change_sets.create(
                cloudformation, name, address, parameters, is_new=existing is None, poll_seconds=self.poll_seconds
            )
        except ClientError as error:
            # Wrong values and missing ones: CloudFormation knows what the template allows, and names all of them.
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            words = error.response["Error"]["Message"].rstrip(".")
            raise StackError(f"{words}. Parameters are given with -p or in a file.") from error

    def _carry_out(self, cloudformation: Any, name: str, change_set: ChangeSet, *, is_new: bool) -> bool:
        """Execute a change set and follow it to its end; discard it, and return False, if `agree` says no."""
        discard = partial(
            change_sets.discard,
            cloudformation,
            change_set.id,
            change_set.stack_id,
            is_new=is_new,
            poll_seconds=self.poll_seconds,
        )
        is_ready = False
        try:
            if not is_new:
                check_changes(cloudformation, change_set.changes)
            if not self.agree(name, change_set):
                return False
            follower = Follower(cloudformation, change_set.stack_id)
            # Before anything is changed: the stack policy guards what nobody could foresee, and nobody knows whether
            # this program is still there when all is done. A new stack has no nested ones yet, to get their policies.
            if is_new:
                cloudformation.update_termination_protection(
                    StackName=change_set.stack_id, EnableTerminationProtection=True
                )
            else:
                protect(cloudformation, name)
            is_ready = True
        finally:
            if not is_ready:
                discard()
        try:
            try:
                cloudformation.execute_change_set(ChangeSetName=change_set.id)
            except ClientError:
                discard()
                raise
            self._follow(follower, name)
        except KeyboardInterrupt:
            self.tell(
                f"What CloudFormation has begun goes on. `photofleet stack status {name}` shows how it goes; launch it "
                "again afterwards, so that it is protected whole."
            )
            raise
        return True

    def _follow(self, follower: Follower, name: str) -> None:
        events = []
        for event in follower.follow(self.poll_seconds):
            events.append(event)
            self.follow(event)
        if follower.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            cause = root_cause(events)
            because = f"{cause.resource}: {cause.reason}" if cause else "CloudFormation gives no reason."
            raise StackError(f"The stack {name} failed and is {follower.status} now. {because}")
