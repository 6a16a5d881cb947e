//! What the guest answers, byte for byte as the host reads it, natively.

use picloud_guest::Interpreter;
use picloud_sdk::{
    blob::Blob,
    host,
    native::MemoryHost,
    wire::{Reader, Writer},
};
use rhai::{Dynamic, Map};

/// Status, headers, kind and body as text.
type Response = (i64, String, i64, String);
/// Code, message, line and column.
type Told = (String, String, Option<i64>, Option<i64>);

/// The answer of `compile` as a Rhai value.
fn compile(
    interpreter: &mut Interpreter,
    source: &str,
    kind: &str,
    modules: &[(&str, &str)],
) -> Vec<Dynamic> {
    compile_with(interpreter, source, kind, modules, &[])
}

fn compile_with(
    interpreter: &mut Interpreter,
    source: &str,
    kind: &str,
    modules: &[(&str, &str)],
    limits: &[(&str, i64)],
) -> Vec<Dynamic> {
    let mut input = Writer::new();
    input.map(4).string("source").bytes(source.as_bytes()).string("kind").string(kind);
    input.string("limits").map(limits.len());
    for &(name, value) in limits {
        input.string(name).int(value);
    }
    input.string("modules").map(modules.len());
    for &(name, source) in modules {
        input.string(name).bytes(source.as_bytes());
    }
    answer(interpreter.compile(input.as_bytes()))
}

/// The answer of `run` as a Rhai value.
fn run(
    interpreter: &mut Interpreter,
    body: Option<&str>,
    content_type: Option<&str>,
    limit: i64,
) -> Vec<Dynamic> {
    let mut input = Writer::new();
    input.map(4).string("ctx").map(1).string("request").map(1).string("method").string("POST");
    // As the host does: a long body stays there until it is asked for.
    let body = body.unwrap_or_default();
    host::install(MemoryHost::with_request_body(body));
    match body.len() {
        0..=1000 => input.string("body").bytes(body.as_bytes()),
        length => input.string("body_length").int(length as i64),
    };
    input.string("content_type").optional_string(content_type);
    input.string("max_response_bytes").int(limit);
    answer(interpreter.run(input.as_bytes()))
}

fn answer(writer: Writer) -> Vec<Dynamic> {
    Reader::new(writer.as_bytes()).value().unwrap().into_array().unwrap()
}

/// Compiles and runs an endpoint: status, headers, kind and body as text, or the failure.
fn respond(source: &str) -> Result<Response, Told> {
    respond_to(source, None, None)
}

fn respond_to(source: &str, body: Option<&str>, content_type: Option<&str>) -> Result<Response, Told> {
    let mut interpreter = Interpreter::new();
    let compiled = compile(&mut interpreter, source, "endpoint", &[]);
    assert_eq!(compiled[0].as_int(), Ok(0), "{compiled:?}");
    let answer = run(&mut interpreter, body, content_type, 1000);
    if answer[0].as_int() == Ok(1) {
        return Err(told(&answer[2].clone().cast()));
    }
    let text = String::from_utf8(answer[5].clone().into_blob().unwrap()).unwrap();
    Ok((answer[2].as_int().unwrap(), answer[3].to_string(), answer[4].as_int().unwrap(), text))
}

/// Code, message, line and column of a failure.
fn told(failure: &Map) -> Told {
    let text = |name: &str| failure[name].to_string();
    (text("code"), text("message"), failure["line"].as_int().ok(), failure["column"].as_int().ok())
}

fn failure_of(source: &str) -> Told {
    respond(source).unwrap_err()
}

fn invalid(source: &str, kind: &str) -> Told {
    let answer = compile(&mut Interpreter::new(), source, kind, &[]);
    assert_eq!(answer[0].as_int(), Ok(1));
    told(&answer[1].clone().cast::<Map>())
}

#[test]
fn syntax_errors_have_a_position() {
    let (code, message, line, column) = invalid("let a = 1;\nlet b = ;", "endpoint");
    assert_eq!((code.as_str(), line, column), ("script_invalid", Some(2), Some(9)));
    assert!(message.contains("';'"), "{message}");
    assert_eq!(invalid("eval(\"1\")", "endpoint").0, "script_invalid");
    let deep = format!("{}1{}", "(".repeat(500), ")".repeat(500));
    assert!(invalid(&deep, "endpoint").1.contains("max_expr_depth"));
}

