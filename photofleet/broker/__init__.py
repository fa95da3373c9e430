"""Celery over SNS and SQS: one message to a topic, a queue for each fleet that listens."""

from photofleet.broker.app import PHOTO_UPLOADED, create_app

__all__ = ["PHOTO_UPLOADED", "create_app"]
