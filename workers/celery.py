"""The Celery application for operators, who ask workers of every fleet: `celery --app workers inspect active`."""

from photofleet.broker import create_app

app = create_app()
