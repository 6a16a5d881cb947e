#!/bin/sh
# Builds host/picloud/assets/guest.wasm: the same bytes from the same sources, wherever the checkout lies.
#
#   guest-runtime/build.sh [DIRECTORY]      DIRECTORY: where to put it (default: host/picloud/assets)
#   guest-runtime/build.sh --sources        prints the hash of the sources, and builds nothing
#
# Needs cargo with the standard library for wasm32-unknown-unknown, and npm for wasm-opt.
#   CARGO       the cargo that builds the guest (default: cargo)
#   WASM_OPT    the wasm-opt to run (default: that of the npm package binaryen in the version below)
set -eu

binaryen=132.0.0
target=wasm32-unknown-unknown
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")

# What decides about the bytes: path and hash of every file, hashed together.
sources() {
    cd "$root"
    find guest-runtime/build.rs guest-runtime/build.sh guest-runtime/patch.sh guest-runtime/.cargo \
        guest-runtime/Cargo.lock guest-runtime/Cargo.toml guest-runtime/patches guest-runtime/preinit/Cargo.lock guest-runtime/preinit/Cargo.toml \
        guest-runtime/preinit/src guest-runtime/src sdk-bindings/Cargo.toml sdk-bindings/build.rs sdk-bindings/interface.toml \
        sdk-bindings/src -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d ' ' -f 1
}

if [ "${1:-}" = --sources ]; then
    sources
    exit
fi

out=${1:-$root/host/picloud/assets}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$here/target/artifact
mkdir -p "$work"
cd "$here"
./patch.sh

# Paths of this machine end up in the messages of panics: they are cut off.
remap="\"--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo\", \"--remap-path-prefix=$root=picloud\""
# Only a cdylib is linked as a whole (lto), so the crate is built as that here, and as a library for tests.
${CARGO:-cargo} rustc --release --locked --target "$target" --package picloud-guest --lib \
    --crate-type cdylib --config "target.$target.rustflags = [$remap]"

cargo run --quiet --locked --manifest-path preinit/Cargo.toml -- \
    "target/$target/release/picloud_guest.wasm" "$work/initialized.wasm"

# Inlining is left to the compiler: more of it makes functions so large that wasmtime's code for them gets
# slower (by a third, for the loop of the bytecode machine).
${WASM_OPT:-npm exec --yes --package=binaryen@$binaryen -- wasm-opt} "$work/initialized.wasm" -O3 \
    --always-inline-max-function-size=1 --flexible-inline-max-function-size=1 \
    --one-caller-inline-max-function-size=1 --strip-debug --strip-producers --strip-target-features \
    --enable-bulk-memory --enable-bulk-memory-opt --enable-extended-const --enable-multivalue \
    --enable-mutable-globals --enable-nontrapping-float-to-int --enable-reference-types --enable-sign-ext \
    --enable-simd --output "$work/guest.wasm"

cp "$work/guest.wasm" "$out/guest.wasm"
cp ../sdk-bindings/interface.toml "$out/interface.toml"
{
    echo "# What guest.wasm was built from; written by guest-runtime/build.sh."
    echo "# $(${CARGO:-cargo} --version)"
    echo "$(sha256sum < "$out/guest.wasm" | cut -d ' ' -f 1)  guest.wasm"
    echo "$(sources)  sources"
} > "$out/guest.wasm.sha256"
cat "$out/guest.wasm.sha256"
