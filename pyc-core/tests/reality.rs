//! What real interpreters answered, as data: exceptions, values and re-dumps seen on CPython 2.7 to 3.15. These rows need
//! no interpreter; the harness asks the interpreters themselves, on far more streams.

use pyc_core::code::{CodeInts, Field, fields, kind};
use pyc_core::model::{Dump, Loaded};
use pyc_core::{CodeLayout, Graph, NodeId, Profile, Release, read};

const PYTHON_2: &[&str] = &["2.7.18"];
const PYTHON_3: &[&str] =
    &["3.6.15", "3.7.16", "3.8.18", "3.9.18", "3.10.13", "3.11.7", "3.12.1", "3.13.0", "3.14.8", "3.15.0"];

fn profile(release: &str) -> Profile {
    Profile::for_release(&Release::parse(release).unwrap()).unwrap()
}

/// What the interpreter does with the stream: `Class: message`, or the canon with `;` for line ends.
fn outcome(release: &str, stream: &[u8]) -> String {
    let profile = profile(release);
    match read(stream, &profile) {
        Err(error) => {
            assert!(error.offset <= stream.len(), "{release} {stream:x?}: {error}");
            error.exception(&profile).to_string()
        }
        Ok(graph) => {
            let anew = graph.write_anew().unwrap();
            assert_eq!(anew, stream[..graph.consumed()], "{release} {stream:x?}");
            assert_eq!(graph.write().unwrap(), anew, "{release} {stream:x?}");
            let loaded = Loaded::new(&graph, &profile);
            loaded.canon().trim_end().replace('\n', ";")
        }
    }
}

fn check(releases: &[&str], stream: &[u8], expected: &str) {
    for release in releases {
        assert_eq!(outcome(release, stream), expected, "{release} {stream:x?}");
    }
}

/// The re-dump at the interpreter's own marshal version.
fn check_dump(release: &str, stream: &[u8], expected: &[u8]) {
    let profile = profile(release);
    let graph = read(stream, &profile).unwrap();
    let dump = Loaded::new(&graph, &profile).dump(profile.marshal_version);
    let Dump::Bytes { bytes, .. } = dump else { panic!("{release} {stream:x?}: {dump:?}") };
    assert_eq!(bytes, expected, "{release} {stream:x?}");
}

#[test]
fn short_streams() {
    let before = &["3.6.15", "3.10.13", "3.11.4"];
    let after = &["3.11.5", "3.12.1", "3.15.0"];
    for all in [PYTHON_2, PYTHON_3] {
        check(all, b"", "EOFError: EOF read where object expected");
        check(all, b"[\x01\0\0\0", "EOFError: EOF read where object expected");
        check(all, b"?", "ValueError: bad marshal data (unknown type code)");
        check(all, b"0", "TypeError: NULL object in marshal data for object");
        check(all, b"(\x01\0\0\x000", "TypeError: NULL object in marshal data for tuple");
        check(all, b">\x01\0\0\x000", "TypeError: NULL object in marshal data for set");
    }
    check(PYTHON_3, b"i\x01\0", "EOFError: marshal data too short");
    check(PYTHON_3, b"s\x05\0\0\0abc", "EOFError: marshal data too short");
    check(PYTHON_2, b"s\x05\0\0\0abc", "EOFError: EOF read where object expected");
    check(PYTHON_3, b"[\x01\0\0\0s\x05\0\0\0abc", "EOFError: marshal data too short");
    check(PYTHON_2, b"[\x01\0\0\0s\x05\0\0\0abc", "EOFError: EOF read where object expected");
    for short in [&b"a\0\0\0\0NNNN"[..], b"A\0\0\0\0NNNN", b"z\x01xNNNNN", b"Z\x01xNNNNN", b")\x01NNNNN"] {
        check(PYTHON_2, &[b"[\x01\0\0\0", short].concat(), "ValueError: bad marshal data (unknown type code)");
    }
    // Python 3 had no 64-bit ints any more, and got them back.
    check(&["3.6.3"], b"I\0\0\0\0\0\0\0\0", "ValueError: bad marshal data (unknown type code)");
    check(&["3.6.4", "3.15.0"], b"I\0\0\0\0\0\0\0\0", "int 0");
    for stream in [&b"z"[..], b"f", b")"] {
        check(before, stream, "EOFError: EOF read where object expected");
        check(after, stream, "EOFError: EOF read where not expected");
    }
}

#[test]
fn sizes_and_digits() {
    check(PYTHON_2, b"s\xff\xff\xff\xff", "ValueError: bad marshal data (string size out of range)");
    check(PYTHON_3, b"s\xff\xff\xff\xff", "ValueError: bad marshal data (bytes object size out of range)");
    check(PYTHON_2, b"u\xff\xff\xff\xff", "ValueError: bad marshal data (unicode size out of range)");
    check(PYTHON_3, b"u\xff\xff\xff\xff", "ValueError: bad marshal data (string size out of range)");
    for all in [PYTHON_2, PYTHON_3] {
        check(all, b"(\xff\xff\xff\xff", "ValueError: bad marshal data (tuple size out of range)");
        check(all, b"[\xff\xff\xff\xff", "ValueError: bad marshal data (list size out of range)");
        check(all, b"<\xff\xff\xff\xff", "ValueError: bad marshal data (set size out of range)");
        check(all, b"l\0\0\0\x80", "ValueError: bad marshal data (long size out of range)");
        check(all, b"l\x01\0\0\0\0\x80", "ValueError: bad marshal data (digit out of range in long)");
        check(all, b"l\x02\0\0\0\x01\0\0\0", "ValueError: bad marshal data (unnormalized long data)");
        check(all, b"l\x02\0\0\0\x01\x80\0\0", "ValueError: bad marshal data (digit out of range in long)");
    }
    check(PYTHON_3, b"l\x02\0\0\0\x01\0", "EOFError: marshal data too short");
}

