//! Cases as lines of JSON, and the Python programs beside them.

use super::{Case, Export, Files, Said};
use crate::case::hex;
use crate::golden::{Dumped, Head};
use serde_json::json;

/// Lines, a schema, and a program that compares another program's answers.
pub(super) fn jsonl(export: &Export) -> Files {
    files(
        export,
        include_str!("jsonl.md"),
        &[("case.schema.json", include_str!("case.schema.json")), ("check.py", include_str!("python/check.py"))],
    )
}

/// Tests, and the reader that is to be replaced.
pub(super) fn pytest(export: &Export) -> Files {
    files(
        export,
        include_str!("pytest.md"),
        &[
            ("plain.py", include_str!("python/plain.py")),
            ("reader.py", include_str!("python/reader.py")),
            ("test_corpus.py", include_str!("python/test_corpus.py")),
        ],
    )
}

fn files(export: &Export, readme: &str, own: &[(&str, &str)]) -> Files {
    let lines: String = export.cases.iter().map(|case| line(case, &export.interpreters)).collect();
    let readme = export.readme(readme);
    let shared = [
        ("README.md", readme.as_str()),
        ("cases.jsonl", lines.as_str()),
        ("corpus.py", include_str!("python/corpus.py")),
    ];
    shared.iter().chain(own).map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

/// A case as a line. Values are inserted as they are: their order is that of the code object's fields.
fn line(case: &Case, interpreters: &[Head]) -> String {
    let answers = case.answers.iter().map(|(by, said)| {
        let by = by.iter().map(|&number| {
            let Head { version, implementation, platform, pointer_bits, max_depth, .. } = &interpreters[number];
            json!({"release": version, "implementation": implementation, "platform": platform,
                   "pointer_bits": pointer_bits, "max_depth": max_depth})
        });
        format!(r#"{{"by":{},{}}}"#, json!(by.collect::<Vec<_>>()), answer(said))
    });
    let Case { name, kind, what, stream, unasked, .. } = case;
    format!(
        "{{\"name\":{},\"kind\":{},\"what\":{},\"stream\":\"{}\",\"answers\":[{}],\"unasked\":{}}}\n",
        json!(name),
        json!(kind),
        ascii(what),
        hex(stream),
        answers.collect::<Vec<_>>().join(","),
        json!(unasked),
    )
}

fn answer(said: &Said) -> String {
    match said {
        Said::Rejected(class, message) => {
            format!(r#""outcome":"rejected","exception":[{},{}]"#, ascii(class), ascii(message))
        }
        Said::Undefined(cause, died) => {
            let died = died.as_ref().map(|died| format!(r#","died":{}"#, ascii(died))).unwrap_or_default();
            format!(r#""outcome":"undefined","cause":{}{died}"#, ascii(cause))
        }
        Said::Accepted { consumed, canon, canon_sha256, value, dumps } => {
            let mut text = format!(r#""outcome":"accepted","consumed":{consumed}"#);
            let named = [
                ("canon", canon.as_deref().map(ascii)),
                ("canon_sha256", canon_sha256.as_deref().map(ascii)),
                ("value", value.clone()),
            ];
            for (name, json) in named {
                text += &json.map(|json| format!(r#","{name}":{json}"#)).unwrap_or_default();
            }
            let dumps: Vec<String> = dumps.iter().map(dump).collect();
            format!(r#"{text},"dumps":[{}]"#, dumps.join(","))
        }
    }
}

fn dump(dump: &Dumped) -> String {
    match dump {
        Dumped::Bytes(hex) => format!(r#"{{"bytes":"{hex}"}}"#),
        Dumped::Raises(class, message) => format!(r#"{{"raises":[{},{}]}}"#, ascii(class), ascii(message)),
        Dumped::Undefined(cause) => format!(r#"{{"undefined":{}}}"#, ascii(cause)),
        Dumped::Slow(reason) => format!(r#"{{"slow":{}}}"#, ascii(reason)),
        Dumped::Varies(aspect) => format!(r#"{{"varies":{}}}"#, ascii(aspect)),
        Dumped::Sha256(hash) => format!(r#"{{"sha256":"{hash}"}}"#),
    }
}

/// A text as a JSON string of ASCII characters.
fn ascii(text: &str) -> String {
    let points: Vec<u32> = text.chars().map(u32::from).collect();
    super::plain::text(&points)
}
