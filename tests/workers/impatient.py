"""The resize fleet's application, with time limits that a test can wait for."""

from workers.resize.celery import app

app.conf.update(task_soft_time_limit=5, task_time_limit=6)
