"""The committed guest fits its sources, imports only PiCloud's host functions, and can be built again."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import wasmtime

from picloud.core.interface import Interface

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "host" / "picloud" / "assets"
BUILD = ROOT / "guest-runtime" / "build.sh"
BUILD_AGAIN = "run guest-runtime/build.sh and commit host/picloud/assets"


def recorded() -> tuple[str, dict[str, str]]:
    """The toolchain and the hashes by name that guest.wasm.sha256 holds."""
    lines = (ASSETS / "guest.wasm.sha256").read_text().splitlines()
    comments = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    hashes = [line.split("  ") for line in lines if not line.startswith("#")]
    return comments[-1], {name: digest for digest, name in hashes}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_guest_is_the_one_that_was_recorded() -> None:
    assert sha256(ASSETS / "guest.wasm") == recorded()[1]["guest.wasm"]


def test_guest_was_built_from_these_sources() -> None:
    digest = subprocess.run([BUILD, "--sources"], capture_output=True, text=True, check=True).stdout.strip()
    assert digest == recorded()[1]["sources"], BUILD_AGAIN


def test_interface_is_a_copy_of_its_source() -> None:
    assert sha256(ASSETS / "interface.toml") == sha256(ROOT / "sdk-bindings" / "interface.toml"), BUILD_AGAIN


@pytest.fixture(scope="module")
def guest() -> wasmtime.Module:
    config = wasmtime.Config()
    config.wasm_wide_arithmetic = True
    config.cranelift_opt_level = "none"  # it is looked at, not run
    return wasmtime.Module.from_file(wasmtime.Engine(config), str(ASSETS / "guest.wasm"))


def test_guest_imports_only_functions_of_picloud(guest: wasmtime.Module) -> None:
    known = {"reply_take", "memory_reserve", *(function.name for function in Interface.load().hosts)}
    assert {entry.module for entry in guest.imports} == {"picloud"}
    assert {entry.name for entry in guest.imports} == known
    assert all(isinstance(entry.type, wasmtime.FuncType) for entry in guest.imports)


def test_guest_exports_what_its_interface_says(guest: wasmtime.Module) -> None:
    assert {entry.name for entry in guest.exports} == {"memory", "info", "reserve", "compile", "run"}


def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    cargo = os.environ.get("CARGO", "cargo")
    wasm_opt = os.environ.get("WASM_OPT", "npm")
    for tool in (cargo, "cargo", wasm_opt):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not here")
    version = subprocess.run(
        [cargo, "--version"], capture_output=True, text=True, cwd=BUILD.parent
    ).stdout.strip()
    if version != recorded()[0]:
        pytest.skip(f"the guest was built with {recorded()[0]}, and here is {version}")
    if not has_wasm_target(cargo, tmp_path / "probe"):
        pytest.skip(f"{cargo} has no standard library for wasm32-unknown-unknown")
    subprocess.run([BUILD, tmp_path / "assets"], check=True, capture_output=True)
    assert sha256(tmp_path / "assets" / "guest.wasm") == recorded()[1]["guest.wasm"]


def has_wasm_target(cargo: str, folder: Path) -> bool:
    """Whether `cargo` can build for wasm: asked of a crate with one empty function."""
    (folder / "src").mkdir(parents=True)
    (folder / "Cargo.toml").write_text('[package]\nname = "probe"\nversion = "0.1.0"\n[workspace]\n')
    (folder / "src" / "lib.rs").write_text("pub fn probe() {}\n")
    command = [cargo, "check", "--target", "wasm32-unknown-unknown"]
    return subprocess.run(command, cwd=folder, capture_output=True).returncode == 0
