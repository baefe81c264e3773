//! What `verify` says of a file is what importlib does with it.

mod found;

use interpreters::Interpreter;
use pyc_core::pyc::Header;
use pyc_core::{Profile, Pyc, Release, Version};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn profile(minor: u8) -> &'static Profile {
    Profile::of(Version::new(3, minor)).unwrap()
}

fn greet(version: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../corpus/seeds/greet-{version}.pyc"));
    std::fs::read(file).unwrap()
}

/// The stream of that version behind a header for a source.
fn pyc(minor: u8, mtime: u32, stream: &[u8], size: usize) -> Vec<u8> {
    let header = Header::MtimeSize { flags: 0, mtime, size: u32::try_from(size).unwrap() };
    Pyc::new(profile(minor), header, stream).to_bytes()
}

fn put(file: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, bytes).unwrap();
}

fn set_time(file: &Path, time: SystemTime) {
    std::fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
}

/// Asks about a file of the folder, in that folder.
#[track_caller]
fn check(folder: &Path, file: &str, prefix: Option<&Path>, status: i32, said: &[&str], unsaid: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
    command.args(["verify", file]).current_dir(folder).env_remove("PYTHONPYCACHEPREFIX");
    let output = command.envs(prefix.map(|prefix| ("PYTHONPYCACHEPREFIX", prefix))).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(status), "{text}");
    for one in said {
        assert!(text.contains(one), "{file}: does not say {one:?}: {text}");
    }
    assert!(unsaid.is_empty() || !text.contains(unsaid), "{file}: says {unsaid:?}: {text}");
}

/// The tag in the name says which Python looks at it; a header that it refuses makes it compile the source.
#[test]
fn the_tag_in_the_name_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    put(&folder.path().join("big.py"), b"x = 1\n");
    let anew = "bad, Python 3.12, its source is compiled in its place; ";
    for (bytes, said) in [
        (greet("3.11"), &[r"ImportError: bad magic number in 'big': b'\xa7\r\r\n'", "that of CPython 3.11"][..]),
        (Vec::new(), &["ImportError: bad magic number in 'big': b''", "the file is empty"]),
        (b"\xcb\r\r".to_vec(), &[r"ImportError: bad magic number in 'big': b'\xcb\r\r'"]),
        (vec![0; 99], &[r"b'\x00\x00\x00\x00'", "nothing but zeros"]),
        (b"\xcb\r\r\n".to_vec(), &["EOFError: reached EOF while reading pyc header of 'big'; it ends in its header"]),
    ] {
        put(&folder.path().join("__pycache__/big.cpython-312.pyc"), &bytes);
        check(folder.path(), "__pycache__/big.cpython-312.pyc", None, 1, &[&[anew][..], said].concat(), "at byte");
    }
    put(&folder.path().join("__pycache__/big.pypy39.pyc"), &greet("3.11"));
    check(folder.path(), "__pycache__/big.pypy39.pyc", None, 1, &["unknown", "cache tag pypy39 is not modelled"], "");
}

#[test]
fn what_is_beside_its_source_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("leg.py");
    put(&source, b"x = 1\n");
    set_time(&source, UNIX_EPOCH + Duration::from_secs(7));
    let stream = &greet("3.12")[16..];
    for mtime in [7, 8] {
        put(&folder.path().join("leg.pyc"), &pyc(12, mtime, stream, 6));
        let said = ["ignored, Python 3.12, not looked at; its source is beside it"];
        check(folder.path(), "leg.pyc", None, 1, &said, "ImportError");
    }
    put(&folder.path().join("leg.pyc"), &greet("2.7"));
    check(folder.path(), "leg.pyc", None, 1, &["stale, Python 2.7, its source is compiled"], "");
}

