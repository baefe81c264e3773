//! Source files become .pyc files, through interpreters and where these look for them.

use super::Trouble;
use super::input::files_below;
use super::normalize::remapped;
use super::places::{CACHE, cache_of};
use super::replace::create_as;
use super::source::mtime;
use interpreters::{Interpreter, Limits, Outcome, Supervisor};
use protocol::{Answer, Compile};
use pyc_core::magic::Magic;
use pyc_core::pyc::{Header, Pyc, SourceFile, import, source_hash};
use pyc_core::{HeaderLayout, Profile, Release};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What the header says of the source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Its time and size.
    Timestamp,
    /// Its hash, which imports compare.
    CheckedHash,
    /// Its hash, which imports believe.
    UncheckedHash,
}

/// How files are compiled.
#[derive(Debug, Clone)]
pub struct Options {
    /// 0, 1 for -O, 2 for -OO.
    pub optimize: u8,
    /// The header.
    pub mode: Mode,
    /// Whether it was asked for; else Pythons without hashes have the time of the source.
    pub is_mode_asked: bool,
    /// Prefixes of file names in code objects, and what is to be in their place.
    pub prefix_map: Vec<(String, String)>,
    /// Also what is not stale.
    pub force: bool,
    /// PYTHONPYCACHEPREFIX
    pub prefix: Option<PathBuf>,
}

/// An interpreter that compiles.
#[derive(Debug)]
pub struct Compiler {
    interpreter: Interpreter,
    profile: &'static Profile,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It was compiled.
    Compiled,
    /// The .pyc file is up to date.
    Fresh,
}

impl Compiler {
    /// Of a CPython that pyc-core knows and that writes the magic number of final releases.
    #[must_use]
    pub fn of(interpreter: &Interpreter) -> Option<Compiler> {
        let profile = Profile::of(Release::parse(&interpreter.facts.version)?.version)?;
        let magic = crate::case::hex(&Magic::of(profile.magic).bytes());
        let is_it = interpreter.facts.implementation == "cpython" && interpreter.facts.magic == magic;
        is_it.then(|| Compiler { interpreter: interpreter.clone(), profile })
    }

