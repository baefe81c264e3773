//! Changes of instructions after which jumps, tables, variables and the depth of the stack are worked out anew.
//!
//! `mutate` changes bytes, so what it puts in has the length of what it takes out, and most of it is refused for the depth of
//! the stack. Here instructions come and go, and pyc-core's assembler puts the code object together again: code that is as
//! compilers write it but for what it does. (Other generators use nothing of pyc-core, so that no bug hides itself. Here it
//! cannot: what is asked is whether the interpreter survives, whatever the assembler made.)
//!
//! Reviewed for Python 3.15.

use super::LONGEST;
use crate::generators::luck::Luck;
use arbitrary::Unstructured;
use pyc_core::Profile;
use pyc_core::bytecode::document::{Block, Document, DocumentError, Op, Symbol, ValueId};
use pyc_core::bytecode::{InstructionSet, Label, Operand, Region};

/// How deep a stack may get where that does not follow from the instructions.
const ROOM: i32 = 16;

/// A program with some instructions changed; `None` if it cannot be put together again.
pub(super) fn edit(u: &mut Unstructured<'_>, profile: &Profile, document: &Document) -> Option<Vec<u8>> {
    let document = document.clone();
    let place = u.index(document.blocks.len());
    let mut editor = Editor { u, set: InstructionSet::of(profile), document, place };
    for _ in 0..1 + editor.u.below(7) / 2 {
        let change = editor.u.weighted(&Editor::CHANGES)?;
        change(&mut editor);
    }
    let Editor { mut document, .. } = editor;
    document.clear_marks();
    document.blocks.get_mut(place)?.changed();
    let written = document.write().or_else(|error| {
        // Where more is taken than there is, no size follows.
        if matches!(error, DocumentError::Stack(..)) {
            document.blocks[place].stacksize = Some(ROOM);
        }
        document.write()
    });
    written.ok().filter(|written| written.len() <= LONGEST)
}

/// Ways to change a block, each with how often it is taken.
type Changes<E> = [(u32, fn(&mut E)); 9];

struct Editor<'u, 't> {
    u: &'u mut Unstructured<'t>,
    set: &'static InstructionSet,
    document: Document,
    /// The block that is changed.
    place: usize,
}

/// Instructions that together leave the stack as it was, in some versions or in all: names, and `|` between two.
const IDIOMS: [&str; 22] = [
    "NOP",
    "LOAD_CONST|POP_TOP",
    "LOAD_CONST|STORE_FAST",
    "LOAD_FAST|STORE_FAST",
    "LOAD_FAST|POP_TOP",
    "LOAD_FAST_CHECK|POP_TOP",
    "LOAD_FAST_BORROW|POP_TOP",
    "DELETE_FAST",
    "LOAD_CONST|STORE_DEREF",
    "LOAD_DEREF|POP_TOP",
    "DELETE_DEREF",
    "LOAD_NAME|POP_TOP",
    "LOAD_CONST|POP_JUMP_IF_FALSE",
    "LOAD_CONST|POP_JUMP_FORWARD_IF_TRUE",
    "LOAD_CONST|POP_JUMP_BACKWARD_IF_NONE",
    "LOAD_CONST|TO_BOOL|POP_JUMP_IF_TRUE",
    "JUMP_FORWARD",
    "JUMP_BACKWARD",
    "JUMP_ABSOLUTE",
    "LOAD_CONST|GET_ITER|POP_TOP",
    "LOAD_CONST|LOAD_CONST|COMPARE_OP|POP_TOP",
    "LOAD_FAST_AND_CLEAR|STORE_FAST",
];

impl Editor<'_, '_> {
    /// The changes, each as often as it is to be made in comparison with the others.
    const CHANGES: Changes<Self> = [
        (12, Self::insert_idiom),
        (8, Self::copy),
        (6, Self::insert),
        (6, Self::remove),
        (6, Self::swap),
        (10, Self::operand),
        (6, Self::jump),
        (8, Self::region),
        (4, Self::borrow),
    ];

    fn block(&mut self) -> &mut Block {
        &mut self.document.blocks[self.place]
    }

    /// A place between two instructions, or at an end of the code.
    fn gap(&mut self) -> usize {
        let count = self.block().ops.len();
        self.u.index(count + 1)
    }

    /// An instruction, if there is any.
    fn op(&mut self) -> Option<usize> {
        let count = self.block().ops.len();
        (count > 0).then(|| self.u.index(count))
    }

    /// The label of an instruction that a jump with this opcode can reach from a place.
    fn label(&mut self, opcode: u8, from: usize) -> Label {
        let count = self.block().ops.len();
        let place = match self.set.opcode(opcode).operand {
            Operand::Forward => (from + 1 + self.u.index(count + 1)).min(count),
            Operand::Backward => self.u.index(from + 1),
            _ => self.u.index(count),
        };
        self.block().split(place)
    }

