//! Writes the part of the SDK that `interface.toml` decides: versions, limits, imports and namespaces.

use std::{collections::BTreeSet, env, fmt::Write, fs, path::Path};

use toml::{Table, Value};

const INTERFACE: &str = "interface.toml";

fn main() {
    println!("cargo::rerun-if-changed={INTERFACE}");
    println!("cargo::rerun-if-changed=build.rs");
    let text = fs::read_to_string(INTERFACE).unwrap_or_else(|error| panic!("{INTERFACE}: {error}"));
    let interface: Table = text.parse().unwrap_or_else(|error| panic!("{INTERFACE}: {error}"));
    write("limits.rs", limits(table(&interface["limits"])));
    write("imports.rs", imports(&entries(&interface, "host")));
    write("namespaces.rs", versions(&interface) + &namespaces(&interface));
}

fn write(name: &str, code: String) {
    let folder = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&folder).join(name), code).expect("OUT_DIR can be written to");
}

/// A constant for each limit, such as `MAX_KEY_BYTES`.
fn limits(limits: &Table) -> String {
    let mut code = String::new();
    for (name, value) in limits {
        let constant = name.to_uppercase();
        match value {
            Value::Integer(number) => {
                line(&mut code, format_args!("pub const {constant}: usize = {number};"))
            }
            Value::Array(items) => {
                let items: Vec<&str> = items.iter().map(string).collect();
                line(&mut code, format_args!("pub const {constant}: &[&str] = &{items:?};"));
            }
            other => panic!("{INTERFACE}: limits.{name} is a {}", other.type_str()),
        }
    }
    code
}

/// A static for each function of the host, in a module for each namespace: `kv::GET`.
fn imports(hosts: &[&Table]) -> String {
    let mut code = String::new();
    for namespace in in_order(hosts) {
        line(&mut code, format_args!("pub mod {namespace} {{"));
        for host in hosts.iter().filter(|host| string(&host["namespace"]) == namespace) {
            let name = string(&host["name"]);
            let function = name
                .strip_prefix(namespace)
                .and_then(|name| name.strip_prefix('_'))
                .unwrap_or_else(|| panic!("{INTERFACE}: {name} must begin with {namespace}_"));
            line(&mut code, format_args!("super::import!(pub {}, {name:?});", function.to_uppercase()));
        }
        line(&mut code, "}");
    }
    code
}

/// `abi` and `sdk` as constants.
fn versions(interface: &Table) -> String {
    let abi = interface["abi"].as_integer().expect("abi is an integer");
    let sdk = string(&interface["sdk"]);
    format!(
        "/// Version of the binary interface between guest and host.\n\
         pub const ABI_VERSION: i64 = {abi};\n\
         /// Version of the script interface, which a script reads as `ctx.sdk_version`.\n\
         pub const SDK_VERSION: &str = {sdk:?};\n"
    )
}

/// The names of the namespaces, and the call of each one's `register`.
fn namespaces(interface: &Table) -> String {
    let (hosts, functions) = (entries(interface, "host"), entries(interface, "function"));
    let all: BTreeSet<&str> = in_order(&hosts).into_iter().chain(in_order(&functions)).collect();
    let mut code = String::new();
    line(&mut code, "/// The namespaces, sorted. No module can have the name of one.");
    line(&mut code, format_args!("pub const NAMESPACES: &[&str] = &{:?};", Vec::from_iter(all)));
    line(&mut code, "fn register_namespaces(engine: &mut rhai::Engine) {");
    for namespace in in_order(&functions) {
        line(&mut code, format_args!("{namespace}::register(engine);"));
    }
    line(&mut code, "}");
    code
}

fn entries<'a>(interface: &'a Table, noun: &str) -> Vec<&'a Table> {
    interface[noun].as_array().expect("an array of tables").iter().map(table).collect()
}

/// The namespaces of `entries`, each once, in the order of the file.
fn in_order<'a>(entries: &[&'a Table]) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    entries.iter().map(|entry| string(&entry["namespace"])).filter(|name| seen.insert(*name)).collect()
}

fn table(value: &Value) -> &Table {
    value.as_table().unwrap_or_else(|| panic!("{INTERFACE}: {value:?} must be a table"))
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{INTERFACE}: {value:?} must be a string"))
}

fn line(code: &mut String, text: impl std::fmt::Display) {
    writeln!(code, "{text}").expect("a string grows");
}
