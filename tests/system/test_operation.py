"""What people do to a running station: move limits, mistype, acknowledge alarms, stop it."""

import json
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import zmq

from inspector.domain.alarm import AlarmCode
from inspector.domain.state import Phase
from tests.support.running_station import FeedWatch, Site, stop, wait_until, write_pictures


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, source='kind = "folder"\npath = "../pictures"\nloop = true\nparts_per_s = 50.0')
    write_pictures(tmp_path / "pictures")
    yield site
    site.close()


def ask(site: Site, command: str, **args: Any) -> Mapping[str, Any]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.REQ)
    try:
        socket.connect(f"ipc://{site.state}/run/command.sock")
        socket.send(json.dumps({"command": command, "args": args}).encode())
        assert socket.poll(10_000), "the station does not answer"
        answer: Mapping[str, Any] = json.loads(socket.recv())
        return answer
    finally:
        socket.close(linger=0)
        context.term()


def test_limits_are_moved_while_it_runs(site: Site) -> None:
    with FeedWatch(site) as feed:
        process = site.start()
        wait_until(lambda: feed.parts() > 20, "parts come")
        assert feed.state is not None
        first = feed.state.config_version

        site.recipe = "full_model_only = true\n"
        site.write()
        wait_until(lambda: feed.state is not None and feed.state.config_version != first, "the change is taken over")
        second = feed.state.config_version

        site.recipe = "[exits.front]\nok_below = 0.9\nng_above = 0.1\n"  # a typo's sort of mistake
        site.write()
        wait_until(lambda: feed.stands(AlarmCode.CONFIG_REJECTED), "the mistake raises an alarm")
        (alarm,) = feed.state.alarms
        assert "ok_below 0.9 is above ng_above 0.1" in alarm.message
        assert feed.state.config_version == second, "the last good settings stay"

        site.recipe = "[exits.frnt]\nok_below = 0.1\nng_above = 0.9\n"
        site.write()
        wait_until(lambda: any("no exit frnt" in a.message for a in feed.state.alarms), "an exit that is not there")

        site.recipe = "full_model_only = true\n"
        site.write()
        wait_until(lambda: not feed.stands(AlarmCode.CONFIG_REJECTED), "undone, the alarm is over")

        site.source = site.source.replace("50.0", "60.0")
        site.write()
        wait_until(lambda: feed.stands(AlarmCode.CONFIG_REJECTED), "what needs a restart is said")
        assert any("[source] parts_per_s" in a.message for a in feed.state.alarms)
        assert feed.state.config_version == second
        assert stop(process) == 0, site.log_text
    reader = site.reader()
    run = next(iter(reader.runs()))
    parts = reader.parts(run, limit=100_000)
    assert [config.version for config in reader.configs()] == [first, second]
    assert [entry.action for entry in reader.audit_entries()] == ["config.applied"] * 2
    assert "full_model_only" in reader.audit_entries()[1].reason
    assert reader.verify_audit().is_intact
    reader.close()
    assert {p.config_version for p in parts} == {first, second}
    for part in parts:
        exit_ = part.verdict.exit if part.verdict else None
        assert part.config_version != second or exit_ == "full"
    assert any(p.verdict and p.verdict.exit == "front" for p in parts if p.config_version == first)


def test_an_alarm_is_acknowledged_by_name(site: Site) -> None:
    with FeedWatch(site) as feed:
        process = site.start()
        wait_until(lambda: feed.parts() > 5, "parts come")
        site.recipe = "no_such_key = 1\n"
        site.write()
        wait_until(lambda: feed.stands(AlarmCode.CONFIG_REJECTED), "an alarm")
        assert feed.state is not None
        alarm_id = feed.state.alarms[0].alarm_id
        assert ask(site, "acknowledge", alarm_id=alarm_id, who="Sato") == {
            "ok": True,
            "result": {"state": "ACKNOWLEDGED"},
        }
        wait_until(lambda: feed.state.alarms[0].acknowledged_by == "Sato", "it shows")
        refused = ask(site, "acknowledge", alarm_id="none", who="Sato")
        assert refused["ok"] is False
        assert "does not stand any more" in refused["error"]
        assert ask(site, "acknowledge", alarm_id=alarm_id, who=" ")["ok"] is False
        assert "knows no command" in ask(site, "reboot")["error"]
        assert stop(process) == 0, site.log_text

        site.recipe = ""
        site.write()
        second = site.start("--parts", "5")  # what stood is over in the log when the station starts anew
        assert second.wait(60) == 0, site.log_text
    reader = site.reader()
    states = [alarm.state.value for alarm in reader.alarm_changes() if alarm.alarm_id == alarm_id]
    assert states == ["UNACKNOWLEDGED", "ACKNOWLEDGED", "NORMAL"]
    (entry,) = [entry for entry in reader.audit_entries() if entry.action == "alarm.acknowledged"]
    assert (entry.who, entry.subject) == ("Sato", "CONFIG_REJECTED")
    reader.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_station_finishes_what_it_began(site: Site, number: signal.Signals) -> None:
    with FeedWatch(site) as feed:
        process = site.start()
        wait_until(lambda: feed.parts() > 20, "parts come")
        process.send_signal(number)
        assert process.wait(60) == 0, site.log_text
        wait_until(lambda: feed.state is not None and feed.state.phase is Phase.STOPPED, "the last state")
    assert feed.state is not None
    assert feed.state.counts.in_flight == 0
    reader = site.reader()
    assert reader.counts().triggers == feed.state.counts.triggers
    reader.close()
    assert "triggers" in (process.stdout.read() if process.stdout else "")
