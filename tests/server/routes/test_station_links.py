"""``/s/{station}``: the card that others show, and the way into the page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import get_args

import pytest
from radio_server import serving

from lullwave.paths import web_dir
from lullwave.server.routes.station_links import ALT, PICTURE
from lullwave.settings.stations import Scene

STATIONS = [
    {"id": "night-drive", "name": 'Night "drive" <b>', "prompts": ["warm synthwave & rain"]},
]


class Tags(HTMLParser):
    """The tags of a page, and its ``meta`` by name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.links: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.names.add(tag)
        if tag == "meta" and (name := given.get("property") or given.get("name") or given.get("http-equiv")):
            self.meta[name] = given["content"] or ""
        if tag == "a":
            self.links.append(given["href"] or "")


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("links"), stations=STATIONS, root_path="/some/radio") as served:
        yield served


def test_a_link_has_a_card_of_its_own_programme_and_leads_into_the_page(radio):
    radio.json("/api/stations/night-drive/prompt", "POST", {"prompt": "brighter"})
    response, data = radio.ask("/s/night-drive")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/html")
    page = Tags(data.decode())
    assert page.meta["og:title"] == 'Night "drive" <b> · Lullwave'
    assert page.meta["og:description"].endswith("listen: warm synthwave & rain")  # not what listeners ask for
    assert page.meta["og:url"].endswith("/some/radio/s/night-drive")
    assert page.meta["refresh"] == "0; url=../#night-drive"
    assert page.links == ["../#night-drive"]
    assert page.names.isdisjoint({"b", "script"})
    picture = page.meta["og:image"]
    assert picture.startswith("http://")
    assert "/some/radio/static/" in picture
    response, data = radio.ask(picture[picture.index("/static/") :])
    assert (response.status, response.headers["Content-Type"]) == (200, "image/png")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")  # of a PNG's header
    assert (page.meta["og:image:width"], page.meta["og:image:height"]) == (str(width), str(height))


def test_a_link_to_no_station_is_not_found(radio):
    assert radio.ask("/s/nothing")[0].status == 404
    assert radio.ask("/s/night-drive", "HEAD")[0].status == 200


def test_every_place_is_painted_has_a_picture_and_is_described():
    painted = re.search(r"export const PLACES = \{(.*)\}", (web_dir() / "landscape" / "places.js").read_text())
    assert painted is not None
    names = {name.split(":")[0].strip() for name in painted.group(1).split(",")}
    assert names == set(get_args(Scene)) == set(ALT)
    for place in names:
        assert (web_dir() / PICTURE.format(place=place).removeprefix("static/")).is_file()
