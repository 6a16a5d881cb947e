//! `regex::` regular expressions that match in linear time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::rc::Rc;

use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::util::{captures::Captures, primitives::PatternID, syntax};
use regex_automata::{Match, Span};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map, Module, NativeCallContext};

use crate::args;
use crate::error::{Thrown, fail};
use crate::sizes;

/// Bytes of a compiled pattern. Compiling takes three times as much for a moment, which fits into the default memory of
/// a script.
const MAX_PROGRAM: usize = 8 << 20;
/// Bytes of a pattern compiled for long texts, which takes twice the memory. A larger one is searched as in short texts.
const MAX_PROGRAM_FOR_LONG: usize = 2 << 20;
/// Bytes of the cache of a lazy automaton. When it is full, searches are slower.
const MAX_AUTOMATON: usize = 1 << 20;
/// Deeper groups could exhaust the guest's stack.
const MAX_NESTING: u32 = 100;
/// Bytes of the compiled patterns kept during one execution. When they take more, all are dropped before the next one.
const MAX_KEPT: usize = 8 << 20;
/// Texts of this many bytes or more are searched with a lazy automaton. It is some 30 times faster, but compiling
/// takes two to three times as long, which does not pay off for shorter texts.
const LONG_TEXT: usize = 4096;

/// The patterns compiled in this execution, by pattern and by whether they are for long texts.
#[derive(Default)]
struct Kept {
    patterns: HashMap<(ImmutableString, bool), Rc<Regex>>,
    bytes: usize,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("is_match", |pattern: Dynamic, text: Dynamic| {
        search("regex::is_match", pattern, text, |regex, text| Ok(regex.is_match(text)))
    });
    module.set_native_fn("find", |pattern: Dynamic, text: Dynamic| {
        search("regex::find", pattern, text, |regex, text| {
            Ok(regex.find(text).map_or(Dynamic::UNIT, |found| text[found.range()].into()))
        })
    });
    module.set_native_fn("find_all", |context: NativeCallContext, pattern: Dynamic, text: Dynamic| {
        search("regex::find_all", pattern, text, |regex, text| {
            collect(&context, "regex::find_all", regex.find_iter(text).map(|found| &text[found.range()]))
        })
    });
    module.set_native_fn("split", |context: NativeCallContext, pattern: Dynamic, text: Dynamic| {
        search("regex::split", pattern, text, |regex, text| {
            collect(&context, "regex::split", regex.split(text).map(|piece| &text[piece.range()]))
        })
    });
    module.set_native_fn("captures", |pattern: Dynamic, text: Dynamic| {
        search("regex::captures", pattern, text, |regex, text| Ok(captures(regex, text)))
    });
    module.set_native_fn(
        "replace",
        |context: NativeCallContext, pattern: Dynamic, text: Dynamic, by: Dynamic| {
            replace(&context, "regex::replace", pattern, text, by, 1)
        },
    );
    module.set_native_fn(
        "replace_all",
        |context: NativeCallContext, pattern: Dynamic, text: Dynamic, by: Dynamic| {
            replace(&context, "regex::replace_all", pattern, text, by, usize::MAX)
        },
    );
    engine.register_static_module("regex", module.into());
}

/// Checks the two parameters that all functions have, and calls `run`.
fn search<T>(
    function: &str,
    pattern: Dynamic,
    text: Dynamic,
    run: impl FnOnce(&Regex, &str) -> Result<T, Thrown>,
) -> Result<T, Thrown> {
    let pattern = args::string(function, "pattern", pattern)?;
    let text = args::string(function, "text", text)?;
    let regex = compiled(function, pattern, text.len() >= LONG_TEXT)?;
    run(&regex, &text)
}

/// The compiled pattern, from the cache of this execution. Shared, because a clone allocates its own working memory.
fn compiled(function: &str, pattern: ImmutableString, for_long: bool) -> Result<Rc<Regex>, Thrown> {
    KEPT.with_borrow_mut(|kept| {
        let key = (pattern, for_long);
        if let Some(known) = kept.patterns.get(&key) {
            return Ok(Rc::clone(known));
        }
        if kept.bytes > MAX_KEPT {
            *kept = Kept::default();
        }
        let regex = Rc::new(compile(&key.0, for_long).map_err(|error| fail(function, explain(&error)))?);
        kept.bytes += regex.memory_usage();
        kept.patterns.insert(key, Rc::clone(&regex));
        Ok(regex)
    })
}

