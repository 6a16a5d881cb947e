//! `vars::` the app's variables: its plain configuration.

use rhai::{Dynamic, Engine, FuncRegistration, ImmutableString, Module, NativeCallContext};

use crate::args;
use crate::error::{Thrown, fail, mismatch};
use crate::host;
use crate::imports::vars::{ALL, GET};
use crate::limits::MAX_VAR_NAME_BYTES;
use crate::sizes;
use crate::wire::Writer;

/// Registers the namespace. All of it is volatile: no call may be answered while compiling.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    let volatile = |name: &str| FuncRegistration::new(name).with_volatility(true);
    volatile("get").set_into_module(&mut module, |context: NativeCallContext, name: Dynamic| {
        let function = "vars::get";
        let name = variable(function, name)?;
        find(&context, function, &name)?.ok_or_else(|| not_set(function, &name))
    });
    volatile("get_or").set_into_module(
        &mut module,
        |context: NativeCallContext, name: Dynamic, default: Dynamic| {
            let function = "vars::get_or";
            let name = variable(function, name)?;
            if !default.is_string() && !default.is_unit() {
                return Err(mismatch(function, "default", "a string or ()", default.type_name()));
            }
            Ok(find(&context, function, &name)?.unwrap_or(default))
        },
    );
    volatile("all").set_into_module(&mut module, |context: NativeCallContext| {
        let function = "vars::all";
        sizes::check_value(&context, function, host::call(&ALL, function, &Writer::params(0))?.value()?)
    });
    engine.register_static_module("vars", module.into());
}

/// The value of a variable, none when it is not set.
fn find(context: &NativeCallContext, function: &str, name: &str) -> Result<Option<Dynamic>, Thrown> {
    let mut params = Writer::params(1);
    params.string(name);
    let reply = host::call(&GET, function, &params)?;
    let value = reply.optional_string()?;
    value.map(|value| sizes::check_value(context, function, value.into())).transpose()
}

/// A parameter that must be a name that a variable can have.
fn variable(function: &str, name: Dynamic) -> Result<ImmutableString, Thrown> {
    let name = args::name(function, "name", name, MAX_VAR_NAME_BYTES)?;
    let letters = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if name.starts_with(|first: char| first.is_ascii_uppercase()) && name.bytes().all(letters) {
        return Ok(name);
    }
    let rule = "use A to Z, 0 to 9 and _, starting with a letter";
    Err(fail(function, format_args!("invalid name {name:?}: {rule}")))
}

fn not_set(function: &str, name: &str) -> Thrown {
    let command = format_args!("picloud vars set {name} VALUE");
    fail(function, format_args!("variable '{name}' is not set; set it with: {command}"))
}

#[cfg(test)]
mod tests {
    use crate::error::{empty, mismatch, too_long};
    use crate::host::install;
    use crate::limits::MAX_VAR_NAME_BYTES;
    use crate::native::MemoryHost;
    use crate::testing::{eval, message, thrown};

    fn set(variables: &[(&str, &str)]) {
        install(MemoryHost::with_vars(variables));
    }

    #[test]
    fn a_variable_is_read_by_its_name() {
        set(&[("API_URL", "https://example.com"), ("B2", "")]);
        assert_eq!(eval::<String>("vars::get(\"API_URL\")"), "https://example.com");
        assert_eq!(eval::<String>("vars::get_or(\"API_URL\", \"none\")"), "https://example.com");
        assert_eq!(eval::<String>("vars::get_or(\"B2\", \"none\")"), "");
        assert!(eval::<bool>("vars::all() == #{ API_URL: \"https://example.com\", B2: \"\" }"));
    }

    #[test]
    fn a_variable_that_is_not_set_has_its_default_or_throws() {
        set(&[]);
        assert_eq!(eval::<String>("vars::get_or(\"REGION\", \"eu\")"), "eu");
        assert!(eval::<bool>("vars::get_or(\"REGION\", ()) == () && vars::all() == #{}"));
        assert_eq!(
            thrown("vars::get(\"REGION\")"),
            "vars::get: variable 'REGION' is not set; set it with: picloud vars set REGION VALUE"
        );
    }

    #[test]
    fn a_name_is_checked_before_the_host_is_asked() {
        let longest = "N".repeat(MAX_VAR_NAME_BYTES);
        set(&[(&longest, "x"), ("A_1", "x")]);
        assert!(eval::<bool>(&format!("vars::get(\"{longest}\") == \"x\" && vars::get(\"A_1\") == \"x\"")));
        let rule = "use A to Z, 0 to 9 and _, starting with a letter";
        for name in ["region", "1A", "_A", "A-B", "A B", "Ä", "AÄ", "a", "A\\n"] {
            let given = name.replace("\\n", "\n");
            for (call, function) in [("get(x)", "get"), ("get_or(x, ())", "get_or")] {
                assert_eq!(
                    thrown(&format!("let x = \"{name}\"; vars::{call}")),
                    format!("vars::{function}: invalid name {given:?}: {rule}")
                );
            }
        }
        assert_eq!(
            thrown(&format!("vars::get(\"{longest}N\")")),
            message(too_long("vars::get", "name", 64, 65))
        );
        assert_eq!(thrown("vars::get(\"\")"), message(empty("vars::get", "name")));
        assert_eq!(thrown("vars::get(1)"), message(mismatch("vars::get", "name", "a string", "i64")));
    }

    #[test]
    fn a_default_is_of_the_type_that_variables_have() {
        set(&[]);
        assert_eq!(
            thrown("vars::get_or(\"PORT\", 80)"),
            message(mismatch("vars::get_or", "default", "a string or ()", "i64"))
        );
    }

    #[test]
    fn variables_over_the_limits_throw_catchably() {
        let value = "v".repeat(8192);
        let names: Vec<String> = (0..33).map(|n| format!("N{n}")).collect();
        set(&names.iter().map(|name| (name.as_str(), value.as_str())).collect::<Vec<_>>());
        assert!(eval::<bool>("vars::get(\"N32\").len() == 8192"));
        assert!(thrown("vars::all()").ends_with("(max_string_size)"));
    }
}
