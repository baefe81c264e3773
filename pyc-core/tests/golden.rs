//! What real interpreters answered to some thousands of streams (`corpus/golden`, see its README): pyc-core must say the
//! same. Needs no interpreter and takes a second or two, so it runs after every change.

use pyc_core::model::{Dump, Loaded, SLOW_COST, Slow};
use pyc_core::{Exception, Profile, Release, Scratch, read, read_with};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Bytes of hexadecimal words in which `*` repeats: `5b01000000*1999 4e`.
fn bytes(text: &str) -> Vec<u8> {
    let word = |word: &str| {
        let (digits, times) = word.split_once('*').unwrap_or((word, "1"));
        let byte = |i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(byte).collect::<Vec<u8>>().repeat(times.parse().unwrap())
    };
    text.split_whitespace().flat_map(word).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Class and message; of a SystemError without the C file and line number, of a RecursionError without the size of the
/// stack: they depend on the build.
fn exception(exception: &Exception) -> Value {
    let message = exception.message.as_str();
    let tail = message.split_once(".c:").and_then(|(_, rest)| rest.split_once(": ")).map(|(_, tail)| tail);
    let message = tail.filter(|_| exception.class == "SystemError").unwrap_or(message);
    let full = message.split_once(" (used ").map(|(head, _)| head);
    let message = full.filter(|_| exception.class == "RecursionError").unwrap_or(message);
    [exception.class, message].as_slice().into()
}

fn profile(head: &Value) -> Profile {
    let number = |name: &str| head[name].as_u64().unwrap();
    let is = |name: &str| head[name].as_bool().unwrap_or(false);
    let elsewhere: Vec<u8> = head["interned_elsewhere"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c.as_u64().unwrap().try_into().unwrap())
        .collect();
    let profile = Profile::for_release(&Release::parse(head["version"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(number("marshal_version"), u64::from(profile.marshal_version), "{head}");
    profile
        .with_pointer_bits(number("pointer_bits").try_into().unwrap())
        .with_max_depth(number("max_depth").try_into().unwrap())
        .with_interned_elsewhere(&elsewhere)
        .with_quiet_nans(is("quiets_nans"))
        .with_assertions(is("debug"))
        .with_free_threading(is("free_threaded"))
}

/// The error is what pyc-core says otherwise than the line. All lines share one scratch, which makes no difference. Counts
/// the dumps of which it says without need that they lose something.
fn check(profile: &Profile, line: &Value, scratch: &mut Scratch, overcautious: &mut u32) -> Result<(), String> {
    let stream = bytes(line["stream"].as_str().unwrap());
    let fail = |what: &str, said: &dyn std::fmt::Debug| Err(format!("{what}: {said:x?}"));
    let graph = match read_with(&stream, profile, scratch) {
        Ok(graph) => graph,
        Err(error) => {
            assert!(error.offset <= stream.len(), "{error}");
            let said = match error.cause() {
                Some(cause) => line["undefined"] == cause.name(),
                None => line["rejected"] == exception(&error.exception(profile)),
            };
            return if said { Ok(()) } else { fail("read", &error) };
        }
    };
    for written in [graph.write(), graph.write_anew()] {
        if written.as_deref() != Ok(&stream[..graph.consumed()]) {
            return fail("write", &written);
        }
    }
    let loaded = Loaded::new_with(&graph, profile, scratch);
    if let Some(cause) = loaded.hazard() {
        return if line["undefined"] == cause.name() { Ok(()) } else { fail("hazard", &cause) };
    }
    if line["consumed"] != graph.consumed() {
        return fail("consumed", &graph.consumed());
    }
    let canon = loaded.canon();
    let same = match line["canon"].as_str() {
        Some(expected) => expected == canon,
        None => line["canon"]["sha256"] == sha256(canon.as_bytes()).as_str(),
    };
    if !same {
        return fail("canon", &canon);
    }
    let dumps = line["dumps"].as_array().ok_or("it is accepted")?;
    assert_eq!(dumps.len(), usize::from(profile.marshal_version) + 1);
    let lost = line["loses"].as_array().map_or(&[][..], Vec::as_slice);
    let mut expected = &dumps[0];
    for (version, own) in (0..).zip(dumps) {
        if own != "=" {
            expected = own;
        }
        let (dump, cost) = loaded.dump_and_cost(version);
        let agrees = match &dump {
            Dump::Bytes { .. } | Dump::Raises(_) if cost > SLOW_COST => expected["slow"] == Slow::SortingSets.name(),
            Dump::Bytes { unpredictable: Some(aspect), .. } => expected["varies"] == aspect.name(),
            Dump::Bytes { bytes: made, .. } => match expected.as_str() {
                Some(text) => bytes(text) == *made,
                None => expected["sha256"] == sha256(made).as_str(),
            },
            Dump::Raises(e) => expected["raises"] == exception(e),
            Dump::Undefined(cause) => expected["undefined"] == cause.name(),
            Dump::Slow(slow) => expected["slow"] == slow.name(),
        };
        if !agrees {
            return fail(&format!("dump {version}"), &dump);
        }
        if let Dump::Bytes { bytes, .. } = &dump {
            let loses = lost.contains(&version.into());
            let loss = loaded.loss(version);
            if loses && loss.is_none() {
                return fail(&format!("loss {version}"), &loss);
            }
            *overcautious += u32::from(loss.is_some() && !loses);
            let again = read(bytes, profile).map(|graph| Loaded::new(&graph, profile).canon());
            if loss.is_none() && again.as_deref() != Ok(&canon) {
                return fail(&format!("reading dump {version}"), &again);
            }
        }
    }
    loaded.recycle(scratch);
    graph.recycle(scratch);
    Ok(())
}

#[test]
fn interpreters_said_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/golden");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    let mut scratch = Scratch::default();
    let (mut versions, mut answers, mut overcautious) = (0, 0, 0);
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "jsonl")) {
        let text = std::fs::read_to_string(file).unwrap();
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let head = lines.next().unwrap();
        let profile = profile(&head);
        versions += 1;
        for line in lines {
            answers += 1;
            if let Err(said) = check(&profile, &line, &mut scratch, &mut overcautious) {
                wrong.push(format!("{} {}: {said}\n  {line}", head["version"], line["from"]));
            }
        }
    }
    assert!(versions >= 10, "{versions} files");
    let shown: Vec<&str> = wrong.iter().map(String::as_str).take(10).collect();
    println!("{versions} interpreters, {answers} answers, {overcautious} dumps lose less than said");
    // Garbage in a cycle makes an object look shared, and some of the counters in code stay where they are.
    assert!(100 * overcautious < answers, "{overcautious} of {answers}");
    assert!(wrong.is_empty(), "{} answers differ, such as\n{}", wrong.len(), shown.join("\n"));
}
