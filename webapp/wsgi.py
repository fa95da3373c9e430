"""The application, for gunicorn."""

from webapp.application import create_app

app = create_app()
