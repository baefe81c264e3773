use crate::list::{Genre, Mutant, Place, Span};
use crate::schemata::Schemata;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::Command;

/// It has a place of every genre, some inside others.
const SOURCE: &str = r#"
#[derive(Clone, Copy)]
pub struct Pair { left: i64, right: i64 }

const STEP: i64 = 3 - 1;
static TABLE: [i64; 3] = [STEP, STEP + 5, 7];

pub mod bits {
    pub const BOTH: i64 = 1 | 6;
}

fn digits(n: i64) -> impl DoubleEndedIterator<Item = i64> {
    (0..n).map(|digit| digit * 2)
}

fn is_large(n: i64) -> bool {
    n > 4
}

fn pair(base: Pair, n: i64) -> Pair {
    Pair { right: n, ..base }
}

pub fn answer(a: i64, b: i64) -> i64 {
    let mut sum = a + b * 2;
    sum -= TABLE[(a & 1) as usize];
    for digit in digits(a).rev() {
        sum += digit << 1;
    }
    if a == 3 || b < 2 && is_large(a) {
        sum ^= bits::BOTH;
    }
    let pair = pair(Pair { left: a, right: b }, -a);
    match sum {
        0..=9 => sum += 100,
        n if n % 2 == 0 => sum *= STEP,
        _ => {}
    }
    let flag = !is_large(b) as i64;
    sum * 1000 + pair.left * 10 + pair.right + flag
}
"#;

/// What is changed, in which line, and what takes its place; of a text that is there more than once the first counts.
const MUTANTS: [(Genre, &str, &str, &str); 20] = [
    (Genre::BinaryOperator, "3 - 1", "-", "+"),
    (Genre::BinaryOperator, "STEP + 5", "+", "-"),
    (Genre::BinaryOperator, "1 | 6", "|", "&"),
    (Genre::FnValue, "(0..n).map(|digit| digit * 2)", "(0..n).map(|digit| digit * 2)", "::std::iter::empty()"),
    (Genre::FnValue, "(0..n).map(|digit| digit * 2)", "(0..n).map(|digit| digit * 2)", "::std::iter::once(1)"),
    (Genre::BinaryOperator, "digit * 2", "*", "+"),
    (Genre::FnValue, "n > 4", "n > 4", "true"),
    (Genre::BinaryOperator, "n > 4", ">", ">="),
    (Genre::BinaryOperator, "n > 4", ">", "<"),
    (Genre::StructField, "right: n,", "right: n,", ""),
    (Genre::BinaryOperator, "a + b * 2", "+", "-"),
    (Genre::BinaryOperator, "b * 2", "*", "/"),
    (Genre::BinaryOperator, "sum -= TABLE", "-=", "+="),
    (Genre::BinaryOperator, "a == 3", "==", "!="),
    (Genre::BinaryOperator, "3 || b", "||", "&&"),
    (Genre::BinaryOperator, "2 && is", "&&", "||"),
    (Genre::UnaryOperator, "-a)", "-", ""),
    (Genre::MatchArm, "0..=9 => sum += 100,", "0..=9 => sum += 100,", ""),
    (Genre::MatchArmGuard, "n % 2 == 0", "n % 2 == 0", "true"),
    (Genre::UnaryOperator, "!is_large", "!", ""),
];

fn place(byte: usize) -> Place {
    let before = &SOURCE[..byte];
    let line = before.matches('\n').count() + 1;
    Place { line, column: byte - before.rfind('\n').map_or(0, |at| at + 1) + 1 }
}

fn bytes((_, around, text, _): (Genre, &str, &str, &str)) -> std::ops::Range<usize> {
    let start = SOURCE.find(around).expect(around);
    let start = start + around.find(text).expect(text);
    start..start + text.len()
}

fn mutants() -> Vec<Mutant> {
    let mutant = |row: (Genre, &str, &str, &str)| {
        let range = bytes(row);
        let span = Span { start: place(range.start), end: place(range.end) };
        Mutant {
            name: row.1.into(),
            file: "lib.rs".into(),
            function: None,
            genre: row.0,
            replacement: row.3.into(),
            span,
        }
    };
    MUTANTS.map(mutant).into()
}

