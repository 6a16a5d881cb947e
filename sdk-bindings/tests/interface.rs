//! `interface.toml` and what is registered say the same.

use std::collections::BTreeSet;

use picloud_sdk::{ABI_VERSION, NAMESPACES, SDK_VERSION, host, native::MemoryHost, register};
use rhai::grain::{Compiler, Vm};
use rhai::{Engine, Scope};
use serde::Deserialize;

#[derive(Deserialize)]
struct Interface {
    abi: i64,
    sdk: String,
    host: Vec<Host>,
    function: Vec<Function>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Host {
    name: String,
    namespace: String,
    capability: String,
    #[allow(dead_code)]
    counted: bool,
    params: Vec<Param>,
    result: String,
    doc: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Param {
    name: String,
    r#type: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Function {
    namespace: String,
    name: String,
    signature: String,
    doc: String,
    example: String,
}

fn interface() -> Interface {
    toml::from_str(include_str!("../interface.toml")).expect("interface.toml parses")
}

fn engine() -> Engine {
    host::install(MemoryHost::with_vars(&[("GREETING", "hello")]));
    let mut engine = Engine::new();
    register(&mut engine);
    engine
}

#[test]
fn every_example_is_true() {
    for Function { namespace, name, example, .. } in interface().function {
        let result = engine().eval::<bool>(&example);
        assert!(matches!(result, Ok(true)), "{namespace}::{name}: {example} gave {result:?}");
    }
}

#[test]
fn every_example_is_true_as_bytecode_too() {
    for Function { namespace, name, example, .. } in interface().function {
        let engine = engine();
        let program = Compiler::new().compile(&engine.compile(&example).expect(&example)).into_shared();
        let result = Vm::new(&engine).eval_with_callbacks(&mut Scope::new(), &program);
        let result = result.map(|value| value.as_bool());
        assert!(matches!(result, Ok(Ok(true))), "{namespace}::{name}: {example} gave {result:?}");
    }
}

#[test]
fn every_function_in_interface_toml_is_registered_and_vice_versa() {
    let listed: BTreeSet<String> =
        interface().function.iter().map(|entry| format!("{}::{}", entry.namespace, entry.name)).collect();
    assert_eq!(registered(), listed);
}

/// `namespace::name` of all that [`register`] adds; the methods of a handle count under its namespace.
fn registered() -> BTreeSet<String> {
    let functions = interface().function;
    let handles: Vec<String> = functions
        .into_iter()
        .filter(|function| function.name == "collection")
        .map(|function| function.namespace)
        .collect();
    let before: BTreeSet<String> = Engine::new().gen_fn_signatures(false).into_iter().collect();
    engine()
        .gen_fn_signatures(false)
        .into_iter()
        .filter(|signature| !before.contains(signature) && !is_of_blobs(signature))
        .map(|signature| {
            let name = signature.split('(').next().unwrap_or_default();
            if name.contains("::") {
                return name.to_owned();
            }
            let handle = handles.iter().find(|handle| signature.contains(&format!("{handle}::collection")));
            format!("{}::{name}", handle.unwrap_or_else(|| panic!("{signature} is a method of no handle")))
        })
        .collect()
}

/// Whether a function is of long blobs, which do what the language's own do.
fn is_of_blobs(signature: &str) -> bool {
    let first = signature.split(['(', ',', ')']).nth(1).unwrap_or_default();
    !signature.contains("::collection") && (first.ends_with("blob") || signature.contains("rhai::Blob"))
}

#[test]
fn no_module_can_be_named_as_a_namespace() {
    let listed: BTreeSet<String> = interface()
        .host
        .into_iter()
        .map(|entry| entry.namespace)
        .chain(interface().function.into_iter().map(|entry| entry.namespace))
        .collect();
    assert!(listed.iter().map(String::as_str).eq(NAMESPACES.iter().copied()));
}

#[test]
fn entries_are_whole_and_of_the_known_types() {
    const TYPES: [&str; 8] = ["string", "bytes", "int", "float", "bool", "value", "map", "list"];
    let interface = interface();
    assert_eq!((interface.abi, interface.sdk.as_str()), (ABI_VERSION, SDK_VERSION));
    let mut names = BTreeSet::new();
    for host in &interface.host {
        assert!(names.insert(&host.name), "{} is there twice", host.name);
        assert!(
            host.name.starts_with(&format!("{}_", host.namespace)),
            "{} is of another namespace",
            host.name
        );
        let (namespace, capability) = (&host.namespace, &host.capability);
        assert!(capability.is_empty() || capability.starts_with(&format!("{namespace}.")), "{capability}");
        for param in &host.params {
            let kind = param.r#type.strip_suffix('?').unwrap_or(&param.r#type);
            assert!(TYPES.contains(&kind), "{}: {} is a {kind}", host.name, param.name);
        }
        let result = host.result.as_str();
        assert!(
            TYPES.contains(&result.strip_suffix('?').unwrap_or(result)) || result == "none",
            "{}: {result}",
            host.name
        );
        assert!(!host.doc.is_empty(), "{} has no doc", host.name);
    }
    let mut names = BTreeSet::new();
    for function in &interface.function {
        assert!(names.insert((&function.namespace, &function.name)), "{} is there twice", function.name);
        assert!(function.signature.starts_with(&format!("{}(", function.name)), "{}", function.signature);
        assert!(function.doc.ends_with(['.', '`']), "{}", function.doc);
    }
}
