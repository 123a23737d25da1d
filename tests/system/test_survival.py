"""Nothing is lost, whatever dies: the station, the broker, the dashboard, the disk. With a real broker.

The figures of CI are small; `script/soak` runs the same with INSPECTOR_KILLS=20 and INSPECTOR_OUTAGE_S=60.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.domain.alarm import AlarmCode
from inspector.domain.state import Phase
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Subscriber
from tests.support.running_station import FeedWatch, Site, environment, rss_mb, stop, wait_until, write_pictures
from tests.support.tmpfs import fill, tmpfs

KILLS = int(os.environ.get("INSPECTOR_KILLS", "4"))
OUTAGE_S = float(os.environ.get("INSPECTOR_OUTAGE_S", "4"))
ENDLESS = 'kind = "folder"\npath = "../pictures"\nloop = true\nparts_per_s = {rate}'
BASE = "enterprise/site/area/line/cell/s1"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path / "broker")
    yield broker.start()
    broker.stop()


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto) -> Iterator[Site]:
    site = Site(tmp_path, mqtt_port=broker.port, source=ENDLESS.format(rate="200.0"))
    write_pictures(tmp_path / "pictures")
    yield site
    site.close()


def dispositions(subscriber: Subscriber) -> dict[str, str]:
    """By part id, as an independent subscriber got them; a part with two different answers fails."""
    found: dict[str, str] = {}
    ids: dict[str, str] = {}
    for arrival in subscriber.of(f"{BASE}/verdict"):
        data = arrival.event["data"]
        assert found.setdefault(data["PartId"], data["Disposition"]) == data["Disposition"]
        assert ids.setdefault(data["PartId"], arrival.event_id) == arrival.event_id, "a repeat carries the same id"
    assert len(set(ids.values())) == len(ids)
    return found


def in_database(site: Site) -> dict[str, str]:
    reader = site.reader()
    try:
        return {
            part.part_id: part.disposition.action.value
            for run_id in reader.runs()
            for part in reader.parts(run_id, limit=10_000_000)
        }
    finally:
        reader.close()


@pytest.mark.timeout(60 + 20 * KILLS)
def test_a_killed_station_loses_no_verdict(site: Site) -> None:
    """Acceptance D."""
    random.seed(os.urandom(8))
    with Subscriber(site.mqtt_port or 0, f"{BASE}/#") as subscriber, FeedWatch(site) as feed:
        for kill in range(KILLS):
            seen = len(feed.released)
            process = site.start()
            if kill % 4:  # every fourth dies while it starts
                wait_until(lambda seen=seen: len(feed.released) > seen, "parts come")
            time.sleep(random.uniform(0.0, 1.5))
            assert process.poll() is None, site.log_text
            process.kill()
            process.wait()
            if not site.database.exists():
                continue
            known = {**dispositions(subscriber), **dict(feed.released)}
            stored = in_database(site)
            lost = {part: what for part, what in known.items() if stored.get(part) != what}
            assert not lost, f"after kill {kill + 1}"
        last = site.start("--parts", "50")
        assert last.wait(90) == 0, site.log_text
        stored = in_database(site)
        wait_until(lambda: len(dispositions(subscriber)) >= len(stored), "every verdict reaches the subscriber")
        assert dispositions(subscriber) == stored
        arrivals = len(subscriber.of(f"{BASE}/verdict"))
    print(f"{KILLS} kills, {len(stored)} verdicts, {arrivals - len(stored)} repeats")


@pytest.mark.timeout(240 + 4 * OUTAGE_S)
def test_a_broker_that_is_away_costs_nothing(site: Site, broker: Mosquitto) -> None:
    """Acceptance E: away at the start and again in the middle."""
    # This broker saves its memory after every message, so it takes some 100 a second: the line stays well below.
    site.source = ENDLESS.format(rate="30.0")
    site.write()
    with Subscriber(broker.port, f"{BASE}/#") as subscriber, FeedWatch(site) as feed:
        broker.stop()
        process = site.start()
        wait_until(lambda: feed.stands(AlarmCode.BROKER_UNREACHABLE), "the alarm is raised")
        before = feed.parts()
        time.sleep(OUTAGE_S / 2)
        assert feed.parts() > before, "the line goes on"
        broker.start()
        subscriber.wait_until_subscribed()
        wait_until(lambda: not feed.stands(AlarmCode.BROKER_UNREACHABLE), "the alarm is cleared")
        broker.kill()
        wait_until(lambda: feed.stands(AlarmCode.BROKER_UNREACHABLE), "the alarm is raised again")
        time.sleep(OUTAGE_S)
        broker.start()
        wait_until(lambda: not feed.stands(AlarmCode.BROKER_UNREACHABLE), "the alarm is cleared again")
        wait_until(lambda: feed.state is not None and feed.state.mqtt_queued < 50, "the backlog drains", 60 + OUTAGE_S)
        assert stop(process) == 0, site.log_text
        stored = in_database(site)
        wait_until(lambda: len(dispositions(subscriber)) >= len(stored), "every verdict reaches the subscriber")
        assert dispositions(subscriber) == stored
        assert all(what != "HOLD" for what in stored.values())
        alarms = {arrival.event_id: arrival.event["data"]["State"] for arrival in subscriber.of(f"{BASE}/alarm")}
    assert list(alarms.values()).count("UNACKNOWLEDGED") == 2, "the MES hears of both outages"
    print(f"{len(stored)} verdicts over two outages of the broker")


def test_a_dashboard_may_die_and_come_back(site: Site) -> None:
    """Acceptance E: the line does not notice."""
    display = {**environment(), "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-m", "inspector.cli", "dashboard", str(site.config)]
    with FeedWatch(site) as feed:
        process = site.start()
        wait_until(lambda: feed.parts() > 50, "parts come")
        for _ in range(2):
            dashboard = subprocess.Popen(command, env=display, stderr=subprocess.PIPE)
            time.sleep(4.0)
            assert dashboard.poll() is None, dashboard.communicate()
            dashboard.kill()
            dashboard.communicate()
            before = feed.parts()
            wait_until(lambda before=before: feed.parts() > before + 50, "parts go on")
        assert stop(process) == 0, site.log_text
    state = feed.state
    assert state is not None
    assert state.phase is Phase.STOPPED
    assert state.counts.held == 0
    assert state.counts.is_conserved


def test_a_full_disk_holds_parts_until_there_is_room(tmp_path: Path, broker: Mosquitto, small_disk: Path) -> None:
    """Acceptance E: nothing passes that is not on record, and all of it is on record in the end."""
    state = small_disk / "state"
    site = Site(
        tmp_path,
        mqtt_port=broker.port,
        source=ENDLESS.format(rate="100.0"),
        state_dir=state,
        extra="[model]\ncache_dir = " + f'"{tmp_path}/cache"\n' + "[store]\nmin_free_mb = 1\n",
    )
    write_pictures(tmp_path / "pictures")
    try:
        with Subscriber(broker.port, f"{BASE}/#") as subscriber, FeedWatch(site) as feed:
            process = site.start()
            wait_until(lambda: feed.parts() > 50, "parts come")
            ballast = fill(small_disk)
            wait_until(lambda: feed.stands(AlarmCode.STORE_UNAVAILABLE), "the alarm is raised")
            wait_until(lambda: "HOLD" in list(feed.released.values())[-1:], "parts are held")
            wait_until(lambda: feed.stands(AlarmCode.DISK_LOW), "the disk's alarm is raised, too")
            ballast.unlink()
            wait_until(lambda: not feed.stands(AlarmCode.STORE_UNAVAILABLE), "the alarm is cleared")
            wait_until(lambda: "PASS" in list(feed.released.values())[-20:], "parts pass again")
            assert stop(process) == 0, site.log_text
            stored = in_database(site)
            wait_until(lambda: len(dispositions(subscriber)) >= len(stored), "every verdict reaches the subscriber")
            assert dispositions(subscriber) == stored
        state_now = feed.state
        assert state_now is not None
        assert state_now.counts.triggers == len(stored), "every part has its record"
        assert state_now.counts.hold.keys() == {"STORE_UNAVAILABLE"}
        assert sum(what == "HOLD" for what in stored.values()) == state_now.counts.held > 0
        print(f"{len(stored)} parts, {state_now.counts.held} held while the disk was full")
    finally:
        site.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with tmpfs(tmp_path / "disk", 16_384) as folder:
        yield folder


@pytest.mark.timeout(300)
def test_ten_thousand_parts_leave_the_memory_as_it_was(tmp_path: Path) -> None:
    """Acceptance C, on small pictures: RSS within 5 % from the 2,000th part on."""
    site = Site(tmp_path, source='kind = "folder"\npath = "../pictures"\nloop = true\nparts = 10000')
    write_pictures(tmp_path / "pictures")
    try:
        with FeedWatch(site) as feed:
            process = site.start()
            wait_until(lambda: feed.parts() >= 2000, "2,000 parts")
            first = rss_mb(process.pid)
            highest = first
            while process.poll() is None:
                try:
                    highest = max(highest, rss_mb(process.pid))
                except (OSError, StopIteration):  # it has just ended
                    break
                time.sleep(0.1)
            assert process.wait(60) == 0, site.log_text
        state = feed.state
    finally:
        site.close()
    assert state is not None
    assert state.counts.triggers == 10_000
    assert state.counts.is_conserved
    assert state.counts.in_flight == 0
    assert highest <= 1.05 * first, f"{first:.1f} MB after 2,000 parts, {highest:.1f} MB at most later"
    print(f"{first:.1f} MB after 2,000 parts, at most {highest:.1f} MB after")
