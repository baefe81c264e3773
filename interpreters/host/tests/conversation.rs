//! Conversations with real interpreters through the built `host` and `worker`.
//!
//! Each test runs with every libpython that `common` finds. Without any it says so and passes.

mod common;

use common::{INTERPRETERS, Interpreter, WORKER};
use protocol::{Answer, CanonMode, Compile, Exception, Facts, Import, Load, Loaded, Request};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

const SIGSEGV: i32 = 11;
const SIGXCPU: i32 = 24;

/// A conversation with one process.
struct Talk {
    process: Child,
    answers: ChildStdout,
}

impl Talk {
    fn start(interpreter: &Interpreter, environment: &[(&str, &str)]) -> Talk {
        let mut host = Command::new(env!("CARGO_BIN_EXE_host"));
        host.arg("embed").arg("--libpython").arg(&interpreter.libpython);
        host.arg("--prefix").arg(&interpreter.prefix);
        host.arg("--worker").arg(&*WORKER);
        host.envs(environment.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = host.spawn().unwrap();
        let answers = process.stdout.take().unwrap();
        Talk { process, answers }
    }

    fn say(&mut self, payload: &[u8]) {
        protocol::write_frame(self.process.stdin.as_mut().unwrap(), payload).unwrap();
    }

    /// The next answer; `None` when the process is gone.
    fn hear(&mut self, versions: usize) -> Option<Answer> {
        let frame = protocol::read_frame(&mut self.answers).unwrap()?;
        Some(Answer::decode(&frame, versions).unwrap())
    }

    fn ask(&mut self, request: &Request) -> Answer {
        self.say(&request.encode());
        self.hear(0).expect("the worker lives")
    }

    fn load(&mut self, ask: &Load) -> Vec<Answer> {
        self.say(&Request::Load(ask.clone()).encode());
        ask.cases.iter().map_while(|_| self.hear(ask.versions.len())).collect()
    }

    fn end(mut self) -> ExitStatus {
        drop(self.process.stdin.take());
        self.process.wait().unwrap()
    }
}

/// Runs `talk` with each interpreter; the process must then end well.
fn with_each(talk: impl Fn(&mut Talk, &Interpreter)) {
    for interpreter in &*INTERPRETERS {
        eprintln!("with {}", interpreter.libpython.display());
        let mut conversation = Talk::start(interpreter, &[("PYTHONHASHSEED", "random"), ("PYTHONSTARTUP", "/no")]);
        talk(&mut conversation, interpreter);
        assert!(conversation.end().success());
    }
}

fn asked(canon: CanonMode, versions: &[u8], cases: &[&[u8]]) -> Load {
    let cases = cases.iter().map(|case| case.to_vec()).collect();
    Load { canon, consumed: false, versions: versions.to_vec(), cases }
}

fn accepted(answer: &Answer) -> &Loaded {
    match answer {
        Answer::Accepted(loaded) => loaded,
        other => panic!("not accepted: {other:?}"),
    }
}

fn canon_of(answer: &Answer) -> String {
    String::from_utf8(accepted(answer).canon.clone().unwrap()).unwrap()
}

/// Every interpreter prints the canon beside the stream.
fn check_canon(table: &[(&[u8], &str)]) {
    let cases: Vec<&[u8]> = table.iter().map(|(case, _)| *case).collect();
    with_each(|talk, _| {
        let texts = talk.load(&asked(CanonMode::Text, &[], &cases));
        for ((case, canon), text) in table.iter().zip(&texts) {
            assert_eq!(canon_of(text), *canon, "{case:x?}");
        }
        assert_eq!(texts.len(), cases.len());
    });
}

/// Every interpreter dumps the first stream, with this marshal version, as the second.
fn check_dumps(version: u8, table: &[(&[u8], &[u8])]) {
    let cases: Vec<&[u8]> = table.iter().map(|(case, _)| *case).collect();
    with_each(|talk, _| {
        let answers = talk.load(&asked(CanonMode::None, &[version], &cases));
        for ((case, dump), answer) in table.iter().zip(&answers) {
            assert_eq!(accepted(answer).dumps, [Ok(dump.to_vec())], "{case:x?}");
        }
        assert_eq!(answers.len(), cases.len());
    });
}

#[test]
fn hello_tells_the_facts() {
    with_each(|talk, interpreter| {
        let Answer::Facts(facts) = talk.ask(&Request::Hello) else { panic!("no facts") };
        let Facts { version_info: (major, minor, micro, level, _), .. } = &*facts;
        assert_eq!((*major, *minor), interpreter.version);
        assert_eq!(level, "final");
        assert_eq!(facts.version, format!("{major}.{minor}.{micro}"));
        assert!(facts.build.starts_with(&facts.version) && !facts.build.contains('\n'), "{}", facts.build);
        assert_eq!((facts.protocol, facts.driver.as_str()), (protocol::VERSION, "embedded"));
        assert_eq!(facts.implementation, "cpython");
        assert!(facts.magic.len() == 8 && facts.magic.ends_with("0d0a"), "{}", facts.magic);
        assert!(facts.marshal_version >= 4);
        assert_eq!((facts.pointer_bits, facts.unicode_max), (64, 0x10_ffff));
        assert_eq!(facts.optimize, [0, 1, 2]);
        assert_eq!(Path::new(&facts.prefix), interpreter.prefix);
        assert!(Path::new(&facts.stdlib).join("os.py").is_file(), "{}", facts.stdlib);
    });
}

#[test]
fn scalars_have_their_canon() {
    check_canon(&[
        (b"N", "none\n"),
        (b"T", "true\n"),
        (b"F", "false\n"),
        (b".", "ellipsis\n"),
        (b"S", "stopiteration\n"),
        (b"i\0\0\0\0", "int 0\n"),
        (b"i\xff\0\0\0", "int ff\n"),
        (b"i\x80\xff\xff\xff", "int -80\n"),
        (b"I\0\0\0\0\0\0\0\x80", "int -8000000000000000\n"),
        (b"l\x05\0\0\0\0\0\0\0\0\0\0\0\x10\0", "int 10000000000000000\n"),
        (b"l\xfb\xff\xff\xff\x01\0\0\0\0\0\0\0\x10\0", "int -10000000000000001\n"),
        (b"g\0\0\0\0\0\0\xf0\x3f", "float 3ff0000000000000\n"),
        (b"g\x01\0\0\0\0\0\xf4\xff", "float fff4000000000001\n"),
        (b"f\x04-0.0", "float 8000000000000000\n"),
        (b"y\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x80", "complex 3ff0000000000000 8000000000000000\n"),
        (b"s\x03\0\0\0\0a\xff", "bytes \"0061ff\"\n"),
        (b"s\0\0\0\0", "bytes \"\"\n"),
        (b"z\x05 ~\"\\\n", "str \" ~\\{22}\\{5c}\\{a}\"\n"),
        (b"u\x09\0\0\0\xc3\xa9\xed\xa0\x80\xf0\x9f\x98\x80", "str \"\\{e9}\\{d800}\\{1f600}\"\n"),
    ]);
}

#[test]
fn containers_share_and_contain_themselves() {
    check_canon(&[
        (b")\0", "tuple 0\n"),
        (b")\x03NTF", "tuple 3\nnone\ntrue\nfalse\n"),
        // The example of CANON.md.
        (
            b")\x04\xdb\x02\0\0\0i\x01\0\0\0)\0r\0\0\0\0z\x02\xe9\"{s\x01\0\0\0kg\0\0\0\0\0\0\x04\x400",
            "tuple 4\nlist 2\nint 1\ntuple 0\nref 1\nstr \"\\{e9}\\{22}\"\ndict 1\nbytes \"6b\"\nfloat 4004000000000000\n",
        ),
        (b"\xdb\x01\0\0\0r\0\0\0\0", "list 1\nref 0\n"),
        (b"\xa9\x01r\0\0\0\0", "tuple 1\nref 0\n"),
        (b"\xfbNr\0\0\0\x000", "dict 1\nnone\nref 0\n"),
        // Empty tuples and frozensets have no number, empty lists do.
        (b")\x02\xa9\0r\0\0\0\0", "tuple 2\ntuple 0\ntuple 0\n"),
        (b")\x02\xbe\0\0\0\0r\0\0\0\0", "tuple 2\nfrozenset 0\nfrozenset 0\n"),
        (b")\x02\xdb\0\0\0\0r\0\0\0\0", "tuple 2\nlist 0\nref 1\n"),
        (b")\x02[\0\0\0\0[\0\0\0\0", "tuple 2\nlist 0\nlist 0\n"),
    ]);
    let (deep, canon) = ([b"[\x01\0\0\0".repeat(1999), b"N".to_vec()].concat(), "list 1\n".repeat(1999) + "none\n");
    check_canon(&[(&deep, &canon)]);
}

#[test]
fn members_of_sets_come_in_the_order_of_their_canon() {
    check_canon(&[
        (b"<\0\0\0\0", "set 0\n"),
        (b"<\x03\0\0\0i\x02\0\0\0i\x0a\0\0\0z\x01b", "set 3\nint 2\nint a\nstr \"b\"\n"),
        // Each member's key is numbered from 0, the members themselves from where the text is.
        (
            b"[\x02\0\0\0>\x02\0\0\0)\x01>\x02\0\0\0NTi\x05\0\0\0\xa9\x01N",
            "list 2\nfrozenset 2\nint 5\ntuple 1\nfrozenset 2\nnone\ntrue\ntuple 1\nnone\n",
        ),
        // A tuple that is a member of two sets gets its number where it is seen first.
        (
            b")\x02<\x02\0\0\0N\xa9\x01i\x01\0\0\0<\x02\0\0\0r\0\0\0\0F",
            "tuple 2\nset 2\nnone\ntuple 1\nint 1\nset 2\nfalse\nref 2\n",
        ),
    ]);
    // Members with equal keys stay apart: two NaNs, and two equal frozensets of them.
    let nan = b"g\0\0\0\0\0\0\xf8\x7f";
    let nans = [b"<\x02\0\0\0".as_slice(), nan, nan].concat();
    check_canon(&[(&nans, "set 2\nfloat 7ff8000000000000\nfloat 7ff8000000000000\n")]);
    // Sets 1,000 deep, two members each.
    let deep = [b">\x02\0\0\0T".repeat(1000), b"N".to_vec()].concat();
    let canon = "frozenset 2\n".repeat(1000) + "none\n" + &"true\n".repeat(1000);
    check_canon(&[(&deep, &canon)]);
}

#[test]
fn hash_is_that_of_the_text() {
    // SHA-256 of "none\n".
    const NONE: &str = "fcf33dfbe13c2354bf0e1b063f9fb422747a46cee00b7420bceff2b81457b345";
    with_each(|talk, _| {
        let answers = talk.load(&asked(CanonMode::Hash, &[], &[b"N"]));
        let hash: String = accepted(&answers[0]).canon.as_ref().unwrap().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hash, NONE);
    });
}

