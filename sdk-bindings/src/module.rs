//! Modules whose names a script builds while it runs. Modules imported by a literal name come with the script.

use crate::error::Thrown;
use crate::host;
use crate::imports::module::SOURCE;
use crate::limits::MAX_MODULE_NAME_BYTES;
use crate::wire::Writer;

/// The source of one of the app's modules; None when it does not exist.
pub fn source(name: &str) -> Result<Option<Vec<u8>>, Thrown> {
    let first = name.bytes().next().unwrap_or_default();
    let is_name = name.len() <= MAX_MODULE_NAME_BYTES
        && !first.is_ascii_digit()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || !is_name {
        return Ok(None);
    }
    let mut params = Writer::params(1);
    params.string(name);
    Ok(host::call(&SOURCE, "import", &params)?.optional_bytes()?.map(<[u8]>::to_vec))
}
