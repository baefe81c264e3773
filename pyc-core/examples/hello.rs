//! Builds a program with a loop, a closure, a generator, try with except and finally, `with` and `match`, for any version:
//! `cargo run -p pyc-core --example hello 3.12 hello.pyc && python3.12 hello.pyc`. The folder `hello` has such programs as text.

use pyc_core::bytecode::Label;
use pyc_core::bytecode::document::{Builder, Document, OpError, Symbol};
use pyc_core::code::flag;
use pyc_core::{Profile, Release};

/// An expression.
enum E {
    Text(&'static str),
    Int(i64),
    Texts(&'static str, &'static str),
    /// A name of the module, or a built-in one.
    Name(&'static str),
    Local(&'static str),
    Free(&'static str),
    Call(Box<E>, Vec<E>),
    Op(&'static str, Box<E>, Box<E>),
    Tuple(Vec<E>),
}
use E::{Call, Free, Int, Local, Name, Text, Texts, Tuple};

fn call(function: &'static str, arguments: Vec<E>) -> E {
    Call(Box::new(Name(function)), arguments)
}

fn op(name: &'static str, left: E, right: E) -> E {
    E::Op(name, Box::new(left), Box::new(right))
}

type Done = Result<(), OpError>;

/// A code object that is being built, and for which minor version of Python 3 (2.7: 0).
struct Code<'d> {
    builder: Builder<'d>,
    minor: u8,
    is_module: bool,
}

impl<'d> Code<'d> {
    fn new(document: &'d mut Document, label: &str, arguments: &[&str]) -> Self {
        let version = document.profile().version;
        let minor = if version.major == 2 { 0 } else { version.minor };
        let mut builder = document.build(label, 1);
        builder.block.signature.positional = arguments.iter().map(|name| (*name).to_owned()).collect();
        Code { builder, minor, is_module: label == "module" }
    }

    fn plain(&mut self, names: &str) -> Done {
        names.split_whitespace().try_for_each(|name| self.builder.op(name, Symbol::None))
    }

    fn number(&mut self, name: &str, number: u32) -> Done {
        self.builder.op(name, Symbol::Number(number))
    }

    fn variable(&mut self, name: &str, variable: &str) -> Done {
        self.builder.op(name, Symbol::Variable(variable.into()))
    }

    fn named(&mut self, name: &str, named: &str) -> Done {
        self.builder.op(name, Symbol::Name(named.into(), 0))
    }

    fn jump(&mut self, name: &str, label: Label) -> Done {
        self.builder.op(name, Symbol::Jump(label))
    }

    fn none(&mut self) -> Done {
        let none = self.builder.values().none();
        self.builder.op("LOAD_CONST", Symbol::Const(none))
    }

    /// What is executed first.
    fn begin(&mut self) -> Done {
        if self.minor >= 11 {
            self.number("RESUME", 0)?;
        }
        Ok(())
    }

    fn expression(&mut self, expression: &E) -> Done {
        let values = self.builder.values();
        let constant = match expression {
            Text(text) => values.str(text),
            Int(number) => values.int(*number),
            Texts(first, second) => {
                let both = [values.str(first), values.str(second)];
                values.tuple(&both)
            }
            Name(name) => return self.named(if self.is_module { "LOAD_NAME" } else { "LOAD_GLOBAL" }, name),
            Local(name) => return self.variable("LOAD_FAST", name),
            Free(name) => return self.variable("LOAD_DEREF", name),
            Tuple(items) => {
                items.iter().try_for_each(|item| self.expression(item))?;
                return self.number("BUILD_TUPLE", u32::try_from(items.len()).unwrap_or(0));
            }
            Call(function, arguments) => {
                return self.call(&mut |code| code.expression(function), &mut |code| {
                    arguments.iter().try_for_each(|argument| code.expression(argument))?;
                    Ok(u32::try_from(arguments.len()).unwrap_or(0))
                });
            }
            E::Op(name, left, right) => {
                self.expression(left)?;
                self.expression(right)?;
                let (old, new) = match *name {
                    "+" => ("BINARY_ADD", 0),
                    "//" => ("BINARY_FLOOR_DIVIDE", 2),
                    "*" => ("BINARY_MULTIPLY", 5),
                    _ => ("BINARY_MODULO", 6),
                };
                return if self.minor < 11 { self.plain(old) } else { self.number("BINARY_OP", new) };
            }
        };
        self.builder.op("LOAD_CONST", Symbol::Const(constant))
    }

    /// A call, as each version has it; the second function says how many arguments it left.
    fn call(
        &mut self,
        function: &mut dyn FnMut(&mut Self) -> Done,
        arguments: &mut dyn FnMut(&mut Self) -> Result<u32, OpError>,
    ) -> Done {
        if matches!(self.minor, 11 | 12) {
            self.plain("PUSH_NULL")?;
        }
        function(self)?;
        if self.minor > 12 {
            self.plain("PUSH_NULL")?;
        }
        let count = arguments(self)?;
        if self.minor == 11 {
            self.number("PRECALL", count)?;
        }
        self.number(if self.minor < 11 { "CALL_FUNCTION" } else { "CALL" }, count)
    }

    fn print(&mut self, what: E) -> Done {
        if self.minor == 0 {
            self.expression(&what)?;
            return self.plain("PRINT_ITEM PRINT_NEWLINE");
        }
        self.expression(&call("print", vec![what]))?;
        self.plain("POP_TOP")
    }

    /// A function object; what it closes over is on the stack.
    fn function(&mut self, block: usize, name: &str, is_closure: bool) -> Done {
        let code = self.builder.code(block);
        self.builder.op("LOAD_CONST", Symbol::Const(code))?;
        if (6..11).contains(&self.minor) {
            let name = self.builder.values().str(name);
            self.builder.op("LOAD_CONST", Symbol::Const(name))?;
        }
        match (self.minor, is_closure) {
            (0, true) => self.number("MAKE_CLOSURE", 0),
            (13.., true) => {
                self.plain("MAKE_FUNCTION")?;
                self.number("SET_FUNCTION_ATTRIBUTE", 8)
            }
            (13.., false) => self.plain("MAKE_FUNCTION"),
            (_, is_closure) => self.number("MAKE_FUNCTION", if is_closure { 8 } else { 0 }),
        }
    }

    fn for_each(&mut self, items: &E, store: (&str, Symbol), body: impl FnOnce(&mut Self) -> Done) -> Done {
        let (start, end) = (self.builder.label(), self.builder.label());
        self.expression(items)?;
        if self.minor >= 15 {
            self.number("GET_ITER", 0)?
        } else {
            self.plain("GET_ITER")?
        }
        let start = self.builder.here(start);
        self.jump("FOR_ITER", end)?;
        self.builder.op(store.0, store.1)?;
        body(self)?;
        self.jump(if self.minor < 11 { "JUMP_ABSOLUTE" } else { "JUMP_BACKWARD" }, start)?;
        self.builder.here(end);
        match self.minor {
            0..12 => Ok(()),
            12 => self.plain("END_FOR"),
            13 => self.plain("END_FOR POP_TOP"),
            _ => self.plain("END_FOR POP_ITER"),
        }
    }

    fn pop_jump_if(&mut self, condition: bool, label: Label) -> Done {
        let between = if self.minor == 11 { "FORWARD_" } else { "" };
        let condition = if condition { "TRUE" } else { "FALSE" };
        self.jump(&format!("POP_JUMP_{between}IF_{condition}"), label)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [version, output] = arguments.as_slice() else {
        return Err("usage: hello X.Y OUT.pyc".into());
    };
    let release = Release::parse(version).ok_or("not a Python version")?;
    let profile = Profile::for_release(&release).ok_or("this version is not supported")?;
    std::fs::write(output, program(&profile)?)?;
    Ok(())
}

fn program(profile: &Profile) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut document = Document::new(profile);
    let (adder, squares, divide) = (adder(&mut document)?, squares(&mut document)?, divide(&mut document)?);
    let door = door(&mut document)?;
    let has_match = profile.version >= pyc_core::Version::new(3, 10);
    let name = if has_match { Some(name(&mut document)?) } else { None };
    let mut code = Code::new(&mut document, "module", &[]);
    code.begin()?;
    let functions = [(adder, "adder"), (squares, "squares"), (divide, "divide")];
    for (block, name) in functions.into_iter().chain(name.map(|block| (block, "name"))) {
        code.function(block, name, false)?;
        code.named("STORE_NAME", name)?;
    }
    class(&mut code, door)?;
    let store = ("STORE_NAME", Symbol::Name("greeting".into(), 0));
    code.for_each(&Texts("hello", "goodbye"), store, |code| code.print(op("+", Text("loop: "), Name("greeting"))))?;
    let closure = Call(Box::new(call("adder", vec![Int(2)])), vec![Int(3)]);
    code.print(op("%", Text("closure: %d"), closure))?;
    let sum = call("sum", vec![call("squares", vec![Int(4)])]);
    code.print(op("%", Text("generator: %d"), sum))?;
    for (text, by) in [("try: ", 2), ("except: ", 0)] {
        code.print(op("+", Text(text), call("divide", vec![Int(7), Int(by)])))?;
    }
    with(&mut code)?;
    if has_match {
        for point in [Tuple(vec![Int(0), Int(0)]), Tuple(vec![Int(3), Int(0)]), Text("3")] {
            code.print(op("+", Text("match: "), call("name", vec![point])))?;
        }
    }
    code.none()?;
    code.plain("RETURN_VALUE")?;
    let module = code.builder.finish();
    let module = document.code(module);
    document.root = Some(module);
    Ok(document.write()?)
}

/// `def adder(n)` with `def add(x): return x + n` in it.
fn adder(document: &mut Document) -> Result<usize, OpError> {
    let mut code = Code::new(document, "adder.add", &["x"]);
    code.builder.block.free = vec!["n".into()];
    if code.minor >= 11 {
        code.number("COPY_FREE_VARS", 1)?;
    }
    code.begin()?;
    code.expression(&op("+", Local("x"), Free("n")))?;
    code.plain("RETURN_VALUE")?;
    let add = code.builder.finish();
    let mut code = Code::new(document, "adder", &["n"]);
    code.builder.block.cells = vec!["n".into()];
    if code.minor >= 11 {
        code.variable("MAKE_CELL", "n")?;
    }
    code.begin()?;
    code.variable(if code.minor < 13 { "LOAD_CLOSURE" } else { "LOAD_FAST" }, "n")?;
    code.number("BUILD_TUPLE", 1)?;
    code.function(add, "add", true)?;
    code.plain("RETURN_VALUE")?;
    Ok(code.builder.finish())
}

/// `def squares(count)` with `for i in range(count): yield i * i`.
fn squares(document: &mut Document) -> Result<usize, OpError> {
    let mut code = Code::new(document, "squares", &["count"]);
    let nofree = if code.minor < 11 { flag::NOFREE } else { 0 };
    code.builder.block.flags = Some(flag::OPTIMIZED | flag::NEWLOCALS | flag::GENERATOR | nofree);
    match code.minor {
        10 => code.number("GEN_START", 0)?,
        11.. => code.plain("RETURN_GENERATOR POP_TOP")?,
        _ => {}
    }
    code.begin()?;
    let store = ("STORE_FAST", Symbol::Variable("i".into()));
    code.for_each(&call("range", vec![Local("count")]), store, |code| {
        code.expression(&op("*", Local("i"), Local("i")))?;
        match code.minor {
            12.. => code.number("YIELD_VALUE", 0)?,
            _ => code.plain("YIELD_VALUE")?,
        }
        if code.minor >= 11 {
            code.number("RESUME", 1)?;
        }
        code.plain("POP_TOP")
    })?;
    code.none()?;
    code.plain("RETURN_VALUE")?;
    Ok(code.builder.finish())
}

/// `try: return "%d" % (a // b)`, `except ZeroDivisionError: return "no division"`, `finally: print(...)`.
fn divide(document: &mut Document) -> Result<usize, OpError> {
    let quotient = || op("%", Text("%d"), op("//", Local("a"), Local("b")));
    let both = || Tuple(vec![Local("a"), Local("b")]);
    let finally = |code: &mut Code<'_>| code.print(op("%", Text("finally: %d by %d"), both()));
    let mut code = Code::new(document, "divide", &["a", "b"]);
    code.begin()?;
    let [start, except, other, last] = [(); 4].map(|()| code.builder.label());
    if code.minor >= 11 {
        // Since 3.11 a table says where exceptions go.
        let [caught, cleanup, end] = [(); 3].map(|()| code.builder.label());
        code.builder.here(start);
        code.expression(&quotient())?;
        code.builder.here(caught);
        finally(&mut code)?;
        code.plain("RETURN_VALUE")?;
        code.builder.here(except);
        code.plain("PUSH_EXC_INFO")?;
        code.expression(&Name("ZeroDivisionError"))?;
        code.plain("CHECK_EXC_MATCH")?;
        code.pop_jump_if(false, other)?;
        code.plain("POP_TOP POP_EXCEPT")?;
        finally(&mut code)?;
        code.expression(&Text("no division"))?;
        code.plain("RETURN_VALUE")?;
        code.builder.here(other);
        code.number("RERAISE", 0)?;
        code.builder.here(last);
        code.plain("PUSH_EXC_INFO")?;
        finally(&mut code)?;
        code.number("RERAISE", 0)?;
        code.builder.here(cleanup);
        code.number("COPY", 3)?;
        code.plain("POP_EXCEPT")?;
        code.number("RERAISE", 1)?;
        code.builder.here(end);
        code.builder.handler(start, caught, except, 0, false);
        code.builder.handler(other, last, last, 0, false);
        code.builder.handler(last, cleanup, cleanup, 1, true);
        return Ok(code.builder.finish());
    }
    let inner = if code.minor < 8 { "SETUP_EXCEPT" } else { "SETUP_FINALLY" };
    code.jump("SETUP_FINALLY", last)?;
    code.jump(inner, except)?;
    code.expression(&quotient())?;
    // Up to 3.7 RETURN_VALUE goes through `finally` by itself; 3.8 calls it; later versions have it once more.
    let leave = |code: &mut Code<'_>, pops: &str| match code.minor {
        8 => code.plain(pops).and_then(|()| code.jump("CALL_FINALLY", last)),
        9.. => code.plain(pops).and_then(|()| finally(code)),
        _ => Ok(()),
    };
    leave(&mut code, "POP_BLOCK POP_BLOCK")?;
    code.plain("RETURN_VALUE")?;
    code.builder.here(except);
    code.plain("DUP_TOP")?;
    code.expression(&Name("ZeroDivisionError"))?;
    if code.minor < 9 {
        code.number("COMPARE_OP", 10)?;
        code.pop_jump_if(false, other)?;
    } else {
        code.jump("JUMP_IF_NOT_EXC_MATCH", other)?;
    }
    code.plain("POP_TOP POP_TOP POP_TOP")?;
    leave(&mut code, "POP_EXCEPT POP_BLOCK")?;
    code.expression(&Text("no division"))?;
    code.plain("RETURN_VALUE")?;
    code.builder.here(other);
    match code.minor {
        0..8 => code.plain("END_FINALLY POP_BLOCK").and_then(|()| code.none())?,
        8 => code.plain("END_FINALLY POP_BLOCK BEGIN_FINALLY")?,
        9 => code.plain("RERAISE")?,
        _ => code.number("RERAISE", 0)?,
    }
    code.builder.here(last);
    finally(&mut code)?;
    match code.minor {
        0..9 => code.plain("END_FINALLY").and_then(|()| code.none()).and_then(|()| code.plain("RETURN_VALUE"))?,
        9 => code.plain("RERAISE")?,
        _ => code.number("RERAISE", 0)?,
    }
    Ok(code.builder.finish())
}

/// The body of `class Door(object)`, with `__enter__` and `__exit__`.
fn door(document: &mut Document) -> Result<usize, OpError> {
    let mut methods = Vec::new();
    for (name, said, arguments) in [
        ("__enter__", "with: open", &["self"][..]),
        ("__exit__", "with: closed", &["self", "kind", "value", "traceback"]),
    ] {
        let mut code = Code::new(document, &format!("Door.{name}"), arguments);
        code.begin()?;
        code.print(Text(said))?;
        let value = code.builder.values().bool(true);
        if code.minor == 0 {
            // 2.7 has no constant for it.
            code.expression(&Name("True"))?;
        } else {
            code.builder.op("LOAD_CONST", Symbol::Const(value))?;
        }
        code.plain("RETURN_VALUE")?;
        methods.push((code.builder.finish(), name));
    }
    let mut code = Code::new(document, "Door", &[]);
    code.is_module = true;
    code.builder.block.flags = Some(match code.minor {
        0 => flag::NOFREE | flag::NEWLOCALS,
        1..11 => flag::NOFREE,
        _ => 0,
    });
    code.begin()?;
    for (block, name) in methods {
        code.function(block, name, false)?;
        code.named("STORE_NAME", name)?;
    }
    if code.minor == 0 {
        code.plain("LOAD_LOCALS")?
    } else {
        code.none()?
    }
    code.plain("RETURN_VALUE")?;
    Ok(code.builder.finish())
}

/// Makes the class of its body.
fn class(code: &mut Code<'_>, body: usize) -> Result<(), OpError> {
    if code.minor == 0 {
        code.expression(&Text("Door"))?;
        code.expression(&Tuple(vec![Name("object")]))?;
        code.function(body, "Door", false)?;
        code.number("CALL_FUNCTION", 0)?;
        code.plain("BUILD_CLASS")?;
    } else {
        code.call(&mut |code| code.plain("LOAD_BUILD_CLASS"), &mut |code| {
            code.function(body, "Door", false)?;
            code.expression(&Text("Door"))?;
            Ok(2)
        })?;
    }
    code.named("STORE_NAME", "Door")
}

/// `with Door(): print(...); raise ValueError`.
fn with(code: &mut Code<'_>) -> Result<(), OpError> {
    let [start, handler, caught, cleanup, end] = [(); 5].map(|()| code.builder.label());
    let is_old = code.minor < 11;
    code.expression(&call("Door", Vec::new()))?;
    match code.minor {
        0..11 => code.jump("SETUP_WITH", handler)?,
        11..14 => code.plain("BEFORE_WITH")?,
        _ => {
            code.number("COPY", 1)?;
            code.number("LOAD_SPECIAL", 1)?;
            code.number("SWAP", 2)?;
            code.number("SWAP", 3)?;
            code.number("LOAD_SPECIAL", 0)?;
            code.number("CALL", 0)?;
        }
    }
    code.builder.here(start);
    code.plain("POP_TOP")?;
    code.print(Text("with: inside"))?;
    code.expression(&Name("ValueError"))?;
    code.number("RAISE_VARARGS", 1)?;
    match code.minor {
        0..8 => code.plain("POP_BLOCK").and_then(|()| code.none())?,
        8 => code.plain("POP_BLOCK BEGIN_FINALLY")?,
        _ => {}
    }
    code.builder.here(handler);
    match code.minor {
        0 => return code.plain("WITH_CLEANUP END_FINALLY"),
        1..9 => return code.plain("WITH_CLEANUP_START WITH_CLEANUP_FINISH END_FINALLY"),
        9 | 10 => code.plain("WITH_EXCEPT_START")?,
        _ => code.plain("PUSH_EXC_INFO WITH_EXCEPT_START")?,
    }
    if code.minor >= 13 {
        code.plain("TO_BOOL")?;
    }
    code.pop_jump_if(true, caught)?;
    match code.minor {
        9 => code.plain("RERAISE")?,
        10 => code.number("RERAISE", 1)?,
        _ => code.number("RERAISE", 2)?,
    }
    code.builder.here(caught);
    if is_old {
        return code.plain("POP_TOP POP_TOP POP_TOP POP_EXCEPT POP_TOP");
    }
    code.plain("POP_TOP POP_EXCEPT POP_TOP POP_TOP")?;
    if code.minor >= 14 {
        code.plain("POP_TOP")?;
    }
    code.jump("JUMP_FORWARD", end)?;
    code.builder.here(cleanup);
    code.number("COPY", 3)?;
    code.plain("POP_EXCEPT")?;
    code.number("RERAISE", 1)?;
    code.builder.here(end);
    code.plain("NOP")?;
    // Since 3.14 the method `__exit__` and its object take two places.
    let depth = if code.minor >= 14 { 2 } else { 1 };
    code.builder.handler(start, handler, handler, depth, true);
    code.builder.handler(handler, caught, cleanup, depth + 2, true);
    Ok(())
}

/// `match point: case (0, 0): ...; case (x, 0): ...; case _: ...` (3.10 and later).
fn name(document: &mut Document) -> Result<usize, OpError> {
    let mut code = Code::new(document, "name", &["point"]);
    code.begin()?;
    let [second, third] = [(); 2].map(|()| code.builder.label());
    // What is compared: both items, or the second one only.
    for (items, label) in [(2, second), (1, third)] {
        code.expression(&Local("point"))?;
        code.plain("MATCH_SEQUENCE")?;
        code.pop_jump_if(false, label)?;
        code.plain("GET_LEN")?;
        code.expression(&Int(2))?;
        equals(&mut code)?;
        code.pop_jump_if(false, label)?;
        code.number("UNPACK_SEQUENCE", 2)?;
        code.variable("STORE_FAST", "x")?;
        code.variable("STORE_FAST", "y")?;
        for variable in ["y", "x"].into_iter().take(items) {
            code.expression(&Local(variable))?;
            code.expression(&Int(0))?;
            equals(&mut code)?;
            code.pop_jump_if(false, label)?;
        }
        let answer = if items == 2 { Text("origin") } else { op("%", Text("at %d"), Local("x")) };
        code.expression(&answer)?;
        code.plain("RETURN_VALUE")?;
        code.builder.here(label);
    }
    code.expression(&Text("elsewhere"))?;
    code.plain("RETURN_VALUE")?;
    Ok(code.builder.finish())
}

/// Since 3.12 the argument says more than which comparison it is.
fn equals(code: &mut Code<'_>) -> Result<(), OpError> {
    code.number(
        "COMPARE_OP",
        match code.minor {
            0..12 => 2,
            12 => 2 << 4 | 8,
            _ => 2 << 5 | 16 | 8,
        },
    )
}
