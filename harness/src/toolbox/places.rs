//! Where .pyc files and their sources are, as importlib has it (`cache_from_source`, `source_from_cache`) and 2.7 before it.

use std::path::{Path, PathBuf};

/// The folder of .pyc files beside the sources (3.2 and later).
pub const CACHE: &str = "__pycache__";

/// The source that an import would compile in the place of this file: `x.py` for `__pycache__/x.cpython-311.opt-1.pyc`, `x.pyc` and
/// what such a file was renamed to. It need not exist; `None` if the name is not one of a .pyc file. What is below
/// PYTHONPYCACHEPREFIX does not tell.
#[must_use]
pub fn source_of(pyc: &Path) -> Option<PathBuf> {
    let name = pyc.file_name()?.to_str()?;
    let at = [".pyc", ".pyo"].iter().filter_map(|suffix| name.to_ascii_lowercase().rfind(suffix)).max()?;
    let stem = &name[..at];
    let folder = pyc.parent()?;
    if folder.file_name().is_some_and(|name| name == CACHE) {
        // The module's name has no dot; the tag and the level follow.
        let module = stem.split('.').next().filter(|module| module.len() < stem.len())?;
        return Some(folder.parent()?.join(format!("{module}.py")));
    }
    Some(folder.join(format!("{stem}.py")))
}

/// The cache tag in the name of a file in `__pycache__`: `cpython-311`.
#[must_use]
pub fn tag_of(pyc: &Path) -> Option<&str> {
    let is_cached = pyc.parent()?.file_name().is_some_and(|name| name == CACHE);
    pyc.file_name()?.to_str()?.split('.').nth(1).filter(|_| is_cached)
}

/// Where the Python with this cache tag looks for the .pyc file of a source; without a tag, as 2.7 does. `prefix` is
/// PYTHONPYCACHEPREFIX.
#[must_use]
pub fn cache_of(source: &Path, tag: Option<&str>, optimize: u8, prefix: Option<&Path>) -> PathBuf {
    let stem = source.file_stem().unwrap_or_default().to_string_lossy();
    let folder = source.parent().unwrap_or(Path::new(""));
    let Some(tag) = tag else {
        return folder.join(format!("{stem}.{}", if optimize == 0 { "pyc" } else { "pyo" }));
    };
    let level = if optimize == 0 { String::new() } else { format!(".opt-{optimize}") };
    let name = format!("{stem}.{tag}{level}.pyc");
    match prefix {
        None => folder.join(CACHE).join(name),
        Some(prefix) => {
            let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
            prefix.join(folder.strip_prefix("/").unwrap_or(&folder)).join(name)
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
            ("a/__pycache__/x.pyc", None, Some("pyc")),
            ("a/x.py", None, None),
        ] {
            assert_eq!(source_of(Path::new(pyc)).as_deref(), source.map(Path::new), "{pyc}");
            assert_eq!(tag_of(Path::new(pyc)), tag, "{pyc}");
        }
        let check = |tag, optimize, prefix: Option<&str>, expected: &str| {
            assert_eq!(cache_of(Path::new("/a/x.py"), tag, optimize, prefix.map(Path::new)), Path::new(expected));
        };
        check(Some("cpython-312"), 0, None, "/a/__pycache__/x.cpython-312.pyc");
        check(Some("cpython-312"), 2, None, "/a/__pycache__/x.cpython-312.opt-2.pyc");
        check(Some("cpython-312"), 0, Some("/cache"), "/cache/a/x.cpython-312.pyc");
        check(None, 0, None, "/a/x.pyc");
        check(None, 2, Some("/cache"), "/a/x.pyo");
    }
}
