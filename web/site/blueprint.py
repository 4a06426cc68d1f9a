"""The pages for people, put together."""

from __future__ import annotations

from flask import Blueprint

from web.acceptance import Acceptance
from web.pages import TEMPLATES
from web.site.actions import Access, add_actions
from web.site.routes import Parts, add_pages


def blueprint(parts: Parts, *, acceptance: Acceptance, access: Access) -> Blueprint:
    """Make the routes over what they need."""
    site = Blueprint("site", __name__, template_folder=TEMPLATES)
    add_pages(site, parts)
    add_actions(site, parts, acceptance=acceptance, access=access)
    return site