#[test]
fn python2_reads_missing_bytes_as_ones() {
    check(PYTHON_2, b"i", "int -1");
    check(PYTHON_2, b"i\x01", "int -ff");
    check(PYTHON_2, b"I", "int -1");
    check(PYTHON_2, b"l\x01\0\0\0", "ValueError: bad marshal data (digit out of range in long)");
    check(PYTHON_2, b"\xce", "ValueError: bad marshal data (unknown type code)");
    // A failed value does not end the dict: the later error is the one that is raised.
    check(PYTHON_2, b"{[\0\0\0\0N", "EOFError: EOF read where object expected");
    check(PYTHON_2, b"{[\0\0\0\0N0", "TypeError: unhashable type: 'list'");
    check(PYTHON_2, b"{N0T.0", "dict 1;true;ellipsis");
    // A failed value is left where it failed, and reading goes on from there.
    check(PYTHON_2, b"{Nl\x03\0\0\0\x01\0\0\x80?", "ValueError: bad marshal data (unknown type code)");
    check(PYTHON_2, b"{Nl\x03\0\0\0\x01\0\0\x80NN0", "ValueError: bad marshal data (digit out of range in long)");
    check(PYTHON_2, b"{Nu\x09\0\0\0????", "EOFError: EOF read where object expected");
    check(PYTHON_2, b"(\x02\0\0\0t\x01\0\0\0xR\0\0\0\0", "tuple 2;bytes \"78\";bytes \"78\"");
    check(PYTHON_2, b"R\0\0\0\0", "ValueError: bad marshal data (string ref out of range)");
}

/// 2.7's dict reader goes on with an exception pending, and whatever looks for an exception finds that one.
#[test]
fn python2_reads_on_with_an_exception_pending() {
    let check = |inside: &[u8], expected: &str| check(PYTHON_2, &[b"{[\0\0\0\0N", inside, b"0"].concat(), expected);
    const PENDING: &str = "TypeError: unhashable type: 'list'";
    const LATER: &str = "ValueError: bad marshal data (unknown type code)";
    check(b"NN", PENDING);
    check(b"N?", LATER);
    check(b"N(\x01\0\0\x000", PENDING);
    // A key whose value is NULL is not in the dict, so nothing is compared with it.
    let null = [&b"{s\x01\0\0\0\xe90[\0\0\0\0N"[..], b"u\x02\0\0\0\xc3\xa9N0"].concat();
    assert_eq!(outcome("2.7.18", &null), PENDING);
    // Of two members with one hash that an equal frozenset holds, the first one ends the search: the string, before the float
    // is compared with a Unicode string.
    let before = b"(\x02\0\0\0{>\x02\0\0\0u\x01\0\0\0ag\0\0\0\x8fm \x07BN[\0\0\0\0N";
    let sets = [&before[..], b">\x02\0\0\0s\x01\0\0\0ag\0\0\0\x8fm \x07BT0?"].concat();
    assert_eq!(outcome("2.7.18", &sets), PENDING);
    // -1.0 is taken for a failure: of a key, and so the dict ends, or of a tuple's item.
    check(b"g\0\0\0\0\0\0\xf0\xbfN?", PENDING);
    check(b"f\x02-1N?", PENDING);
    check(b"y\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\xf0\xbfN?", PENDING);
    check(b"i\xff\xff\xff\xffN?", LATER);
    check(b"g\0\0\0\0\0\0\xf0\x3fN?", LATER);
    // The comparison of two ints that have the same hash is taken for a failure, so the second key is not stored.
    check(b"i\x01\0\0\0Nl\x01\0\0\0\x01\0N", PENDING);
    check(b"N<\x02\0\0\0i\xff\xff\xff\xffi\xfe\xff\xff\xff?", LATER);
}

#[test]
fn null_ends_dicts_and_travels_through_code_and_slices() {
    check(PYTHON_3, b"{N0T.0", "dict 0");
    // 2.7 only leaves that pair out.
    check(PYTHON_2, b"{N0i\x01\0\0\0Ti\x02\0\0\0Fi\x03\0\0\0N0", "dict 3;int 1;true;int 2;false;int 3;none");
    check(
        PYTHON_2,
        b"{TNF0i\x04\0\0\0Ti\x02\0\0\0Fi\x03\0\0\0N0",
        "dict 4;int 2;false;int 3;none;int 4;true;true;none",
    );
    check(PYTHON_3, b"{NT\xb0", "dict 1;none;true");
    check(&["3.14.8", "3.15.0"], b"{:N0", "dict 0");
    check(&["3.14.8"], b"[\x01\0\0\0:0", "TypeError: NULL object in marshal data for list");
    let code = |ints: usize| [&b"c"[..], &[0; 24][..4 * ints], b"0"].concat();
    check(&["3.8.18", "3.10.13"], &code(6), "TypeError: NULL object in marshal data for object");
    check(&["3.11.4"], &code(5), "TypeError: NULL object in marshal data for object");
    check(&["3.11.5", "3.15.0"], &code(5), "TypeError: NULL object in marshal data for code object");
    check(&["3.10.13"], &[b"{".as_slice(), &code(6)].concat(), "dict 0");
}

#[test]
fn references() {
    for bad in [&b"r\0\0\0\0"[..], b"\xa9\x01r\x01\0\0\0", b"r\xff\xff\xff\xff", b"\xbe\x01\0\0\0r\0\0\0\0"] {
        check(PYTHON_3, bad, "ValueError: bad marshal data (invalid reference)");
    }
    check(PYTHON_3, b"\xa9\x01r\0\0\0\0", "tuple 1;ref 0");
    check(PYTHON_3, b"\xdb\x02\0\0\0\xf2\0\0\0\0r\0\0\0\0", "list 2;ref 0;ref 0");
    // None takes no slot.
    check(PYTHON_3, b"\xa9\x02\xcer\x01\0\0\0", "ValueError: bad marshal data (invalid reference)");
}