fn compile(pattern: &str, for_long: bool) -> Result<Regex, Box<BuildError>> {
    let config = Config::new()
        .nfa_size_limit(Some(if for_long { MAX_PROGRAM_FOR_LONG } else { MAX_PROGRAM }))
        .hybrid(for_long)
        .hybrid_cache_capacity(MAX_AUTOMATON)
        // One more table to build, which one execution's few searches do not pay back.
        .onepass(false);
    let syntax = syntax::Config::new().nest_limit(MAX_NESTING);
    match Regex::builder().configure(config).syntax(syntax).build(pattern) {
        Err(error) if for_long && error.size_limit().is_some() => compile(pattern, false),
        result => result.map_err(Box::new),
    }
}

/// What is wrong with a pattern. The last line of a syntax error is the reason; the lines before show the pattern.
fn explain(error: &BuildError) -> String {
    if let Some(limit) = error.size_limit() {
        let size = limit >> 20;
        return format!(
            "the pattern takes more than {size} MiB when compiled; repeat less, or use smaller classes: \
             [a-z0-9_] or (?-u:\\w) instead of \\w"
        );
    }
    let text = match error.syntax_error() {
        Some(error) => error.to_string(),
        None => error.source().map_or_else(|| error.to_string(), ToString::to_string),
    };
    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
    format!("invalid pattern: {reason}")
}

fn collect<'a>(
    context: &NativeCallContext,
    function: &str,
    pieces: impl Iterator<Item = &'a str>,
) -> Result<Array, Thrown> {
    let mut array = Array::new();
    for piece in pieces {
        sizes::check_array(context, function, array.len() + 1)?;
        array.push(piece.into());
    }
    Ok(array)
}

fn captures(regex: &Regex, text: &str) -> Dynamic {
    let mut groups = regex.create_captures();
    regex.captures(text, &mut groups);
    if !groups.is_match() {
        return Dynamic::UNIT;
    }
    let value = |group: Option<Span>| group.map_or(Dynamic::UNIT, |group| text[group.range()].into());
    let named: Map = groups
        .group_info()
        .pattern_names(PatternID::ZERO)
        .zip(groups.iter())
        .filter_map(|(name, group)| Some((name?.into(), value(group))))
        .collect();
    if named.is_empty() { groups.iter().map(value).collect::<Array>().into() } else { named.into() }
}

fn replace(
    context: &NativeCallContext,
    function: &str,
    pattern: Dynamic,
    text: Dynamic,
    by: Dynamic,
    most: usize,
) -> Result<ImmutableString, Thrown> {
    let by = args::string(function, "replacement", by)?;
    search(function, pattern, text, |regex, text| {
        let template = Template::parse(&by, regex).map_err(|message| fail(function, message))?;
        let mut out = Output { context, function, text: String::new() };
        let mut end = 0;
        let mut step = |whole: Match, groups: Option<&Captures>| {
            out.push(&text[end..whole.start()])?;
            end = whole.end();
            template.expand(text, groups, &mut out)
        };
        if template.has_groups {
            for groups in regex.captures_iter(text).take(most) {
                groups.get_match().map_or(Ok(()), |whole| step(whole, Some(&groups)))?;
            }
        } else {
            // Without groups to look up, only the ends of a match are needed, which are found faster.
            regex.find_iter(text).take(most).try_for_each(|whole| step(whole, None))?;
        }
        out.push(&text[end..])?;
        Ok(out.text.into())
    })
}

/// A result that throws before it exceeds `max_string_size`.
struct Output<'a> {
    context: &'a NativeCallContext<'a>,
    function: &'a str,
    text: String,
}

impl Output<'_> {
    fn push(&mut self, piece: &str) -> Result<(), Thrown> {
        sizes::check_string(self.context, self.function, self.text.len() + piece.len())?;
        self.text.push_str(piece);
        Ok(())
    }
}

/// A parsed replacement: `$1`, `$name` and `${name}` stand for groups, `$$` for a dollar sign.
struct Template<'a> {
    pieces: Vec<Piece<'a>>,
    has_groups: bool,
}

enum Piece<'a> {
    Literal(&'a str),
    Group(usize),
}

