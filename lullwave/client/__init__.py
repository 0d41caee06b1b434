"""A typed client of ``lullwave serve``: clips, stations, steering, history, events (needs the extra ``client``).

``Client`` waits for each reply, ``AsyncClient`` is for asyncio. HTTP is that of ``httpx``; websockets are those of the
package ``websockets``, which the base installation has.
"""

from ..errors import MissingExtra

try:
    from .async_client import AsyncClient as AsyncClient
    from .calls import RequestRefused as RequestRefused
    from .calls import ServerUnreachable as ServerUnreachable
    from .sync_client import Client as Client
    from .values import Clip as Clip
    from .values import ClipProgress as ClipProgress
    from .values import EngineListing as EngineListing
    from .values import Event as Event
    from .values import HistoryEntry as HistoryEntry
    from .values import Piece as Piece
    from .values import Station as Station
    from .values import SteerReceipt as SteerReceipt
except ModuleNotFoundError as error:
    if error.name != "httpx":
        raise
    raise MissingExtra("the client of servers (--server, lullwave.client)", "client", "httpx") from None
