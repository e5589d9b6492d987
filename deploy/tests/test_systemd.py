"""Units that systemd understands and that may do next to nothing."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import absent

UNITS = Path(__file__).parents[1] / "systemd"
SERVICES = [
    *("lk-web.service", "lk-worker@1.service", "lk-metrics.service"),
    *("lk-migrate.service", "lk-backup.service", "lk-backup-verify.service"),
]
OTHERS = ["lk-web.socket", "lk-backup.timer"]
EXPOSURE_AT_MOST = 2.0  # of ten; systemd calls it OK
PROGRAMS = ["opt/lk/current/.venv/bin/python", "bin/kill", "usr/bin/install"]


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Path:
    """The root of a machine on which the units are installed."""
    if shutil.which("systemd-analyze") is None:
        absent("No systemd here. On Debian: apt-get install systemd")
    root: Path = tmp_path_factory.mktemp("root")
    shutil.copytree(UNITS, root / "etc" / "systemd" / "system")
    for program in PROGRAMS:
        (root / program).parent.mkdir(parents=True, exist_ok=True)
        (root / program).touch(mode=0o755)
    for target in Path("/lib/systemd/system").glob("*.target"):
        place = root / "usr" / "lib" / "systemd" / "system" / target.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(target.read_bytes())
    return root


def analyze(machine: Path, *arguments: str) -> str:
    command = ["systemd-analyze", *arguments[:1], f"--root={machine}", *arguments[1:]]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert asked.returncode == 0, asked.stderr
    return asked.stdout + asked.stderr


def test_systemd_finds_nothing_wrong_with_the_units(machine: Path):
    assert analyze(machine, "verify", *SERVICES, *OTHERS).strip() == ""


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_next_to_nothing(machine: Path, service: str):
    told = analyze(machine, "security", "--offline=true", service)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", told)
    assert found, told
    assert float(found[1]) <= EXPOSURE_AT_MOST


@pytest.mark.parametrize(
    ("file", "unit"),
    [
        ("owner.env", "lk-migrate.service"),
        ("backup.env", "lk-backup-verify.service"),
        ("backup-identity", "lk-backup-verify.service"),
    ],
)
def test_one_unit_alone_knows_what_nothing_that_serves_may_know(file: str, unit: str):
    line = re.compile(rf"^(EnvironmentFile|ExecStartPre)=.*/etc/lk/{file}\b", re.MULTILINE)
    named = [place for place in UNITS.rglob("*.*") if place.is_file() and line.search(place.read_text())]
    assert [place.parent.name for place in named] == [f"{unit}.d"]


def test_the_settings_of_one_unit_come_after_those_of_all():
    """Of what is set twice systemd believes the last, and it reads drop-ins after the unit, by their names."""
    of_all = max(place.name for place in (UNITS / "lk-.service.d").iterdir())
    assert not [unit for unit in UNITS.glob("*.service") if "EnvironmentFile=" in unit.read_text()]
    assert all(place.name > of_all for place in UNITS.glob("lk-?*.service.d/*"))


def test_requests_that_have_begun_end_before_systemd_ends_them():
    from lk_site.serve import GRACE_S

    stop = re.search(r"^TimeoutStopSec=([0-9]+)$", (UNITS / "lk-web.service").read_text(), re.MULTILINE)
    assert stop
    assert int(stop[1]) > GRACE_S
