"""Calls of an actor that never block an event loop: as a process of the cluster, and through Ray's client (``ray://``).

Ray's client waits for the network, without a limit, where it is asked for the future of a call and where it drops a
call's reference; so it does both on a thread of its own.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import ray
from ray.exceptions import RayError

T = TypeVar("T")


class ActorCalls(Protocol):
    """Calls of one actor. Event loop only."""

    def call(self, method: str, *args: Any) -> asyncio.Future[Any]: ...  # its answer; ConnectionError: it is lost
    def tell(self, method: str, *args: Any) -> None: ...  # a call whose answer nobody wants
    def end(self) -> None: ...  # nothing is called any more; what has been called goes out


class DirectCalls:
    """Calls by a process that belongs to the cluster. Event loop only."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def call(self, method: str, *args: Any) -> asyncio.Future[Any]:
        """The answer of the actor.

        Raises:
            ConnectionError: Ray is not connected. The future raises it where the actor is lost.
        """
        return asyncio.ensure_future(_answer(self._made(method, args)))

    def tell(self, method: str, *args: Any) -> None:
        """Call the actor, and drop its answer.

        Raises:
            ConnectionError: Ray is not connected.
        """
        self._made(method, args)

    def end(self) -> None:
        """Nothing is to be ended."""

    def _made(self, method: str, args: tuple[Any, ...]) -> Any:
        try:
            return getattr(self._actor, method).remote(*args)
        except Exception as error:  # Ray raises nothing more special where it is not connected
            raise ConnectionError(first_line(error)) from None


class ClientCalls:
    """Calls through Ray's client, in their order, by a thread that ends after ``end``. Event loop only."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._loop = asyncio.get_running_loop()
        self._todo: queue.SimpleQueue[tuple[str, tuple[Any, ...], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="ray-client-calls", daemon=True).start()

    def call(self, method: str, *args: Any) -> asyncio.Future[Any]:
        """The answer of the actor; the future raises ``ConnectionError`` where it is lost."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._todo.put((method, args, answer))
        return answer

    def tell(self, method: str, *args: Any) -> None:
        """Call the actor, and drop its answer."""
        self.call(method, *args).add_done_callback(lambda answer: answer.cancelled() or answer.exception())

    def end(self) -> None:
        """End the thread when it has made all calls."""
        self._todo.put(None)

    # ---- on the thread

    def _run(self) -> None:
        while (todo := self._todo.get()) is not None:
            method, args, answer = todo
            try:
                made = getattr(self._actor, method).remote(*args).future()
            except Exception as error:  # Ray's client raises nothing more special where it is not connected
                self._answered(answer, None, error)
            else:
                made.add_done_callback(lambda made, answer=answer: self._take(made, answer))
                del made

    def _take(self, made: Future[Any], answer: asyncio.Future[Any]) -> None:
        error = made.exception()
        self._answered(answer, None if error else made.result(), error)

    def _answered(self, answer: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
        lost = None if error is None else first_line(error)  # the error itself may hold a reference

        def take() -> None:
            if answer.done():
                return
            if lost is None:
                answer.set_result(value)
            else:
                answer.set_exception(ConnectionError(lost))

        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(take)


def is_part() -> bool:
    """Tell whether this process is part of a cluster."""
    try:
        return bool(ray.is_initialized())
    except Exception:  # Ray's client asks the cluster, which may be out of reach
        return False


def by_client() -> bool:
    """Tell whether this process reaches the cluster by Ray's client."""
    return bool(ray.util.client.ray.is_connected())


def calls_of(actor: Any) -> ActorCalls:
    """Calls of an actor in the way in which this process reaches the cluster."""
    return ClientCalls(actor) if by_client() else DirectCalls(actor)


def within(limit_s: float, call: Callable[[], T]) -> T:
    """What ``call`` returns, with a limit also for the waits that Ray's client does not bound. Blocks.

    References to Ray's objects that ``call`` makes must not leave it.

    Raises:
        TimeoutError: the client waits for longer than ``limit_s``; its thread is left behind until the network is back.
    """
    if not by_client():
        return call()
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, name="ray-client-call", daemon=True).start()
    try:
        return answer.result(limit_s)
    except TimeoutError as error:
        raise TimeoutError(str(error) or f"no answer within {limit_s:g} seconds") from None


def first_line(error: BaseException) -> str:
    """The first line of what an error says; those of Ray have many."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


async def _answer(reply: Any) -> Any:
    try:
        return await asyncio.wrap_future(reply.future())
    except RayError as error:
        raise ConnectionError(first_line(error)) from None
