"""docker-compose.yml: valid by the Compose specification, safe by its own rules, and each service works as it says."""

import json
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from compose_spec import PyCompose

from cli.stack import wheels
from cli.stack.home import make_runtime
from cli.stack.ports import LOOPBACK, free_block
from cli.stack.record import remove_runtime
from tests.support import compose
from tests.support.compose import Changes, MissingVariable, Service, load, raw, search_path, stand_in
from tests.support.postgres import TestPostgres
from tests.support.stack import ROOT, clean_environment

REQUIRED = {
    "POSTGRES_PASSWORD": "postgres-secret",
    "REDIS_PASSWORD": "redis-secret",
    "RAY_AUTH_TOKEN": "a" * 64,
    "DELIBERATE_API_KEYS": "test-key",
}
SERVICES = {
    "postgres", "redis", "migrate", "api", "control", "orchestrator", "engines",
    "ray-head", "ray-worker-cpu", "ray-worker-gpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(load(REQUIRED)["services"])


def validate(file: dict[str, Any]) -> None:
    PyCompose.from_json(json.dumps(file))


def test_the_file_is_valid_by_the_specification() -> None:
    validate(load(REQUIRED))


def test_the_validation_refuses_what_is_wrong() -> None:
    file = load(REQUIRED)
    file["services"]["api"]["comand"] = "x"
    with pytest.raises(ValueError, match="comand"):
        validate(file)


def test_every_part_of_the_service_is_there(services: dict[str, Any]) -> None:
    assert set(services) == SERVICES
    assert [name for name, spec in services.items() if spec.get("profiles")] == ["ray-worker-gpu"]


@pytest.mark.parametrize("name", REQUIRED)
def test_no_secret_has_a_default(name: str) -> None:
    with pytest.raises(MissingVariable, match=name):
        load(REQUIRED | {name: ""})
    assert set(re.findall(rf"\${{{name}[^}}]*}}", compose.FILE.read_text())) == {f"${{{name}:?set {name} in .env}}"}


def test_only_the_api_is_published_and_only_to_this_machine(services: dict[str, Any]) -> None:
    published = {name: spec["ports"] for name, spec in services.items() if "ports" in spec}
    assert published == {"api": ["127.0.0.1:8080:8080"]}
    assert load(REQUIRED)["networks"]["inside"] == {"internal": True}


def test_every_service_that_stays_has_a_health_check_and_restarts(services: dict[str, Any]) -> None:
    lasting = {name: spec for name, spec in services.items() if name != "migrate"}
    assert all("healthcheck" in spec and spec["restart"] == "unless-stopped" for spec in lasting.values())


def test_dependencies_are_of_services_that_can_fulfil_them(services: dict[str, Any]) -> None:
    for spec in services.values():
        for name, need in spec.get("depends_on", {}).items():
            kind = "service_completed_successfully" if name == "migrate" else "service_healthy"
            assert need == {"condition": kind}
            assert name in services


def test_ray_has_a_token_and_shared_memory_everywhere(services: dict[str, Any]) -> None:
    members = [name for name in services if name.startswith("ray-")] + ["orchestrator", "engines"]
    assert all(services[name]["environment"]["RAY_AUTH_MODE"] == "token" for name in members)
    assert all(services[name]["shm_size"] for name in members if name.startswith("ray-"))


def test_our_images_drop_all_rights_and_do_not_run_as_root(services: dict[str, Any]) -> None:
    ours = [spec for spec in services.values() if spec["image"].startswith("deliberate:")]
    assert len(ours) == 8
    for spec in ours:
        assert spec["cap_drop"] == ["ALL"]
        assert spec["security_opt"] == ["no-new-privileges:true"]
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    for target in {spec["build"]["target"] for spec in ours}:
        stage = next(stage for stage in stages if stage.splitlines()[0].endswith(f" AS {target}"))
        assert "\nUSER deliberate\n" in stage


def test_data_is_in_named_volumes_that_are_declared() -> None:
    file = raw()
    used = {volume.split(":")[0] for spec in file["services"].values() for volume in spec.get("volumes", [])}
    assert used == set(file["volumes"])


def test_every_variable_is_in_the_example_of_settings() -> None:
    names = set(re.findall(r"\$\{(\w+)", compose.FILE.read_text()))
    example = (ROOT / ".env.example").read_text()
    assert {name for name in names if f"# {name}=" not in example} == set()


class Machine:
    """The file's services on this machine: their addresses, and stand-ins that know them."""

    def __init__(self, scratch: Path, runtime: Path, postgres: TestPostgres) -> None:
        self.redis, self.api, self.gcs, *rest = free_block(3 + 2 * 27)
        self._scratch, self._postgres = scratch, postgres
        self._started: list[Service] = []
        bin_, server = scratch / "bin", wheels.redis_server()
        port = ["--port", str(self.redis), "--bind", LOOPBACK]
        stand_in(bin_, server, Changes(last={"-": port}))
        stand_in(bin_, server.with_name("redis-cli"), Changes(first=["-p", str(self.redis)]))
        sockets = postgres.url().split("host=")[1]
        stand_in(bin_, wheels.postgres_folder() / "pg_isready", Changes(first=[f"--host={sockets}"]))
        address = {
            "--port=6379": f"--port={self.gcs}",
            "--address=ray-head:6379": f"--address={LOOPBACK}:{self.gcs}",
            "--address=127.0.0.1:6379": f"--address={LOOPBACK}:{self.gcs}",
        }
        head = ["--temp-dir", str(runtime / "ray"), *ray_ports(rest[:27])]
        stand_in(
            bin_, ray_on_loopback(bin_), Changes(replace=address, last={"--head": head, "start": ray_ports(rest[27:])})
        )

    def service(self, name: str, spec: dict[str, Any], database: str) -> Service:
        home = self._scratch / name
        home.mkdir()
        changed = {
            "DELIBERATE_DATABASE_URL": database,
            "DELIBERATE_REDIS_URL": f"redis://:{REQUIRED['REDIS_PASSWORD']}@{LOOPBACK}:{self.redis}/0",
            "DELIBERATE_RAY_ADDRESS": f"{LOOPBACK}:{self.gcs}",
            "DELIBERATE_HOST": LOOPBACK,
            "DELIBERATE_PORT": str(self.api),
            "DELIBERATE_POLICY": "scripted:",
            "DELIBERATE_VERIFIER": "scripted:",
        }
        given = {key: changed.get(key, value) for key, value in spec.get("environment", {}).items()}
        here = {
            "PATH": search_path(self._scratch / "bin"),
            "DELIBERATE_HOME": str(home),
        }
        if not name.startswith("ray-"):
            here["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        made = Service(name, spec, clean_environment() | given | here, self._scratch)
        self._started.append(made)
        return made

    def stop(self) -> None:
        for service in reversed(self._started):
            service.stop(5.0)


def ray_on_loopback(folder: Path) -> Path:
    """The `ray` command, which takes 127.0.0.1 for this node's address (Ray's own choice is one of the network)."""
    program = folder / "real" / "ray"
    program.parent.mkdir(parents=True)
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "from ray._private import services\n"
        f"services.get_node_ip_address = lambda address=None: {LOOPBACK!r}\n"
        "from ray.scripts.scripts import main\n"
        "sys.exit(main())\n"
    )
    program.chmod(0o755)
    return program


def ray_ports(ports: list[int]) -> list[str]:
    names = (
        "node-manager-port", "object-manager-port", "dashboard-agent-listen-port", "dashboard-agent-grpc-port",
        "runtime-env-agent-port", "metrics-export-port", "min-worker-port",
    )  # fmt: skip
    given = [f"--{name}={port}" for name, port in zip(names, ports, strict=False)]
    return [*given, f"--max-worker-port={ports[-1]}", "--node-ip-address", LOOPBACK]


@pytest.fixture
def machine(tmp_path: Path, postgres: TestPostgres) -> Iterator[Machine]:
    runtime = make_runtime()
    made = Machine(tmp_path, runtime, postgres)
    yield made
    made.stop()
    remove_runtime(str(runtime))


@pytest.mark.integration
def test_every_services_own_command_and_health_check_work_as_plain_processes(
    machine: Machine, services: dict[str, Any], postgres: TestPostgres
) -> None:
    database = postgres.new_database("template0")
    made = {name: machine.service(name, services[name], database) for name in SERVICES - {"ray-worker-gpu"}}
    assert made["postgres"].is_healthy()
    assert not made["redis"].is_healthy()
    assert not made["api"].is_healthy()
    for name in ("redis", "ray-head", "migrate"):
        made[name].start()
    made["migrate"].wait_completed()
    made["redis"].wait_healthy()
    made["ray-head"].wait_healthy()
    for name in ("ray-worker-cpu", "engines", "api", "control", "orchestrator"):
        made[name].start()
    for name in ("ray-worker-cpu", "engines", "api", "control", "orchestrator"):
        made[name].wait_healthy()
    headers = {"Authorization": f"Bearer {REQUIRED['DELIBERATE_API_KEYS']}"}
    with httpx.Client(base_url=f"http://{LOOPBACK}:{machine.api}", headers=headers, timeout=60.0) as http:
        job = http.post(
            "/v1/reasoning/jobs", json={"problem": "What is 3 + 4?", "strategy": {"name": "best_of_n", "n": 4}}
        )
        assert job.status_code == 202
        ended = http.get(job.json()["status_url"], headers={"Prefer": "wait=50"}).json()
    assert ended["status"] == "completed"
    # uvicorn ends by the very signal that asked it to, once it has shut down.
    assert made["api"].stop() == -signal.SIGTERM
    assert [made[name].stop() for name in ("orchestrator", "control", "engines")] == [0, 0, 0]
    assert not made["api"].is_healthy()
