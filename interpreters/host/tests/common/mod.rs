//! What the tests of the built `host` run with: every libpython from 3.9 on that PROVOST_TEST_LIBPYTHON lists (separated by
//! `:`) or, without that variable, that pyenv has installed; and the built worker.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

pub(crate) struct Interpreter {
    pub(crate) libpython: PathBuf,
    pub(crate) prefix: PathBuf,
    pub(crate) version: (u8, u8),
}

pub(crate) static INTERPRETERS: LazyLock<Vec<Interpreter>> = LazyLock::new(|| {
    let candidates = match std::env::var_os("PROVOST_TEST_LIBPYTHON") {
        Some(list) => std::env::split_paths(&list).collect(),
        None => pyenv_libraries(),
    };
    let mut found: Vec<_> = candidates.iter().filter_map(|path| interpreter(path)).collect();
    found.sort_by_key(|i| i.version);
    if found.is_empty() {
        eprintln!("skipped: no libpython3.9 or later; name one in PROVOST_TEST_LIBPYTHON");
    }
    found
});

fn pyenv_libraries() -> Vec<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let list = |directory: PathBuf| directory.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    list(home.join(".pyenv/versions")).flat_map(|version| list(version.join("lib"))).collect()
}

/// The interpreter that a `libpython3.X.so` belongs to.
fn interpreter(libpython: &Path) -> Option<Interpreter> {
    let minor = libpython.file_name()?.to_str()?.strip_prefix("libpython3.")?.split_once(".so")?.0;
    let version = (3, minor.parse().ok().filter(|&minor| minor >= 9)?);
    // One library has several names, such as libpython3.12.so and libpython3.12.so.1.0.
    let libpython = Some(libpython).filter(|path| path.extension().is_some_and(|e| e != "so"))?;
    let prefix = libpython.ancestors().find(|p| p.join(format!("lib/python3.{minor}/os.py")).is_file())?;
    Some(Interpreter { libpython: libpython.into(), prefix: prefix.into(), version })
}

/// The worker, built in the profile and beside the `host` of this test.
pub(crate) static WORKER: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = Path::new(env!("CARGO_BIN_EXE_host")).parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "-p", "worker", "--manifest-path"]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../worker/Cargo.toml"));
    cargo.arg("--target-dir").arg(directory.parent().unwrap());
    if directory.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "the worker does not build");
    directory.join("libworker.so")
});
