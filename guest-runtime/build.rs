//! Puts the hash of `interface.toml` into the guest, so that the host can refuse one that does not fit it.

use std::fs;

use sha2::{Digest, Sha256};

fn main() {
    let path = "sdk/interface.toml";
    println!("cargo::rerun-if-changed={path}");
    println!("cargo::rerun-if-changed=build.rs");
    let digest = Sha256::digest(fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}")));
    let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("cargo::rustc-env=PICLOUD_INTERFACE_SHA256={text}");
}
