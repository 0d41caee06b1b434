"""``/s/{station}``: a link to a station that other sites and messengers show with its name, a line and a picture."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from ..deps import Services

PICTURE = "static/icons/share-{place}.png"  # the place as the page paints it: `tools/make_share_pictures.mjs`
PICTURE_PX = (1200, 630)  # width and height of PICTURE: what other sites show as a large card

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
    <meta property="og:image:width" content="{width}" />
    <meta property="og:image:height" content="{height}" />
    <meta property="og:image:alt" content="{alt}" />
    <meta name="twitter:card" content="summary_large_image" />
    <meta http-equiv="refresh" content="0; url={page}" />
    <link rel="stylesheet" href="../static/shared/base.css" />
  </head>
  <body>
    <main><h1>{title}</h1><p>{description}</p><p><a href="{page}">Listen</a></p></main>
  </body>
</html>
"""
ALT = {
    "city": "A city of pixels in the evening, its windows lit by the music",
    "road": "A road of pixels by night, its lamps lit by the music",
    "forest": "A cabin of pixels in a forest, its trees lit by the music",
    "window": "Roofs of pixels by day, their windows lit by the music",
    "beach": "A beach of pixels, its waves raised by the music",
    "stars": "Stars of pixels above hills, lit by the music",
}


def router(services: Services) -> APIRouter:
    """``/s/{station}``."""
    routes = APIRouter(include_in_schema=False, dependencies=services.checks)

    @routes.api_route("/s/{station}", methods=["GET", "HEAD"])
    async def link(request: Request, station: str) -> HTMLResponse:
        """The tags of the Open Graph protocol (ogp.me), and the way into the page.

        It tells the station's own programme, not what listeners ask for: others keep such cards for days.
        """
        channel = services.channel(station)
        found = channel.station
        place = await channel.scenery.own_place()
        name = quote(found.id, safe="")
        values = {
            "title": f"{found.config.title} · Lullwave",
            "description": f"Endless music, composed while you listen: {found.own_prompt}",
            "url": f"{request.base_url}s/{name}",
            "picture": f"{request.base_url}{PICTURE.format(place=place)}",
            "width": str(PICTURE_PX[0]),
            "height": str(PICTURE_PX[1]),
            "alt": ALT[place],
            "page": f"../#{name}",  # relative: also below a prefix that a proxy takes away
        }
        page = PAGE.format_map({key: escape(value) for key, value in values.items()})
        return HTMLResponse(page, headers={"Cache-Control": "no-cache"})

    return routes
