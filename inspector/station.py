"""The station: the only module that wires adapters to the pipeline.

settings ─▶ bundle ─▶ database ─▶ source ─▶ feed ─▶ line + publisher ─▶ RUNNING
             │ damaged, absent, in use: one InspectorError, nothing was inspected

RUNNING   twice a second: look at every organ, publish the state; once a second: look at the files of the settings
   │ source ends · parts reached · stop() · a part is lost
   ▼
STOPPING  every part that entered is released ─▶ what waits is sent to the broker ─▶ all is closed ─▶ STOPPED
"""

import getpass
import json
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from inspector import __version__, settings
from inspector.adapters.cameras.decoding import decode_picture
from inspector.adapters.cameras.encoding import JpegEncoder
from inspector.adapters.cameras.folder import FolderSource
from inspector.adapters.cameras.opencv_camera import CameraSource
from inspector.adapters.cameras.simulated_line import SimulatedLineConfig, SimulatedLineSource
from inspector.adapters.cameras.video import VideoSource
from inspector.adapters.feed import ZmqFeed
from inspector.adapters.mqtt import MqttLink, MqttPublisher, MqttTls
from inspector.adapters.openvino_runtime import OpenVinoClassifier, load_bundle
from inspector.adapters.store import SqlStore, open_store
from inspector.adapters.system_clock import SystemClock
from inspector.config_watch import ConfigWatcher, changed_keys, restart_keys
from inspector.domain.alarm import AlarmCode, AlarmState
from inspector.domain.audit import AuditEntry
from inspector.domain.errors import ConfigError, InspectorError, SourceError, StoreUnavailable
from inspector.domain.events import Topics
from inspector.domain.message import OutboxMessage
from inspector.domain.model import ModelInfo
from inspector.domain.state import Health, Phase, StationState
from inspector.pipeline.dispatch import PartSink
from inspector.pipeline.line import InspectionLine
from inspector.pipeline.rules import Rules
from inspector.pipeline.supervision import Supervisor
from inspector.ports import Clock, FrameSource
from inspector.settings import LoadedSettings, SourceSettings

log = logging.getLogger(__name__)

_TICK_S = 0.5
_PENDING_EVERY_S = 1.0
"""How often the backlog is counted: a question to the database, so not with every state."""
_GRACE_S = 10.0
"""How long a stopping station waits for a database that is down before it gives up writing held parts."""
_MOST_LATENCY_THREADS = 8

_Show = Callable[[tuple[Health, ...], Phase], StationState]


