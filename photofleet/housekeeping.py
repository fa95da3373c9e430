"""What is done again and again to keep the service whole, by any number of processes at once."""

import logging
import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from photofleet.broker.control import prune_mailboxes
from photofleet.catalog.database import get_engine
from photofleet.catalog.searchable import bring_up_to_date
from photofleet.clients import AWS_ERRORS
from photofleet.operations.metrics import emit
from photofleet.operations.outages import Outage
from photofleet.operations.status import get_status
from photofleet.settings import get_settings
from photofleet.sweeper import sweep

logger = logging.getLogger(__name__)

METRICS_INTERVAL_S = 60
"""CloudWatch keeps ordinary metrics by the minute."""

FOLLOW_INTERVAL_S = 5
"""An operator who has set a threshold looks what it does."""

PRUNE_INTERVAL_S = 600


def keep_house(stop: threading.Event) -> None:
    """Do all chores again and again, until told to stop: announce overdue photos, for one."""
    for chore, interval in (
        (sweep, get_settings().sweep_interval),
        (follow_labels, FOLLOW_INTERVAL_S),
        (log_metrics, METRICS_INTERVAL_S),
        (prune, PRUNE_INTERVAL_S),
    ):
        threading.Thread(target=_repeat, args=(chore, interval, stop), name=chore.__name__, daemon=True).start()
    stop.wait()


def follow_labels() -> None:
    """Have photos found by what their labels mean now."""
    bring_up_to_date(get_engine())


def log_metrics() -> None:
    """Log how the service stands, for CloudWatch to draw and to alarm on, if logs are for machines."""
    if get_settings().log_format == "json":
        emit(get_status(ask=False))


def prune() -> None:
    """Delete the mailboxes of dead workers."""
    for name in prune_mailboxes():
        logger.info("deleted the mailbox %s, which nobody reads any more", name)


def _repeat(chore: Callable[[], object], interval: float, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            chore()
        except (SQLAlchemyError, Outage, *AWS_ERRORS) as error:  # the next time it may answer
            logger.error("%s: %s", chore.__name__, error)
        except Exception:  # whatever it is: a chore that is done no more would be missed by nobody, for long
            logger.exception("%s went wrong", chore.__name__)
        stop.wait(interval)