#[test]
fn fields_of_code_follow_the_version() {
    let source = b"def f(a, *, b):\n    c = [a, b]\n    return lambda: c\n".to_vec();
    let ask = Compile { source, filename: "\u{e9}.py".into(), optimize: 0 };
    with_each(|talk, interpreter| {
        let Answer::Compiled(pyc) = talk.ask(&Request::Compile(ask.clone())) else { panic!("not compiled") };
        let Answer::Facts(facts) = talk.ask(&Request::Hello) else { panic!("no facts") };
        let magic: String = pyc[..4].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(magic, facts.magic);
        assert_eq!(pyc[4..16], [0, 0, 0, 0, 0, 0, 0, 0, 52, 0, 0, 0]);

        let text = canon_of(&talk.load(&asked(CanonMode::Text, &[], &[&pyc[16..]]))[0]);
        let fields = match interpreter.version.1 {
            9 => "varnames freevars cellvars filename name firstlineno lnotab",
            10 => "varnames freevars cellvars filename name firstlineno linetable",
            _ => "localsplusnames varnames cellvars filename name qualname firstlineno linetable exceptiontable",
        };
        let fields =
            format!("argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names {fields}");
        let fields: Vec<&str> = fields.split(' ').collect();
        // The module, the function and the lambda: the names of the three, flattened, hold each field three times.
        let code = format!("code {}", fields.len());
        assert_eq!(text.matches(&code).count(), 3, "{text}");
        for field in fields {
            assert_eq!(text.lines().filter(|l| l.starts_with(&format!("{field}="))).count(), 3, "{field} in {text}");
        }
        assert!(text.starts_with(&format!("{code}\nargcount=int 0\nposonlyargcount=int 0\n")), "{text}");
        assert!(text.contains("\nargcount=int 1\nposonlyargcount=int 0\nkwonlyargcount=int 1\nnlocals=int "), "{text}");
        assert!(text.contains("\nfilename=str \"\\{e9}.py\"\nname=str \"f\"\n"), "{text}");
        let locals = match interpreter.version.1 {
            9 | 10 => "varnames=tuple 2\nstr \"a\"\nstr \"b\"\nfreevars=tuple 0\ncellvars=",
            _ => {
                "localsplusnames=names 3\nstr \"a\"\nstr \"b\"\nstr \"c\"\nvarnames=names 2\nstr \"a\"\nstr \"b\"\ncellvars=names 1\nstr \"c\"\n"
            }
        };
        assert!(text.contains(locals), "{text}");
    });
}

