//! Files that were compiled in other orders, under other hash seeds and beside other modules have one normal form.

mod found;
mod schema;

use harness::toolbox::normalize::{Options, Verifier, normalize, remapped};
use interpreters::Interpreter;
use pyc_core::{Profile, Pyc, Release};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Orders and seeds.
const ROUNDS: usize = 10;

/// Modules that share names, constants and sets with each other.
const SOURCES: [(&str, &str); 5] = [
    (
        "alpha.py",
        "'''Doc.'''\ndef f(x):\n    'doc'\n    return x in {'delta', 'alpha', 'gamma', 'beta', 3.5, (1, 'x')}\nRESULT = (f('beta'), f(3.5), f(0))\n",
    ),
    (
        "beta.py",
        "import sys\nclass A(object):\n    delta = alpha = gamma = 'some words'\n    def g(self, y=('alpha', 'gamma', (1, 'x'))):\n        return [v for v in y if v in frozenset(['q'])] + [self.delta]\nRESULT = A().g()\n",
    ),
    (
        "gamma.py",
        "def outer(a, b=1000000, c=(1, 'x')):\n    def inner():\n        return a, b, c, 'some words', b'bytes', 2.5, -0.0\n    return inner\nRESULT = outer('delta')()\n",
    ),
    (
        "delta.py",
        "x = 1000000; y = 'some words'; z = (1, 'x'); w = 'x'; long = 2 ** 70\nRESULT = (x, y, z, w, long, z in {(1, 'x'), (2, 'y')})\n",
    ),
    (
        "unicode.py",
        "# -*- coding: utf-8 -*-\nt = (u'caf\\xe9', u'\\u20ac', '', 'a', u'\\xe9')\nRESULT = [s in {u'caf\\xe9', u'\\u20ac', 'zz', 'yy'} for s in t]\n",
    ),
];