/// A switch does what the change of the text does: all in one program, which the compiler has to take.
#[test]
fn each_mutant_is_the_one_that_its_text_says() {
    let schemata = Schemata::new(vec![("lib.rs".into(), SOURCE.into())], &mutants()).unwrap();
    let (texts, homeless) = schemata.write(&mut BTreeSet::new());
    assert_eq!(homeless, [0_u32; 0]);
    let switch = include_str!("switch.rs").replace("//!", "//");
    let mut program = format!("mod switch {{ {switch} }}\nmod copy {{ {} }}\n", texts[0].1);
    let mut calls = String::new();
    for (row, id) in std::iter::once(None).chain(MUTANTS.map(Some)).zip(0..) {
        let mut text = SOURCE.to_owned();
        if let Some(row) = row {
            // Two operators of one text bind as the first did.
            text.replace_range(bytes(row), row.3);
        }
        writeln!(program, "mod mutant_{id} {{ {text} }}").unwrap();
        write!(calls, "compare({id}, mutant_{id}::answer);").unwrap();
    }
    write!(
        program,
        "fn compare(id: u32, expected: fn(i64, i64) -> i64) {{
            let mut differs = id == 0;
            for a in 0..7 {{ for b in 0..7 {{
                switch::watch();
                let right = copy::answer(a, b);
                let (seen, steps) = switch::seen();
                assert!(steps > 0 && right == mutant_0::answer(a, b));
                switch::choose(id, 1000);
                let wrong = copy::answer(a, b);
                switch::choose(0, u64::MAX);
                assert_eq!(wrong, expected(a, b), \"{{id}} of {{a}} and {{b}}\");
                assert!(wrong == right || seen.contains(&id), \"{{id}} of {{a}} and {{b}} is not seen\");
                differs |= wrong != right;
            }} }}
            assert!(differs, \"{{id}} changes nothing\");
        }}
        fn main() {{ {calls} }}\n"
    )
    .unwrap();
    let folder = std::env::temp_dir().join(format!("mutants-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (source, binary) = (folder.join("main.rs"), folder.join("main"));
    std::fs::write(&source, &program).unwrap();
    let rustc =
        Command::new("rustc").args(["--edition", "2024", "-Awarnings", "-o"]).arg(&binary).arg(&source).output();
    let rustc = rustc.unwrap();
    assert!(rustc.status.success(), "{}\n{}", String::from_utf8_lossy(&rustc.stderr), texts[0].1);
    let ran = Command::new(&binary).output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(ran.status.success(), "{}\n{}", String::from_utf8_lossy(&ran.stderr), texts[0].1);
}

/// What is dropped has no place in the text, and what is there has its numbers around it.
#[test]
fn dropped_mutants_are_gone() {
    let schemata = Schemata::new(vec![("lib.rs".into(), SOURCE.into())], &mutants()).unwrap();
    let has = |text: &str, id: usize| text.contains(&format!("/*[{id}*/")) || text.contains(&format!("on({id})"));
    for dropped in 1..=MUTANTS.len() {
        let (texts, _) = schemata.write(&mut BTreeSet::from([u32::try_from(dropped).unwrap()]));
        let there: Vec<usize> = (1..=MUTANTS.len()).filter(|id| has(&texts[0].1, *id)).collect();
        let expected: Vec<usize> = (1..=MUTANTS.len()).filter(|id| *id != dropped).collect();
        assert_eq!(there, expected);
    }
}

/// Whoever does not end is stopped, and so is who wants too much.
#[test]
fn steps_and_room_are_limited() {
    use crate::switch::{choose, room, step};
    let stops = |work: fn()| std::panic::catch_unwind(work).is_err();
    assert!(stops(|| {
        choose(1, 10);
        (0..11).for_each(|_| step());
    }));
    assert!(!stops(|| {
        choose(1, 10);
        (0..10).for_each(|_| step());
    }));
    assert!(stops(|| _ = room(usize::MAX)));
    assert_eq!(room(7), 7);
}

/// Cargo reads what becomes of the workspace's manifest.
#[test]
fn the_manifest_of_the_copy_has_each_table_once() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let copy = crate::copy::workspace(&std::fs::read_to_string(manifest).unwrap()).unwrap();
    let tables: Vec<&str> = copy.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(tables.iter().collect::<BTreeSet<_>>().len(), tables.len(), "{tables:?}");
    assert!(copy.contains("overflow-checks = true"));
}
