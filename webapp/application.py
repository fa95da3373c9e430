"""The Flask application, put together."""

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from photofleet.settings import get_settings
from webapp import health, presentation, problems, request_log, security
from webapp.labels import api as labels_api
from webapp.labels import pages as label_pages
from webapp.ops import labels as ops_labels
from webapp.ops import pages as ops_pages
from webapp.photos import api as photos_api
from webapp.photos import pages as photo_pages
from webapp.search import api as search_api
from webapp.search import pages as search_pages
from webapp.uploads import api as upload_api
from webapp.uploads import form as upload_form
from webapp.uploads.receive import UploadRequest

OTHER_FORM_FIELDS = 10


class Json(DefaultJSONProvider):
    """JSON with its members in the order in which a reader expects them."""

    sort_keys = False


class Application(Flask):
    """A Flask application that receives uploads as streams."""

    request_class = UploadRequest
    json_provider_class = Json


def create_app() -> Flask:
    """The application, with the settings of the environment."""
    settings = get_settings()
    # Browsers load static files from where the renditions are: see webapp/publish.py.
    app = Application("webapp", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.upload_max_request_bytes
    app.config["MAX_FORM_PARTS"] = settings.upload_max_files + OTHER_FORM_FIELDS
    for part in (request_log, security, problems, presentation):
        part.init_app(app, settings)
    pages = (health, photo_pages, label_pages, search_pages, upload_form, ops_pages, ops_labels)
    for module in (*pages, photos_api, labels_api, search_api, upload_api):
        app.register_blueprint(module.blueprint)
    return app
