//! Functions of the host.

/// One function of the host, as declared in `interface.toml`.
pub struct Import {
    /// The name in `interface.toml`, for example `kv_get`.
    pub name: &'static str,
    /// The imported function itself.
    #[cfg(target_arch = "wasm32")]
    pub entry: unsafe extern "C" fn(*const u8, usize) -> i64,
}

/// Declares an import of the host: `import!(GET, "kv_get");` makes a `static GET: Import`.
macro_rules! import {
    ($visibility:vis $constant:ident, $name:literal) => {
        $visibility static $constant: $crate::host::Import = {
            #[cfg(target_arch = "wasm32")]
            #[link(wasm_import_module = "picloud")]
            unsafe extern "C" {
                #[link_name = $name]
                fn entry(pointer: *const u8, length: usize) -> i64;
            }
            $crate::host::Import {
                name: $name,
                #[cfg(target_arch = "wasm32")]
                entry,
            }
        };
    };
}

pub(crate) use import;
