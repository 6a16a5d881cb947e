"""The image cache: bounded by count and bytes, one compile a key, nothing kept of a failed one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from picloud.sandbox.cache import OVERHEAD, ImageCache
from picloud.sandbox.image import Image
from picloud.sandbox.limits import MIB
from picloud.sandbox.store import ImageStore
from tests.workbench import until


def image(size: int = 100) -> Image:
    return Image(65536, ((0, bytes(size)),), size, ())


class Compile:
    """A compile that waits to be let go."""

    def __init__(self, made: Image | Exception | None = None) -> None:
        self.made = made or image()
        self.started = self.ended = 0
        self.go = asyncio.Event()

    async def __call__(self) -> Image:
        self.started += 1
        await self.go.wait()
        self.ended += 1
        if isinstance(self.made, Exception):
            raise self.made
        return self.made


async def made(cache: ImageCache, key: object, size: int = 100) -> Image:
    compile_ = Compile(image(size))
    compile_.go.set()
    return await cache.get(key, compile_)  # type: ignore[arg-type]


async def test_the_least_recently_used_goes_first() -> None:
    cache = ImageCache(3, 1)
    for key in "abc":
        await made(cache, key)
    assert cache.find("a") is not None
    await made(cache, "d")
    assert [key for key in "abcd" if cache.find(key) is not None] == ["a", "c", "d"]


async def test_bytes_are_bounded_too() -> None:
    cache = ImageCache(1000, 1)
    for key in range(10):
        await made(cache, key, MIB // 4 - OVERHEAD)
    assert [key for key in range(10) if cache.find(key) is not None] == [6, 7, 8, 9]


async def test_an_image_larger_than_the_cache_is_given_and_not_kept() -> None:
    cache = ImageCache(10, 1)
    await made(cache, "small")
    assert (await made(cache, "large", 2 * MIB)).size == 2 * MIB
    assert cache.find("large") is None
    assert cache.find("small") is not None


async def test_concurrent_callers_share_one_compile() -> None:
    cache, compile_ = ImageCache(10, 1), Compile()
    callers = [asyncio.create_task(cache.get("k", compile_)) for _ in range(20)]
    await until(lambda: compile_.started == 1)
    compile_.go.set()
    images = await asyncio.gather(*callers)
    assert compile_.started == cache.compiled == 1
    assert all(one is images[0] for one in images)


async def test_a_failed_compile_is_not_kept() -> None:
    cache, compile_ = ImageCache(10, 1), Compile(ValueError("no"))
    callers = [asyncio.create_task(cache.get("k", compile_)) for _ in range(5)]
    await until(lambda: compile_.started == 1)
    compile_.go.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 5
    assert cache.find("k") is None
    assert await made(cache, "k") is cache.find("k")


async def test_a_caller_that_gives_up_leaves_its_turn_to_the_next() -> None:
    cache, compile_ = ImageCache(10, 1), Compile()
    leaving, staying = (asyncio.create_task(cache.get("k", compile_)) for _ in range(2))
    await until(lambda: compile_.started == 1)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await until(lambda: compile_.started == 2)
    compile_.go.set()
    assert await staying is compile_.made


async def test_a_cancelled_caller_is_removed() -> None:
    cache, compile_ = ImageCache(10, 1), Compile()
    staying, leaving = (asyncio.create_task(cache.get("k", compile_)) for _ in range(2))
    await until(lambda: compile_.started == 1)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    compile_.go.set()
    assert await staying is compile_.made
    assert compile_.started == 1


async def test_workers_share_images_and_a_spoilt_file_is_as_good_as_none(tmp_path: Path) -> None:
    first, second = (ImageCache(10, 1, ImageStore(tmp_path / "images", 1)) for _ in range(2))
    assert second.find("k") is None
    whole = await made(first, "k")
    assert second.find("k") == whole
    for file in (tmp_path / "images").iterdir():
        file.write_bytes(b"\x93\x01spoilt")
    assert ImageCache(10, 1, ImageStore(tmp_path / "images", 1)).find("k") is None