/// What a worker has seen before is another owner of interned strings, and those are flagged.
#[test]
fn what_is_compiled_does_not_depend_on_what_was_loaded() {
    let ask = Compile { source: b"some_name = other_name\n".to_vec(), filename: "x.py".into(), optimize: 0 };
    with_each(|talk, _| {
        let Answer::Compiled(before) = talk.ask(&Request::Compile(ask.clone())) else { panic!("not compiled") };
        // A list that holds itself stays until a collection, and a name with it.
        let cycle = b"\xdb\x02\0\0\0r\0\0\0\0\xda\x09some_name";
        accepted(&talk.load(&asked(CanonMode::None, &[], &[cycle]))[0]);
        assert_eq!(talk.ask(&Request::Compile(ask.clone())), Answer::Compiled(before));
    });
}

#[test]
fn rejections_have_class_and_message() {
    let table: &[(&[u8], &str, &str)] = &[
        (b"", "EOFError", "EOF read where object expected"),
        (b"i", "EOFError", "marshal data too short"),
        (b"?", "ValueError", "bad marshal data (unknown type code)"),
        (b"0", "TypeError", "NULL object in marshal data for object"),
        (b"r\0\0\0\0", "ValueError", "bad marshal data (invalid reference)"),
        (b"f\x03x\xffy", "ValueError", "could not convert string to float: 'x\u{fffd}y'"),
        (
            b"u\x01\0\0\0\xff",
            "UnicodeDecodeError",
            "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
    ];
    let cases: Vec<&[u8]> = table.iter().map(|(case, ..)| *case).collect();
    with_each(|talk, _| {
        let answers = talk.load(&asked(CanonMode::Text, &[4], &cases));
        let expected = table.iter().map(|(_, class, message)| {
            Answer::Rejected(Exception { class: class.to_string(), message: message.to_string() })
        });
        assert_eq!(answers, expected.collect::<Vec<_>>());
    });
}

#[test]
fn sources_with_errors_do_not_compile() {
    let check = |source: &[u8], optimize, class: &str| {
        let ask = Compile { source: source.to_vec(), filename: "x.py".into(), optimize };
        with_each(|talk, _| match talk.ask(&Request::Compile(ask.clone())) {
            Answer::NotCompiled(exception) => assert_eq!(exception.class, class),
            other => panic!("{source:?}: {other:?}"),
        });
    };
    check(b"x = (", 0, "SyntaxError");
    check(b"# coding: nonsense\n", 0, "SyntaxError");
    check(b"x", 3, "ValueError");
}

#[test]
fn headers_are_judged_as_by_importlib() {
    with_each(|talk, interpreter| {
        let ask = Compile { source: b"x=1\n".to_vec(), filename: "x.py".into(), optimize: 0 };
        let Answer::Compiled(pyc) = talk.ask(&Request::Compile(ask)) else { panic!("not compiled") };
        let mut check = |after_magic: &[u8], mtime: Option<u32>, expected: Result<u32, &str>| {
            let file = [&pyc[..4], after_magic].concat();
            let source = mtime.map(|mtime| (b"x=1\n".to_vec(), mtime));
            let answer = talk.ask(&Request::Import(vec![Import { file, source }]));
            let refused = |message: &str| {
                let class = if message.starts_with("reached") { "EOFError" } else { "ImportError" };
                Answer::Rejected(Exception { class: class.into(), message: message.into() })
            };
            assert_eq!(answer, expected.map_or_else(refused, Answer::Imported));
        };
        check(b"\0\0\0\0abcdabc", None, Err("reached EOF while reading pyc header of 'case'"));
        check(b"\x05\0\0\0abcdabcd", None, Err("invalid flags 5 in 'case'"));
        check(b"\x01\0\0\0abcdabcd", Some(0), Ok(1));
        check(b"\x02\0\0\0\x07\0\0\0\x04\0\0\0", Some(7), Ok(2));
        check(b"\0\0\0\0\x07\0\0\0\x04\0\0\0", Some(8), Err("bytecode is stale for 'case'"));
        check(b"\x03\0\0\0abcdabcd", Some(0), Err("hash in bytecode doesn't match hash of source 'case'"));
        check(b"\x03\0\0\0abcdabcd", None, Ok(3));
        if interpreter.version.1 == 12 {
            check(b"\x03\0\0\0\x2c\xf2\x6e\xbe\x71\x32\x86\x71", Some(0), Ok(3));
        }
    });
}

#[test]
fn only_shared_objects_are_flagged() {
    check_dumps(
        4,
        &[
            // Fresh roots carry no flag, whether the stream flagged them or not.
            (b"(\x01\0\0\0N", b")\x01N"),
            (b"\xa9\x01N", b")\x01N"),
            (b"[\x01\0\0\0N", b"[\x01\0\0\0N"),
            (b"\xdb\x01\0\0\0N", b"[\x01\0\0\0N"),
            (b"\xe9\xe8\x03\0\0", b"i\xe8\x03\0\0"),
            (b"{NN0", b"{NN0"),
            (b"\xfa\x02qz", b"z\x02qz"),
            (b"\xe7\0\0\0\0\0\0\xf0\x3f", b"g\0\0\0\0\0\0\xf0\x3f"),
            // What has two references inside does, and a root that contains itself.
            (b")\x02\xe9\xe8\x03\0\0r\0\0\0\0", b")\x02\xe9\xe8\x03\0\0r\0\0\0\0"),
            (b"[\x02\0\0\0\xa9\x01Nr\0\0\0\0", b"[\x02\0\0\0\xa9\x01Nr\0\0\0\0"),
            (b"\xdb\x01\0\0\0r\0\0\0\0", b"\xdb\x01\0\0\0r\0\0\0\0"),
            // `keep` is the second reference to every interned string.
            (b"Z\x02qz", b"\xda\x02qz"),
            (b"t\x02\0\0\0\xc3\xa9", b"\xf4\x02\0\0\0\xc3\xa9"),
            // All one-character strings are interned beforehand.
            (b"z\x01A", b"\xda\x01A"),
            (b"u\x02\0\0\0\xc3\xbf", b"\xf4\x02\0\0\0\xc3\xbf"),
            // Garbage keeps what it refers to shared: the first value of the key is a list that contains itself and 'qz'.
            (b"{N\xdb\x02\0\0\0\xfa\x02qzr\0\0\0\0Nr\x01\0\0\x000", b"{N\xfa\x02qz0"),
        ],
    );
    check_dumps(2, &[(b")\x02\xe9\xe8\x03\0\0r\0\0\0\0", b"(\x02\0\0\0i\xe8\x03\0\0i\xe8\x03\0\0")]);
}

#[test]
fn dumps_can_fail_alone() {
    with_each(|talk, _| {
        let mut ask = asked(CanonMode::Text, &[2, 4], &[b"\xdb\x01\0\0\0r\0\0\0\0trailing"]);
        ask.consumed = true;
        let answers = talk.load(&ask);
        let loaded = accepted(&answers[0]);
        let too_deep = Exception { class: "ValueError".into(), message: "object too deeply nested to marshal".into() };
        assert_eq!(loaded.dumps, [Err(too_deep), Ok(b"\xdb\x01\0\0\0r\0\0\0\0".to_vec())]);
        assert_eq!(loaded.consumed, Some(10));
        assert_eq!(canon_of(&answers[0]), "list 1\nref 0\n");
    });
}

/// The interpreter dies of SIGSEGV in the case, and the answers to the cases before it are there.
fn check_killer(killer: &[u8]) {
    for interpreter in &*INTERPRETERS {
        let mut talk = Talk::start(interpreter, &[]);
        let answers = talk.load(&asked(CanonMode::Text, &[4], &[b"N", b"T", killer, b"F"]));
        let canons: Vec<String> = answers.iter().map(canon_of).collect();
        assert_eq!(canons, ["none\n", "true\n"], "{}", interpreter.libpython.display());
        assert_eq!(talk.end().signal(), Some(SIGSEGV), "{}", interpreter.libpython.display());
    }
}

#[test]
fn death_is_pinned_on_its_case() {
    // A set member that is an unfinished tuple: a NULL is hashed.
    check_killer(b"\xa9\x01<\x01\0\0\0r\0\0\0\0");
    // A set member that is a tuple containing itself: the C stack overflows.
    check_killer(b")\x02\xa9\x01r\0\0\0\0<\x01\0\0\0r\0\0\0\0");
}

#[test]
fn memory_is_limited() {
    for interpreter in &*INTERPRETERS {
        let mut talk = Talk::start(interpreter, &[("PROVOST_MEMORY_MIB", "1024")]);
        let answers = talk.load(&asked(CanonMode::Text, &[4], &[b"(\xff\xff\xff\x7f", b"N"]));
        match &answers[0] {
            Answer::Rejected(e) => assert!(["MemoryError", "EOFError"].contains(&e.class.as_str()), "{e:?}"),
            other => panic!("16 GiB under a limit of 1 GiB: {other:?}"),
        }
        assert_eq!(canon_of(&answers[1]), "none\n");
        assert!(talk.end().success());
    }
}

#[test]
fn cpu_time_is_limited_for_each_request() {
    // One interpreter will do: the limit is the kernel's, and testing it takes seconds.
    let Some(interpreter) = INTERPRETERS.first().filter(|i| i.version <= (3, 13)) else { return };
    let mut talk = Talk::start(interpreter, &[("PROVOST_CPU_SECONDS", "1")]);
    assert_eq!(talk.load(&asked(CanonMode::None, &[], &[b"N"])).len(), 1);
    // Until 3.13 version 2 walks 2^2000 paths through a list that contains itself twice.
    assert_eq!(talk.load(&asked(CanonMode::None, &[2], &[b"\xdb\x02\0\0\0r\0\0\0\0r\0\0\0\0"])), []);
    assert_eq!(talk.end().signal(), Some(SIGXCPU));
}

#[test]
fn bad_requests_are_told() {
    with_each(|talk, _| {
        for payload in [&b""[..], b"X", b"L\x03", b"Hx"] {
            talk.say(payload);
            let answer = talk.hear(0);
            assert!(matches!(&answer, Some(Answer::Failed(reason)) if reason.contains("bad message")), "{answer:?}");
        }
    });
}