/// References to frozendicts: 3.15.0 never fills their slots, and 3.15.1 does.
#[test]
fn references_to_frozendicts() {
    const INVALID: &str = "ValueError: bad marshal data (invalid reference)";
    let rest = [&b"r\0\0\0\0)\0)\0s\0\0\0\0"[..], &b"z\x01f".repeat(3), &[0; 4], &b"s\0\0\0\0".repeat(2)].concat();
    let code = [&b")\x02\xfdNT0c"[..], &[0; 20], b"s\0\0\0\0", &rest].concat();
    for (stream, expected) in [
        (&b")\x02\xfdNT0r\0\0\0\0"[..], "tuple 2;frozendict 1;none;true;ref 1"),
        (b"\xa9\x02\xfdNT0r\x01\0\0\0", "tuple 2;frozendict 1;none;true;ref 1"),
        (b"<\x02\0\0\0\xfdNT0r\0\0\0\0", "set 1;frozendict 1;none;true"),
        (b"[\x03\0\0\0\xfd0\xfd0r\0\0\0\0", "list 3;frozendict 0;frozendict 0;ref 1"),
        (&code, "SystemError: Objects/codeobject.c:0: bad argument to internal function"),
    ] {
        check(&["3.15.0"], stream, INVALID);
        check(&["3.15.2"], stream, expected);
    }
    // Not while it is read.
    for stream in [&b"\xfdNr\0\0\0\x000"[..], b"\xfdN[\x01\0\0\0r\0\0\0\x000", b"\xbe\x01\0\0\0\xfdNr\0\0\0\x000"] {
        check(&["3.15.0", "3.15.2"], stream, INVALID);
    }
    for (stream, dump) in [
        (&b")\x02\xfdNT0r\0\0\0\0"[..], &b")\x02\xfdNT0r\0\0\0\0"[..]),
        (b")\x03\xfdNT0\xfdNT0r\0\0\0\0", b")\x03\xfdNT0}NT0r\0\0\0\0"),
        (b"}\xfdNT0r\0\0\0\0r\0\0\0\x000", b"}\xfdNT0r\0\0\0\x000"),
    ] {
        check_dump("3.15.2", stream, dump);
    }
}

/// Where a string is not UTF-8: 2.7 has a way of its own to count the bytes at fault.
#[test]
fn positions_in_utf8() {
    let text = |payload: &[u8]| [b"u", &u32::try_from(payload.len()).unwrap().to_le_bytes()[..], payload].concat();
    let says = |what: &str| format!("UnicodeDecodeError: 'utf8' codec can't decode {what}");
    for (payload, expected) in [
        (&b"\xf0\x80\x90\x8d"[..], "bytes in position 0-2: invalid continuation byte"),
        (b"\xe0\x80\x80", "bytes in position 0-1: invalid continuation byte"),
        (b"\xf1\x80A\x80", "bytes in position 0-1: invalid continuation byte"),
        (b"\xf0\x80\x80", "bytes in position 0-2: unexpected end of data"),
        (b"\xf1\x80", "bytes in position 0-1: unexpected end of data"),
    ] {
        check(PYTHON_2, &text(payload), &says(expected));
    }
}

#[test]
fn unhashable() {
    let old = &PYTHON_3[..8];
    check(old, b"<\x01\0\0\0[\0\0\0\0", "TypeError: unhashable type: 'list'");
    check(old, b"{[\0\0\0\0N0", "TypeError: unhashable type: 'list'");
    let new = &["3.14.8", "3.15.0"];
    check(new, b"<\x01\0\0\0[\0\0\0\0", "TypeError: cannot use 'list' as a set element (unhashable type: 'list')");
    check(new, b"{)\x01[\0\0\0\0N0", "TypeError: cannot use 'tuple' as a dict key (unhashable type: 'list')");
    check(PYTHON_3, b"{[\0\0\0\x000", "dict 0");
    // A value that a later equal key has replaced in a frozendict is not hashed any more.
    for (pairs, expected) in [
        (&b"N[\0\0\0\0NT"[..], "none;true"),
        (b"N[\0\0\0\0N[\0\0\0\0NT", "none;true"),
        (b"N[\0\0\0\0N)\x01T", "none;tuple 1;true"),
        (b"z\x01a[\0\0\0\0Z\x01aT", "str \"a\";true"),
        (b"i\x01\0\0\0[\0\0\0\0g\0\0\0\0\0\0\xf0\x3fT", "int 1;true"),
        (b")\x01T[\0\0\0\0)\x01i\x01\0\0\0N", "tuple 1;true;none"),
        (b">\x02\0\0\0NT[\0\0\0\0>\x03\0\0\0TNTN", "frozenset 2;none;true;none"),
        (b")\x01)\x01z\x01a[\0\0\0\0)\x01)\x01Z\x01aN", "tuple 1;tuple 1;str \"a\";none"),
        (b":NTN[\0\0\0\0:NTNN", "slice;none;true;none;none"),
        (b"}NT0[\0\0\0\0}NFNT0N", "frozendict 1;none;true;none"),
        (b")\x01\xe7\0\0\0\0\0\0\xf8\x7f[\0\0\0\0)\x01r\0\0\0\0N", "tuple 1;float 7ff8000000000000;none"),
    ] {
        let expected = format!("frozendict 1;{expected}");
        check(&["3.15.0"], &[b"<\x01\0\0\0}", pairs, b"0"].concat(), &format!("set 1;{expected}"));
        check(&["3.15.0"], &[b"{}", pairs, b"0N0"].concat(), &format!("dict 1;{expected};none"));
    }
    for pairs in [
        &b"NTN[\0\0\0\0"[..],
        b"N[\0\0\0\0N(\x01\0\0\0[\0\0\0\0",
        b"N[\0\0\0\0T[\0\0\0\0NT",
        b")\x01T[\0\0\0\0)\x01FN",
        b")\x01s\x01\0\0\0a[\0\0\0\0)\x01z\x01aN",
        b">\0\0\0\0[\0\0\0\0)\0N",
        b")\x01g\0\0\0\0\0\0\xf8\x7f[\0\0\0\0)\x01g\0\0\0\0\0\0\xf8\x7fN",
    ] {
        let message = "TypeError: cannot use 'frozendict' as a set element (unhashable type: 'list')";
        check(&["3.15.0"], &[b"<\x01\0\0\0}", pairs, b"0"].concat(), message);
    }
    // The first of equal keys has the value of the last one, and its place.
    let message = "TypeError: cannot use 'frozendict' as a set element (unhashable type: 'set')";
    check(&["3.15.0"], b"<\x01\0\0\0}TNF{0i\x01\0\0\0<\0\0\0\x000", message);
    // Also in a tuple that ends with another one.
    check(old, b"<\x01\0\0\0)\x02[\0\0\0\0)\x01NNNNNN", "TypeError: unhashable type: 'list'");
}