#[test]
fn a_module_holds_only_functions_constants_and_imports() {
    let good = "import \"other\" as o; const RATE = 2; fn f(x) { x }";
    let answer = compile(&mut Interpreter::new(), good, "module", &[]);
    assert_eq!(answer[0].as_int(), Ok(0));
    for bad in ["let x = 1;", "print(1);", "if true { }", "{ }", "5", "fn f() { }\nf()"] {
        assert!(invalid(bad, "module").1.starts_with("a module can only contain"), "{bad}");
    }
    let answer = compile(&mut Interpreter::new(), "1", "endpoint", &[("m", "let x = 1;")]);
    assert_eq!(answer[1].clone().cast::<Map>()["module"].to_string(), "m");
}

#[test]
fn all_literal_imports_are_listed() {
    let source = "import \"b\" as b; fn f(x) { import \"a\" as a; if x { import \"b\" as c; } } import \"c\" + 1 as d;";
    let answer = compile(&mut Interpreter::new(), source, "endpoint", &[]);
    assert_eq!(answer[1].clone().cast::<Map>()["imports"].to_string(), r#"["a", "b"]"#);
}

#[test]
fn scripts_and_modules_import_modules() {
    let modules = [
        ("taxes", "import \"rates\" as r; fn gross(net) { net + net * r::RATE / 100 } fn fail() { 1 / 0 }"),
        ("rates", "const RATE = 10 + base(); fn base() { 10 } export const OTHER = 1;"),
        ("ring", "import \"ring\" as r; fn f() { 1 }"),
        ("one", "import \"two\" as t; fn f() { 1 }"),
        ("two", "import \"three\" as t;"),
        ("three", "const X = 1;"),
    ];
    let outcome = |source: &str| {
        let mut interpreter = Interpreter::new();
        compile_with(&mut interpreter, source, "endpoint", &modules, &[("max_import_depth", 2)]);
        run(&mut interpreter, None, None, 1000)
    };
    let answer = outcome("import \"taxes\" as t; import \"taxes\" as u; [t::gross(100), u::gross(200)]");
    assert_eq!(answer[0].as_int(), Ok(0), "{answer:?}");
    assert_eq!(answer[5].clone().into_blob().unwrap(), b"[120,240]");

    let failed = |answer: Vec<Dynamic>| answer[2].clone().cast::<Map>();
    let failure = failed(outcome("import \"taxes\" as t;\nt::fail()"));
    assert_eq!(failure["module"].to_string(), "taxes");
    assert_eq!(told(&failure).2, Some(1));
    assert_eq!(told(&failed(outcome("import \"gone\" as g;"))).1, "module not found: gone");
    assert!(told(&failed(outcome("import \"ring\" as r;"))).1.contains("imports itself"));
    assert!(told(&failed(outcome("import \"one\" as o;"))).1.contains("deeper than 2"));
}

#[test]
fn an_error_has_the_innermost_position_and_function() {
    let source = "fn inner(x) {\n    x / 0\n}\nfn outer(x) { inner(x) }\nouter(1)";
    let expected =
        ("script_error".into(), "Division by zero: 1 / 0 (in function inner)".into(), Some(2), Some(7));
    assert_eq!(failure_of(source), expected);
    assert_eq!(failure_of("throw \"mine\"").1, "mine");
    assert_eq!(failure_of("[1].map(|x| x.gone())").1.split(" (in").last(), Some(" a closure)"));
    assert_eq!(failure_of("kv::collection(\"c\").get(\"\")").1.split(':').next(), Some("kv"));
    let (_, message, line, column) = failure_of("fn f() {\n  1 + random::int(1, 0)\n}\nf()");
    assert_eq!((&message[..13], line, column), ("random::int: ", Some(2), Some(15)));
    assert_eq!(failure_of("let x = 1;\nlet r = regex::is_match(\"(\", \"a\");").2, Some(2));
}

#[test]
fn a_broken_limit_is_named() {
    for (source, code, limit) in [
        ("loop { }", "operation_budget", "max_operations"),
        ("let s = \"x\"; loop { s += s; }", "script_error", "max_string_size"),
        ("let a = [1]; loop { a += a; }", "script_error", "max_array_size"),
        ("let m = #{}; let i = 0; loop { m[`${i}`] = i; i += 1; m.len(); }", "script_error", "max_map_size"),
        ("fn f() { f() } f()", "script_error", "max_call_levels"),
    ] {
        let mut interpreter = Interpreter::new();
        let limits = [("max_operations", 30_000), ("max_map_size", 50)];
        compile_with(&mut interpreter, source, "endpoint", &[], &limits);
        let (found, message, ..) = told(&run(&mut interpreter, None, None, 1000)[2].clone().cast::<Map>());
        assert_eq!(found, code, "{source}: {message}");
        assert!(message.contains(limit), "{source}: {message}");
    }
}

/// Message, thrown value and line.
fn thrown_by(source: &str) -> (String, Option<String>, Option<i64>) {
    let mut interpreter = Interpreter::new();
    compile(&mut interpreter, source, "endpoint", &[]);
    let failure = run(&mut interpreter, None, None, 1000)[2].clone().cast::<Map>();
    let (_, message, line, _) = told(&failure);
    (message, failure["thrown"].clone().into_string().ok(), line)
}

#[test]
fn a_thrown_value_arrives_whole() {
    let long = format!("[{}1]", "1,".repeat(600));
    for (source, message, thrown) in [
        (
            "throw #{ code: 42, reason: `gone` }",
            r#"{"code":42,"reason":"gone"}"#,
            Some(r#"{"code":42,"reason":"gone"}"#),
        ),
        ("throw #{ message: `no`, code: 1 }", "no", Some(r#"{"code":1,"message":"no"}"#)),
        ("throw [1, (), 'a']", r#"[1,null,"a"]"#, Some(r#"[1,null,"a"]"#)),
        ("throw 42", "42", Some("42")),
        ("throw -1.5", "-1.5", Some("-1.5")),
        ("throw 0.0 / 0.0", "NaN", Some("\"NaN\"")),
        ("throw true", "true", Some("true")),
        ("throw blob(2, 1)", "blob of 2 bytes: 01 01", Some("\"blob of 2 bytes: 01 01\"")),
        ("throw || 1", "a closure", Some("\"a closure\"")),
        ("throw `text`", "text", None),
        ("throw ()", "an error was thrown", None),
        ("throw ``", "an error was thrown", None),
        ("throw", "an error was thrown", None),
        ("try { throw #{ a: 1 } } catch (e) { throw e; }", r#"{"a":1}"#, Some(r#"{"a":1}"#)),
        ("try { throw #{ a: 1 } } catch (e) { throw; }", r#"{"a":1}"#, Some(r#"{"a":1}"#)),
        ("try { throw 7 } catch (e) { throw [e]; }", "[7]", Some("[7]")),
        ("fn f() { throw #{ a: 1 } } f()", r#"{"a":1} (in function f)"#, Some(r#"{"a":1}"#)),
        ("[1].map(|x| throw [x])", "[1] (in a closure)", Some("[1]")),
        (&format!("throw {long}"), &(long[..1000].to_owned() + "…"), Some(&long)),
        (
            "try { 1 / 0 } catch (e) { throw e; }",
            "Division by zero: 1 / 0",
            Some(r#"{"error":"ErrorArithmetic","line":1,"message":"Division by zero: 1 / 0","position":9}"#),
        ),
        (
            "try { mine(1, `a`) } catch (e) { e.function = (); throw e; }",
            "Function not found: mine (integer, string)",
            None,
        ),
    ] {
        let (found, value, line) = thrown_by(source);
        assert_eq!((found.as_str(), line), (message, Some(1)), "{source}");
        if thrown.is_some() || value.is_none() {
            assert_eq!(value.as_deref(), thrown, "{source}");
        }
    }
}

#[test]
fn no_message_has_a_type_of_rust() {
    for (source, message) in [
        (
            "mine(1, 1.5, \"a\", 'c', || 1, 0..2, 0..=2)",
            "Function not found: mine (integer, float, string, character, function, range, range=)",
        ),
        ("\"a\" - kv::collection(\"c\")", "Function not found: - (string, kv::collection)"),
        ("1.char", "Unknown property 'char' - a getter is not registered for type 'integer'"),
        (
            "let m = #{}; m.a.b = 1;",
            "No writable property 'b' - a setter is not registered for type '()' to handle 'integer'",
        ),
        ("let m = 5; m[0.5]", "Data type incorrect: float (expecting integer)"),
        ("let char = (); char.i64()", "Function not found: i64 (())"),
        ("i64", "Variable not found: i64"),
        ("#{ statusCode: 1.0 }", "statusCode must be an integer, not float"),
        ("throw \"my (i64, f64)\"", "my (i64, f64)"),
    ] {
        assert_eq!(failure_of(source).1, message, "{source}");
    }
}

#[test]
fn an_endless_loop_names_its_line() {
    for (source, line) in [
        ("let x = 1;\nloop { }", 2),
        ("let x = 0;\nwhile true {\n  x += 1;\n}", 3),
        ("\ndo {\n  let y = 1;\n} while true;", 4),
        ("let y = 0;\nfor i in 0..100000000 {\n  y += i;\n}", 3),
        ("let y = 0; for (x, i) in 0..100000000 {\n  y += i;\n}", 2),
        ("\nfn f() {\n  loop {\n }\n}\nf()", 3),
        ("[1].map(|x| {\n\n  loop { }\n})", 3),
        ("fn f() {\n  let y = 0; for (x, i) in 0..100000000 {\n    y += i;\n  }\n}\nf()", 3),
    ] {
        let (code, message, found, _) = failure_of(source);
        assert_eq!((code.as_str(), found), ("operation_budget", Some(line)), "{source}: {message}");
    }
}

#[test]
fn sort_is_stable() {
    let list = "let l = []; for i in 0..100 { l.push(#{ k: i % 3, n: i }); }";
    for comparer in
        ["|a, b| a.k < b.k", "|a, b| a.k - b.k", "|a, b| b.k > a.k", "|a, b| if a.k < b.k { -1 } else { 0 }"]
    {
        let source = format!(
            "{list} l.sort({comparer}); let good = true; for i in 1..100 {{ let a = l[i - 1]; let b = l[i]; \
             if a.k > b.k || (a.k == b.k && a.n > b.n) {{ good = false; }} }} good"
        );
        assert_eq!(respond(&source).unwrap().3, "true", "{comparer}");
    }
    let falling = "let l = [#{ k: 1, n: 1 }, #{ k: 2, n: 2 }, #{ k: 1, n: 3 }]; l.sort(|a, b| a.k > b.k); l.map(|x| x.n)";
    assert_eq!(respond(falling).unwrap().3, "[2,1,3]");
}

#[test]
fn pad_counts_in_64_bits() {
    for source in [
        "let a = []; a.pad(4294967297, 1);",
        "let a = []; a.pad(9223372036854775807, 1);",
        "let a = []; a.pad(20000, 1);",
        "let a = []; a.pad(10000, [1, 2]);",
        "let a = []; a.pad(2147483648, [1, 2]);",
        "let a = []; a.pad(1000, \"x\".to_chars()); let b = []; let t = \"\"; t.pad(1000, \"x\"); b.pad(1000, t);",
        "let a = []; a.pad(9000, #{ a: 1, b: 2 });",
        "let b = blob(); b.pad(4294967297, 1);",
        "let s = \"\"; s.pad(4294967297, \"x\");",
        "blob(4294967297)",
    ] {
        let message = failure_of(source).1;
        assert!(message.contains("too large (limit max_"), "{source}: {message}");
    }
    assert_eq!(respond("let a = [1]; a.pad(3, 2); a.pad(-1, 5); a.pad(2, 5); a").unwrap().3, "[1,2,2]");
}

#[test]
fn any_value_is_an_answer_in_json() {
    for (source, body) in [
        ("1 + 1", "2"),
        ("\"text\"", "\"text\""),
        ("()", "null"),
        ("#{ a: [1, 2.5, true, 'x'], b: () }", r#"{"a":[1,2.5,true,"x"],"b":null}"#),
    ] {
        assert_eq!(respond(source), Ok((200, "#{}".into(), 1, body.into())), "{source}");
    }
}

#[test]
fn the_structured_form_sets_status_headers_and_body() {
    let text =
        respond("#{ statusCode: 201, headers: #{ \"X-A\": \"b\", \"x-n\": [1, \"2\"] }, body: \"hi\" }");
    assert_eq!(text, Ok((201, r#"#{"x-a": "b", "x-n": ["1", "2"]}"#.into(), 2, "hi".into())));
    assert_eq!(respond("#{ statusCode: 204 }"), Ok((204, "#{}".into(), 0, String::new())));
    let blob = "let b = blob(); b.push(104); #{ statusCode: 200, body: b }";
    assert_eq!(respond(blob), Ok((200, "#{}".into(), 3, "h".into())));
    assert_eq!(respond("#{ statusCode: 200, body: [1] }"), Ok((200, "#{}".into(), 1, "[1]".into())));
}

#[test]
fn invalid_responses_fail() {
    for source in [
        "0.0 / 0.0",
        "[1.0 / 0.0]",
        "|| 1",
        "#{ statusCode: 99 }",
        "#{ statusCode: 600 }",
        "#{ statusCode: \"200\" }",
        "#{ statusCode: 200, headers: [1] }",
        "#{ statusCode: 200, headers: #{ \"bad name\": \"x\" } }",
        "#{ statusCode: 200, headers: #{ \"\": \"x\" } }",
        "#{ statusCode: 200, headers: #{ \"a\": \"x\\r\\nb: c\" } }",
        "#{ statusCode: 200, headers: #{ \"Content-Length\": \"1\" } }",
        "#{ statusCode: 200, headers: #{ \"a\": #{} } }",
        "let s = \"\"; s.pad(2000, \"x\"); s",
        "let s = \"\"; s.pad(2000, \"x\"); #{ statusCode: 200, body: s }",
    ] {
        assert_eq!(failure_of(source).0, "response_invalid", "{source}");
    }
}

#[test]
fn the_body_is_parsed_as_its_content_type_says() {
    let show = "[type_of(ctx.request.body), ctx.request.body]";
    for (body, content_type, expected) in [
        ("{\"a\": [1]}", "application/json", r#"["map",{"a":[1]}]"#),
        ("[1]", "application/problem+json; charset=utf-8", r#"["array",[1]]"#),
        ("a=b", "application/x-www-form-urlencoded", r#"["string","a=b"]"#),
        ("hello", "Text/Plain", r#"["string","hello"]"#),
        ("<a/>", "image/svg+xml", r#"["string","<a/>"]"#),
        ("", "application/json", r#"["()",null]"#),
    ] {
        assert_eq!(respond_to(show, Some(body), Some(content_type)).unwrap().3, expected, "{content_type}");
    }
    let octets = respond_to("type_of(ctx.request.body)", Some("x"), Some("application/octet-stream"));
    assert_eq!(octets.unwrap().3, "\"blob\"");
    assert_eq!(respond_to("type_of(ctx.request.body)", Some("x"), None).unwrap().3, "\"blob\"");
}

#[test]
fn an_invalid_json_body_fails() {
    let deep = "[".repeat(100_000);
    for body in ["{", "{\"a\":}", "\"\\ud800\"", "1 2", deep.as_str()] {
        let failure = respond_to("1", Some(body), Some("application/json")).unwrap_err();
        assert_eq!(failure.0, "request_invalid");
    }
}

#[test]
fn ctx_cannot_be_changed() {
    assert_eq!(failure_of("ctx.request.method = \"GET\"").0, "script_error");
    assert_eq!(
        respond("let c = ctx; c.request.method = \"GET\"; [ctx.request.method, c.request.method]").unwrap().3,
        r#"["POST","GET"]"#
    );
}

#[test]
fn an_inconsistent_comparer_does_not_panic() {
    let source =
        "let l = []; for i in 0..200 { l.push(i); } let n = 0; l.sort(|a, b| { n += 1; n % 3 - 1 }); l.len()";
    assert_eq!(respond(source).unwrap().3, "200");
    assert_eq!(failure_of("[1, 2].sort(|a, b| throw \"no\")").1, "no (in a closure)");
}

#[test]
fn assigning_to_a_constant_is_an_error_of_the_script() {
    assert!(invalid("const A = 5; A = 6;", "endpoint").1.contains("constant"));
    assert!(failure_of("const M = #{ a: 1 }; M.a = 2;").1.contains("constant"));
}

#[test]
fn invalid_input_returns_a_failure() {
    let mut interpreter = Interpreter::new();
    assert_eq!(answer(interpreter.run(&[]))[0].as_int(), Ok(1));
    for junk in
        [&[][..], &[0xc1], &[0xdf, 0xff, 0xff, 0xff, 0xff], &[0x81, 0xa6], b"\x81\xa6source\xc4\x01\xff"]
    {
        assert_eq!(answer(interpreter.compile(junk))[0].as_int(), Ok(1));
    }
}

#[test]
fn a_body_over_the_limits_is_a_blob() {
    let show = "let b = ctx.request.body; [type_of(b), b.len(), b == request::body_raw()]";
    let long = "x".repeat(300_000);
    for (length, content_type, expected) in [
        (300_000, "text/plain", r#"["blob",300000,true]"#),
        (262_144, "text/plain", r#"["string",262144,false]"#),
        (10_000, "image/png", r#"["blob",10000,true]"#),
        (10_001, "image/png", r#"["blob",10001,true]"#),
    ] {
        assert_eq!(respond_to(show, Some(&long[..length]), Some(content_type)).unwrap().3, expected);
    }
    let json = format!("[\"{}\"]", "x".repeat(5000));
    let answer = respond_to("ctx.request.body[0].len()", Some(&json), Some("application/json"));
    assert_eq!(answer.unwrap().3, "5000");
    let broken = respond_to("1", Some(&json[1..]), Some("application/json"));
    assert_eq!(broken.unwrap_err().0, "request_invalid");
}

/// The answer of an endpoint, whatever its body is.
fn answer_of(source: &str) -> Vec<Dynamic> {
    let mut interpreter = Interpreter::new();
    compile(&mut interpreter, source, "endpoint", &[]);
    run(&mut interpreter, None, None, 100_000)
}

#[test]
fn a_long_blob_is_a_body_and_a_value_to_throw() {
    let answer = answer_of("#{ statusCode: 200, body: random::bytes(60000) }");
    assert_eq!((answer[4].as_int(), Blob::with_bytes(&answer[5], <[u8]>::len)), (Ok(3), Some(60_000)));
    let long = "#{ statusCode: 200, body: random::bytes(60000) }";
    assert_eq!(failure_of(long).1, "the response body is larger than 1000 bytes");
    assert_eq!(failure_of("random::bytes(60000)").1, "a value of type blob cannot be written as JSON");
    assert!(failure_of("throw random::bytes(60000)").1.starts_with("blob of 60000 bytes: "));
}

#[test]
fn a_file_is_answered_by_its_name() {
    let source = "let c = files::collection(\"c\"); let made = c.create(#{ name: \"a\", data: \"x\" }); \
                  #{ statusCode: 200, headers: #{ a: \"b\" }, body: c.response(made.id) }";
    let answer = answer_of(source);
    assert_eq!(
        (answer[2].as_int(), answer[3].to_string().as_str(), answer[4].as_int()),
        (Ok(200), r#"#{"a": "b"}"#, Ok(4))
    );
    let reference = Reader::new(&answer[5].as_blob_ref().unwrap()).value().unwrap();
    assert_eq!(reference.to_string(), r#"["c", "00000000-0000-7000-8000-000000000001"]"#);
    // It is no JSON, and an absent one is nothing.
    assert_eq!(
        failure_of(&source.replace("#{ statusCode: 200, headers: #{ a: \"b\" }, body:", "#{ x:")).0,
        "response_invalid"
    );
    assert_eq!(
        respond("#{ statusCode: 200, body: files::collection(\"c\").response(\"none\") }"),
        Ok((200, "#{}".into(), 0, String::new()))
    );
}

/// What a script with these modules at the host answers, or the failure with its module.
fn import(source: &str, at_host: &[(&str, Option<&str>)]) -> Result<String, (String, String)> {
    let modules: [(&str, &str); 2] =
        [("known", "fn f() { 1 }"), ("makes", "fn load(n) { import n as m; m::f() }")];
    let mut interpreter = Interpreter::new();
    let compiled = compile(&mut interpreter, source, "endpoint", &modules);
    assert_eq!(compiled[0].as_int(), Ok(0), "{compiled:?}");
    let at_host = at_host.iter().map(|&(name, source)| (name.to_owned(), source.map(str::to_owned)));
    let mut host = MemoryHost::default();
    host.modules = at_host.collect();
    host::install(host);
    let mut input = Writer::new();
    input.map(0);
    let answer = answer(interpreter.run(input.as_bytes()));
    match answer[0].as_int() {
        Ok(0) => Ok(String::from_utf8(answer[5].clone().into_blob().unwrap()).unwrap()),
        _ => {
            let failure = answer[2].clone().cast::<Map>();
            Err((failure["message"].to_string(), failure["module"].to_string()))
        }
    }
}

#[test]
fn a_module_with_a_computed_name_comes_from_the_host() {
    let at_host = [
        ("late", Some("import \"known\" as k; const N = 5; fn f() { k::f() + N() } fn N() { 2 }")),
        ("deep", Some("import \"late\" as l; fn f() { l::f() + l::N }")),
        ("stray", Some("let x = 1;")),
        ("broken", Some("fn f( {")),
        ("gone", None),
        ("again", Some("import \"again\" as a;")),
    ];
    let load = |name: &str| import(&format!("let n = \"{name}\"; import n as m; [m::f()]"), &at_host);
    let refused = |name: &str| load(name).unwrap_err();
    assert_eq!(load("known"), Ok("[1]".into()));
    assert_eq!(load("late"), Ok("[3]".into()));
    assert_eq!(load("deep"), Ok("[8]".into()));
    assert_eq!(import("import \"makes\" as m; [m::load(\"late\")]", &at_host), Ok("[3]".into()));
    assert_eq!(
        refused("stray"),
        ("a module can only contain fn, const and import at top level".into(), "stray".into())
    );
    assert_eq!(refused("broken").1, "broken");
    for absent in ["absent", "../late", "", "9", "late\\n"] {
        assert!(refused(absent).0.starts_with("module not found: "), "{absent}");
    }
    assert_eq!(refused("gone").0, "module unavailable: gone");
    assert!(refused("again").0.contains("imports itself"));
    // It can be caught, and another try asks again.
    let source = "let n = \"gone\"; let r = \"\"; try { import n as m; } catch (e) { r = e; } [r]";
    assert_eq!(import(source, &at_host), Ok(r#"["module unavailable: gone"]"#.into()));
}

#[test]
fn errors_of_an_import_are_caught_as_text() {
    let at_host = [
        ("stray", Some("let x = 1;")),
        ("again", Some("import \"again\" as a;")),
        ("divides", Some("const N = 1 / 0;")),
    ];
    let caught = |import_: &str| {
        let source = format!("let r = (); try {{ {import_} as m; r = m::f(); }} catch (e) {{ r = e; }} [r]");
        import(&source, &at_host).unwrap()
    };
    assert_eq!(caught("import \"absent\""), r#"["module not found: absent"]"#);
    assert_eq!(caught("import \"ab\" + \"sent\""), r#"["module not found: absent"]"#);
    assert_eq!(
        caught("import \"stray\""),
        r#"["a module can only contain fn, const and import at top level"]"#
    );
    assert_eq!(caught("import \"again\""), r#"["import: module again imports itself"]"#);
    assert_eq!(caught("import \"kv\""), r#"["import: kv is a built-in namespace and needs no import"]"#);
    // What the language finds is a map, wherever it is found.
    assert!(caught("import \"divides\"").contains(r#""message":"Division by zero: 1 / 0 (line 1"#));
    assert_eq!(failure_of("absent::f()").1, "Module not found: absent");
}

#[test]
fn a_namespace_is_no_module() {
    for name in ["kv", "docs", "module"] {
        let (message, _) =
            import(&format!("import \"{name}\" as m;"), &[(name, Some("fn f() { 1 }"))]).unwrap_err();
        assert_eq!(message, format!("import: {name} is a built-in namespace and needs no import"));
    }
}

#[test]
fn operations_of_a_module_count_for_the_script() {
    let modules = [("busy", "const N = work(); fn work() { let n = 0; while n < 5000 { n += 1; } n }")];
    let operations = |source: &str| {
        let mut interpreter = Interpreter::new();
        compile(&mut interpreter, source, "endpoint", &modules);
        run(&mut interpreter, None, None, 1000)[1].as_int().unwrap()
    };
    assert!(operations("import \"busy\" as b; b::N") > operations("1") + 5000);
    let mut interpreter = Interpreter::new();
    compile_with(
        &mut interpreter,
        "import \"busy\" as b; b::N",
        "endpoint",
        &modules,
        &[("max_operations", 1000)],
    );
    let failure = run(&mut interpreter, None, None, 1000)[2].clone().cast::<Map>();
    assert_eq!(told(&failure).0, "operation_budget");
    assert_eq!(failure["module"].to_string(), "busy");
}
