//! The interpreters that are found on this machine, for the tests that ask all of them.

use interpreters::{Interpreter, Limits, Options, Workspace, discover};

pub(crate) fn interpreters() -> Vec<Interpreter> {
    let home = Workspace::locate();
    let found = discover(&Options {
        pythons: Vec::new(),
        search: true,
        driver: None,
        // Only if it is there already: a test does not install anything.
        pyodide: std::env::var_os("PROVOST_PYODIDE_MODULES").is_some() || home.pyodide.join("node_modules").is_dir(),
        home,
        limits: Limits::default(),
    });
    found.interpreters
}