/// Code objects that are equal are one key of a frozendict; where they come from does not count, and their constants' types do.
#[test]
fn equal_code_objects_are_one_key() {
    let code = |line: u8, constant: &[u8], file: u8, name: u8, instructions: &[u8]| {
        let text = |letter: u8| [b'z', 1, letter];
        let mut code = [b"c", &[0; 20][..], b"s", &u32::try_from(instructions.len()).unwrap().to_le_bytes()].concat();
        code.extend(
            [instructions, b")\x01", constant, b")\0)\0s\0\0\0\0", &text(file), &text(name), &text(file)].concat(),
        );
        code.extend([&[line, 0, 0, 0][..], b"s\x02\0\0\0\x83\0s\0\0\0\0"].concat());
        code
    };
    const RETURN: &[u8] = b"\x80\0\0\0\x50\0\x21\0";
    const ADD: &[u8] = b"\x80\0\0\0\x50\0\x50\0\x2c\0\0\0\0\0\0\0\0\0\0\0\x21\0";
    let unhashable = "TypeError: cannot use 'frozendict' as a set element (unhashable type: 'dict')";
    let first = code(1, b"i\x01\0\0\0", b'a', b'f', RETURN);
    for (second, is_equal) in [
        (first.clone(), true),
        (code(1, b"i\x01\0\0\0", b'b', b'f', RETURN), true),
        (code(2, b"i\x01\0\0\0", b'a', b'f', RETURN), false),
        (code(1, b"T", b'a', b'f', RETURN), false),
        (code(1, b"i\x01\0\0\0", b'a', b'g', RETURN), false),
        (code(1, b"i\x01\0\0\0", b'a', b'f', ADD), false),
    ] {
        let stream = [b"<\x01\0\0\0}", &first[..], b"{0", &second, b"N0"].concat();
        let found = outcome("3.15.0", &stream);
        assert_eq!(found.starts_with("set 1;frozendict 1;code"), is_equal, "{found}");
        assert_eq!(found == unhashable, !is_equal, "{found}");
    }
}

#[test]
fn undefined_behaviour_is_named() {
    let check = |releases: &[&str], stream: &[u8], name: &str| {
        for release in releases {
            let error = read(stream, &profile(release)).unwrap_err();
            assert_eq!(error.cause().map(pyc_core::Cause::name), Some(name), "{release} {stream:x?}");
        }
    };
    check(PYTHON_3, b"\xa9\x01<\x01\0\0\0r\0\0\0\0", "hash-of-unfinished-tuple");
    // 2.7 dies of it, also where it would survive an exception: in the value of a dict.
    let code = [&b"c"[..], &[0; 16], b"s\0\0\0\0(\0\0\0\0(\x01\0\0\0N", &b"(\0\0\0\0".repeat(3), b"s\0\0\0\0s\0\0\0\0"];
    let code = [&code.concat(), &[0; 4][..], b"s\0\0\0\0"].concat();
    check(PYTHON_2, &code, "non-string-name-aborts");
    check(PYTHON_2, &[b"{N", &code[..], b"0"].concat(), "non-string-name-aborts");
    // A unicode string is compared with what has its hash and is neither ASCII nor unicode.
    for forgets in [&b"N<\x02\0\0\0i\0\0\0\0u\0\0\0\0"[..], b"s\x01\0\0\0\xe9Nu\x02\0\0\0\xc3\xa9N"] {
        check(PYTHON_2, &[b"{[\0\0\0\0N", forgets, b"0"].concat(), "forgotten-exception");
    }
    check(PYTHON_2, b"{i\x05\0\0\0Ni\x06\0\0\0Ns\x01\0\0\0\xe9N[\0\0\0\0Nu\x02\0\0\0\xc3\xa9N0", "forgotten-exception");
    // A code object with a frozenset constant, too.
    let code = [&b"c"[..], &[0; 16], b"s\0\0\0\0(\x01\0\0\0>\0\0\0\0", &b"(\0\0\0\0".repeat(4), b"s\0\0\0\0"];
    let code = [&code.concat(), &b"s\0\0\0\0"[..], &[0; 4], b"s\0\0\0\0"].concat();
    check(PYTHON_2, &[b"{[\0\0\0\0NN", &code[..], b"0"].concat(), "forgotten-exception");
    check(PYTHON_2, b"{N(\xff\xff\xff\x7f0", "memory-in-dict");
    // Python 3 fails otherwise, and sets are made as they are read.
    for outcome in [b"{N<\0\0\0\x01", b"{N(\0\0\x80\0", b"{N[\0\0\x80\0"].map(|stream| outcome("2.7.18", stream)) {
        assert_eq!(outcome, "EOFError: EOF read where object expected");
    }
    assert_eq!(outcome("3.12.1", b"{N(\0\0\0\x01"), "EOFError: EOF read where object expected");
    check(PYTHON_3, b"\xa9\x01{r\0\0\0\0N0", "hash-of-unfinished-tuple");
    check(&["3.14.10", "3.15.2"], b"\xa9\x01<\x01\0\0\0r\0\0\0\0", "hash-of-unfinished-tuple");
    check(PYTHON_3, b"[\x02\0\0\0\xa9\x01r\0\0\0\0<\x01\0\0\0r\0\0\0\0", "hash-of-unfinished-tuple");
    // The unhashable item comes first, so the hole is not reached.
    let list_first = b"\xa9\x02[\0\0\0\0<\x01\0\0\0r\0\0\0\0";
    assert_eq!(outcome("3.12.1", list_first), "TypeError: unhashable type: 'list'");
}

/// The hash of a tuple that contains itself does not end. 3.14.10 and 3.15.2 raise an exception, unless a hole comes first.
#[test]
fn hashes_that_do_not_end() {
    let error = "RecursionError: Stack overflow (used 0 kB) while hashing a tuple";
    for stream in [
        &b"<\x01\0\0\0\xa9\x01r\0\0\0\0"[..],
        b")\x02\xa9\x01r\0\0\0\0<\x01\0\0\0r\0\0\0\0",
        b"{\xa9\x01r\0\0\0\0N0",
        b"<\x01\0\0\0\xa9\x01:r\0\0\0\0NN",
        b"<\x01\0\0\0\xa9\x02r\0\0\0\0[\0\0\0\0",
        b"\xa9\x02r\0\0\0\0<\x01\0\0\0r\0\0\0\0",
    ] {
        check(&["3.14.10", "3.15.2"], stream, error);
        for release in ["3.14.8", "3.15.0"] {
            let fault = read(stream, &profile(release)).unwrap_err();
            assert_eq!(fault.cause(), Some(pyc_core::Cause::HashOfUnfinishedTuple), "{release} {stream:x?}");
        }
    }
    check(&["3.15.2"], b"<\x01\0\0\0\xa9\x01}Nr\0\0\0\x000", error);
    let list_first = "TypeError: cannot use 'tuple' as a set element (unhashable type: 'list')";
    check(&["3.14.8", "3.14.10", "3.15.2"], b"<\x01\0\0\0\xa9\x02[\0\0\0\0r\0\0\0\0", list_first);
}