    /// The interpreter's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.interpreter.id
    }

    /// Its version, and whether it is an ordinary build: the greatest is the one to have.
    #[must_use]
    pub fn rank(&self) -> (bool, Option<Release>) {
        (!self.interpreter.facts.debug, Release::parse(&self.interpreter.facts.version))
    }

    /// `sys.implementation.cache_tag`; 2.7 has none. Those with the same one write the same files.
    #[must_use]
    pub fn tag(&self) -> Option<String> {
        let pyc_core::Version { major, minor } = self.profile.version;
        let suffix = if self.interpreter.facts.free_threaded { "t" } else { "" };
        (!self.profile.is_python2()).then(|| format!("cpython-{major}{minor}{suffix}"))
    }

    /// Compiles one source file, unless its .pyc file is up to date. `supervisors` are those of the thread.
    ///
    /// # Errors
    /// When the source has an error, or a file cannot be read or written.
    pub fn compile(
        &self,
        source: &Path,
        options: &Options,
        supervisors: &mut BTreeMap<String, Supervisor>,
    ) -> Result<(PathBuf, Made), Trouble> {
        let has_hashes = self.profile.header == HeaderLayout::Flags;
        // SOURCE_DATE_EPOCH alone does not forbid Pythons without hashes.
        let mode = if has_hashes || options.is_mode_asked { options.mode } else { Mode::Timestamp };
        if mode != Mode::Timestamp && !has_hashes {
            let what = format!("files of {} have no hashes", self.id());
            return Err(Trouble::new("no-hashes", what, "leave --invalidation-mode out, or name a newer Python"));
        }
        let bytes = std::fs::read(source).map_err(|e| Trouble::io(&e))?;
        let facts = source.metadata().map_err(|e| Trouble::io(&e))?;
        let mtime = mtime(&facts).map_err(|e| Trouble::io(&e))?;
        let prefix = options.prefix.as_deref().filter(|_| self.profile.has_cache_prefix());
        let target = cache_of(source, self.tag().as_deref(), options.optimize, prefix);
        let file = SourceFile { bytes: &bytes, mtime };
        // 2.7 has one .pyo file for -O and -OO, and nothing in it tells of which it is.
        let is_told = self.tag().is_some() || options.optimize == 0;
        if !options.force && is_told && std::fs::read(&target).is_ok_and(|old| self.is_fresh(&old, file, mode)) {
            return Ok((target, Made::Fresh));
        }
        if Magic::at_start(&bytes).is_some() && bytes.contains(&0) {
            return Err(Trouble::new("source", "is a .pyc file, and no source", "name its source"));
        }
        let name = source.display().to_string();
        let filename = remapped(name.as_bytes(), &options.prefix_map).and_then(|name| String::from_utf8(name).ok());
        let request = Compile { source: bytes.clone(), filename: filename.unwrap_or(name), optimize: options.optimize };
        let supervisor = supervisors
            .entry(self.interpreter.id.clone())
            .or_insert_with(|| Supervisor::new(&self.interpreter, Limits::default()));
        let broken =
            |what: String| Trouble::new("compiler", what, "`provost doctor` tells which interpreters can be used");
        let compiled = match supervisor.compile(&request) {
            Ok(Outcome::Answer(Answer::Compiled(pyc))) => pyc,
            Ok(Outcome::Answer(Answer::NotCompiled(exception))) => {
                let what = format!("{}: {}: {}", self.id(), exception.class, exception.message);
                return Err(Trouble::new("source", what, "mend the source, or name another Python"));
            }
            Ok(other) => return Err(broken(format!("{} did not compile it: {other:?}", self.id()))),
            Err(e) => return Err(broken(format!("{}: {}", self.id(), e.reason))),
        };
        let stream = Pyc::parse(&compiled).map_err(|e| broken(format!("{} writes no .pyc file: {e}", self.id())))?;
        let size = u32::try_from(bytes.len() as u64 & 0xFFFF_FFFF).unwrap_or(0);
        let header = match mode {
            Mode::Timestamp => Header::MtimeSize { flags: 0, mtime, size },
            mode => {
                let flags = if mode == Mode::CheckedHash { 3 } else { 1 };
                Header::Hash { flags, hash: source_hash(self.profile, &bytes) }
            }
        };
        // As importlib has it: who cannot read the source cannot read this either.
        let permissions = (facts.permissions().mode() | 0o200) & 0o666;
        create_as(&target, &Pyc::new(self.profile, header, stream.payload).to_bytes(), permissions)?;
        Ok((target, Made::Compiled))
    }

    /// Whether an import would take the file, and it is of the kind that was asked for.
    fn is_fresh(&self, file: &[u8], source: SourceFile<'_>, mode: Mode) -> bool {
        let Ok(pyc) = Pyc::parse(file) else { return false };
        let is_accepted = import(file, self.profile, Some(source), "it").is_ok();
        let is_it = match (pyc.header, mode) {
            (Header::Mtime { mtime }, Mode::Timestamp) => mtime == source.mtime,
            (Header::MtimeSize { .. }, Mode::Timestamp) => true,
            (Header::Hash { flags, hash }, Mode::CheckedHash | Mode::UncheckedHash) => {
                (flags == 3) == (mode == Mode::CheckedHash) && hash == source_hash(self.profile, source.bytes)
            }
            _ => false,
        };
        is_accepted && is_it && !pyc.payload.is_empty()
    }
}

/// The source files that these paths name or hold, each with the trouble that a path has.
#[must_use]
pub fn sources(paths: &[PathBuf]) -> Vec<(PathBuf, Option<Trouble>)> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push((path.clone(), None));
            continue;
        }
        let (files, troubles) = files_below(path);
        let is_source = |file: &PathBuf| {
            let in_cache = file.parent().and_then(Path::file_name).is_some_and(|folder| folder == CACHE);
            file.extension().is_some_and(|extension| extension == "py") && !in_cache
        };
        found.extend(files.into_iter().filter(is_source).map(|file| (file, None)));
        found.extend(troubles.into_iter().map(|(folder, trouble)| (folder, Some(trouble))));
    }
    found
}
