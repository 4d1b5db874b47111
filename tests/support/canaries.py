"""Where a word stands that should stand nowhere: in the files of a running stack (logs among them) and in its Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import Redis

from cli.stack.background import BackgroundStack


async def redis_keys_with(redis: Redis, needle: str) -> list[str]:
    found = []
    async for name in redis.scan_iter():
        values = await redis.execute_command("DUMP", name, NEVER_DECODE=True)
        if needle in name or needle.encode() in (values or b""):
            found.append(name)
    return found


def files_with(folder: Path, needle: str) -> list[Path]:
    """Of everything but Postgres' own files, which are asked as tables: it keeps old rows until its next vacuum."""
    return [path for path in _files(folder) if needle.encode() in path.read_bytes()]


def ray_folder(stack: BackgroundStack) -> Path:
    """Where the engines and Ray's own processes write, as long as the stack runs."""
    (sockets,) = parse_qs(urlsplit(stack.env["DELIBERATE_DATABASE_URL"]).query)["host"]
    return Path(sockets).parent / "ray"


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_symlink() or path.name == "postgres":
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path
