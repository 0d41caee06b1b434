"""``/s/{station}``: a link to a station that other sites and messengers show with its name, a line and a picture."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from ..deps import Services

PICTURE = "static/icons/icon-512.png"
PICTURE_PX = 512  # width and height of PICTURE

PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>{title}</title>
    <meta name="description" content="{description}" />
    <meta property="og:type" content="music.radio_station" />
    <meta property="og:site_name" content="Lullwave" />
    <meta property="og:title" content="{title}" />
    <meta property="og:description" content="{description}" />
    <meta property="og:url" content="{url}" />
    <meta property="og:image" content="{picture}" />
    <meta property="og:image:width" content="{size}" />
    <meta property="og:image:height" content="{size}" />
    <meta property="og:image:alt" content="The mark of Lullwave" />
    <meta name="twitter:card" content="summary" />
    <meta http-equiv="refresh" content="0; url={page}" />
    <link rel="stylesheet" href="../static/shared/base.css" />
  </head>
  <body>
    <main><h1>{title}</h1><p>{description}</p><p><a href="{page}">Listen</a></p></main>
  </body>
</html>
"""


def router(services: Services) -> APIRouter:
    """``/s/{station}``."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/s/{station}", methods=["GET", "HEAD"])
    async def link(request: Request, station: str) -> HTMLResponse:
        """The tags of the Open Graph protocol (ogp.me), and the way into the page.

        It tells the station's own programme, not what listeners ask for: others keep such cards for days.
        """
        found = services.channel(station).station
        name = quote(found.id, safe="")
        values = {
            "title": f"{found.config.title} · Lullwave",
            "description": f"Endless music, composed while you listen: {found.own_prompt}",
            "url": f"{request.base_url}s/{name}",
            "picture": f"{request.base_url}{PICTURE}",
            "size": str(PICTURE_PX),
            "page": f"../#{name}",  # relative: also below a prefix that a proxy takes away
        }
        page = PAGE.format_map({key: escape(value) for key, value in values.items()})
        return HTMLResponse(page, headers={"Cache-Control": "no-cache"})

    return routes
