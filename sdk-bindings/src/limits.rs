//! Numbers that guest and host share: the table `[limits]` of `interface.toml`.

include!(concat!(env!("OUT_DIR"), "/limits.rs"));
