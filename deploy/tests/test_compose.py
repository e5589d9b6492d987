"""What must be so of the Compose file and the image. Nothing here starts a container."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[1]
ROOT = DEPLOY.parent
WRITABLE = {"/var/lib/lk/static", "/var/lib/lk/metrics"}


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def image() -> str:
    return (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def test_every_service_is_there_and_says_whether_it_is_well(stack):
    assert set(stack["services"]) == {"nginx", "web", "worker", "metrics", "migrate", "postgres", "valkey"}
    assert {name for name, one in stack["services"].items() if "healthcheck" not in one} == {"migrate"}
    assert {name for name, one in stack["services"].items() if one.get("restart") != "unless-stopped"} == {"migrate"}


def test_nothing_but_nginx_can_be_reached_from_outside(stack):
    assert {name for name, one in stack["services"].items() if "ports" in one} == {"nginx"}
    assert stack["services"]["postgres"]["networks"] == ["back"]
    assert stack["networks"]["back"]["internal"] is True


@pytest.mark.parametrize("name", ["web", "worker", "metrics", "migrate"])
def test_what_runs_lk_has_no_rights_and_writes_nowhere_else(stack, name):
    service = stack["services"][name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert {volume.split(":")[1] for volume in service.get("volumes", [])} <= WRITABLE


def test_only_migrations_know_the_owner_of_the_database(stack):
    knowing = {name for name, one in stack["services"].items() if "secrets/owner.env" in one.get("env_file", [])}
    assert knowing == {"migrate"}


def test_no_secret_stands_in_the_file(stack):
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    assert not re.search(r"(?i)password: *[a-z0-9]", text)
    assert {one["file"].split("/")[1] for one in stack["secrets"].values()} == {"secrets"}
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_what_is_mounted_is_in_the_repo_or_a_secret_or_a_volume(stack):
    for service in stack["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            known = source in stack["volumes"] or source.startswith("./secrets/") or (DEPLOY / source).exists()
            assert known, volume


def test_a_service_is_given_as_long_to_end_as_it_takes(stack):
    assert stack["services"]["web"]["stop_grace_period"] == "45s"
    assert stack["services"]["worker"]["stop_grace_period"] == "90s"


def test_the_image_takes_locked_packages_with_hashes_and_runs_as_nobody_special(image):
    assert "--require-hashes -r /tmp/requirements.txt" in image
    assert image.count("\nFROM ") + image.startswith("FROM ") == 2
    assert re.search(r"^USER 10001:10001$", image, re.MULTILINE)
    assert ":latest" not in image


def test_what_the_image_copies_is_in_the_repo_and_let_in(image):
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.*)$", image, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in let_in
