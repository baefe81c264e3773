//! An interpreter's own standard library as a source of real streams.
//!
//! Nothing resembles what users have on disk more than what the interpreter itself compiles. That takes a few milliseconds
//! for each file, so the .pyc files are kept: by interpreter, level, path and content, so that a file is compiled once
//! for as long as it does not change.

use crate::case::{hex, sha256_hex};
use crate::subjects::{Broken, Compiled, Subject};
use anyhow::{Context, Result, bail};
use protocol::{Compile, Exception, Facts};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Folders that are not the standard library although they are inside it.
const FOREIGN: [&str; 3] = ["site-packages", "dist-packages", "__pycache__"];

/// The length of the SHA-256 at the end of a cached file.
const DIGEST: usize = 32;

/// The .py files of one interpreter.
#[derive(Debug)]
pub struct Library {
    root: Root,
    /// Paths below the root, with `/`, in ascending order.
    pub files: Vec<String>,
}

#[derive(Debug)]
enum Root {
    Folder(PathBuf),
    Archive(Box<zip::ZipArchive<File>>),
}

impl Library {
    /// Opens the standard library at [`Facts::stdlib`]: a folder or a .zip file.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or there is no .py file in it.
    pub fn open(stdlib: &str) -> Result<Library> {
        if stdlib.is_empty() {
            bail!("the interpreter does not know where its standard library is");
        }
        let path = Path::new(stdlib);
        let (root, mut files) = if path.is_dir() {
            let mut files = Vec::new();
            walk(path, "", &mut files).with_context(|| format!("cannot list {stdlib}"))?;
            (Root::Folder(path.to_owned()), files)
        } else {
            let file = File::open(path).with_context(|| format!("cannot open {stdlib}"))?;
            let archive = zip::ZipArchive::new(file).with_context(|| format!("{stdlib} is not a .zip file"))?;
            // A name that cannot be decoded cannot be asked for either.
            let names = archive.file_names().filter_map(Result::ok).map(std::borrow::Cow::into_owned);
            let files = names.filter(|name| is_source(name)).collect();
            (Root::Archive(Box::new(archive)), files)
        };
        files.sort();
        if files.is_empty() {
            bail!("there is no .py file in {stdlib}");
        }
        Ok(Library { root, files })
    }

    /// The bytes of one of [`Library::files`].
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&mut self, path: &str) -> Result<Vec<u8>> {
        match &mut self.root {
            Root::Folder(folder) => {
                let file = folder.join(path);
                std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
            }
            Root::Archive(archive) => {
                let mut bytes = Vec::new();
                archive.by_name(path)?.read_to_end(&mut bytes).with_context(|| format!("cannot unpack {path}"))?;
                Ok(bytes)
            }
        }
    }

    /// Every file at every level, in an order that the seed decides and that no other file has an influence on.
    #[must_use]
    pub fn items(&self, levels: &[u8], seed: u64) -> Vec<Item> {
        let each = |path: &String| {
            let path = path.clone();
            levels.iter().map(move |&optimize| Item { path: path.clone(), optimize }).collect::<Vec<_>>()
        };
        let mut items: Vec<Item> = self.files.iter().flat_map(each).collect();
        items.sort_by_cached_key(|item| {
            Sha256::new()
                .chain_update(seed.to_le_bytes())
                .chain_update([item.optimize])
                .chain_update(item.path.as_bytes())
                .finalize()
        });
        items
    }
}

/// A file of a standard library and the level to compile it at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// One of [`Library::files`].
    pub path: String,
    /// 0, 1 or 2.
    pub optimize: u8,
}

fn is_source(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|e| e == "py") && !path.split('/').any(|part| FOREIGN.contains(&part))
}

/// Collects the .py files below a folder; links to folders are not followed, as they may lead in circles.
fn walk(folder: &Path, prefix: &str, files: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // A name that is not UTF-8 would be another file's name after conversion.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            if !FOREIGN.contains(&name.as_str()) {
                walk(&entry.path(), &format!("{path}/"), files)?;
            }
        } else if is_source(&path) && entry.path().is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// The .pyc files that one interpreter has compiled.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache of one interpreter below a folder that holds those of all.
    #[must_use]
    pub fn new(folder: &Path, facts: &Facts) -> Cache {
        let Facts { implementation, version, build, magic, executable, driver, pointer_bits, .. } = facts;
        // The driver matters where the compiler is not the same program: 2.7's level comes from the command line.
        let identity = format!("{build}\n{magic}\n{executable}\n{driver}\n{pointer_bits}");
        let key = format!("{implementation}-{version}-{}", &sha256_hex(identity.as_bytes())[..12]);
        Cache { folder: folder.join(key) }
    }

    /// The .pyc file of a source, from the cache or from the subject, or the exception that it raises.
    ///
    /// # Errors
    /// When the subject is broken. A cache that cannot be written is no error: it only saves time.
    pub fn compile(&self, subject: &mut dyn Subject, item: &Item, source: Vec<u8>) -> Result<Compiled, Broken> {
        let key = Sha256::new().chain_update(item.path.as_bytes()).chain_update([0]).chain_update(&source).finalize();
        let folder = self.folder.join(item.optimize.to_string());
        let pyc = folder.join(format!("{}.pyc", hex(&key[..16])));
        let refusal = pyc.with_extension("refused");
        if let Some(bytes) = load(&pyc) {
            return Ok(Compiled::Pyc(bytes));
        }
        if let Some(text) = load(&refusal).and_then(|bytes| String::from_utf8(bytes).ok()) {
            let (class, message) = text.split_once('\n').unwrap_or((&text, ""));
            return Ok(Compiled::Refused(Exception { class: class.into(), message: message.into() }));
        }
        let compile = Compile { source, filename: item.path.clone(), optimize: item.optimize };
        let compiled = subject.compile(&compile)?;
        // A full disk must not end a campaign.
        let _ = match &compiled {
            Compiled::Pyc(bytes) => store(&pyc, bytes),
            // Whether there is enough memory may be another matter next time.
            Compiled::Refused(e) if e.class != "MemoryError" => {
                store(&refusal, format!("{}\n{}", e.class, e.message).as_bytes())
            }
            Compiled::Refused(_) | Compiled::Faulted(_) => Ok(()),
        };
        Ok(compiled)
    }
}

