//! What is named is gone through: content decides, the order is that of names, and hostile archives do no harm.

use super::*;
use std::io::Write;
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;

const PYC: &[u8] = b"\xcb\x0d\x0d\x0a\0\0\0\0\0\0\0\0\0\0\0\0N";

/// The names of the files that are found below these paths, each with the kind of its trouble or its length; without the folder.
fn found(folder: &Path, paths: &[&str], archives: Archives, jobs: usize) -> Vec<String> {
    let paths = paths.iter().map(|path| folder.join(path)).collect();
    let paths = Paths { paths, jobs: std::num::NonZeroUsize::new(jobs) };
    let mut lines = Vec::new();
    let work = |_: &Entry, bytes: Result<Vec<u8>, Trouble>| match bytes {
        Ok(bytes) => bytes.len().to_string(),
        Err(trouble) => trouble.kind.to_owned(),
    };
    let told = each(&paths, archives, work, |entry, said| {
        let name = entry.name.strip_prefix(&format!("{}/", folder.display())).unwrap_or(&entry.name);
        lines.push(format!("{name} {said}"));
        Ok(())
    });
    match told {
        Ok(summary) => assert_eq!(summary.files, lines.len()),
        Err(e) => lines.push(e.to_string()),
    }
    lines
}

fn write(path: PathBuf, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn directories_are_gone_through_by_content_in_the_order_of_names() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, bytes) in [
        ("d/a.py", &b"x = 1\n"[..]),
        ("d/backup", PYC),
        ("d/b.PYC", b"damaged"),
        ("d/inner/c.pyc-notyet", PYC),
        ("d/x.opt-2.pyc.backup", b""),
        ("d/wheel.whl", &archive(&[("p/m.pyc", PYC), ("p/m.py", b"x = 1\n"), ("a.bin", PYC)])),
        ("named.txt", b"anything"),
        ("empty/x.py", b""),
    ] {
        write(at(name), bytes);
    }
    std::os::unix::fs::symlink(at("d"), at("d/inner/circle")).unwrap();
    std::os::unix::fs::symlink(at("d/backup"), at("d/link.pyc")).unwrap();
    let files = ["d/b.PYC 7", "d/backup 17", "d/inner/c.pyc-notyet 17", "d/link.pyc 17"];
    let wheel = ["d/wheel.whl!a.bin 17", "d/wheel.whl!p/m.pyc 17"];
    for jobs in [1, 2, 7] {
        let all = [&files[..], &wheel, &["d/x.opt-2.pyc.backup 0"]].concat();
        assert_eq!(found(folder.path(), &["d"], Archives::Read, jobs), all);
        // Who writes follows a link only if that is named.
        assert_eq!(
            found(folder.path(), &["d"], Archives::Keep, jobs),
            [&files[..3], &["d/x.opt-2.pyc.backup 0"]].concat()
        );
        assert_eq!(found(folder.path(), &["d/link.pyc"], Archives::Keep, jobs), files[3..]);
        assert_eq!(found(folder.path(), &["named.txt", "d/wheel.whl"], Archives::Read, jobs)[0], "named.txt 8");
    }
    assert_eq!(found(folder.path(), &["none"], Archives::Read, 1), ["none io"]);
    let nothing = found(folder.path(), &["empty"], Archives::Read, 1);
    assert!(nothing[0].starts_with("there is no .pyc file in "), "{nothing:?}");
}

/// The archive with another size of each member, in its own record and in the directory.
fn claiming(size: u32, archive: &[u8]) -> Vec<u8> {
    let mut lying = archive.to_vec();
    for (signature, place) in [(b"PK\x03\x04", 22), (b"PK\x01\x02", 24)] {
        let records: Vec<usize> = (0..archive.len() - 4).filter(|&at| archive[at..].starts_with(signature)).collect();
        for at in records {
            lying[at + place..at + place + 4].copy_from_slice(&size.to_le_bytes());
        }
    }
    lying
}

#[test]
fn hostile_archives_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let check = |bytes: &[u8], expected: &[&str]| {
        write(folder.path().join("w"), bytes);
        assert_eq!(found(folder.path(), &["w"], Archives::Read, 2), expected);
    };
    let good = archive(&[("m.pyc", PYC)]);
    check(&good, &["w!m.pyc 17"]);
    check(
        &archive(&[("../../m.pyc", PYC), ("/m.pyc", PYC), ("n.pyc", PYC)]),
        &["w!../../m.pyc outside", "w!/m.pyc outside", "w!n.pyc 17"],
    );
    check(&good[..good.len() - 5], &["w archive"]);
    check(b"PK\x03\x04", &["w archive"]);
    // One of 65 MiB is not unpacked, nor are seventeen of 63 in one archive; and one that claims less than it has.
    check(&claiming(65 << 20, &archive(&[("bomb.pyc", PYC)])), &["w!bomb.pyc too-large"]);
    let names: Vec<String> = (0..17).map(|n| format!("{n}.pyc")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), PYC)).collect();
    check(&claiming(63 << 20, &archive(&many)), &["w too-large"]);
    check(&claiming(9, &good), &["w!m.pyc archive"]);
    // So many members that their list alone would fill the memory.
    let mut endless = good.clone();
    let end = endless.len() - 22;
    endless[end + 8..end + 12].fill(0xFF);
    check(&endless, &["w archive"]);
}

#[test]
fn a_trouble_names_what_where_and_what_to_do() {
    let trouble = Trouble::new("stream", "the stream ends", "get a whole copy").at(16);
    assert_eq!(trouble.to_string(), "the stream ends (at byte 0x10); get a whole copy");
    let json = serde_json::to_value(&trouble).unwrap();
    assert_eq!(json["kind"], "stream");
    assert_eq!(json["offset"], 16);
}
