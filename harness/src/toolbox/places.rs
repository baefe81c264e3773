//! Where .pyc files and their sources are, as importlib has it (`cache_from_source`, `source_from_cache`) and 2.7 before it.

use pyc_core::{Profile, Version};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The folder of .pyc files beside the sources (3.2 and later).
pub const CACHE: &str = "__pycache__";

/// How the part of a name begins that says whose file it is.
const TAGS: [&str; 3] = [".cpython-", ".pypy", ".graalpy"];

/// PYTHONPYCACHEPREFIX, if it is set.
#[must_use]
pub fn prefix() -> Option<PathBuf> {
    std::env::var_os("PYTHONPYCACHEPREFIX").filter(|prefix| !prefix.is_empty()).map(PathBuf::from)
}

/// Where a text begins last in a name, which need not be text.
fn rfind(name: &[u8], text: &str) -> Option<usize> {
    name.windows(text.len()).rposition(|part| part == text.as_bytes())
}

/// The parts of a name such as `x.cpython-311.opt-1.pyc`: the module and the tag. A module that is a script may have dots.
fn parts(stem: &[u8]) -> Option<(&[u8], &str)> {
    let dot = || stem.iter().position(|byte| *byte == b'.');
    let at = TAGS.iter().filter_map(|tag| rfind(stem, tag)).max().or_else(dot)?;
    let tag = std::str::from_utf8(&stem[at + 1..]).ok()?;
    Some((&stem[..at], tag.rsplit_once(".opt-").map_or(tag, |(tag, _)| tag)))
}

/// The name of a .pyc file up to its suffix.
fn stem(pyc: &Path) -> Option<&[u8]> {
    let name = pyc.file_name()?.as_bytes();
    let lower = name.to_ascii_lowercase();
    let at = [".pyc", ".pyo"].iter().filter_map(|suffix| rfind(&lower, suffix)).max()?;
    Some(&name[..at])
}

/// Whether the name tells whose file it is. Other names have dots, too.
fn has_tag(stem: &[u8]) -> bool {
    TAGS.iter().any(|tag| rfind(stem, tag).is_some())
}

/// The name of a module's source.
fn dot_py(module: &[u8]) -> OsString {
    let mut name = OsStr::from_bytes(module).to_owned();
    name.push(".py");
    name
}

/// The folder of the sources whose compiled files are in this folder, below PYTHONPYCACHEPREFIX.
fn below(folder: &Path, prefix: &Path) -> Option<PathBuf> {
    let strip = |folder: &Path, prefix: &Path| folder.strip_prefix(prefix).ok().map(|rest| Path::new("/").join(rest));
    let (whole, absolute) = (std::path::absolute(folder).ok()?, std::path::absolute(prefix).ok()?);
    // A link may lead there.
    strip(&whole, &absolute).or_else(|| strip(&whole.canonicalize().ok()?, &absolute.canonicalize().ok()?))
}

/// The folder of the sources whose compiled files Python 3 keeps in the folder of this one, if it is such a folder.
fn cached(pyc: &Path, prefix: Option<&Path>) -> Option<PathBuf> {
    let folder = pyc.parent()?;
    if folder.file_name().is_some_and(|name| name == CACHE) {
        return folder.parent().map(Path::to_owned);
    }
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    below(folder, prefix.filter(|_| stem(pyc).is_some_and(has_tag))?)
}

/// The source that an import would compile in the place of this file: `x.py` for `__pycache__/x.cpython-311.opt-1.pyc`, `x.pyc` and
/// what such a file was renamed to. It need not exist; `None` if the name is not one of a .pyc file. `prefix` is
/// PYTHONPYCACHEPREFIX.
#[must_use]
pub fn source_below(pyc: &Path, prefix: Option<&Path>) -> Option<PathBuf> {
    let stem = stem(pyc)?;
    match cached(pyc, prefix) {
        Some(folder) => parts(stem).map(|(module, _)| folder.join(dot_py(module))),
        None => Some(pyc.parent()?.join(dot_py(stem))),
    }
}

/// The same with the prefix of the environment.
#[must_use]
pub fn source_of(pyc: &Path) -> Option<PathBuf> {
    source_below(pyc, prefix().as_deref())
}

/// Whether the file is where Python 3 keeps compiled files: it is imported only together with its source.
#[must_use]
pub fn is_cached(pyc: &Path, prefix: Option<&Path>) -> bool {
    cached(pyc, prefix).is_some()
}

/// Whether this may be the file of a source that exists, below a PYTHONPYCACHEPREFIX that is not set now.
#[must_use]
pub fn may_have_source(pyc: &Path) -> bool {
    let Some((module, _)) = stem(pyc).filter(|stem| has_tag(stem)).and_then(parts) else { return false };
    let Ok(whole) = std::path::absolute(pyc) else { return false };
    let mut rest = whole.parent().unwrap_or(Path::new("")).components();
    std::iter::from_fn(|| rest.next().map(|_| rest.as_path().to_owned()))
        .any(|rest| Path::new("/").join(rest).join(dot_py(module)).is_file())
}

