"""The resize fleet's Celery application: `celery --app workers.resize worker`."""

from photofleet.broker import create_app

app = create_app("workers.limits", "workers.resize.tasks", "workers.readiness")