/// The content of a cached file, unless it is torn: the last 32 bytes are the SHA-256 of the others.
fn load(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = std::fs::read(path).ok()?;
    let digest = bytes.split_off(bytes.len().checked_sub(DIGEST)?);
    (Sha256::digest(&bytes).as_slice() == digest).then_some(bytes)
}

/// Writes a cached file so that another run sees all of it or nothing. (marshal ignores what follows the first object, so
/// the file remains a .pyc file.)
fn store(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.write_all(&Sha256::digest(bytes))?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Observation;
    use protocol::Load;

    /// Compiles a source to itself and counts how often; a source that begins with `!` does not compile.
    struct Compiler(u32);

    impl Subject for Compiler {
        fn load(&mut self, _: &Load) -> Result<Vec<Observation>, Broken> {
            Ok(vec![])
        }
        fn compile(&mut self, compile: &Compile) -> Result<Compiled, Broken> {
            self.0 += 1;
            Ok(match compile.source.first() {
                Some(b'!') => Compiled::Refused(Exception { class: "SyntaxError".into(), message: "a\nb".into() }),
                _ => Compiled::Pyc(compile.source.clone()),
            })
        }
        fn restarts(&self) -> u32 {
            0
        }
        fn fresh(&self) -> Box<dyn Subject> {
            Box::new(Compiler(0))
        }
    }

    #[test]
    fn a_library_is_its_sources_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["os.py", "a/b.py", "a/c.txt", "site-packages/x.py", "a/__pycache__/b.py", "a/b.pyc"] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let zip = dir.path().join("lib.zip");
        let mut writer = zip::ZipWriter::new(File::create(&zip).unwrap());
        for name in ["os.py", "a/b.py", "a/c.txt", "site-packages/x.py"] {
            writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(name.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        for root in [dir.path(), &zip] {
            let mut library = Library::open(root.to_str().unwrap()).unwrap();
            assert_eq!(library.files, ["a/b.py", "os.py"], "{}", root.display());
            assert_eq!(library.read("a/b.py").unwrap(), b"a/b.py");
            library.read("no.py").unwrap_err();
        }
        Library::open("").unwrap_err();
        Library::open(dir.path().join("site-packages/nothing").to_str().unwrap()).unwrap_err();
    }

    #[test]
    fn the_seed_orders_the_items_and_keeps_them_all() {
        let library =
            Library { root: Root::Folder(PathBuf::new()), files: (0..50).map(|n| format!("{n}.py")).collect() };
        let (a, b) = (library.items(&[0, 1, 2], 1), library.items(&[0, 1, 2], 2));
        assert_eq!(a, library.items(&[0, 1, 2], 1));
        assert_ne!(a, b);
        let sorted = |mut items: Vec<Item>| {
            items.sort();
            items
        };
        assert_eq!(a.len(), 150);
        assert_eq!(sorted(a), sorted(b));
    }

    #[test]
    fn the_cache_answers_with_what_was_compiled_and_never_with_a_torn_file() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache { folder: dir.path().into() };
        let mut compiler = Compiler(0);
        let mut check = |source: &[u8], optimize: u8, compiled: u32| {
            let item = Item { path: "x.py".into(), optimize };
            let answer = cache.compile(&mut compiler, &item, source.into()).unwrap();
            let fresh = Compiler(0).compile(&Compile { source: source.into(), filename: String::new(), optimize });
            assert_eq!(answer, fresh.unwrap());
            assert_eq!(compiler.0, compiled);
        };
        check(b"a = 1", 0, 1);
        check(b"a = 1", 0, 1);
        check(b"a = 1", 1, 2);
        check(b"a = 2", 0, 3);
        check(b"!", 0, 4);
        check(b"!", 0, 4);
        for (count, file) in std::fs::read_dir(dir.path().join("0")).unwrap().enumerate() {
            let path = file.unwrap().path();
            let whole = std::fs::read(&path).unwrap();
            std::fs::write(path, &whole[..whole.len() - 1 - count]).unwrap();
        }
        check(b"a = 1", 0, 5);
        check(b"a = 2", 0, 6);
        check(b"!", 0, 7);
    }
}
