"""The watch over one instance: wait for a notice, then stop the worker and let the instance go."""

import logging
import re
import threading
from pathlib import Path

from photofleet.logs import log_context
from photofleet.metadata import Metadata, MetadataError
from workers.drain.lifecycle import LifecycleAction
from workers.drain.notices import TARGET_STATE, Notices
from workers.drain.stopping import Stopping
from workers.drain.timing import Timing
from workers.drain.trouble import Trouble

logger = logging.getLogger(__name__)


def watch(metadata: Metadata, pidfile: Path, hook: str, stop: threading.Event, timing: Timing | None = None) -> None:
    """Watch this instance, and drain it when it is going to end, until `stop` is set.

    Args:
        metadata: The instance's metadata.
        pidfile: Where the worker's main process notes its id.
        hook: The name of the lifecycle hook that holds the instance for us when it is to be terminated.
        stop: Ends the watch; the worker is left as it is.
        timing: When what is due.
    """
    timing = timing or Timing()
    instance_id = _learn_instance_id(metadata, stop, timing)
    if instance_id is None:
        return
    with log_context(instance_id=instance_id):
        logger.info("watching for notices that this instance is going to end")
        notices = Notices(metadata)
        action = LifecycleAction(instance_id, hook, timing)
        stopping: Stopping | None = None
        while not stop.is_set():
            standing = notices.look()
            if standing and stopping is None:
                stopping = Stopping(pidfile, timing)
            if stopping is None:
                stop.wait(timing.look)
                continue
            working = stopping.go_on()
            if TARGET_STATE in standing:
                if working:
                    action.hold()
                else:
                    action.complete()
            stop.wait(min(timing.look, stopping.next_step()))
        logger.info("told to stop watching")


def _learn_instance_id(metadata: Metadata, stop: threading.Event, timing: Timing) -> str | None:
    """Ask until there is an answer; None when told to stop before."""
    trouble = Trouble("the metadata service")
    while not stop.is_set():
        try:
            found = metadata.get("instance-id")
        except MetadataError as error:
            trouble.note(str(error))
        else:
            if found and re.fullmatch(r"i-[0-9a-f]+", found):
                trouble.note(None)
                return found
            trouble.note(f"it gives no instance id, but {found!r}")
        stop.wait(timing.look)
    return None