impl<'a> Template<'a> {
    fn parse(mut rest: &'a str, regex: &Regex) -> Result<Self, String> {
        let mut template = Self { pieces: Vec::new(), has_groups: false };
        while let Some(dollar) = rest.find('$') {
            let (before, after) = (&rest[..dollar], &rest[dollar + 1..]);
            template.pieces.push(Piece::Literal(before));
            let (name, tail) = reference(after);
            if name.is_empty() {
                // `$$`, or a dollar sign before anything else, which stands for itself.
                template.pieces.push(Piece::Literal("$"));
                rest = after.strip_prefix('$').unwrap_or(after);
                continue;
            }
            rest = tail;
            template.pieces.push(Piece::Group(group(regex, name)?));
            template.has_groups = true;
        }
        template.pieces.push(Piece::Literal(rest));
        Ok(template)
    }

    fn expand(&self, text: &str, groups: Option<&Captures>, out: &mut Output<'_>) -> Result<(), Thrown> {
        for piece in &self.pieces {
            out.push(match *piece {
                Piece::Literal(literal) => literal,
                Piece::Group(index) => {
                    groups.and_then(|groups| groups.get_group(index)).map_or("", |group| &text[group.range()])
                }
            })?;
        }
        Ok(())
    }
}

/// Splits the text after a dollar sign into the name of a group and the rest: `1a` is group 1 and an `a`, `{1a}` is
/// group `1a`.
fn reference(text: &str) -> (&str, &str) {
    if let Some((name, tail)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (name, tail);
    }
    let is_number = text.starts_with(|first: char| first.is_ascii_digit());
    let part = |letter: char| {
        letter.is_ascii_digit() || !is_number && (letter == '_' || letter.is_ascii_alphabetic())
    };
    text.split_at(text.find(|letter| !part(letter)).unwrap_or(text.len()))
}

