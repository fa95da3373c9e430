"""The label fleet's Celery application: `celery --app workers.label worker`."""

from photofleet.broker import create_app

app = create_app("workers.limits", "workers.label.tasks", "workers.readiness")
app.conf.worker_proc_alive_timeout = 60  # seconds; a process is up when it has loaded its network, whose file is there
