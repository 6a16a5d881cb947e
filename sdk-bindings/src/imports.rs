//! The functions of the host by namespace, such as `kv::GET`: the entries `[[host]]` of `interface.toml`.

use crate::host::import;

include!(concat!(env!("OUT_DIR"), "/imports.rs"));