class Station:
    """One station, run once. `run` belongs to one thread; `stop` is callable from any.

    `on_state` gets every state that the feed gets, in `run`'s thread.
    """

    def __init__(
        self,
        settings: LoadedSettings,
        *,
        clock: Clock | None = None,
        on_state: Callable[[StationState], None] = lambda state: None,
    ) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._on_state = on_state
        self._stop = threading.Event()
        self._pending = 0
        self._pending_at = float("-inf")

    def stop(self) -> None:
        """Take no more parts, finish those that entered, then end `run`."""
        self._stop.set()

    def run(self) -> StationState:
        """Inspect until the source ends or `stop`; returns the last state, with everything closed.

        Raises InspectorError when the station cannot start (ModelError, StoreError, SourceError, ConfigError), when
        the source fails, when records could not be written (StoreUnavailable), and when a part is unaccounted for
        (ConservationError).
        """
        with ExitStack() as closing:
            classifier = load_classifier(self._settings)
            closing.callback(classifier.close)
            for warning in classifier.warnings:
                log.warning("%s", warning)
            station = self._settings.station
            store = open_store(station.store.url.get_secret_value(), station_id=station.station.id)
            closing.callback(store.close)
            source = make_source(station.source)
            closing.callback(source.close)
            return self._inspect(closing, classifier, store, source)

    def _inspect(
        self, closing: ExitStack, classifier: OpenVinoClassifier, store: SqlStore, source: FrameSource
    ) -> StationState:
        station = self._settings.station
        topics = _topics(self._settings)
        publisher: MqttPublisher | None = None
        feed = ZmqFeed(
            station.feed.endpoint,
            station.feed.command_endpoint,
            picture_hz=station.feed.picture_hz,
            jpeg_encode=JpegEncoder(station.feed.jpeg_quality),
            clock=self._clock,
        )
        line = make_line(
            self._settings,
            source,
            classifier,
            store,
            clock=self._clock,
            sinks=[feed.part],
            committed=lambda: publisher.notify() if publisher is not None else None,
        )
        if topics is not None:
            publisher = MqttPublisher(
                mqtt_link(self._settings), topics, self._clock, birth=lambda: self._birth(line, classifier)
            )
        supervisor = Supervisor(
            line,
            source,
            publisher,
            model_name=_model_text(classifier),
            free_disk_mb=lambda: free_disk_mb(station.store.file),
            min_free_mb=station.store.min_free_mb,
        )
        feed.start(_Commands(line, self._clock))
        closing.callback(feed.close)

        def show(health: tuple[Health, ...], phase: Phase) -> StationState:
            state = self._state(line, classifier, store, publisher, health, phase)
            feed.state(state)
            self._on_state(state)
            return state

        try:
            configuration = _Configuration(self._settings, line, classifier.info, self._clock)
            configuration.started()
            _end_alarms_of_before(store, line, self._clock)
            log.info("run %s begins: %s, %s", line.run_id, source.name, _model_text(classifier))
            _log_certificate(line)
            line.start()
            if publisher is not None:
                publisher.start(_Outbox(store, line))
            if self._settings.files:
                watcher = ConfigWatcher(self._settings, configuration.changed, configuration.refused)
                closing.callback(watcher.close)
                watcher.start()
            self._supervise(line, supervisor, show)
            self._drain(line, supervisor, show)
        finally:
            if publisher is not None:  # before the line: what the broker has taken is written by its dispatcher
                publisher.close(station.mqtt.drain_s)
            health = supervisor.check()
            try:
                line.close(_GRACE_S)
            finally:
                self._pending_at = float("-inf")
                last = show(health, line.phase)
        return last

    def _supervise(self, line: InspectionLine, supervisor: Supervisor, show: _Show) -> None:
        """Until the line has decided its last part, or cannot go on."""
        while line.phase is not Phase.FAULTED:
            show(supervisor.check(), line.phase)
            if self._stop.is_set():
                line.stop()
            if line.join(_TICK_S):
                return

    def _drain(self, line: InspectionLine, supervisor: Supervisor, show: _Show) -> None:
        """Until every part is released and written, so that the publisher finds all messages."""
        give_up_at = time.monotonic() + _GRACE_S
        while line.phase is not Phase.FAULTED and time.monotonic() < give_up_at:
            if line.ledger.counts().in_flight == 0 and not line.dispatcher.unwritten:
                return
            if line.dispatcher.outage:
                show(supervisor.check(), Phase.STOPPING)
                time.sleep(_TICK_S)
            else:
                time.sleep(0.005)

    def _state(
        self,
        line: InspectionLine,
        classifier: OpenVinoClassifier,
        store: SqlStore,
        publisher: MqttPublisher | None,
        health: tuple[Health, ...],
        phase: Phase,
    ) -> StationState:
        settings, tally = self._settings, line.tally
        return StationState(
            station_id=settings.station.station.id,
            run_id=line.run_id,
            phase=phase,
            at=self._clock.now(),
            recipe_id=settings.recipe_id,
            product=settings.recipe.product,
            config_version=line.rules.config_version,
            model=_model_text(classifier),
            certificate=line.rules.policy.certificate.sentence,
            counts=line.ledger.counts(),
            exits=tally.exits(),
            defects=tally.defects(),
            escape=tally.escape(),
            overkill=tally.overkill(),
            correct=tally.correct,
            latency_p50_ms=tally.latency_ms(0.5),
            latency_p99_ms=tally.latency_ms(0.99),
            parts_per_s=tally.parts_per_s(),
            health=health,
            alarms=line.alarms.standing(),
            mqtt_queued=self._backlog(store) if publisher is not None else 0,
            mqtt_acknowledged=publisher.health().acknowledged if publisher is not None else 0,
        )

    def _backlog(self, store: SqlStore) -> int:
        """Messages that the broker has not taken, as last counted: nobody knows while the database is down."""
        now = time.monotonic()
        if now - self._pending_at >= _PENDING_EVERY_S:
            self._pending_at = now
            with suppress(StoreUnavailable):
                self._pending = store.pending_count()
        return self._pending

    def _birth(self, line: InspectionLine, classifier: OpenVinoClassifier) -> Mapping[str, Any]:
        return {
            "StationId": self._settings.station.station.id,
            "Version": __version__,
            "JobId": line.run_id,
            "RecipeId": self._settings.recipe_id,
            "Model": _model_text(classifier),
            "ModelHash": classifier.info.model_hash,
            "ConfigVersion": line.rules.config_version,
        }