/// Versions differ in how they add up 2^31 arguments.
#[test]
fn arguments_are_counted_as_each_version_counts() {
    const MANY: i32 = i32::MAX;
    let check = |release: &str, [argcount, kwonlyargcount, flags]: [i32; 3], locals: usize, fits: bool| {
        let profile = profile(release);
        let mut graph = Graph::new(&profile);
        let name = graph.str("name");
        let names = graph.tuple(&vec![name; locals]);
        let objects: Vec<NodeId> = fields(profile.code_layout)
            .iter()
            .map(|field| match field {
                Field::Varnames | Field::Localsplusnames => names,
                Field::Localspluskinds => graph.bytes(&vec![kind::LOCAL; locals]),
                Field::Consts | Field::Names | Field::Freevars | Field::Cellvars => graph.tuple(&[]),
                Field::Filename | Field::Name | Field::Qualname => name,
                _ => graph.bytes(b""),
            })
            .collect();
        let ints = CodeInts { argcount, kwonlyargcount, flags, ..CodeInts::default() };
        let root = graph.code(ints, &objects).unwrap();
        graph.set_root(root);
        let outcome = outcome(release, &graph.write().unwrap());
        assert_eq!(
            !outcome.contains("varnames is too small"),
            fits,
            "{release}: {argcount} {kwonlyargcount}: {outcome}"
        );
    };
    for release in &PYTHON_3[..5] {
        check(release, [1, 0, 0], 1, true);
        check(release, [1, 1, 0], 1, false);
        check(release, [MANY, MANY, 0], 1, false);
        check(release, [1, MANY, 8], 3, false);
    }
    for release in &PYTHON_3[5..] {
        check(release, [2, 0, 4], 2, false);
        check(release, [2, 0, 4], 3, true);
        check(release, [1, MANY, 8], 3, false);
        check(release, [MANY, MANY, 0], 1, true);
    }
}

/// Code objects are equal when they would do the same, so their constants are compared with their types.
#[test]
fn equal_code_objects() {
    type Part = fn(&mut Graph) -> NodeId;
    let code = |graph: &mut Graph, layout, ints: CodeInts, field: Field, part: Part| {
        let name: Part =
            if layout == CodeLayout::Python27 { |graph| graph.bytes(b"f") } else { |graph| graph.str("f") };
        let objects: Vec<NodeId> = fields(layout)
            .iter()
            .map(|other| match other {
                Field::Consts if field == Field::Consts => {
                    let constant = part(graph);
                    graph.tuple(&[constant])
                }
                other if *other == field => part(graph),
                Field::Filename | Field::Name | Field::Qualname => name(graph),
                Field::Code | Field::Lnotab | Field::Linetable | Field::Exceptiontable => graph.bytes(b""),
                Field::Localspluskinds => graph.bytes(b""),
                _ => graph.tuple(&[]),
            })
            .collect();
        graph.code(ints, &objects).unwrap()
    };
    let check = |releases: &[&str], ints: [CodeInts; 2], field: Field, parts: [Part; 2], equal: bool| {
        for release in releases {
            let profile = profile(release);
            let mut graph = Graph::new(&profile);
            let members = [0, 1].map(|i| code(&mut graph, profile.code_layout, ints[i], field, parts[i]));
            let root = graph.set(&members);
            graph.set_root(root);
            let outcome = outcome(release, &graph.write().unwrap());
            assert!(outcome.starts_with(if equal { "set 1;" } else { "set 2;" }), "{release} {field:?}: {outcome}");
        }
    };
    let plain = CodeInts::default();
    for all in [PYTHON_2, PYTHON_3] {
        let constants = |parts: [Part; 2], equal| check(all, [plain; 2], Field::Consts, parts, equal);
        constants([|g| g.int(1), |g| g.int(1)], true);
        constants([|g| g.int(1), |g| g.bool(true)], false);
        constants([|g| g.int(1), |g| g.float(1.0)], false);
        constants([|g| g.float(0.0), |g| g.float(-0.0)], false);
        constants([|g| g.float(f64::NAN), |g| g.float(f64::NAN)], false);
        constants([|g| g.frozenset(&[]), |g| g.frozenset(&[])], true);
        constants([|g| g.int(0), |g| g.bool(false)], false);
        constants([|g| g.complex(1.0, 0.0), |g| g.float(1.0)], false);
        constants([|g| g.complex(0.0, 0.0), |g| g.complex(0.0, -0.0)], false);
        constants([|g| g.complex(1.0, 2.0), |g| g.complex(1.0, 2.0)], true);
        constants([|g| g.bytes(b"a"), |g| g.bytes(b"a")], true);
        let nothing: [Part; 2] = [|g| g.none(), |g| g.none()];
        let ints = |other: CodeInts, equal| check(all, [plain, other], Field::Consts, nothing, equal);
        ints(CodeInts { stacksize: 2, ..plain }, true);
        ints(CodeInts { flags: 1, ..plain }, false);
        ints(CodeInts { firstlineno: 1, ..plain }, false);
    }
    let tables: [Part; 2] = [|g| g.bytes(b""), |g| g.bytes(b"\x80\0")];
    check(&PYTHON_3[..5], [plain; 2], Field::Lnotab, tables, true);
    check(&PYTHON_3[5..], [plain; 2], Field::Linetable, tables, false);
    check(&PYTHON_3[5..], [plain; 2], Field::Exceptiontable, tables, false);
    check(&PYTHON_3[5..], [plain; 2], Field::Qualname, [|g| g.str("f"), |g| g.str("C.f")], true);
    // A specialized instruction is the one it was made of: 6 is a BINARY_OP (122) of 3.12; what is in its cache is nothing.
    let code: [Part; 2] = [|g| g.bytes(&[6, 0, 1, 1]), |g| g.bytes(&[122, 0, 0, 0])];
    check(&["3.12.1"], [plain; 2], Field::Code, code, true);
    check(&["3.10.13"], [plain; 2], Field::Code, code, false);
}

/// A code object of an older version with one constant, and how it continues after the names of its variables.
fn code(release: &str, constant: &[u8], rest: &[u8]) -> Vec<u8> {
    let ints = match release {
        "2.7.18" => 4,
        "3.6.15" | "3.7.16" => 5,
        _ => 6,
    };
    let head = [&b"c"[..], &[0; 24][..4 * ints], b"s\0\0\0\0(\x01\0\0\0", constant].concat();
    [&head[..], &b"(\0\0\0\0".repeat(3), rest].concat()
}

