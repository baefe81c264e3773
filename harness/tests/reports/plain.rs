//! `marshal.dumps(marshal.loads(b))` as people type it, in a new process: what `check` predicts, beside what it comes to.

#[path = "../found/mod.rs"]
mod found;

use pyc_core::model::{Dump, Loaded};
use pyc_core::{Profile, Release};
use std::path::Path;
use std::process::Command;

/// So many files of each library.
const FILES: usize = 10;

/// A larger source is no argument of a command.
const LARGEST: u64 = 6000;

const DUMP: &str = "import binascii, marshal, sys\n\
    print(binascii.hexlify(marshal.dumps(marshal.loads(binascii.unhexlify(sys.argv[1])))).decode('ascii'))";

const COMPILE: &str = "import binascii, marshal, sys\n\
    print(binascii.hexlify(marshal.dumps(compile(open(sys.argv[1], 'rb').read(), 'p', 'exec'))).decode('ascii'))";

fn answer(executable: &Path, program: &str, argument: &str) -> Vec<u8> {
    let output = Command::new(executable).args(["-W", "ignore", "-c", program, argument]).output().unwrap();
    super::unhex(String::from_utf8_lossy(&output.stdout).trim())
}

/// Streams of library files and of what depends on a process, with what a new process makes of them.
fn streams(executable: &Path, stdlib: &Path) -> Vec<Vec<u8>> {
    let listed = std::fs::read_dir(stdlib).into_iter().flatten().flatten();
    let is_short = |path: &std::path::PathBuf| {
        path.extension().is_some_and(|it| it == "py") && path.metadata().is_ok_and(|it| it.len() < LARGEST)
    };
    let mut sources: Vec<_> = listed.map(|entry| entry.path()).filter(is_short).collect();
    sources.sort();
    let step = (sources.len() / FILES).max(1);
    let sources = sources.iter().step_by(step).take(FILES);
    let mut streams: Vec<Vec<u8>> =
        sources.map(|path| answer(executable, COMPILE, &path.to_string_lossy())).filter(|it| !it.is_empty()).collect();
    streams.extend([b"u\x01\0\0\0~".to_vec(), b"u\x04\0\0\0zqxd".to_vec()]);
    streams
}

#[test]
fn plain_calls_are_predicted_or_said_to_be_open() {
    let mut asked = 0;
    for interpreter in found::interpreters() {
        let profile = Release::parse(&interpreter.facts.version).and_then(|release| Profile::of(release.version));
        let is_ordinary = interpreter.facts.implementation == "cpython" && !interpreter.facts.free_threaded;
        let (Some(profile), Some(executable), true) = (profile, interpreter.executable(), is_ordinary) else {
            continue;
        };
        let mut closed = 0;
        for stream in streams(executable, Path::new(&interpreter.facts.stdlib)) {
            let graph = pyc_core::read(&stream, profile).unwrap();
            let (alone, open) = Loaded::alone(&graph, profile);
            let Dump::Bytes { bytes, .. } = alone.dump(profile.marshal_version) else { panic!("{}", interpreter.id) };
            let hex = stream.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let real = answer(executable, DUMP, &hex);
            assert!(open > 0 || bytes == real, "{}: {hex}", interpreter.id);
            closed += usize::from(open == 0);
        }
        // Until 3.12 whether a string of one character is interned depends on the process; until 3.10 nearly everything does.
        assert!(closed > 0, "{}: nothing was predicted", interpreter.id);
        println!("{}: {closed} predicted", interpreter.id);
        asked += 1;
    }
    if asked == 0 {
        println!("skipped: no CPython was found");
    }
}
