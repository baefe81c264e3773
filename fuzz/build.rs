//! `cfg(fuzzing)` is set by cargo-fuzz, and rustc wants to hear of every cfg that it does not know.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(fuzzing)");
    println!("cargo::rerun-if-changed=build.rs");
}
