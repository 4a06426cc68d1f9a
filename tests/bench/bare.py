"""The least that a Flask application could do in the place of ours: what we are held against."""

from __future__ import annotations

import io
import os
import uuid

import redis
from flask import Flask, Response, jsonify, request
from PIL import Image

from web.server import Server
from web.settings import WebSettings


def create_app() -> Flask:
    """Two views: decode an upload and write it to Redis; read one Redis hash."""
    app = Flask(__name__)
    store = redis.Redis.from_url(os.environ["LIMELIGHT_REDIS_URL"])

    @app.post("/bare")
    def post() -> tuple[Response, int]:
        data = request.files["image"].read()
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            size = image.size
        key = f"bare:{uuid.uuid4().hex}"
        store.set(key, data, ex=600)
        return jsonify(id=key, width=size[0], height=size[1]), 202

    @app.get("/bare/<path:key>")
    def get(key: str) -> Response:
        fields = store.hgetall(key)
        return jsonify({name.decode(): value.decode() for name, value in fields.items()})

    return app


if __name__ == "__main__":
    Server(create_app, WebSettings()).run()
