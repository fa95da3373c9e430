"""The Flask application, put together."""

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from photofleet.settings import Settings, get_settings
from webapp import health, presentation, problems, request_log, security
from webapp.api import photos as api_photos
from webapp.api import search as api_search
from webapp.photos import pages as photo_pages
from webapp.search import pages as search_pages
from webapp.uploads import form as upload_form
from webapp.uploads.receive import UploadRequest


class Application(Flask):
    """A Flask application that receives uploads as streams."""

    request_class = UploadRequest


def create_app(settings: Settings | None = None) -> Flask:
    """The application, with the given settings or those of the environment."""
    settings = settings or get_settings()
    app = Application("webapp")
    app.config["MAX_CONTENT_LENGTH"] = settings.upload_max_request_bytes
    app.json = DefaultJSONProvider(app)
    app.json.sort_keys = False
    for part in (request_log, security, problems, presentation):
        part.init_app(app, settings)
    for module in (health, photo_pages, search_pages, upload_form, api_photos, api_search):
        app.register_blueprint(module.blueprint)
    return app