    fn value(&mut self) -> ValueId {
        let used: Vec<ValueId> = self.block().ops.iter().filter_map(constant).collect();
        let choice = self.u.below(12);
        let values = &mut self.document.values;
        match choice {
            0 => values.none(),
            1 => values.bool(true),
            2 => values.int(3),
            3 => values.str("a"),
            4 => values.tuple(&[]),
            5 => {
                let items = [values.str("a"), values.int(1)];
                values.tuple(&items)
            }
            6 => values.float(1.5),
            _ if used.is_empty() => values.int(0),
            _ => used[self.u.index(used.len())],
        }
    }

    /// A variable: of a frame, or one that is shared with other frames.
    fn variable(&mut self, is_shared: bool) -> String {
        let block = &self.document.blocks[self.place];
        let signature = &block.signature;
        let used = block.ops.iter().filter_map(|op| match &op.operand {
            Symbol::Variable(name) if self.set.opcode(op.opcode).operand == Operand::Local => Some(name),
            _ => None,
        });
        let arguments = signature.positional.iter().chain(&signature.keyword_only);
        let arguments = arguments.chain(&signature.rest).chain(&signature.keywords);
        let names: Vec<&String> = match is_shared {
            true => block.cells.iter().chain(&block.free).collect(),
            false => used.chain(arguments).chain(&block.locals).collect(),
        };
        match names.len() {
            0 => "v".into(),
            count => names[self.u.index(count)].clone(),
        }
    }

    /// An argument that means something for an opcode at a place.
    fn symbol(&mut self, opcode: u8, at: usize) -> Symbol {
        let names: Vec<Symbol> = self
            .document
            .blocks
            .iter()
            .flat_map(|block| &block.ops)
            .filter(|op| self.set.opcode(op.opcode).operand == self.set.opcode(opcode).operand)
            .map(|op| op.operand.clone())
            .filter(|symbol| matches!(symbol, Symbol::Name(..)))
            .collect();
        match self.set.opcode(opcode).operand {
            Operand::None => Symbol::None,
            Operand::Const => Symbol::Const(self.value()),
            Operand::Name if names.is_empty() => Symbol::Name("a".into(), 0),
            Operand::NameAndNull | Operand::NameAndSelf if names.is_empty() => {
                Symbol::Name("a".into(), self.u.below(2))
            }
            Operand::SuperName | Operand::ImportName if names.is_empty() => Symbol::Name("a".into(), self.u.below(4)),
            Operand::Name | Operand::NameAndNull | Operand::NameAndSelf | Operand::SuperName | Operand::ImportName => {
                names[self.u.index(names.len())].clone()
            }
            Operand::Local => Symbol::Variable(self.variable(false)),
            Operand::Free => Symbol::Variable(self.variable(true)),
            Operand::LocalPair => Symbol::Variables(self.variable(false), self.variable(false)),
            operand if operand.is_place() => Symbol::Jump(self.label(opcode, at)),
            _ => Symbol::Number(self.u.below(6)),
        }
    }

    /// An instruction for a place, from where in the source one comes that is there.
    fn make(&mut self, opcode: u8, at: usize) -> Op {
        let operand = self.symbol(opcode, at);
        let place = self.op().map(|op| self.block().ops[op].place).unwrap_or_default();
        Op { label: None, opcode, operand, place, extra: None }
    }

    fn put(&mut self, at: usize, ops: Vec<Op>) {
        let caught = self.u.one_in(2);
        self.block().splice(at, ops, caught);
    }

    /// Instructions that change little, of those that the version has.
    fn insert_idiom(&mut self) {
        let start = self.u.index(IDIOMS.len());
        let idioms = IDIOMS.iter().cycle().skip(start).take(IDIOMS.len());
        let mut named =
            idioms.filter_map(|it| it.split('|').map(|name| self.set.named(name)).collect::<Option<Vec<u8>>>());
        let Some(opcodes) = named.next() else { return };
        let at = self.gap();
        let ops = opcodes.into_iter().map(|opcode| self.make(opcode, at)).collect();
        self.put(at, ops);
    }

    /// Some instructions once more, in another place.
    fn copy(&mut self) {
        let Some(first) = self.op() else { return };
        let (count, at) = (1 + self.u.index(4), self.gap());
        let ops: Vec<Op> = self.block().ops.iter().skip(first).take(count).cloned().collect();
        let ops = ops.into_iter().map(|op| match op.operand {
            Symbol::Jump(_) => Op { label: None, operand: self.symbol(op.opcode, at), ..op },
            _ => Op { label: None, ..op },
        });
        let ops = ops.collect();
        self.put(at, ops);
    }