/// Cell variables, file name, name, line and line table.
const REST_OF_PYTHON2: &[u8] = b"(\0\0\0\0s\x01\0\0\0fs\x01\0\0\0g\0\0\0\0s\0\0\0\0";
const REST: &[u8] = b"(\0\0\0\0u\x01\0\0\0fu\x01\0\0\0g\0\0\0\0s\0\0\0\0";

/// 2^62 and its neighbours, which are no longer whole for a float.
#[test]
fn large_numbers_are_equal_as_floats() {
    let float = |power: i32| [&b"g"[..], &2_f64.powi(power).to_le_bytes()].concat();
    let int = |n: i64| [&b"I"[..], &n.to_le_bytes()].concat();
    let of_two = |left: &[u8], right: &[u8]| {
        let stream = [&b"<\x02\0\0\0"[..], left, right].concat();
        outcome("3.9.18", &stream).starts_with("set 1;")
    };
    for power in [52, 53, 61, 62] {
        for n in [-1, 0, 1] {
            let n = (1_i64 << power) + n;
            let is_equal = n.count_ones() == 1;
            assert_eq!(of_two(&float(power), &int(n)), is_equal, "{power} {n}");
            assert_eq!(of_two(&int(n), &float(power)), is_equal, "{power} {n}");
        }
    }
    assert!(!of_two(&float(63), &int(i64::MAX)));
    assert!(of_two(&int(i64::MIN), &[&b"g"[..], &(-(2_f64.powi(63))).to_le_bytes()].concat()));
    assert!(of_two(&float(63), b"l\x05\0\0\0\0\0\0\0\0\0\0\0\x08\0"));
}

#[test]
fn equal_constants_in_other_encodings() {
    let check = |releases: &[&str], left: &[u8], right: &[u8], equal: bool| {
        for release in releases {
            let rest = if *release == "2.7.18" { REST_OF_PYTHON2 } else { REST };
            let stream = [b"<\x02\0\0\0", &code(release, left, rest)[..], &code(release, right, rest)].concat();
            let outcome = outcome(release, &stream);
            assert!(outcome.starts_with(if equal { "set 1;" } else { "set 2;" }), "{release} {left:x?}: {outcome}");
        }
    };
    let all = &["2.7.18", "3.6.15", "3.8.18", "3.10.13"];
    check(all, b"g\0\0\0\0\0\0\x04\x40", b"f\x032.5", true);
    check(all, b"i\x01\0\0\0", b"f\x011", false);
    check(all, b"i\x01\0\0\0", b"x\x011\x010", false);
    check(all, b"y\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40", b"x\x011\x012", true);
    check(all, b"s\x01\0\0\0a", b"u\x01\0\0\0a", false);
    // 2.7 has two types of ints.
    check(&all[..1], b"i\x01\0\0\0", b"l\x01\0\0\0\x01\0", false);
    check(&all[1..], b"i\x01\0\0\0", b"l\x01\0\0\0\x01\0", true);
    check(&all[..1], b"l\x01\0\0\0\x01\0", b"l\x01\0\0\0\x01\0", true);
}

#[test]
fn text_is_not_bytes() {
    check(&PYTHON_3[..9], b"<\x02\0\0\0s\x03\0\0\0abcu\x03\0\0\0abc", "set 2;bytes \"616263\";str \"abc\"");
    check(PYTHON_2, b"<\x02\0\0\0s\x03\0\0\0abcu\x03\0\0\0abc", "set 1;bytes \"616263\"");
}

/// Only tuples and frozensets among the constants are searched for strings.
#[test]
fn a_constant_may_be_a_list_that_contains_itself() {
    for release in ["3.6.15", "3.8.18", "3.10.13"] {
        let outcome = outcome(release, &code(release, b"\xdb\x01\0\0\0r\0\0\0\0", REST));
        assert!(outcome.contains("consts=tuple 1;list 1;ref 2;"), "{outcome}");
        let nested = self::outcome(release, &code(release, b"(\x01\0\0\0\xdb\x01\0\0\0r\0\0\0\0", REST));
        assert!(nested.contains("consts=tuple 1;tuple 1;list 1;ref 3;"), "{nested}");
    }
}

/// The file name of 3.6's reader does no harm where its owner stays, and before another name is compared with it.
#[test]
fn file_names_that_may_be_gone() {
    const UNKNOWN: &str = "ValueError: bad marshal data (unknown type code)";
    let code = |rest: &[u8]| code("3.6.15", b"N", rest);
    let whole = code(REST);
    check(&["3.6.15"], &[b"[\x03\0\0\0", &whole[..], &whole, b"?"].concat(), UNKNOWN);
    for cut in [code(b"?"), code(b"(\0\0\0\0?")] {
        check(&["3.6.15"], &[b"[\x02\0\0\0<\x01\0\0\0", &whole[..], &cut].concat(), UNKNOWN);
    }
    // A code object whose name is NULL was never made, but its file name was seen.
    let null = code(b"(\0\0\0\0u\x01\0\0\0f0");
    let stream = [b"[\x02\0\0\0{N", &null[..], &whole].concat();
    let profile = profile("3.6.15");
    let graph = read(&stream, &profile).unwrap();
    assert_eq!(Loaded::new(&graph, &profile).hazard().map(pyc_core::Cause::name), Some("filename-freed"));
}

/// How deep values can be that are compared depends on the stack, where there is a limit that marshal does not have.
#[test]
fn deep_comparisons() {
    let hazard = |release: &str, depth: usize| {
        let member = [&b"(\x01\0\0\0".repeat(depth)[..], b"N"].concat();
        let stream = [b"<\x02\0\0\0", &member[..], &member].concat();
        let profile = profile(release);
        let graph = read(&stream, &profile).unwrap();
        Loaded::new(&graph, &profile).hazard().map(pyc_core::Cause::name)
    };
    for release in ["2.7.18", "3.12.1"] {
        assert_eq!(hazard(release, 800), None);
        assert_eq!(hazard(release, 900), None);
        assert_eq!(hazard(release, 901), Some("deep-comparison"));
    }
    assert_eq!(hazard("3.13.0", 1900), None);
}