/// The cache tag in the name of a file that is where Python 3 keeps compiled files: `cpython-311`.
#[must_use]
pub fn tag_of<'p>(pyc: &'p Path, prefix: Option<&Path>) -> Option<&'p str> {
    parts(stem(pyc)?).map(|(_, tag)| tag).filter(|_| is_cached(pyc, prefix))
}

/// Whether this Python looks for files of this name when it imports: `x.cpython-311.opt-1.pyc` where it keeps compiled files, else
/// `x.pyc`. Copies, what a killed command left behind and what pytest writes are for others.
#[must_use]
pub fn is_looked_for(pyc: &Path, profile: &Profile, prefix: Option<&Path>) -> bool {
    let Some(name) = pyc.file_name().map(OsStr::as_bytes) else { return false };
    let stem = name.strip_suffix(b".pyc");
    if !is_cached(pyc, prefix) {
        return stem.is_some() || profile.is_python2() && name.ends_with(b".pyo");
    }
    let Some((stem, (module, tag))) = stem.and_then(|stem| Some((stem, parts(stem)?))) else { return false };
    let level = &stem[module.len() + 1 + tag.len()..];
    let is_level = |level: &[u8]| !level.is_empty() && level.iter().all(u8::is_ascii_digit);
    let has_level = level.is_empty() || level.strip_prefix(b".opt-").is_some_and(is_level);
    has_level && profile_of(tag) == Some(profile) && tag.matches('-').count() == 1 && !profile.is_python2()
}

/// The file that makes a folder the package that is imported in the place of a module beside it.
#[must_use]
pub fn package_before(source: &Path, exists: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let folder = source.with_extension("");
    ["__init__.py", "__init__.pyc"].iter().map(|name| folder.join(name)).find(|file| exists(file))
}

/// The CPython that has this cache tag, if it is modelled. What pytest writes, `cpython-312-pytest-8.0.0`, is for the same.
#[must_use]
pub fn profile_of(tag: &str) -> Option<&'static Profile> {
    let rest = tag.strip_prefix("cpython-")?;
    let (digits, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    let (major, minor) = digits.split_at_checked(1)?;
    let is_it = ["", "t"].contains(&rest) || rest.starts_with('-');
    Profile::of(Version::new(major.parse().ok()?, minor.parse().ok()?)).filter(|_| is_it)
}