class _Outbox:
    """The publisher's side of the store: it reads there, and writes through the line's dispatcher."""

    def __init__(self, store: SqlStore, line: InspectionLine) -> None:
        self._store = store
        self._line = line

    def pending(self, after: int, limit: int) -> Sequence[OutboxMessage]:
        return self._store.pending(after, limit)

    def acknowledge(self, outbox_ids: Sequence[int]) -> None:
        self._line.dispatcher.acknowledge(outbox_ids)


class _Configuration:
    """Which settings are in force. A saved change is taken over whole, or not at all and an alarm says why."""

    def __init__(self, settings: LoadedSettings, line: InspectionLine, info: ModelInfo, clock: Clock) -> None:
        self._in_force = settings
        self._line = line
        self._info = info
        self._clock = clock

    def started(self) -> None:
        self._record(None, "the station was started")

    def changed(self, fresh: LoadedSettings) -> None:
        waiting = restart_keys(self._in_force, fresh)
        recipe = fresh.to_recipe()
        unknown = sorted(set(recipe.bands) - set(self._info.exits))
        if waiting:
            self._refuse(
                f"The saved settings wait for a restart, because of {', '.join(waiting)}",
                "Restart the station to take all of them over, or undo these.",
            )
        elif unknown:
            self._refuse(
                f"The saved recipe is not taken over: bundle {self._info.name} has no exit {', '.join(unknown)}",
                f"Name one of its exits: {', '.join(self._info.exits)}.",
            )
        else:
            self._line.apply(Rules.of(recipe, self._info, fresh.version))
            logging.getLogger().setLevel(fresh.station.log.level)
            before, self._in_force = self._in_force, fresh
            if before.version != fresh.version:
                self._record(before, f"changed: {', '.join(changed_keys(before, fresh))}")
                log.info("settings %s are in force", fresh.short_version)
                _log_certificate(self._line)
            self._line.alarms.clear(AlarmCode.CONFIG_REJECTED)

    def refused(self, error: ConfigError) -> None:
        self._refuse(
            f"The saved settings are not taken over: {error}",
            "Put right what is said; the last good settings stay in force meanwhile.",
        )

    def _refuse(self, message: str, remedy: str) -> None:
        log.warning("%s", message)
        self._line.alarms.clear(AlarmCode.CONFIG_REJECTED)  # an earlier mistake: this one has other words
        self._line.alarms.raise_(AlarmCode.CONFIG_REJECTED, message, remedy)

    def _record(self, before: LoadedSettings | None, reason: str) -> None:
        now, after = self._clock.now(), self._in_force
        subject = str(after.files[0]) if after.files else "settings"
        old = json.dumps(before.version) if before else None
        entry = AuditEntry(now, _user(), "config.applied", subject, old, json.dumps(after.version), reason)
        self._line.dispatcher.record_config(after.to_config_version(now))
        self._line.dispatcher.record(entry)