#[test]
fn depth() {
    for release in ["2.7.18", "3.6.15", "3.12.1", "3.15.0"] {
        let nest = |n: usize, inside: &[u8]| [&b"[\x01\0\0\0".repeat(n)[..], inside].concat();
        assert!(outcome(release, &nest(1999, b"N")).ends_with("none"));
        assert_eq!(outcome(release, &nest(2000, b"N")), "ValueError: recursion limit exceeded");
        assert_eq!(outcome(release, &nest(2000, b"NNNNNN")), "ValueError: recursion limit exceeded");
        assert_eq!(outcome(release, &nest(1999, b"{0")), "ValueError: recursion limit exceeded");
        let at_end = if release == "2.7.18" {
            "ValueError: recursion limit exceeded"
        } else {
            "EOFError: EOF read where object expected"
        };
        assert_eq!(outcome(release, &nest(2000, b"")), at_end);
    }
    let deepest = [&b"[\x01\0\0\0".repeat(1999)[..], b"[\0\0\0\0"].concat();
    for release in ["2.7.18", "3.12.1", "3.13.0"] {
        check_dump(release, &deepest, &deepest);
    }
}

/// `dumps(loads(b))`, as every version was seen to answer.
#[test]
fn re_dumps() {
    let same =
        |releases: &[&str], stream: &[u8], dump: &[u8]| releases.iter().for_each(|r| check_dump(r, stream, dump));
    same(PYTHON_2, b"i\x01\0\0\0", b"i\x01\0\0\0");
    same(PYTHON_3, b"i\x01\0\0\0", b"\xe9\x01\0\0\0");
    same(&PYTHON_3[..9], b"i\x01\x01\0\0", b"i\x01\x01\0\0");
    same(&["3.15.0"], b"i\x01\x01\0\0", b"\xe9\x01\x01\0\0");
    same(&PYTHON_3[1..5], b"I\x05\0\0\0\0\0\0\0", b"i\x05\0\0\0");
    same(&PYTHON_3[5..], b"I\x05\0\0\0\0\0\0\0", b"\xe9\x05\0\0\0");
    same(&PYTHON_3[..8], b"l\x01\0\0\0\x01\0", b"i\x01\0\0\0");
    same(&PYTHON_3[8..], b"l\x01\0\0\0\x01\0", b"\xe9\x01\0\0\0");
    same(PYTHON_2, b"s\0\0\0\0", b"t\0\0\0\0");
    same(PYTHON_3, b"s\0\0\0\0", b"\xf3\0\0\0\0");
    same(&PYTHON_3[..8], b"s\x01\0\0\0A", b"s\x01\0\0\0A");
    same(&["3.14.2", "3.15.0rc1"], b"s\x01\0\0\0A", b"s\x01\0\0\0A");
    same(&["3.14.8", "3.15.0"], b"s\x01\0\0\0A", b"\xf3\x01\0\0\0A");
    same(PYTHON_3, b"z\x02qz", b"z\x02qz");
    same(PYTHON_3, b"Z\x02qz", b"\xda\x02qz");
    same(PYTHON_3, b"t\x02\0\0\0\xc3\xa9", b"\xf4\x02\0\0\0\xc3\xa9");
    same(PYTHON_3, b"z\x02\xe9\xe9", b"u\x04\0\0\0\xc3\xa9\xc3\xa9");
    same(PYTHON_3, b")\0", b"\xa9\0");
    same(&PYTHON_3[..4], b">\0\0\0\0", b"\xbe\0\0\0\0");
    same(&PYTHON_3[4..], b">\0\0\0\0", b">\0\0\0\0");
    same(&["3.8.18", "3.11.7", "3.15.0rc1"], b"<\x01\0\0\0i\xe8\x07\0\0", b"<\x01\0\0\0\xe9\xe8\x07\0\0");
    same(&["3.9.18", "3.10.13"], b"<\x01\0\0\0i\xe8\x07\0\0", b"<\x01\0\0\0i\xe8\x07\0\0");
    same(PYTHON_3, b")\x02Z\x02qzZ\x02qz", b")\x02\xda\x02qzr\0\0\0\0");
    same(PYTHON_3, b")\x02z\x02qzz\x02qz", b")\x02z\x02qzz\x02qz");
    same(PYTHON_3, b")\x02\xe9\xe8\x07\0\0r\0\0\0\0", b")\x02\xe9\xe8\x07\0\0r\0\0\0\0");
    same(PYTHON_3, b")\x02\xe9\xe8\x07\0\0i\xe9\x07\0\0", b")\x02i\xe8\x07\0\0i\xe9\x07\0\0");
    same(PYTHON_2, b"I\x05\0\0\0\0\0\0\0", b"i\x05\0\0\0");
    same(PYTHON_2, b"u\x06\0\0\0\xed\xa0\xbd\xed\xb8\x80", b"u\x04\0\0\0\xf0\x9f\x98\x80");
    same(PYTHON_3, b"u\x06\0\0\0\xed\xa0\xbd\xed\xb8\x80", b"u\x06\0\0\0\xed\xa0\xbd\xed\xb8\x80");
}

/// 3.11 and 3.12 intern some one-character names before anybody can intern the cached strings.
#[test]
fn characters_interned_elsewhere() {
    let stream = b")\x04z\x01xZ\x01xz\x01xZ\x01y";
    for (elsewhere, expected) in [
        (&b""[..], &b")\x04\xda\x01xr\0\0\0\0r\0\0\0\0\xda\x01y"[..]),
        (b"x", b")\x04\xfa\x01x\xda\x01xr\0\0\0\0\xda\x01y"),
    ] {
        let profile = profile("3.12.1").with_interned_elsewhere(elsewhere);
        let graph = read(stream, &profile).unwrap();
        let dump = Loaded::new(&graph, &profile).dump(4);
        assert!(matches!(&dump, Dump::Bytes { bytes, .. } if bytes == expected), "{dump:x?}");
    }
}