/// Such files are valid, and no import opens them.
#[test]
fn names_that_no_python_looks_for_are_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let good = greet("3.12");
    put(&folder.path().join("x.py"), b"x = 1\n");
    for name in [
        "__pycache__/x.cpython-312.opt-.pyc",
        "__pycache__/x.cpython-312.opt-2.bar.pyc",
        "__pycache__/x.cpython-312.pyc.140234",
        "__pycache__/x.cpython-312-pytest-7.4.0.pyc",
        "Both2.PYC",
        "y.pyc-notyet",
    ] {
        put(&folder.path().join(name), &good);
        let said = "ignored, Python 3.12, not looked at; Python looks for no file of this name";
        check(folder.path(), name, None, 1, &[said], "ImportError");
    }
    // The package comes first.
    put(&folder.path().join("v/pkg.py"), b"x = 1\n");
    put(&folder.path().join("v/__pycache__/pkg.cpython-312.pyc"), &good);
    put(&folder.path().join("v/pkg/__init__.py"), b"x = 2\n");
    let said = "v/pkg/__init__.py is imported in the place of its module";
    check(folder.path(), "v/__pycache__/pkg.cpython-312.pyc", None, 1, &["ignored, ", said], "ImportError");
}

#[test]
fn other_files_are_called_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let good = greet("3.11");
    let utf8: String = good.iter().map(|byte| char::from(*byte)).collect();
    for (bytes, said) in [
        (&[0; 64][..], "nothing but zeros"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a pointer of Git LFS"),
        (b"<!DOCTYPE html><html></html>", "not a .pyc file but a web page"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "compressed by gzip"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "an ELF program"),
        (b"%PDF-1.7\n\xff\xff", "a PDF document"),
        (utf8.as_bytes(), "written as UTF-8; the original can be had back: `provost repair`"),
    ] {
        put(&folder.path().join("x.pyc"), bytes);
        check(folder.path(), "x.pyc", None, 1, &["unknown", said], "bytes 2 and 3");
        let normalize = Command::new(env!("CARGO_BIN_EXE_provost"))
            .args(["normalize", "--no-search", "x.pyc"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&normalize.stderr).into_owned();
        assert!(text.contains(said) && !text.contains("bytes 2 and 3"), "{text}");
    }
}

/// A stream that another Python wrote may load, and not run.
#[test]
fn streams_of_others_are_doubtful() {
    let folder = tempfile::tempdir().unwrap();
    for (minor, stream) in [(14, "3.13"), (13, "3.14")] {
        put(&folder.path().join("x.pyc"), &pyc(minor, 0, &greet(stream)[16..], 0));
        let said = format!("this looks like a stream of Python {stream}");
        check(folder.path(), "x.pyc", None, 1, &[&said], "good, ");
    }
    for minor in 11..=15 {
        put(&folder.path().join("x.pyc"), &greet(&format!("3.{minor}")));
        check(folder.path(), "x.pyc", None, 0, &["good, "], "looks like");
    }
}

/// A CPython of 3.8 or later.
fn python() -> Option<(Interpreter, &'static Profile)> {
    let found = found::interpreters().into_iter().filter_map(|one| {
        let profile = Profile::of(Release::parse(&one.facts.version)?.version)?;
        let is_it = one.facts.implementation == "cpython"
            && profile.has_cache_prefix()
            && !one.facts.free_threaded
            && one.executable().is_some();
        is_it.then_some((one, profile))
    });
    found.into_iter().next()
}

/// What an interpreter says of its imports, in that folder.
fn imported(interpreter: &Interpreter, folder: &Path, module: &str, prefix: Option<&Path>) -> String {
    let mut command = Command::new(interpreter.executable().unwrap());
    command.args(["-B", "-v", "-c", &format!("import sys; sys.path.insert(0, {folder:?}); import {module}")]);
    command.current_dir(folder).env_remove("PYTHONPYCACHEPREFIX");
    command.envs(prefix.map(|prefix| ("PYTHONPYCACHEPREFIX", prefix)));
    String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned()
}

/// Of each case importlib and the answer say the same.
#[test]
fn an_interpreter_says_the_same() {
    let Some((interpreter, profile)) = python() else {
        println!("skipped: no CPython of 3.8 or later that can be started was found");
        return;
    };
    let Version { major, minor } = profile.version;
    let tag = format!("cpython-{major}{minor}");
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().canonicalize().unwrap();
    let good = greet(&profile.version.to_string());
    let sixties = UNIX_EPOCH - Duration::from_secs(315_619_200);
    let mtime = u32::MAX - 315_619_200 + 1;
    for source in ["m.py", "pk/__init__.py", "pk/sub/__init__.py", "pk/sub/m.py"] {
        put(&at.join(source), b"x = 1\n");
        set_time(&at.join(source), sixties);
    }
    let whole = |mtime| pyc(minor, mtime, &good[16..], 6);
    let other = if minor == 11 { greet("3.12") } else { greet("3.11") };
    for (module, folder, name) in [
        ("m", "__pycache__", "m"),
        ("pk", "pk/__pycache__", "__init__"),
        ("pk.sub", "pk/sub/__pycache__", "__init__"),
        ("pk.sub.m", "pk/sub/__pycache__", "m"),
    ] {
        for prefix in [None, Some(at.join("prefix"))] {
            let prefix = prefix.as_deref();
            let folder = match prefix {
                Some(prefix) => prefix.join(at.join(folder).parent().unwrap().strip_prefix("/").unwrap()),
                None => at.join(folder),
            };
            let file = folder.join(format!("{name}.{tag}.pyc"));
            let shown = file.display().to_string();
            let magic = match minor {
                11 => r"b'\xcb\r\r\n'",
                _ => r"b'\xa7\r\r\n'",
            };
            for (bytes, status, said, python_says) in [
                (whole(mtime), 0, "imported".to_owned(), format!("{shown} matches ")),
                (whole(1), 1, format!("bytecode is stale for '{module}'"), String::new()),
                (other.clone(), 1, format!("bad magic number in '{module}': {magic}"), String::new()),
                (Vec::new(), 1, format!("bad magic number in '{module}': b''"), String::new()),
                (good[..9].to_vec(), 1, format!("reached EOF while reading pyc header of '{module}'"), String::new()),
                (pyc(minor, mtime, b"N", 6), 1, format!("ImportError: Non-code object in '{shown}'"), String::new()),
            ] {
                put(&file, &bytes);
                let python_says = if python_says.is_empty() { &said } else { &python_says };
                let text = imported(&interpreter, &at, module, prefix);
                assert!(text.contains(python_says), "{} does not say {python_says:?}:\n{text}", interpreter.id);
                check(&at, &shown, prefix, status, &[&said], "at byte");
            }
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }
}

/// What is in an archive is looked at as if it were unpacked.
#[test]
fn members_of_archives_are_compared_with_their_sources() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let stream = &greet("3.12")[16..];
    let timed = pyc(12, 7, stream, 6);
    let hash = pyc_core::pyc::source_hash(profile(12), b"x = 1\n");
    let hashed = Pyc::new(profile(12), Header::Hash { flags: 3, hash }, stream).to_bytes();
    let in_cache = "p/__pycache__/x.cpython-312.pyc";
    let beside = "its source is beside it";
    for (archive, source, name, bytes, status, said) in [
        ("p.whl", Some("x = 1\n"), in_cache, &timed, 0, "good, "),
        ("p.whl", Some("x = 1\n"), in_cache, &hashed, 0, "good, "),
        ("p.whl", Some("x = 2\n"), in_cache, &hashed, 1, "stale, Python 3.12, its source is compiled in its place; "),
        ("p.whl", Some("x = 2\n"), in_cache, &hashed, 1, "hash in bytecode doesn't match hash of source 'p.x'"),
        ("p.zip", Some("x = 22\n"), in_cache, &timed, 1, "stale, Python 3.12, its source is compiled in its place; "),
        (
            "p.whl",
            None,
            in_cache,
            &timed,
            1,
            "ignored, Python 3.12, not looked at; it is cached and its source is gone",
        ),
        ("p.whl", None, "p/x.pyc", &timed, 0, "good, Python 3.12, imported; not compared with a source"),
        ("p.whl", Some("x = 1\n"), "p/x.pyc", &timed, 1, beside),
        ("p.zip", Some("x = 1\n"), "p/x.pyc", &timed, 0, "good, "),
        ("p.zip", Some("x = 22\n"), "p/x.pyc", &timed, 1, "stale, "),
    ] {
        let mut writer = zip::ZipWriter::new(std::fs::File::create(folder.path().join(archive)).unwrap());
        let members = [(name, &bytes[..])].into_iter().chain(source.map(|text| ("p/x.py", text.as_bytes())));
        for (name, bytes) in members {
            writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
        check(folder.path(), archive, None, status, &[name, said], "");
    }
}
