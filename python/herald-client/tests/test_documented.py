"""The programs of docs/python.md and of the README: all have the right types, and those that are whole run."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .stack import REPOSITORY, Stack

PACKAGE = REPOSITORY / "python/herald-client"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(PACKAGE / "src"),
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    stack = Stack()
    yield stack
    stack.end()


def programs(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def program(tmp_path: Path, word: str) -> Path:
    """Writes the only program of the page that runs as it is and has a word. Returns its file."""
    (text,) = [text for text in programs(REPOSITORY / "docs/python.md") if word in text and "sys.argv" in text]
    file = tmp_path / "program.py"
    file.write_text(text, encoding="utf-8")
    return file


def test_programs_have_the_right_types(tmp_path: Path) -> None:
    texts = [
        text for page in ("docs/python.md", "python/herald-client/README.md") for text in programs(REPOSITORY / page)
    ]
    assert len(texts) > 6
    files = [tmp_path / f"program{number}.py" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--cache-dir", str(tmp_path)]
    environment = {**os.environ, "MYPYPATH": "src"}
    checked = subprocess.run([*command, *files], cwd=PACKAGE, capture_output=True, text=True, env=environment)
    assert checked.returncode == 0, checked.stdout


async def test_program_that_follows_an_entity_prints_its_pushes(tmp_path: Path, stack: Stack) -> None:
    command = [sys.executable, "-W", "error", str(program(tmp_path, "subscribe")), stack.url, "order-1"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=ENVIRONMENT)
    assert process.stdout is not None
    try:
        first_line = asyncio.create_task(process.stdout.readline())
        # The program does not tell when it has subscribed.
        while not first_line.done():
            await stack.put_about("order-1", "hello")
            await asyncio.wait((first_line,), timeout=0.2)
        assert first_line.result() == b"Entity Updated hello\n"
    finally:
        process.kill()
        await process.communicate()


def test_program_that_publishes_prints_the_event_ids(tmp_path: Path, stack: Stack) -> None:
    command = [sys.executable, "-W", "error", str(program(tmp_path, "boto3")), stack.endpoint]
    published = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    assert published.returncode == 0, published.stderr
    assert published.stdout.count("-") > 8
    assert "maintenance-1" in published.stdout