/// The newest CPython of each version that can be started.
fn pythons() -> Vec<(Interpreter, &'static Profile)> {
    let mut found: Vec<(Interpreter, &'static Profile)> = Vec::new();
    for one in found::interpreters() {
        let profile = Release::parse(&one.facts.version).and_then(|release| Profile::of(release.version));
        let is_ordinary = one.facts.implementation == "cpython" && !one.facts.free_threaded && !one.facts.debug;
        if let (Some(profile), true, true) = (profile, is_ordinary, one.executable().is_some()) {
            found.retain(|(_, other)| other.version != profile.version);
            found.push((one, profile));
        }
    }
    found
}

fn python(interpreter: &Interpreter, seed: usize, arguments: &[&str]) -> Output {
    let mut command = Command::new(interpreter.executable().unwrap());
    // 2.7 takes the seed only if it is told to.
    command.arg("-R").args(arguments).env("PYTHONHASHSEED", seed.to_string()).env("PYTHONDONTWRITEBYTECODE", "1");
    command.output().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The .pyc files of these sources, compiled in another order and under another seed in each round.
fn rounds(interpreter: &Interpreter, profile: &Profile, sources: &[PathBuf], out: &Path) -> Vec<Vec<Vec<u8>>> {
    let header = Pyc::new(profile, pyc_core::pyc::Header::MtimeSize { flags: 0, mtime: 7, size: 9 }, b"").to_bytes();
    let header: String = header.iter().map(|byte| format!("{byte:02x}")).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_order.py");
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let mut order: Vec<&PathBuf> = sources.iter().collect();
        // Rotated and turned around: each file is first, last and beside others.
        order.rotate_left(round * sources.len() / ROUNDS);
        if round % 2 == 1 {
            order.reverse();
        }
        let mut arguments = vec![path(&script), path(out), &header];
        arguments.extend(order.iter().map(|source| path(source)));
        let output = python(interpreter, round + 1, &arguments);
        assert!(output.status.success(), "{}: {}", interpreter.id, String::from_utf8_lossy(&output.stderr));
        let file = |place| std::fs::read(out.join(format!("{place}.pyc"))).unwrap();
        rounds.push((0..sources.len()).map(file).collect());
    }
    rounds
}

/// How many of the files differ before; none may after.
fn check(interpreter: &Interpreter, profile: &Profile, sources: &[PathBuf], out: &Path, verifier: &Verifier) -> usize {
    let rounds = rounds(interpreter, profile, sources, out);
    let form = |bytes: &[u8], verifier: &Verifier| {
        let normal = normalize(bytes, &Options::default(), || None, verifier);
        normal.unwrap_or_else(|trouble| panic!("{}: {trouble}", interpreter.id))
    };
    let mut differing = 0;
    for (place, source) in sources.iter().enumerate() {
        let files: BTreeSet<&[u8]> = rounds.iter().map(|round| &round[place][..]).collect();
        differing += usize::from(files.len() > 1);
        let forms: BTreeSet<Vec<u8>> = files.iter().map(|file| form(file, &Verifier::default()).bytes).collect();
        assert_eq!(forms.len(), 1, "{}: {}", interpreter.id, source.display());
        let normal = forms.first().unwrap();
        let again = form(normal, verifier);
        assert_eq!(&again.bytes, normal, "the form of the form of {}", source.display());
        // Asked of the file as it was compiled, the interpreter confirms that it is the same value.
        let confirmed = form(&rounds[0][place], verifier).verified;
        let asked = verifier.names().find(|name| **name == interpreter.id && &rounds[0][place] != normal);
        assert_eq!(confirmed.as_deref(), asked);
        std::fs::write(out.join(source.with_extension("pyc").file_name().unwrap()), normal).unwrap();
    }
    differing
}

fn names_of_three(pythons: &[(Interpreter, &'static Profile)]) -> Vec<usize> {
    let last = pythons.len().saturating_sub(1);
    BTreeSet::from([0, last / 2, last]).into_iter().filter(|place| *place < pythons.len()).collect()
}

#[test]
fn whatever_a_process_has_compiled_the_normal_form_is_one_and_runs() {
    let pythons = pythons();
    if pythons.is_empty() {
        println!("skipped: no CPython that can be started was found; nothing was compiled");
    }
    let folder = tempfile::tempdir().unwrap();
    let sources: Vec<PathBuf> = SOURCES.iter().map(|(name, _)| folder.path().join(name)).collect();
    for (source, (_, text)) in sources.iter().zip(SOURCES) {
        std::fs::write(source, text).unwrap();
    }
    let mut sorted = sources.clone();
    sorted.sort();
    for place in names_of_three(&pythons) {
        let (interpreter, profile) = &pythons[place];
        let out = tempfile::tempdir().unwrap();
        let verifier = Verifier::new(std::slice::from_ref(interpreter));
        let differing = check(interpreter, profile, &sorted, out.path(), &verifier);
        println!("{}: {differing} of {} files differ before", interpreter.id, sorted.len());
        // 2.7 has no flags.
        assert!(differing > 0 || profile.is_python2(), "{}", interpreter.id);
        let run = |folder: &Path| {
            let modules: Vec<&str> = SOURCES.iter().map(|(name, _)| name.trim_end_matches(".py")).collect();
            let code = format!(
                "import sys; sys.path.insert(0, {:?}); import {}; print([m.RESULT for m in ({},)])",
                path(folder),
                modules.join(", "),
                modules.join(", ")
            );
            let output = python(interpreter, 1, &["-c", &code]);
            assert!(output.status.success(), "{}: {}", interpreter.id, String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        assert_eq!(run(folder.path()), run(out.path()), "{}", interpreter.id);
    }
}

/// 200 files of the standard library of each version.
#[test]
#[ignore = "takes long; ci/nightly runs it"]
fn standard_libraries_have_one_normal_form() {
    for (interpreter, profile) in pythons() {
        let stdlib = Path::new(&interpreter.facts.stdlib);
        let listed =
            |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let folders = [stdlib.to_owned(), stdlib.join("email"), stdlib.join("json"), stdlib.join("asyncio")];
        let mut sources: Vec<PathBuf> = folders.iter().flat_map(|folder| listed(folder)).collect();
        sources.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
        sources.sort();
        sources.truncate(200);
        let out = tempfile::tempdir().unwrap();
        let verifier = Verifier::new(std::slice::from_ref(&interpreter));
        let differing = check(&interpreter, profile, &sources, out.path(), &verifier);
        println!("{}: {differing} of {} files differ before", interpreter.id, sources.len());
        // Each stream of them loads, and each module is imported from its normal form alone: its code runs, and ends as the
        // source's does.
        let code = format!(
            "import os, marshal, types\nfor p in sorted(os.listdir({out:?})):\n    f = open(os.path.join({out:?}, p), 'rb').read()\n    \
             c = marshal.loads(f[{start}:])\n    assert type(c) is types.CodeType, p\n",
            out = path(out.path()),
            start = profile.header.length()
        );
        let output = python(&interpreter, 1, &["-c", &code]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // These print, or open a browser.
        let is_quiet = |name: &String| !["antigravity", "this", "__phello__"].contains(&name.as_str());
        let modules = sources.iter().filter(|source| source.parent() == Some(stdlib));
        let stem = |source: &PathBuf| source.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let modules: Vec<String> = modules.filter_map(stem).filter(is_quiet).collect();
        let run = |from: &Path| {
            let code = format!(
                "import sys; sys.path.insert(0, {:?})\nfor name in {modules:?}:\n    try:\n        __import__(name); end = 'imported'\n    \
                 except BaseException as e:\n        end = type(e).__name__\n    print(name + ' ' + end)",
                path(from)
            );
            String::from_utf8(python(&interpreter, 1, &["-S", "-c", &code]).stdout).unwrap()
        };
        let (expected, found) = (run(stdlib), run(out.path()));
        assert_eq!(found, expected, "{}", interpreter.id);
        let imported = found.lines().filter(|line| line.ends_with(" imported")).count();
        println!("{}: {imported} of {} modules are imported from their normal forms", interpreter.id, modules.len());
        assert!(imported > modules.len() / 2 || modules.len() < 20, "{}: {found}", interpreter.id);
    }
}

#[test]
fn prefixes_end_where_parts_of_paths_do() {
    let check = |old: &str, name: &str, expected: Option<&str>| {
        let remap = [(old.to_owned(), "/usr".to_owned()), ("/".to_owned(), "/all/".to_owned())];
        let said = remapped(name.as_bytes(), &remap).map(|name| String::from_utf8(name).unwrap());
        assert_eq!(said.as_deref(), expected, "{old} {name}");
    };
    check("/build", "/build/a.py", Some("/usr/a.py"));
    check("/build", "/build", Some("/usr"));
    check("/build", "/builder/a.py", Some("/all/builder/a.py"));
    check("C:\\b", "C:\\b\\a.py", Some("/usr\\a.py"));
    check("src/", "src/a.py", Some("/usra.py"));
    check("/build", "a.py", None);
}

fn provost(arguments: &[&str]) -> (i32, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_provost")).args(arguments).env_remove("PROVOST_PYTHONS").output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code().unwrap(), text)
}

fn greet(version: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../corpus/seeds/greet-{version}.pyc"));
    std::fs::read(file).unwrap()
}

/// Files are replaced with their mode; what is refused stays.
#[test]
fn files_are_rewritten_in_place() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("__pycache__");
    std::fs::create_dir(&cache).unwrap();
    let file = cache.join("greet.cpython-312.pyc");
    let link = folder.path().join("link.pyc");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let write = || {
        std::fs::write(&file, greet("3.12")).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    };
    write();
    let check = |arguments: &[&str], status: i32, said: &[&str]| {
        let all = [&["normalize", "--no-search"], arguments].concat();
        let (code, text) = provost(&all);
        assert_eq!(arguments.contains(&"--json"), schema::fits("normalize", &text) > 0, "{all:?}\n{text}");
        assert_eq!(code, status, "{all:?}\n{text}");
        for one in said {
            assert!(text.contains(one), "{all:?} does not say {one:?}:\n{text}");
        }
    };
    let at = path(&file).to_owned();
    check(&["--check", &at], 1, &["would change"]);
    assert_eq!(std::fs::read(&file).unwrap(), greet("3.12"));
    check(&[path(&link)], 0, &["changed, "]);
    assert!(link.is_symlink());
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    let normal = std::fs::read(&file).unwrap();
    assert_ne!(normal, greet("3.12"));
    std::fs::write(folder.path().join("again.pyc"), &normal).unwrap();
    check(&["--check", path(folder.path())], 0, &["2 normal", "0 refused\n", "link.pyc: is a link, and is skipped"]);
    std::fs::remove_file(folder.path().join("again.pyc")).unwrap();
    // What is out of the folder stays.
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    std::os::unix::fs::symlink(&file, inner.join("x.pyc")).unwrap();
    check(&["--mtime", "9", path(&inner)], 0, &["x.pyc: is a link, and is skipped"]);
    assert_eq!(std::fs::read(&file).unwrap(), normal);
    check(&["--json", &at], 0, &["\"status\":\"normal\"", "\"python\":\"3.12\""]);
    check(&["--remap", "greet.py=/src/greet.py", &at], 0, &["file names"]);
    assert!(std::fs::read(&file).unwrap().windows(13).any(|window| window == b"/src/greet.py"));
    check(&["--remap", "/src/greet.py=greet.py", &at], 0, &[]);
    assert_eq!(std::fs::read(&file).unwrap(), normal);
    check(&["--mtime", "1", &at], 0, &["changed"]);
    assert_eq!(std::fs::read(&file).unwrap()[8..12], [1, 0, 0, 0]);
    check(&["--hash", "checked", &at], 1, &["no source file"]);
    std::fs::write(folder.path().join("greet.py"), b"x=1\n").unwrap();
    check(&["--hash", "checked", &at], 0, &["changed"]);
    assert_eq!(std::fs::read(&file).unwrap()[4..16], *b"\x03\0\0\0\x2c\xf2\x6e\xbe\x71\x32\x86\x71");
    check(&["--mtime", "1", &at], 1, &["its header has a hash of the source file, and no time"]);
    check(&["--hash", "checked", "--mtime", "1", &at], 2, &["cannot be used with"]);
    let old = folder.path().join("old.pyc");
    std::fs::write(&old, greet("3.6")).unwrap();
    check(&["--hash", "checked", path(&old)], 1, &["files of Python 3.6 have no hashes; leave --hash out"]);
    check(&["--form", "2", &at], 2, &["1..=1"]);
    std::fs::write(&file, b"\xcb\x0d\r\n\0\0\0\0\0\0\0\0\0\0\0\0?").unwrap();
    check(&[&at], 1, &["unknown type byte", "at byte 0x10"]);
    check(&["--json", &at], 1, &["\"error\":{\"kind\":\"stream\",\"offset\":16"]);
    assert_eq!(std::fs::read(&file).unwrap().len(), 17);
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 1, "nothing else is left behind");
}

/// As RECORD has hashes: the alphabet for URLs, without padding.
fn base64(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| usize::from(byte >> (7 - at % 8) & 1));
    let digit = |at: usize| char::from(alphabet[(at..at + 6).fold(0, |digit, at| digit << 1 | bit(at))]);
    (0..8 * bytes.len()).step_by(6).map(digit).collect()
}

/// A wheel's RECORD has the hashes of what is in it.
#[test]
fn wheels_are_rewritten_with_their_record() {
    use std::io::{Read, Write};
    let folder = tempfile::tempdir().unwrap();
    let wheel = folder.path().join("p-1-py3-none-any.whl");
    let pack = |record: Option<&str>, more: Option<&str>| {
        let mut writer = zip::ZipWriter::new(std::fs::File::create(&wheel).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        let greet = greet("3.12");
        let members = [("p/greet.py", &b"x"[..]), ("p/greet.pyc", &greet)];
        let options = options.into_full_options().with_file_comment("a comment");
        let record = record.map(|text| ("p-1.dist-info/RECORD", text.as_bytes()));
        for (name, bytes) in members.into_iter().chain(record).chain(more.map(|name| (name, &b"y"[..]))) {
            writer.start_file(name, options.clone()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
    };
    let check = |status: i32, said: &str| {
        let (code, text) = provost(&["normalize", "--no-search", path(&wheel)]);
        assert_eq!(code, status, "{text}");
        assert!(text.contains(said), "{text}");
    };
    let digest = |bytes: &[u8]| {
        use sha2::Digest;
        base64(&sha2::Sha256::digest(bytes))
    };
    let source = format!("p/greet.py,sha256={},1\n", digest(b"x"));
    let old = format!("sha256={},{}", digest(&greet("3.12")), greet("3.12").len());
    let record = format!("{source}p/greet.pyc,{old}\np-1.dist-info/RECORD,,\n");
    let record = record.as_str();
    pack(None, None);
    check(1, "has no RECORD");
    pack(Some("p/greet.py,,\n"), None);
    check(1, "does not list p/greet.pyc");
    pack(Some(record), Some("p-1.dist-info/RECORD.jws"));
    check(1, "signs the list of hashes");
    // What is wrong already is not made right in silence.
    pack(Some(&record.replace("p/greet.py,sha256=", "p/greet.py,sha256=0")), None);
    check(1, "RECORD is wrong already: p/greet.py has");
    pack(Some(&record.replace(&old, "sha256=old,1")), None);
    check(1, "RECORD is wrong already: p/greet.pyc has");
    pack(Some(&record.replace(&old, ",1")), None);
    check(1, "RECORD is wrong already: p/greet.pyc has");
    pack(Some(record), None);
    check(0, "1 member and RECORD");
    let (status, text) = provost(&["normalize", "--no-search", "--json", path(&wheel)]);
    assert!(status == 0 && text.contains("\"status\":\"normal\""), "{text}");
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&wheel).unwrap()).unwrap();
    let mut member = |name: &str| {
        let mut bytes = Vec::new();
        let mut member = archive.by_name(name).unwrap();
        assert_eq!(member.comment(), "a comment");
        member.read_to_end(&mut bytes).unwrap();
        bytes
    };
    let size = member("p/greet.pyc").len();
    let record = String::from_utf8(member("p-1.dist-info/RECORD")).unwrap();
    assert!(record.starts_with(&format!("{source}p/greet.pyc,sha256=")), "{record}");
    assert!(record.contains(&format!(",{size}\np-1.dist-info/RECORD,,\n")) && !record.contains(&old), "{record}");
    // A zip has none.
    let zip = folder.path().join("p.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&zip).unwrap());
    writer.start_file("p/greet.pyc", zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(&greet("3.12")).unwrap();
    writer.finish().unwrap();
    let (status, text) = provost(&["normalize", "--no-search", path(&zip)]);
    assert!(status == 0 && text.contains(", 1 member\n"), "{text}");
}
