//! The corpus as a crate: the library is a file of its own, the cases are written here.

use super::{Export, Files, Said};
use crate::golden::{Dumped, lengthen};
use std::fmt::Write;

const MANIFEST: &str = "\
[package]
name = \"marshal-corpus\"
description = \"Recorded answers of Python interpreters to marshal streams\"
version = \"0.1.0\"
edition = \"2021\"
rust-version = \"1.82\"
license = \"MIT OR Apache-2.0\"
publish = false

# It belongs to no workspace around it.
[workspace]
";

pub(super) fn files(export: &Export) -> Files {
    let (readme, cases) = (export.readme(include_str!("rust.md")), cases(export));
    let files = [
        ("Cargo.toml", MANIFEST),
        ("README.md", readme.as_str()),
        ("src/lib.rs", include_str!("rust/lib.rs")),
        ("src/cases.rs", cases.as_str()),
    ];
    files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).to_vec()
}

fn cases(export: &Export) -> String {
    let mut text = String::from(
        "//! Written by a program.\n\nuse crate::{Answer, Case, Dump, Interpreter, Said};\n\n\
         /// Who was asked, oldest release first.\npub static INTERPRETERS: &[Interpreter] = &[\n",
    );
    let mut put = |line: std::fmt::Arguments| text.write_fmt(line).expect("writing to a string cannot fail");
    for head in &export.interpreters {
        put(format_args!(
            "    Interpreter {{ release: {:?}, implementation: {:?}, platform: {:?}, pointer_bits: {}, max_depth: {} }},\n",
            head.version, head.implementation, head.platform, head.pointer_bits, head.max_depth
        ));
    }
    put(format_args!("];\n\n/// All cases.\npub static CASES: &[Case] = &[\n"));
    for case in &export.cases {
        put(format_args!(
            "    Case {{ name: {:?}, what: {:?}, stream: {}, unasked: &{:?}, answers: &[\n",
            case.name,
            case.what,
            bytes(&case.stream),
            case.unasked
        ));
        for (by, said) in &case.answers {
            put(format_args!("        Answer {{ by: &{by:?}, said: {} }},\n", answer(said)));
        }
        put(format_args!("    ] }},\n"));
    }
    put(format_args!("];\n"));
    text
}

fn bytes(bytes: &[u8]) -> String {
    format!("b\"{}\"", bytes.escape_ascii())
}

fn answer(said: &Said) -> String {
    match said {
        Said::Rejected(class, message) => format!("Said::Rejected({class:?}, {message:?})"),
        Said::Undefined(cause, _) => format!("Said::Undefined({cause:?})"),
        Said::Accepted { consumed, canon, value, dumps, .. } => {
            let dumps: Vec<String> = dumps.iter().map(dump).collect();
            format!(
                "Said::Accepted {{ consumed: {consumed}, canon: {canon:?}, plain: {value:?}, dumps: &[{}] }}",
                dumps.join(", ")
            )
        }
    }
}

fn dump(dump: &Dumped) -> String {
    match dump {
        Dumped::Bytes(hex) => format!("Dump::Bytes({})", bytes(&lengthen(hex).unwrap_or_default())),
        Dumped::Raises(class, message) => format!("Dump::Raises({class:?}, {message:?})"),
        Dumped::Undefined(why) | Dumped::Slow(why) | Dumped::Varies(why) => format!("Dump::Unknown({why:?})"),
        Dumped::Sha256(_) => "Dump::Unknown(\"its bytes were not recorded\")".into(),
    }
}