    /// An opcode that has a name, is no prefix, and is most often one that this program has.
    fn opcode(&mut self) -> u8 {
        if self.u.below(4) > 0 {
            let block = self.u.index(self.document.blocks.len());
            let ops = &self.document.blocks[block].ops;
            if !ops.is_empty() {
                return ops[self.u.index(ops.len())].opcode;
            }
        }
        let start = self.u.byte();
        let mut from_there = (0..=255_u8).map(|step| start.wrapping_add(step));
        let is_whole = |opcode: &u8| !matches!(self.set.opcode(*opcode).name, "" | "EXTENDED_ARG" | "CACHE");
        from_there.find(is_whole).unwrap_or(0)
    }

    fn insert(&mut self) {
        let (opcode, at) = (self.opcode(), self.gap());
        let op = self.make(opcode, at);
        self.put(at, vec![op]);
    }

    fn remove(&mut self) {
        let Some(first) = self.op() else { return };
        let count = 1 + self.u.index(2);
        self.block().remove(first..first + count);
    }

    /// Two neighbours change their places; what jumps there does not move.
    fn swap(&mut self) {
        let Some(first) = self.op().filter(|place| *place > 0) else { return };
        let ops = &mut self.block().ops;
        ops.swap(first - 1, first);
        let label = ops[first].label.take();
        ops[first].label = std::mem::replace(&mut ops[first - 1].label, label);
    }

    /// Another argument of the same kind.
    fn operand(&mut self) {
        let Some(place) = self.op() else { return };
        let opcode = self.block().ops[place].opcode;
        let operand = match self.block().ops[place].operand {
            Symbol::Number(number) => match self.u.below(4) {
                0 => Symbol::Number(number + 1),
                1 => Symbol::Number(number.saturating_sub(1)),
                2 => Symbol::Number(number ^ (1 << self.u.below(6))),
                _ => self.symbol(opcode, place),
            },
            _ => self.symbol(opcode, place),
        };
        self.block().ops[place].operand = operand;
    }

    /// Another target of a jump.
    fn jump(&mut self) {
        let ops = &self.document.blocks[self.place].ops;
        let jumps: Vec<usize> = (0..ops.len()).filter(|place| matches!(ops[*place].operand, Symbol::Jump(_))).collect();
        if !jumps.is_empty() {
            let jump = jumps[self.u.index(jumps.len())];
            let label = self.label(self.document.blocks[self.place].ops[jump].opcode, jump);
            self.block().ops[jump].operand = Symbol::Jump(label);
        }
    }

    /// A region of an exception handler is another one, one more or one less.
    fn region(&mut self) {
        let (count, regions) = (self.block().ops.len(), self.block().regions.len());
        if count == 0 || regions == 0 {
            return;
        }
        let (one, other) = (self.u.index(count), self.u.index(count));
        let start = self.block().split(one.min(other));
        let end = self.block().split(one.max(other) + 1);
        let (choice, place) = (self.u.below(10), self.u.index(regions));
        let region = &mut self.block().regions[place];
        match choice {
            0..=2 => region.target = start,
            3 | 4 => (region.start, region.end) = (start, end),
            5 => region.depth += 1,
            6 => region.depth = region.depth.saturating_sub(1),
            7 => region.lasti = !region.lasti,
            8 => drop(self.block().regions.remove(place)),
            _ => {
                let more = Region { start, end, ..*region };
                self.block().regions.insert(place, more);
            }
        }
    }

    /// An instruction becomes one that does nearly the same, in another way.
    fn borrow(&mut self) {
        const TWINS: [(&str, &str); 8] = [
            ("LOAD_FAST", "LOAD_FAST_BORROW"),
            ("LOAD_FAST", "LOAD_FAST_CHECK"),
            ("LOAD_FAST", "LOAD_FAST_AND_CLEAR"),
            ("LOAD_FAST_LOAD_FAST", "LOAD_FAST_BORROW_LOAD_FAST_BORROW"),
            ("LOAD_NAME", "LOAD_GLOBAL"),
            ("STORE_NAME", "STORE_GLOBAL"),
            ("POP_JUMP_IF_FALSE", "POP_JUMP_IF_TRUE"),
            ("JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT"),
        ];
        let twins = TWINS.iter().filter_map(|(one, other)| Some((self.set.named(one)?, self.set.named(other)?)));
        let twins: Vec<(u8, u8)> = twins.flat_map(|(one, other)| [(one, other), (other, one)]).collect();
        let start = self.op().unwrap_or(0);
        let set = self.set;
        let ops = &mut self.document.blocks[self.place].ops;
        let count = ops.len();
        for step in 0..count {
            let op = &mut ops[(start + step) % count];
            let twin = twins.iter().filter(|(one, _)| *one == op.opcode).map(|(_, other)| *other);
            let twin: Vec<u8> = twin.filter(|it| set.opcode(*it).operand == set.opcode(op.opcode).operand).collect();
            if !twin.is_empty() {
                op.opcode = twin[self.u.index(twin.len())];
                return;
            }
        }
    }
}

/// The constant that an instruction takes.
fn constant(op: &Op) -> Option<ValueId> {
    match op.operand {
        Symbol::Const(value) => Some(value),
        _ => None,
    }
}