/// Where the Python with this cache tag looks for the .pyc file of a source; without a tag, as 2.7 does. `prefix` is
/// PYTHONPYCACHEPREFIX.
#[must_use]
pub fn cache_of(source: &Path, tag: Option<&str>, optimize: u8, prefix: Option<&Path>) -> PathBuf {
    // A name need not be text.
    let mut name = source.file_stem().unwrap_or_default().to_owned();
    let folder = source.parent().unwrap_or(Path::new(""));
    let Some(tag) = tag else {
        name.push(if optimize == 0 { ".pyc" } else { ".pyo" });
        return folder.join(name);
    };
    let level = if optimize == 0 { String::new() } else { format!(".opt-{optimize}") };
    name.push(format!(".{tag}{level}.pyc"));
    match prefix {
        None => folder.join(CACHE).join(name),
        Some(prefix) => {
            // Of the source: an empty path has no absolute one.
            let whole = std::path::absolute(source).unwrap_or_else(|_| source.to_owned());
            let folder = whole.parent().unwrap_or(folder);
            prefix.join(folder.strip_prefix("/").unwrap_or(folder)).join(name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_caches_are_where_importlib_has_them() {
        for (pyc, source, tag) in [
            ("a/__pycache__/x.cpython-311.opt-1.pyc", Some("a/x.py"), Some("cpython-311")),
            ("__pycache__/x.cpython-36.pyc", Some("x.py"), Some("cpython-36")),
            ("a/x.pyc", Some("a/x.py"), None),
            ("a/x.pyo", Some("a/x.py"), None),
            ("a/UP.PYC", Some("a/UP.py"), None),
            ("a/x.pyc-notyet", Some("a/x.py"), None),
            ("a/__pycache__/x.cpython-39.pyc.backup", Some("a/x.py"), Some("cpython-39")),
            ("a/__pycache__/x.y.cpython-39.opt-2.pyc", Some("a/x.y.py"), Some("cpython-39")),
            ("a/__pycache__/x.cpython-312-pytest-8.0.0.pyc", Some("a/x.py"), Some("cpython-312-pytest-8.0.0")),
            ("a/__pycache__/x.pyc", None, None),
            ("a/x.py", None, None),
            // Below the prefix.
            ("/cache/a/x.cpython-311.opt-1.pyc", Some("/a/x.py"), Some("cpython-311")),
            ("/cache/x.cpython-311.pyc", Some("/x.py"), Some("cpython-311")),
            ("/cache/a/__pycache__/x.cpython-311.pyc", Some("/cache/a/x.py"), Some("cpython-311")),
            ("/cache/a/x.pyc", Some("/cache/a/x.py"), None),
            ("/cached/a/x.cpython-311.pyc", Some("/cached/a/x.cpython-311.py"), None),
        ] {
            let prefix = Some(Path::new("/cache"));
            assert_eq!(source_below(Path::new(pyc), prefix).as_deref(), source.map(Path::new), "{pyc}");
            assert_eq!(tag_of(Path::new(pyc), prefix), tag, "{pyc}");
        }
        let here = std::env::current_dir().unwrap();
        let in_rel = Path::new("rel").join(here.strip_prefix("/").unwrap()).join("x.cpython-312.pyc");
        assert_eq!(source_below(&in_rel, Some(Path::new("rel"))), Some(here.join("x.py")));
        let check = |source: &str, tag, optimize, prefix: Option<&str>, expected: &Path| {
            assert_eq!(cache_of(Path::new(source), tag, optimize, prefix.map(Path::new)), expected);
        };
        for (tag, optimize, prefix, expected) in [
            (Some("cpython-312"), 0, None, "/a/__pycache__/x.cpython-312.pyc"),
            (Some("cpython-312"), 2, None, "/a/__pycache__/x.cpython-312.opt-2.pyc"),
            (Some("cpython-312"), 0, Some("/cache"), "/cache/a/x.cpython-312.pyc"),
            (None, 0, None, "/a/x.pyc"),
            (None, 2, Some("/cache"), "/a/x.pyo"),
        ] {
            check("/a/x.py", tag, optimize, prefix, Path::new(expected));
        }
        for prefix in ["rel", "/cache"] {
            let expected = Path::new(prefix).join(here.strip_prefix("/").unwrap());
            check("x.py", Some("cpython-312"), 0, Some(prefix), &expected.join("x.cpython-312.pyc"));
            check("a/x.py", Some("cpython-312"), 0, Some(prefix), &expected.join("a/x.cpython-312.pyc"));
        }
    }

    /// A name need not be text.
    #[test]
    fn sources_are_found_whatever_bytes_their_names_have() {
        let path = |name: &[u8]| PathBuf::from(OsStr::from_bytes(name));
        for (pyc, source, tag) in [
            (&b"a/__pycache__/\xff.cpython-311.opt-1.pyc"[..], Some(&b"a/\xff.py"[..]), Some("cpython-311")),
            (b"a/\xff.pyc", Some(b"a/\xff.py"), None),
            (b"a/__pycache__/x.\xff.pyc", None, None),
        ] {
            assert_eq!(source_below(&path(pyc), None), source.map(path), "{pyc:?}");
            assert_eq!(tag_of(&path(pyc), None), tag, "{pyc:?}");
        }
    }

    #[test]
    fn tags_are_those_of_versions() {
        for (tag, expected) in [
            ("cpython-36", Some((3, 6))),
            ("cpython-312", Some((3, 12))),
            ("cpython-313t", Some((3, 13))),
            ("cpython-312-pytest-8.0.0", Some((3, 12))),
            ("cpython-399", None),
            ("cpython-312x", None),
            ("cpython-", None),
            ("pypy39", None),
        ] {
            let found = profile_of(tag).map(|profile| (profile.version.major, profile.version.minor));
            assert_eq!(found, expected, "{tag}");
        }
    }

    #[test]
    fn only_the_names_that_importlib_makes_are_looked_for() {
        for (name, minor, expected) in [
            ("__pycache__/x.cpython-312.pyc", 12, true),
            ("__pycache__/x.cpython-312.opt-2.pyc", 12, true),
            ("__pycache__/x.cpython-313t.pyc", 13, true),
            ("__pycache__/x.y.cpython-312.pyc", 12, true),
            ("__pycache__/x.cpython-312.opt-.pyc", 12, false),
            ("__pycache__/x.cpython-312.opt-2.bar.pyc", 12, false),
            ("__pycache__/x.cpython-312.pyc.140234", 12, false),
            ("__pycache__/x.cpython-312-pytest-7.4.0.pyc", 12, false),
            ("__pycache__/x.cpython-312.pyo", 12, false),
            ("__pycache__/x.pyc", 12, false),
            ("x.pyc", 12, true),
            ("X.PYC", 12, false),
            ("x.pyc-notyet", 12, false),
            ("x.pyo", 12, false),
        ] {
            let profile = Profile::of(Version::new(3, minor)).unwrap();
            assert_eq!(is_looked_for(Path::new(name), profile, None), expected, "{name}");
        }
        let python2 = Profile::of(Version::new(2, 7)).unwrap();
        for (name, expected) in [("x.pyo", true), ("x.pyc", true), ("__pycache__/x.cpython-27.pyc", false)] {
            assert_eq!(is_looked_for(Path::new(name), python2, None), expected, "{name}");
        }
    }

    #[test]
    fn sources_of_an_unknown_prefix_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let (prefix, source) = (folder.path().join("prefix"), folder.path().canonicalize().unwrap().join("x.py"));
        std::fs::write(&source, "").unwrap();
        let pyc = cache_of(&source, Some("cpython-312"), 0, Some(&prefix));
        assert!(may_have_source(&pyc), "{}", pyc.display());
        assert!(!may_have_source(&pyc.with_file_name("y.cpython-312.pyc")));
        assert!(!may_have_source(&pyc.with_file_name("x.pyc")));
    }
}
