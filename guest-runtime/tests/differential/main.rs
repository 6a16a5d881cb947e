//! PiCloud's interpreter against native Rhai: the same value, the same error on the same line, the same host calls.
//!
//! The reference is the tree walker of the pinned Rhai on a plain engine with the same limits. `README.md` lists what may
//! differ.

mod generator;
mod run;
mod shrink;

use std::{env, fs, path::Path, thread};

use generator::Case;
use run::Runner;

/// Compares all `cases`, of which at least `least` must parse.
fn assert_no_differences(cases: impl Iterator<Item = (String, Case)> + Send + 'static, least: usize) {
    let compare = move || {
        let mut runner = Runner::new();
        let mut differences = Vec::new();
        let most = env::var("DIFFERENTIAL_MOST").map_or(20, |text| text.parse().unwrap());
        let mut parsed = 0;
        let mut on_grain = 0;
        for (name, case) in cases {
            let Some(compared) = runner.compare(&case) else { continue };
            parsed += 1;
            on_grain += usize::from(compared.on_grain);
            if env::var_os("DIFFERENTIAL_FOLDER").is_some() && !compared.on_grain {
                println!("on the tree walker: {name}");
            }
            if let Some(difference) = compared.difference {
                let kind = difference.kind;
                let small = shrink::shrink(&case, |case| {
                    runner.difference(case).is_some_and(|difference| difference.kind == kind)
                });
                let text = runner.difference(&small).unwrap_or(difference).text;
                differences.push(format!("{name}: {kind:?}\n{text}"));
                if differences.len() == most {
                    break;
                }
            }
        }
        (parsed, on_grain, differences)
    };
    // The walker recurses on the machine's stack, and a debug build takes far more of it than the guest.
    let (parsed, on_grain, differences) =
        thread::Builder::new().stack_size(1 << 30).spawn(compare).unwrap().join().unwrap();
    println!("{parsed} scripts, {on_grain} of them as bytecode");
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    assert!(parsed >= least, "only {parsed} scripts parse");
}

/// The scripts of `tour`: some hundred small ones, over the whole language.
#[test]
fn the_language_tour_runs_as_native_rhai_runs_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/tour");
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for script in text.split("// ---\n") {
            cases.push((path.display().to_string(), Case { script: script.into(), module: None }));
        }
    }
    assert_no_differences(cases.into_iter(), 300);
}

/// `script/fuzz-language --folder FOLDER` compares the scripts there, and names those that run on the tree walker.
#[test]
fn scripts_of_a_folder_run_as_native_rhai_runs_them() {
    let Some(folder) = env::var_os("DIFFERENTIAL_FOLDER") else { return };
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rhai") {
            let script = fs::read_to_string(&path).unwrap();
            cases.push((path.display().to_string(), Case { script, module: None }));
        }
    }
    assert_no_differences(cases.into_iter(), 1);
}

/// `script/fuzz-language [N]` compares more than the usual few thousand.
#[test]
fn generated_scripts_run_as_native_rhai_runs_them() {
    let number = |name, default| env::var(name).map_or(default, |text| text.parse().unwrap());
    let first: u64 = number("DIFFERENTIAL_FIRST", 0);
    let count: u64 = number("DIFFERENTIAL_SCRIPTS", 2_000);
    let cases = (first..first + count).map(|seed| (format!("seed {seed}"), generator::case(seed)));
    assert_no_differences(cases, count as usize / 2);
}
