"""``/metrics`` for Prometheus; the values are read from the stations at each request."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ...station import RATE, Tier
from ..clip_service import ClipService
from ..deps import Services
from ..live.channels import Channels

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def router(services: Services) -> APIRouter:
    """``/metrics``."""
    routes = APIRouter(tags=["server"], dependencies=services.checks)

    @routes.get("/metrics", response_class=Response)
    def metrics(request: Request) -> Response:
        """Metrics for Prometheus."""
        registry = CollectorRegistry()
        registry.register(_ServerCollector(services.channels, services.clips))
        ProcessCollector(registry=registry)
        return Response(generate_latest(registry), media_type=MEDIA_TYPE)

    return routes


class _ServerCollector(Collector):
    """Collects the metrics of the stations and clips."""

    def __init__(self, channels: Channels, clips: ClipService) -> None:
        self._channels = channels
        self._clips = clips

    def collect(self) -> Iterator[Metric]:
        audience = self._channels.audience
        people = GaugeMetricFamily("lullwave_listeners", "Listeners, each counted once", labels=["station"])
        connections = GaugeMetricFamily("lullwave_connections", "Audio connections", labels=["station"])
        reserve = GaugeMetricFamily("lullwave_reserve_seconds", "Seconds of music in the buffer", labels=["station"])
        awake = GaugeMetricFamily(
            "lullwave_station_awake", "1 while the station is on air, 0 while it sleeps", labels=["station"]
        )
        speed = GaugeMetricFamily(
            "lullwave_engine_speed", "Seconds of music that the engine makes per second of work", labels=["station"]
        )
        aired = CounterMetricFamily("lullwave_aired_seconds", "Seconds of music that went on air", labels=["station"])
        dropped = CounterMetricFamily(
            "lullwave_dropped_listeners", "Listeners disconnected because they took no data", labels=["station"]
        )
        rungs = GaugeMetricFamily(
            "lullwave_station_rung",
            "1 for the fallback tier on air: engine, reserve, recycled (replayed clips) or embedded",
            labels=["station", "rung"],
        )
        changes = CounterMetricFamily(
            "lullwave_rung_changes", "Changes to this fallback tier", labels=["station", "rung"]
        )
        lost = CounterMetricFamily("lullwave_engine_lost", "Losses of the engine", labels=["station"])
        sharing = GaugeMetricFamily(
            "lullwave_governed", "1 while an engine that is too slow plays in stretches", labels=["station"]
        )
        lighter = GaugeMetricFamily(
            "lullwave_lighter_steps", "Steps of lighter options that the slow engine uses", labels=["station"]
        )
        stretch = GaugeMetricFamily(
            "lullwave_stretch_seconds",
            "Length in seconds of the stretches of a slow engine, 0 while it plays all the time",
            labels=["station"],
        )
        restarts = CounterMetricFamily(
            "lullwave_station_restarts", "How often a silent station was restarted", labels=["station"]
        )
        late = GaugeMetricFamily(
            "lullwave_late_seconds", "Longest delay, in seconds, with which music went on air", labels=["station"]
        )
        together = self._channels.awake
        busy = CounterMetricFamily(
            "lullwave_busy", "Requests refused because the machine plays no more stations", value=together.refused
        )
        most = GaugeMetricFamily(
            "lullwave_max_awake_stations", "Stations that may be awake at once", value=together.limit
        )
        for name, channel in list(self._channels.stations.items()):
            station = channel.station
            people.add_metric([name], audience.people(name))
            connections.add_metric([name], audience.connections(name))
            reserve.add_metric([name], station.reserve_s)
            awake.add_metric([name], station.state == "on air")
            speed.add_metric([name], station.speed)
            aired.add_metric([name], station.edge / RATE)
            dropped.add_metric([name], channel.dropped)
            for rung in Tier:
                rungs.add_metric([name, rung.value], station.failover.tier is rung)
                changes.add_metric([name, rung.value], station.tier_changes[rung])
            lost.add_metric([name], station.times_lost)
            sharing.add_metric([name], station.intermittent)
            lighter.add_metric([name], station.lighter_level)
            stretch.add_metric([name], station.failover.stretch_s)
            late.add_metric([name], station.late_s)
            restarts.add_metric([name], station.restarts)
        yield from (people, connections, reserve, awake, speed, aired, dropped, rungs, changes, lost)
        private = GaugeMetricFamily(
            "lullwave_private_streams", "Private streams, each of one listener", value=len(self._channels.private)
        )
        yield from (sharing, lighter, stretch, late, restarts, busy, most, private)
        kept = self._channels.history.database.kept
        yield GaugeMetricFamily("lullwave_history_kept", "1 while what plays is written into the history", value=kept)
        yield GaugeMetricFamily("lullwave_generations", "Clips that are being made or wait", value=self._clips.active)
