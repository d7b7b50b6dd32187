"""The short way: the same answers as the long one, for plain routes alone."""

import asyncio

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Response

from keras_seq.serving.server.plain_route import PlainRoute
from keras_seq.serving.server.shortcut import Shortcut


def make_app(short):
    plain, usual = APIRouter(route_class=PlainRoute), APIRouter()

    @plain.post("/models/{name}/versions/{version}/ask")
    async def ask(request):
        path = request.path_params
        body = (await request.body()).decode()
        return Response(f"{path['name']} {path['version']} {body} {request.scope['route'].path}")

    @usual.get("/models/{name}")
    async def tell(name: str):
        return {"name": name}

    app = FastAPI()
    for router in (plain, usual):
        app.include_router(router)
    if short:
        app.add_middleware(Shortcut, routers=[plain, usual])
    return app


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/models/tagger/versions/3/ask"),
        ("POST", "/models/na%C3%AFve/versions/3/ask"),
        ("GET", "/models/tagger/versions/3/ask"),  # 405
        ("POST", "/models/a/b/versions/3/ask"),  # 404
        ("POST", "/models/tagger/versions/3/ask/"),
        ("GET", "/models/tagger"),
        ("GET", "/nothing"),
    ],
)
def test_the_short_way_ends_where_the_long_one_does(method, path):
    async def ask(app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            answer = await client.request(method, path, content=b"body")
            return answer.status_code, answer.text, answer.headers

    assert asyncio.run(ask(make_app(short=True))) == asyncio.run(ask(make_app(short=False)))


def test_plain_routes_are_served_without_the_application_behind():
    async def nobody(scope, receive, send):
        raise AssertionError(f"{scope['path']} was passed on")

    router = APIRouter(route_class=PlainRoute)

    @router.post("/ask")
    async def ask(request):
        return Response("asked")

    async def post(path, root_path=""):
        transport = httpx.ASGITransport(Shortcut(nobody, [router]), root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return (await client.post(path)).text

    assert asyncio.run(post("/ask")) == "asked"
    with pytest.raises(AssertionError, match="/other was passed on"):
        asyncio.run(post("/other"))
    with pytest.raises(AssertionError, match="/ask was passed on"):  # below another's path the framework knows better
        asyncio.run(post("/ask", root_path="/below"))
