//! Making a case that differs smaller, so that a person can read it.

use crate::generator::Case;

/// How many smaller cases are tried.
const TRIES: usize = 5_000;

/// The smallest case found by leaving out lines and pieces of lines, for which `differs` still holds.
pub fn shrink(case: &Case, mut differs: impl FnMut(&Case) -> bool) -> Case {
    let mut smallest = case.clone();
    let mut tries = 0;
    let mut differs = |case: &Case| {
        tries += 1;
        tries <= TRIES && differs(case)
    };
    loop {
        let before = size(&smallest);
        for separators in [&['\n'][..], &['\n', ' '][..], &['\n', ' ', '.', '(', ')', '[', ']', ',', ';'][..]]
        {
            for part in [Part::Script, Part::Module] {
                leave_out(&mut smallest, part, separators, &mut differs);
            }
        }
        if size(&smallest) == before {
            return smallest;
        }
    }
}

#[derive(Clone, Copy)]
enum Part {
    Script,
    Module,
}

fn size(case: &Case) -> usize {
    case.script.len() + case.module.as_ref().map_or(0, String::len)
}

/// Leaves out runs of pieces, long ones first.
fn leave_out(smallest: &mut Case, part: Part, separators: &[char], differs: &mut impl FnMut(&Case) -> bool) {
    let text = match part {
        Part::Script => smallest.script.clone(),
        Part::Module => smallest.module.clone().unwrap_or_default(),
    };
    let mut pieces: Vec<String> = text.split_inclusive(separators).map(Into::into).collect();
    let mut length = pieces.len() / 2;
    while length > 0 {
        let mut start = 0;
        while start + length <= pieces.len() {
            let left: Vec<String> =
                pieces[..start].iter().chain(&pieces[start + length..]).cloned().collect();
            let mut tried = smallest.clone();
            match part {
                Part::Script => tried.script = left.concat(),
                Part::Module => tried.module = Some(left.concat()),
            }
            if differs(&tried) {
                *smallest = tried;
                pieces = left;
            } else {
                start += 1;
            }
        }
        length /= 2;
    }
}
