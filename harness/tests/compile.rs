//! Files are compiled to where Python looks for them, and removed from there.

mod found;
mod schema;

use interpreters::Interpreter;
use pyc_core::{Profile, Pyc, Release, Version};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

/// CPythons that can be started: the oldest and the newest, and one of 3.8 or later.
fn pythons() -> Vec<(Interpreter, &'static Profile)> {
    let found = found::interpreters().into_iter().filter_map(|one| {
        let profile = Profile::of(Release::parse(&one.facts.version)?.version)?;
        let is_it = one.facts.implementation == "cpython" && !one.facts.free_threaded && one.executable().is_some();
        is_it.then_some((one, profile))
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|(_, profile)| profile.version);
    found.dedup_by_key(|(_, profile)| profile.version);
    let last = found.len().saturating_sub(1);
    let middle = found.iter().position(|(_, profile)| profile.version >= Version::new(3, 8)).unwrap_or(0);
    let wanted = std::collections::BTreeSet::from([0, middle, last]);
    found.into_iter().enumerate().filter(|(place, _)| wanted.contains(place)).map(|(_, it)| it).collect()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn check(arguments: &[&str], prefix: Option<&Path>, status: i32, said: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
    command.args(arguments).env_remove("PYTHONPYCACHEPREFIX").env_remove("SOURCE_DATE_EPOCH");
    command.env_remove("PROVOST_PYTHONS").envs(prefix.map(|prefix| ("PYTHONPYCACHEPREFIX", prefix)));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(arguments.contains(&"--json"), schema::fits(arguments[0], &text) > 0, "{arguments:?}\n{text}");
    assert_eq!(output.status.code(), Some(status), "{arguments:?}\n{text}");
    for one in said {
        assert!(text.contains(one), "{arguments:?} does not say {one:?}:\n{text}");
    }
    text
}

/// What the interpreter imports: the .pyc file if it takes that. The source says something else meanwhile, with the same time and
/// size.
fn imported(interpreter: &Interpreter, folder: &Path, levels: &[&str], prefix: Option<&Path>) -> String {
    let source = folder.join("m.py");
    let (text, time) = (std::fs::read_to_string(&source).unwrap(), source.metadata().unwrap().modified().unwrap());
    let write = |text: &str| {
        std::fs::write(&source, text).unwrap();
        std::fs::File::options().write(true).open(&source).unwrap().set_modified(time).unwrap();
    };
    let code = format!("import sys; sys.path.insert(0, {:?}); import m; print(m.f())", path(folder));
    let mut command = Command::new(interpreter.executable().unwrap());
    command.arg("-B").args(levels).args(["-c", &code]).env_remove("PYTHONPYCACHEPREFIX");
    command.envs(prefix.map(|prefix| ("PYTHONPYCACHEPREFIX", prefix)));
    write(&text.replace("doc'", "new'"));
    let output = command.output().unwrap();
    write(&text);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_compiled_is_imported() {
    let pythons = pythons();
    if pythons.is_empty() {
        println!("skipped: no CPython that can be started was found; nothing was compiled");
    }
    for (interpreter, profile) in pythons {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("m.py");
        std::fs::write(&source, "def f():\n    'doc'\n    assert False\ndef f(f=f):\n    return f.__doc__\n").unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("inner/bad.py"), "def\n").unwrap();
        let python = interpreter.executable().unwrap().to_owned();
        let map = format!("{}=/mapped", path(folder.path()));
        let all = ["compile", "--python", path(&python), "--prefix-map", &map];
        let only = [&all[..], &[path(&source)]].concat();
        check(
            &[&all[..], &[path(folder.path())]].concat(),
            None,
            1,
            &["bad.py: ", "SyntaxError", "1 compiled, 0 up to date, 1 failed"],
        );
        let compiled = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpus/seeds/greet-3.12.pyc");
        check(&[&all[..], &[compiled]].concat(), None, 1, &["is a .pyc file, and no source"]);
        check(&only, None, 0, &["0 compiled, 1 up to date"]);
        let name = &interpreter.id;
        assert_eq!(imported(&interpreter, folder.path(), &[], None), "doc\n", "{name}");
        // Each level has its own file.
        check(&[&only[..], &["-OO"]].concat(), None, 0, &["1 compiled"]);
        assert_eq!(imported(&interpreter, folder.path(), &["-OO"], None), "None\n", "{name}");
        if profile.is_python2() {
            // But 2.7, of which two levels share one.
            for (level, said) in [("-O", "doc\n"), ("-OO", "None\n")] {
                check(&[&only[..], &[level]].concat(), None, 0, &["1 compiled"]);
                let text = imported(&interpreter, folder.path(), &[level], None);
                assert_eq!(text, said, "{name}");
            }
        }
        check(&[&only[..], &["--force", "--json"]].concat(), None, 0, &["\"status\":\"compiled\"", "\"pyc\":"]);
        // What changed is stale, whatever its size.
        std::fs::File::options()
            .write(true)
            .open(&source)
            .unwrap()
            .set_modified(UNIX_EPOCH + Duration::from_secs(7))
            .unwrap();
        check(&only, None, 0, &["1 compiled"]);
        let hashed = [&only[..], &["--invalidation-mode", "checked-hash"]].concat();
        if profile.version < Version::new(3, 7) {
            check(&hashed, None, 1, &["have no hashes"]);
        } else {
            let text = check(&hashed, None, 0, &["1 compiled"]);
            let pyc = std::fs::read(text.lines().next().unwrap()).unwrap();
            assert!(Pyc::parse(&pyc).unwrap().header.checks_source());
            assert!(pyc.windows(12).any(|window| window == b"/mapped/m.py"), "{name}");
            check(&hashed, None, 0, &["1 up to date"]);
            // A checked hash tells that the source is another one.
            assert_eq!(imported(&interpreter, folder.path(), &[], None), "new\n", "{name}");
        }
        let prefix = tempfile::tempdir().unwrap();
        if profile.has_cache_prefix() {
            let said = check(&[&only[..], &["--force"]].concat(), Some(prefix.path()), 0, &["1 compiled"]);
            assert!(said.starts_with(path(prefix.path())), "{said}");
            assert_eq!(imported(&interpreter, folder.path(), &[], Some(prefix.path())), "doc\n", "{name}");
        }
        check(&["clean", "--dry-run", path(folder.path())], None, 0, &["would remove", "2 files ("]);
        check(&["clean", path(folder.path())], None, 0, &["removed ", "2 files ("]);
        check(&["clean", path(folder.path())], None, 0, &["removed 0 files (0 bytes) and 0 folders"]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "the source and the folder are left");
    }
    check(&["compile", "--python", "1.5", "."], None, 2, &["--python 1.5 selects nothing"]);
    check(&["compile", "-"], None, 2, &["reads no standard input"]);
    check(&["clean", "-"], None, 2, &["reads no standard input"]);
}

/// The places and modes that the interpreter gives its own files, whatever the path is that was named.
#[test]
fn places_and_modes_are_those_of_the_interpreter() {
    use std::os::unix::fs::PermissionsExt;
    let pythons = pythons();
    let Some((interpreter, _)) = pythons.iter().find(|(_, profile)| profile.has_cache_prefix()) else {
        println!("skipped: no CPython of 3.8 or later that can be started was found; nothing was compiled");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().canonicalize().unwrap();
    std::fs::create_dir(at.join("p")).unwrap();
    let python = interpreter.executable().unwrap();
    let modes = |file: &Path| file.metadata().unwrap().permissions().mode() & 0o777;
    for (source, mode) in [("s.py", 0o600), ("p/t.py", 0o444), ("p/u.py", 0o755), ("p/u.py", 0o640)] {
        std::fs::write(at.join(source), "x = 1\n").unwrap();
        std::fs::set_permissions(at.join(source), PermissionsExt::from_mode(mode)).unwrap();
        for prefix in [None, Some("rel".to_owned()), Some(path(&at.join("absolute")).to_owned())] {
            let run = |command: &mut Command| {
                command.current_dir(&at).env_remove("PYTHONPYCACHEPREFIX").env_remove("SOURCE_DATE_EPOCH");
                command.env_remove("PROVOST_PYTHONS");
                let output = command.envs(prefix.as_ref().map(|it| ("PYTHONPYCACHEPREFIX", it))).output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8(output.stdout).unwrap()
            };
            let code = format!("import py_compile; print(py_compile.compile({source:?}))");
            let theirs = run(Command::new(python).args(["-c", &code])).trim_end().to_owned();
            let expected = modes(&at.join(&theirs));
            std::fs::remove_file(at.join(&theirs)).unwrap();
            let mut provost = Command::new(env!("CARGO_BIN_EXE_provost"));
            let ours = run(provost.args(["compile", "--force", "--python", path(python), source]));
            assert_eq!(ours.lines().next(), Some(&*theirs), "{source} with {prefix:?}");
            assert_eq!(modes(&at.join(&theirs)), expected, "{source} with {prefix:?}");
            // Files with sources are no orphans, whether the prefix is known or not.
            let clean = |prefix: Option<&str>| {
                let mut clean = Command::new(env!("CARGO_BIN_EXE_provost"));
                clean.args(["clean", "--dry-run", "--orphans", "."]).current_dir(&at).env_remove("PYTHONPYCACHEPREFIX");
                let output = clean.envs(prefix.map(|it| ("PYTHONPYCACHEPREFIX", it))).output().unwrap();
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(text.contains("would remove 0 files"), "{source} with {prefix:?}: {text}");
            };
            clean(prefix.as_deref());
            clean(None);
        }
    }
}

/// What a link leads to is somebody else's: py_compile refuses it, too.
#[test]
fn links_in_the_place_of_compiled_files_are_refused() {
    let Some((interpreter, profile)) = pythons().pop() else {
        println!("skipped: no CPython that can be started was found; nothing was compiled");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (source, precious) = (folder.path().join("s/m.py"), folder.path().join("precious"));
    let cache = folder.path().join("s/__pycache__");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(&source, "x = 1\n").unwrap();
    let Version { major, minor } = profile.version;
    let pyc = cache.join(format!("m.cpython-{major}{minor}.pyc"));
    let python = interpreter.executable().unwrap();
    let refused = |said: &str| {
        check(&["compile", "--python", path(python), path(&source)], None, 1, &[path(&pyc), said, "is not replaced"]);
    };
    std::os::unix::fs::symlink("../../precious", &pyc).unwrap();
    refused("is a link");
    assert!(!precious.exists());
    std::fs::write(&precious, "precious").unwrap();
    refused("is a link");
    assert_eq!(std::fs::read(&precious).unwrap(), b"precious");
    std::fs::remove_file(&pyc).unwrap();
    std::fs::create_dir(&pyc).unwrap();
    refused("is no regular file");
}

/// Who was asked for by a version is a CPython, and one of those that write the same files.
#[test]
fn one_python_writes_each_file() {
    let all: Vec<Interpreter> = found::interpreters();
    let source = tempfile::tempdir().unwrap();
    std::fs::write(source.path().join("m.py"), "x = 1\n").unwrap();
    for (_, profile) in pythons() {
        let version = profile.version.to_string();
        let text = check(&["compile", "--python", &version, path(source.path())], None, 0, &["1 compiled"]);
        let ids: Vec<&str> =
            all.iter().map(|one| one.id.as_str()).filter(|id| text.contains(&format!("({id})"))).collect();
        assert_eq!(ids.len(), 1, "{text}");
    }
    check(&["compile", "--python", "3.99", "."], None, 2, &["--python 3.99 selects nothing"]);
    // Both write the same files.
    let Some((one, _)) = pythons().pop() else { return };
    let copy = source.path().join("again");
    let executable = one.executable().unwrap();
    let script = format!("#!/bin/sh\nexec {} \"$@\"\n", path(executable));
    std::fs::write(&copy, script).unwrap();
    std::fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let both = format!("{},{}", path(executable), path(&copy));
    let text = check(&["compile", "--force", "--python", &both, path(&source.path().join("m.py"))], None, 0, &[]);
    assert!(text.contains("1 compiled"), "{text}");
}

/// What cannot be made again is kept, what is filtered out too, and nothing outside of the tree is touched.
#[test]
fn cleaning_removes_what_can_be_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let seed = |version: &str| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../corpus/seeds/greet-{version}.pyc"));
        std::fs::read(file).unwrap()
    };
    let put = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, bytes).unwrap();
    };
    std::fs::write(outside.path().join("x.pyc"), b"kept").unwrap();
    put("a/m.py", b"");
    put("a/m.pyc", &seed("2.7"));
    put("a/__pycache__/m.cpython-312.pyc", &seed("3.12"));
    put("a/__pycache__/m.cpython-313.opt-1.pyc", &seed("3.13"));
    put("a/__pycache__/m.cpython-313.pyc.123456", b"half");
    put("a/__pycache__/gone.cpython-312.pyc", &seed("3.12"));
    put("a/alone.pyc", &seed("3.12"));
    put("a/m.pyc.backup", &seed("2.7"));
    std::fs::create_dir_all(folder.path().join("b/__pycache__")).unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    let at = path(folder.path()).to_owned();
    let clean = |arguments: &[&str], said: &[&str]| check(&[&["clean"], arguments, &[&at]].concat(), None, 0, said);
    clean(&["--dry-run"], &["would remove 5 files", "and 2 folders; 1 kept", "kept ", "alone.pyc: there is no source"]);
    clean(&["--older-than", "1h"], &["removed 0 files (0 bytes) and 1 folders"]);
    clean(&["--python", "3.13"], &["removed 1 files", "m.cpython-313.opt-1.pyc"]);
    clean(&["--orphans", "--dry-run"], &["would remove 2 files", "alone.pyc", "gone.cpython-312.pyc"]);
    clean(&["--json"], &["\"action\":\"removed\"", "\"action\":\"kept\""]);
    clean(&["--orphans"], &["removed 1 files"]);
    let left: Vec<String> = std::fs::read_dir(folder.path().join("a"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(std::collections::BTreeSet::from_iter(left.iter().map(String::as_str)), ["m.py", "m.pyc.backup"].into());
    assert!(outside.path().join("x.pyc").exists());
    // A name need not be text; its bytes are told, too.
    let odd: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff.cpython-312.pyc");
    let odd = folder.path().join("odd/__pycache__").join(odd);
    std::fs::create_dir_all(odd.parent().unwrap()).unwrap();
    std::fs::write(&odd, seed("3.12")).unwrap();
    clean(&["--json"], &["\"file_hex\":\"", "5f5f2fff2e63707974686f6e2d3331322e707963\""]);
    assert!(!odd.exists());
    check(&["clean", "no such path"], None, 1, &["there is no such file"]);
    // A link stays one with a slash behind it.
    let cache = outside.path().join("__pycache__");
    std::fs::create_dir(&cache).unwrap();
    std::fs::write(cache.join("m.cpython-312.pyc"), seed("3.12")).unwrap();
    std::os::unix::fs::symlink(&cache, folder.path().join("__pycache__")).unwrap();
    for link in ["link", "link/", "link//.", "__pycache__/"] {
        let link = format!("{at}/{link}");
        check(&["clean", &link], None, 1, &["is a link to a folder, and links are not followed"]);
    }
    assert!(cache.join("m.cpython-312.pyc").exists());
    check(&["clean", "--older-than", "2w", &at], None, 2, &["30d"]);
    check(&["clean", "--python", "9.9", &at], None, 2, &["no version"]);
}