class _Commands:
    """What dashboards may ask of the station; `snapshot` and `picture` are answered by the feed itself."""

    def __init__(self, line: InspectionLine, clock: Clock) -> None:
        self._line = line
        self._clock = clock

    def __call__(self, command: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        if command != "acknowledge":
            raise InspectorError(
                f"the station knows no command {command!r}; it takes acknowledge, snapshot and picture"
            )
        alarm_id, who = args.get("alarm_id"), args.get("who")
        if not isinstance(alarm_id, str) or not isinstance(who, str) or not who.strip():
            raise InspectorError("acknowledge needs alarm_id and who, both texts; say who you are")
        alarm = self._line.alarms.acknowledge(alarm_id, who)
        entry = AuditEntry(
            self._clock.now(), who, "alarm.acknowledged", alarm.code.value, None, json.dumps(alarm_id), alarm.message
        )
        self._line.dispatcher.record(entry)
        return {"state": alarm.state.value}


def _log_certificate(line: InspectionLine) -> None:
    """What the bands in force promise; a void certificate is a warning."""
    certificate = line.rules.policy.certificate
    log.log(logging.WARNING if certificate.void else logging.INFO, "%s", certificate.sentence)


def _end_alarms_of_before(store: SqlStore, line: InspectionLine, clock: Clock) -> None:
    """What stood when the last run ended is over for the MES and the log, whichever way it ended: what still holds is
    raised anew within a second."""
    newest = {alarm.alarm_id: alarm for alarm in store.reader.alarm_changes()}
    for alarm in newest.values():
        if alarm.state is not AlarmState.NORMAL:
            line.dispatcher.record_alarm(replace(alarm, state=AlarmState.NORMAL, changed_at=clock.now()))


@contextmanager
def stops_on_signals(station: Station) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run in order. Main thread only."""

    def handle(number: int, frame: object) -> None:
        station.stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def load_classifier(settings: LoadedSettings, folder: Path | None = None) -> OpenVinoClassifier:
    """The recipe's bundle, or the one in `folder`, compiled and checked. Raises ModelError."""
    # The recipe's bands are no matter of the bundle: they may change, or go, while it runs.
    return load_bundle(
        folder or settings.bundle_dir,
        choices=settings.to_recipe().stages,
        decode=decode_picture,
        cache_dir=settings.station.model.cache_dir,
        inference_threads=inference_threads(settings),
        hint="LATENCY" if settings.station.model.mode == "latency" else "THROUGHPUT",
    )


def make_line(
    settings: LoadedSettings,
    source: FrameSource,
    classifier: OpenVinoClassifier,
    store: SqlStore,
    *,
    clock: Clock,
    sinks: Sequence[PartSink],
    committed: Callable[[], None] = lambda: None,
) -> InspectionLine:
    """The line of `settings`, not yet started. `committed` is called after each transaction that wrote messages."""
    station = settings.station
    return InspectionLine(
        source,
        classifier,
        store,
        clock=clock,
        topics=_topics(settings),
        station_id=station.station.id,
        rules=Rules.of(settings.to_recipe(), classifier.info, settings.version),
        sinks=sinks,
        committed=committed,
        workers=workers(settings),
        queue_parts=station.station.queue_parts,
        group_parts=station.store.group_parts,
        group_wait_s=station.store.group_wait_ms / 1000,
        limit=station.source.parts or None,
    )


def make_source(given: SourceSettings) -> FrameSource:
    """Raises SourceError."""
    match given:
        case settings.SimulatedSource():
            config = SimulatedLineConfig(
                seed=given.seed,
                defect_rate=given.defect_rate,
                difficulty=given.difficulty,
                lighting_drift=given.lighting_drift,
                width=given.width,
                height=given.height,
            )
            return SimulatedLineSource(config, parts_per_s=given.parts_per_s)
        case settings.FolderSource():
            return FolderSource(
                given.path,
                split=given.only_split,
                list_file=given.list_file,
                parts_per_s=given.parts_per_s,
                loop=given.loop,
                ok_class=given.ok_class,
            )
        case settings.VideoSource():
            return VideoSource(given.path, parts_per_s=given.parts_per_s, every_nth=given.every_nth)
        case settings.CameraSource():
            device = given.url.get_secret_value() if given.url is not None else given.device
            if device is None:
                raise SourceError("[source] names no camera; give device or url")
            return CameraSource(device, width=given.width, height=given.height, fps=given.fps)


def mqtt_link(settings: LoadedSettings, client_id: str | None = None) -> MqttLink:
    """The way to the broker of [mqtt]. Raises ConfigError when the password cannot be had."""
    mqtt = settings.station.mqtt
    password = mqtt.password()
    return MqttLink(
        host=mqtt.host,
        port=mqtt.port,
        client_id=client_id or settings.station.mqtt_client_id,
        protocol=mqtt.protocol,
        username=mqtt.username,
        password=password.get_secret_value() if password else None,
        tls=MqttTls(ca=mqtt.tls.ca, cert=mqtt.tls.cert, key=mqtt.tls.key) if mqtt.tls else None,
        keepalive_s=mqtt.keepalive_s,
        max_in_flight=mqtt.max_in_flight,
        session_expiry_s=mqtt.session_expiry_s,
    )


def free_disk_mb(file: Path | None) -> float | None:
    """Free space beside the database `file`, None when it is on no disk of ours or the disk does not answer."""
    try:
        return shutil.disk_usage(file.parent).free / 1e6 if file is not None else None
    except OSError:
        return None


def workers(settings: LoadedSettings) -> int:
    """Parts judged at the same time: one core is left to camera, database and feed, and one part cannot use two workers."""
    if settings.station.station.workers:
        return settings.station.station.workers
    return 1 if settings.station.model.mode == "latency" else max(1, _cores() - 1)


def inference_threads(settings: LoadedSettings) -> int:
    """CPU threads of the models. LATENCY: all on one part, which pays up to a few; THROUGHPUT: one for each worker."""
    if settings.station.model.inference_threads:
        return settings.station.model.inference_threads
    if settings.station.model.mode == "latency":
        return min(max(1, _cores() - 1), _MOST_LATENCY_THREADS)
    return workers(settings)


def _topics(settings: LoadedSettings) -> Topics | None:
    return Topics(settings.station.topic_path) if settings.station.mqtt.enabled else None


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _model_text(classifier: OpenVinoClassifier) -> str:
    return f"{classifier.info.name} {classifier.info.version}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return str(os.getuid())