/// Sets are sorted by the dumps of their members since 3.11; until 3.12 a flag makes a member come late.
#[test]
fn set_order() {
    let set = b"<\x03\0\0\0Z\x02zzi\x01\0\0\0i\xe8\x07\0\0";
    check_dump("3.12.1", set, b"<\x03\0\0\0\xe9\xe8\x07\0\0\xda\x02zz\xe9\x01\0\0\0");
    check_dump("3.13.0", set, b"<\x03\0\0\0\xda\x02zz\xe9\x01\0\0\0\xe9\xe8\x07\0\0");
    // The complex number comes to be flagged, and from then on its key is: so the last set begins with the set that holds it.
    let complex = &[&b"y"[..], &[0; 15], b"\x40)\0"].concat();
    let ints = b"\xbe\x02\0\0\0s\x02\0\0\0abl\x03\0\0\0\x01\0\x01\0\x01\0>\x02\0\0\0r\0\0\0\0r\x01\0\0\0";
    let stream = [b")\x03\xbe\x02\0\0\0", &complex[..], ints].concat();
    let expected = [
        b")\x03\xbe\x02\0\0\0\xf9",
        &complex[1..complex.len() - 2],
        b"\xa9\0\xbe\x02\0\0\0\xe9\x01\x80\0\x40\xf3\x02\0\0\0ab>\x02\0\0\0r\0\0\0\0r\x03\0\0\0",
    ];
    check_dump("3.11.7", &stream, &expected.concat());
    check_dump("3.12.1", &stream, &expected.concat());
    // So does the key of the frozenset that holds it, which was made when the first set was sorted: in it the empty tuple
    // comes first now.
    let names = |sorted: bool, last: u8| {
        let names = if sorted { b"\xda\x02zy\xda\x02zz" } else { b"\xda\x02zz\xda\x02zy" };
        [&b">\x02\0\0\0r\0\0\0\0\xbe\x02\0\0\0"[..], names, &[b'r', last, 0, 0, 0]].concat()
    };
    let head = b")\x03>\x01\0\0\0\xbe\x02\0\0\0";
    let stream = [&head[..], complex, &names(false, 1)].concat();
    let expected = [&head[..], b"\xf9", &complex[1..complex.len() - 2], b"\xa9\0", &names(true, 3)].concat();
    check_dump("3.11.7", &stream, &expected);
    check_dump("3.12.1", &stream, &expected);
}

/// Members with the same key are compared themselves, and complex numbers have no order.
#[test]
fn members_without_an_order() {
    let nans = b"<\x02\0\0\0x\x03nan\x03infx\x03nan\x03inf";
    let nested = [b"(\x01\0\0\0<\x01\0\0\0>", &nans[1..]].concat();
    // The first items that are not equal decide.
    let tuple = |items: &[u8]| [&b"(\x02\0\0\0i\x01\0\0\0"[..], items].concat();
    let nan = tuple(&nans[5..14]);
    let tuples = [b"<\x02\0\0\0", &nan[..], &nan].concat();
    for (stream, class) in [(&nans[..], "MemoryError"), (&tuples, "MemoryError"), (&nested, "ValueError")] {
        for release in &PYTHON_3[5..] {
            let profile = profile(release);
            let graph = read(stream, &profile).unwrap();
            let dump = Loaded::new(&graph, &profile).dump(profile.marshal_version);
            assert!(matches!(&dump, Dump::Raises(e) if e.class == class), "{release} {dump:?}");
        }
    }
    // 3.14.9 and 3.15.1 compare no members any more.
    let nan = |code: &[u8]| [code, &f64::NAN.to_le_bytes().repeat(2)].concat();
    let infinite = [&b"y"[..], &[0; 8], &f64::NAN.to_le_bytes()].concat();
    let nested = |flag: u8| {
        let rest = [&b"N"[..], &[b'y' | flag], &infinite[1..], &[b'y' | flag], &infinite[1..]].concat();
        [&b">\x01\0\0\0"[..], &[b'>' | flag], b"\x03\0\0\0", &rest].concat()
    };
    for release in ["3.14.10", "3.15.2"] {
        let pair = [b"<\x02\0\0\0", &nan(b"y")[..], &nan(b"y")].concat();
        check_dump(release, &pair, &[b"<\x02\0\0\0", &nan(b"\xf9")[..], &nan(b"\xf9")].concat());
        check_dump(release, &nested(0), &nested(0x80));
    }
}

/// An error stops the writer since 3.13.12 and 3.14.3; before, it goes on, and the last error is raised.
#[test]
fn the_first_error_of_a_writer_or_the_last() {
    let nans = b"<\x02\0\0\0x\x03nan\x03infx\x03nan\x03inf";
    // Format 2 has no references.
    let cycle = b"\xdb\x01\0\0\0r\0\0\0\0";
    let [nans_first, cycle_first] =
        [[&nans[..], cycle], [cycle, nans]].map(|items| [&b"[\x02\0\0\0"[..], &items.concat()].concat());
    for (releases, [first, second]) in [
        (&["3.11.7", "3.12.1", "3.13.0", "3.14.2"][..], ["ValueError", "MemoryError"]),
        (&["3.13.15", "3.13.18", "3.14.8", "3.15.0"], ["MemoryError", "ValueError"]),
    ] {
        for (stream, class) in [(&nans_first, first), (&cycle_first, second)] {
            for release in releases {
                let profile = profile(release);
                let graph = read(stream, &profile).unwrap();
                let dump = Loaded::new(&graph, &profile).dump(2);
                assert!(matches!(&dump, Dump::Raises(e) if e.class == class), "{release} {stream:x?}: {dump:?}");
            }
        }
    }
}

#[test]
fn older_formats_repeat_shared_parts_and_refuse_newer_types() {
    let profile = profile("3.14.8");
    let dump = |stream: &[u8], version| {
        let graph = read(stream, &profile).unwrap();
        Loaded::new(&graph, &profile).dump(version)
    };
    let unmarshallable = dump(b":NNN", 4);
    assert!(matches!(unmarshallable, Dump::Raises(e) if e.message == "unmarshallable object"));
    let twice = dump(b"[\x02\0\0\0\xdb\x01\0\0\0Tr\0\0\0\0", 2);
    assert!(matches!(twice, Dump::Bytes { bytes, .. } if bytes == b"[\x02\0\0\0[\x01\0\0\0T[\x01\0\0\0T"));
    let cycle = dump(b"\xdb\x01\0\0\0r\0\0\0\0", 2);
    assert!(matches!(cycle, Dump::Raises(e) if e.message == "object too deeply nested to marshal"));
    // A chain of pairs of the same thing doubles with every link.
    let mut bomb = b"[\x1e\0\0\0\xdb\0\0\0\0".to_vec();
    for i in 0..29_u32 {
        bomb.extend_from_slice(b"\xdb\x02\0\0\0");
        bomb.extend((0..2).flat_map(|_| [&b"r"[..], &i.to_le_bytes()].concat()));
    }
    assert!(matches!(dump(&bomb, 2), Dump::Undefined(pyc_core::Cause::Expansion)));
    assert!(matches!(dump(&bomb, 4), Dump::Bytes { .. }));
}