fn group(regex: &Regex, name: &str) -> Result<usize, String> {
    let info = regex.group_info();
    let index = match name.parse() {
        Ok(index) => Some(index).filter(|&index| index < info.group_len(PatternID::ZERO)),
        Err(_) => info.to_index(PatternID::ZERO, name),
    };
    index.ok_or_else(|| format!("the pattern has no group {name} (write $$ for a dollar sign)"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::error::{mismatch, result_too_large};
    use crate::testing::{eval, eval_with, message, thrown};

    #[test]
    fn invalid_patterns_throw_with_the_reason() {
        assert_eq!(
            thrown(r#"regex::is_match("(a", "a")"#),
            "regex::is_match: invalid pattern: unclosed group"
        );
        assert_eq!(
            thrown(r#"regex::find("a(?=b)", "a")"#),
            "regex::find: invalid pattern: look-around, including look-ahead and look-behind, is not supported"
        );
        assert_eq!(
            thrown("regex::split(1, \"a\")"),
            message(mismatch("regex::split", "pattern", "a string", "i64"))
        );
        assert_eq!(
            thrown("regex::replace(\"a\", \"a\", 1)"),
            message(mismatch("regex::replace", "replacement", "a string", "i64"))
        );
    }

    #[test]
    fn patterns_that_are_too_large_throw() {
        for pattern in ["((a{1000}){1000}){1000}", r"\\w{1,1000}"] {
            for text in ["\"a\"", "(|| { let s = \"\"; s.pad(5000, \"a\"); s }).call()"] {
                assert_eq!(
                    thrown(&format!(r#"regex::is_match("{pattern}", {text})"#)),
                    "regex::is_match: the pattern takes more than 8 MiB when compiled; repeat less, or use smaller \
                     classes: [a-z0-9_] or (?-u:\\w) instead of \\w"
                );
            }
        }
        let deep = format!("{}{}", "(".repeat(1000), ")".repeat(1000));
        assert!(
            thrown(&format!("regex::is_match(\"{deep}\", \"a\")"))
                .starts_with("regex::is_match: invalid pattern: ")
        );
    }

    /// What the documentation of the crate `regex` lists as its syntax: pattern, text, what it finds.
    #[test]
    fn the_documented_syntax_works() {
        for (pattern, text, found) in [
            // Word boundaries, Unicode and ASCII.
            (r"\bé\w+\b", "dé été", Some("été")),
            (r"\Bé\b", "été", Some("é")),
            (r"\b{start}\w", ".b", Some("b")),
            (r"\w\b{end}", "ab.", Some("b")),
            (r"\b{start-half}b", "a b", Some("b")),
            (r"a\b{end-half}", "ab a", Some("a")),
            (r"\<b\w+\>", "abc bcd", Some("bcd")),
            (r"(?-u:\b)a", "éa", Some("a")),
            // Properties of characters.
            (r"\p{Greek}+", "abc αβγ", Some("αβγ")),
            (r"\p{Script=Cyrillic}+", "abc где", Some("где")),
            (r"\p{sc=Han}", "a漢", Some("漢")),
            (r"\p{Script_Extensions=Hira}", "aあ", Some("あ")),
            (r"\p{Emoji}", "x🚀", Some("🚀")),
            (r"\p{Alphabetic}+", "1ab", Some("ab")),
            (r"\p{White_Space}", "a\u{2003}", Some("\u{2003}")),
            (r"\p{Uppercase}\p{Lowercase}+", "x Öl", Some("Öl")),
            (r"\p{ID_Start}\p{XID_Continue}*", "1 a_1", Some("a_1")),
            (r"\p{Age=6.0}", "\u{20b9}", Some("\u{20b9}")),
            (r"\p{Age:3.2}", "x", Some("x")),
            (r"\p{gcb=Extend}", "e\u{301}", Some("\u{301}")),
            (r"\p{wb=Numeric}", "a7", Some("7")),
            (r"\p{sb=Sp}", "a b", Some(" ")),
            (r"\p{General_Category=Uppercase_Letter}", "aB", Some("B")),
            (r"\p{Currency_Symbol}", "5€", Some("€")),
            (r"\P{Letter}", "a1", Some("1")),
            (r"\pN", "a½", Some("½")),
            (r"\p{any}", "x", Some("x")),
            (r"\p{ASCII}", "éx", Some("x")),
            // Classes.
            (r"[\p{Greek}&&\pL]", "1α", Some("α")),
            (r"[\w--\d]", "1a", Some("a")),
            (r"[a-g~~b-h]", "bch", Some("h")),
            (r"[[:alpha:]]+", "1ab", Some("ab")),
            (r"[^[:^digit:]]", "a1", Some("1")),
            // Repetition, flags, escapes, groups, anchors.
            (r"\w{1,255}", "ab c", Some("ab")),
            (r"a{2,}?", "aaa", Some("aa")),
            (r"(?U)a+", "aaa", Some("a")),
            (r"(?i)ΑΒΓ ß", "αβγ ß", Some("αβγ ß")),
            (r"(?s).", "\n", Some("\n")),
            (r"(?mR)^b$", "a\r\nb\r\n", Some("b")),
            ("(?x) a b # words", "ab", Some("ab")),
            (r"\x41\x{1F600}\u0042\U00000043", "A😀BC", Some("A😀BC")),
            (r"\Aa(?P<x>b)(?<y>c)(?:d)\z", "abcd", Some("abcd")),
            (r"(?-u:\w)", "éa", Some("a")),
            // Addresses of mail, as people write them.
            (
                r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+",
                "to ada.b+c@x-y.example.org!",
                Some("ada.b+c@x-y.example.org"),
            ),
            (r"^[^\s@]{1,64}@[^\s@]{1,255}$", "ada@example.org", Some("ada@example.org")),
            (
                r"^[\w.!#$%&'*+/=?^`{|}~-]+@\w(?:[\w-]{0,61}\w)?(?:\.\w(?:[\w-]{0,61}\w)?)*$",
                "ada@example.org",
                Some("ada@example.org"),
            ),
            (r"(?i)^[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}$", "Ada@Example.org", Some("Ada@Example.org")),
            (r"^\w{1,64}@\w{1,255}\.\w{2,24}$", "ada@example", None),
        ] {
            let x: rhai::Array = vec![pattern.into(), text.into()];
            let script = "try { regex::find(x[0], x[1]) } catch (error) { error }";
            let result = eval_with::<rhai::Dynamic>(script, x).to_string();
            assert_eq!(result, found.unwrap_or_default(), "{pattern} in {text:?}");
        }
    }

    #[test]
    fn each_error_of_a_pattern_has_its_own_name() {
        for (pattern, reason) in [
            ("(a", "unclosed group"),
            ("a)", "unopened group"),
            ("[a", "unclosed character class"),
            ("*", "repetition operator missing expression"),
            ("a{2,1}", "invalid repetition count range, the start must be <= the end"),
            ("a{", "unclosed counted repetition"),
            (r"\p{Klingon}", "Unicode property not found"),
            (r"\p{sc=Klingon}", "Unicode property value not found"),
            (r"(?-u)\xff", "pattern can match invalid UTF-8"),
            (r"(a)\1", "backreferences are not supported"),
            ("a(?!b)", "look-around, including look-ahead and look-behind, is not supported"),
            (r"\y", "unrecognized escape sequence"),
            ("(?<n>a)(?<n>b)", "duplicate capture group name"),
            ("[b-a]", "invalid character class range, the start must be <= the end"),
            ("(?y)a", "unrecognized flag"),
        ] {
            let script = format!("regex::is_match(`{pattern}`, `a`)");
            assert_eq!(thrown(&script), format!("regex::is_match: invalid pattern: {reason}"), "{pattern}");
        }
    }

    #[test]
    fn a_replacement_names_groups_by_number_and_name() {
        assert_eq!(
            eval::<String>(r#"regex::replace("(?<y>\\d+)-(\\d+)", "2026-01", "$2/${y}/$1a$y$$ ${} $")"#),
            "01/2026/2026a2026$ ${} $"
        );
        assert_eq!(eval::<String>(r#"regex::replace_all("(a)|b", "ab", "[$1]")"#), "[a][]");
        assert_eq!(eval::<String>(r#"regex::replace_all("", "äb", "-")"#), "-ä-b-");
    }

    #[test]
    fn an_unknown_group_in_a_replacement_throws() {
        assert_eq!(
            thrown(r#"regex::replace("a", "a", "costs $5")"#),
            "regex::replace: the pattern has no group 5 (write $$ for a dollar sign)"
        );
        assert_eq!(
            thrown(r#"regex::replace("a", "a", "${name}")"#),
            "regex::replace: the pattern has no group name (write $$ for a dollar sign)"
        );
    }

    #[test]
    fn results_stop_at_the_limits_of_the_interpreter() {
        assert_eq!(
            thrown(r#"let s = ""; s.pad(200000, "a"); regex::replace_all("a", s, s)"#),
            message(result_too_large("regex::replace_all", 262144, "bytes", "max_string_size"))
        );
        assert_eq!(
            thrown(r#"let s = ""; s.pad(10001, "a"); regex::find_all("a", s)"#),
            message(result_too_large("regex::find_all", 10000, "elements", "max_array_size"))
        );
        assert_eq!(
            thrown(r#"let s = ""; s.pad(10001, ","); regex::split(",", s)"#),
            message(result_too_large("regex::split", 10000, "elements", "max_array_size"))
        );
    }

    #[test]
    fn a_long_text_gives_what_its_short_pieces_do() {
        let long = "ab12 cd345 ".repeat(500);
        let words = r"let words = regex::find_all(`\w+`, x); words.len() == 1000 && words[999] == `cd345`";
        assert!(eval_with::<bool>(words, long.clone()));
        let captures = r"regex::captures(`(\d+) (c)`, x) == [`12 c`, `12`, `c`]";
        assert!(eval_with::<bool>(captures, long.clone()));
        let swapped: String = eval_with(r"regex::replace_all(`([a-z]+)(\d+)`, x, `$2$1`)", long);
        assert_eq!(swapped, "12ab 345cd ".repeat(500));
    }

    #[test]
    fn a_pattern_that_defeats_backtracking_is_quick() {
        assert!(eval::<bool>(r#"let s = ""; s.pad(100000, "a"); !regex::is_match("^(a+)+$", s + "!")"#));
    }

    #[test]
    fn patterns_stay_compiled_until_they_take_too_much_memory() {
        assert!(eval::<bool>(
            "for i in 0..200 { if !regex::is_match(`^${i % 40}$`, `${i % 40}`) { return false; } } true"
        ));
        let count = || super::KEPT.with_borrow(|kept| kept.patterns.len());
        assert!(count() >= 40);
        assert!(eval::<bool>(r"for i in 0..8 { regex::is_match(`\w{1,150}${i}`, `a0`); } true"));
        assert!((1..8).contains(&count()));
    }

    #[test]
    fn no_match_is_unit() {
        assert!(eval::<bool>(r#"regex::find("x", "abc") == () && regex::captures("x", "abc") == ()"#));
        assert!(eval::<bool>(r#"regex::captures("(a)|(b)", "b") == ["b", (), "b"]"#));
        assert!(eval::<bool>(r#"regex::captures("(?<l>a)|(?<r>b)", "b") == #{ l: (), r: "b" }"#));
    }

    proptest! {
        #[test]
        fn no_pattern_or_replacement_makes_it_panic(
            pattern in "[a()\\[\\]|*+?{},0-9$^.\\\\-]{0,24}",
            by: String,
        ) {
            let script = "try { regex::replace_all(x[0], x[1], x[2]); regex::captures(x[0], x[1]); } catch {} true";
            let x: rhai::Array = vec![pattern.into(), "aab0 $1-".into(), by.into()];
            prop_assert!(eval_with::<bool>(script, x));
        }
    }
}
