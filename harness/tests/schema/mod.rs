//! What commands print for programs is what their schemas say.

use std::path::Path;

/// Every line of the text that is an object fits the schema of the command. How many there are.
pub(crate) fn fits(command: &str, text: &str) -> usize {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schema/{command}.schema.json"));
    let schema = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let check = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Err(error) = schema.validate(&line) {
            panic!("{error}: {line}");
        }
    };
    lines.map(check).count()
}
