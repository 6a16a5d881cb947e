#!/bin/sh
# Puts the source of Rhai with our patches (patches/*.diff) where Cargo.toml expects it: target/rhai.
#
# Run it once before the first cargo command, and again after `cargo clean` or a change of a patch; build.sh and
# script/test do so. It does nothing while the copy is up to date.
#   CARGO       the cargo that downloads (default: cargo)
set -eu

version=1.27.0
here=$(cd "$(dirname "$0")" && pwd)
copy=$here/target/rhai
cd "$here"

wanted="rhai $version $(cat patch.sh patches/*.diff | sha256sum | cut -d ' ' -f 1)"
if [ "$(cat "$copy/.patched" 2>/dev/null)" = "$wanted" ]; then
    exit
fi

# Downloads it where needed, and verifies the checksum in patches/Cargo.lock. In that folder, as cargo cannot read
# the workspace before the copy is there.
source=$(cd patches && ${CARGO:-cargo} metadata --quiet --locked --format-version 1 |
    grep -o "\"manifest_path\":\"[^\"]*/rhai-$version/Cargo.toml\"" | cut -d '"' -f 4)
[ -n "$source" ] || {
    echo "patch.sh: cargo did not provide rhai $version" >&2
    exit 1
}
source=$(dirname "$source")

mkdir -p target
work=$(mktemp -d target/rhai.XXXXXX)
trap 'rm -rf "$work"' EXIT
cp -R "$source/." "$work"
# The crate has the line ends of Windows.
find "$work/src" -name '*.rs' | while read -r file; do
    tr -d '\r' <"$file" >"$work/file"
    cat "$work/file" >"$file"
done
rm -f "$work/file" "$work/Cargo.lock"
# Cargo hides the warnings of downloaded crates only.
printf '\n[lints.rust]\nunexpected_cfgs = "allow"\n' >>"$work/Cargo.toml"
for diff in patches/*.diff; do
    patch --quiet --strip=1 --directory="$work" <"$diff"
done
find "$work" -name '*.orig' -exec rm {} +
echo "$wanted" >"$work/.patched"
rm -rf "$copy"
mv "$work" "$copy"
