//! Planted faults of the verifier: each is the verifier without one of its checks.
//!
//! What a verifier without a check passes is whatever the whole one refuses for nothing else. So a fault is a predicate on
//! violations, and nothing has to be changed in the verifier.

use super::Refusal;
use pyc_core::bytecode::safety::{Kind, Violation};

/// A verifier that does not look for something.
#[derive(Debug)]
pub struct Forgotten {
    /// What it is called.
    pub name: &'static str,
    kind: Kind,
    /// How the names of the opcodes begin that it is not looked for; all if there is none.
    opcodes: &'static [&'static str],
}

impl Forgotten {
    /// Whether this verifier passes a stream that is refused.
    #[must_use]
    pub fn passes(&self, refusal: &Refusal) -> bool {
        !refusal.has_more && refusal.violations.iter().all(|violation| self.forgets(violation))
    }

    fn forgets(&self, violation: &Violation) -> bool {
        let mut starts = self.opcodes.iter();
        violation.kind == self.kind
            && (self.opcodes.is_empty() || starts.any(|start| violation.opcode.starts_with(start)))
    }
}

const fn all(name: &'static str, kind: Kind) -> Forgotten {
    Forgotten { name, kind, opcodes: &[] }
}

const fn of(name: &'static str, kind: Kind, opcodes: &'static [&'static str]) -> Forgotten {
    Forgotten { name, kind, opcodes }
}

/// All of them.
pub static FORGOTTEN: [Forgotten; 46] = [
    all("stack-underflow", Kind::StackUnderflow),
    of("stack-underflow-pops", Kind::StackUnderflow, &["POP_"]),
    of("stack-underflow-stores", Kind::StackUnderflow, &["STORE_"]),
    of("stack-underflow-builds", Kind::StackUnderflow, &["BUILD_"]),
    of("stack-underflow-calls", Kind::StackUnderflow, &["CALL", "PRECALL"]),
    of("stack-underflow-operators", Kind::StackUnderflow, &["BINARY_", "UNARY_", "INPLACE_", "COMPARE_OP"]),
    of("stack-underflow-returns", Kind::StackUnderflow, &["RETURN_VALUE", "YIELD_VALUE"]),
    of("stack-underflow-loads", Kind::StackUnderflow, &["LOAD_ATTR", "LOAD_METHOD"]),
    all("stack-overflow", Kind::StackOverflow),
    of("stack-overflow-loads", Kind::StackOverflow, &["LOAD_"]),
    all("stack-mismatch", Kind::StackMismatch),
    all("jump-target", Kind::JumpTarget),
    all("runs-off", Kind::RunsOff),
    all("cut-instruction", Kind::CutInstruction),
    all("internal-opcode", Kind::InternalOpcode),
    all("constant-index", Kind::ConstantIndex),
    all("name-index", Kind::NameIndex),
    of("name-index-globals", Kind::NameIndex, &["LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL"]),
    of("name-index-attributes", Kind::NameIndex, &["LOAD_ATTR", "STORE_ATTR", "DELETE_ATTR", "LOAD_METHOD"]),
    of("name-index-names", Kind::NameIndex, &["LOAD_NAME", "STORE_NAME", "DELETE_NAME"]),
    all("variable-index", Kind::VariableIndex),
    of("variable-index-locals", Kind::VariableIndex, &["LOAD_FAST", "STORE_FAST", "DELETE_FAST"]),
    of(
        "variable-index-cells",
        Kind::VariableIndex,
        &["LOAD_DEREF", "STORE_DEREF", "DELETE_DEREF", "LOAD_CLOSURE", "MAKE_CELL"],
    ),
    all("operand", Kind::Operand),
    of("operand-operators", Kind::Operand, &["BINARY_OP", "COMPARE_OP", "CALL_INTRINSIC"]),
    of("operand-stack", Kind::Operand, &["COPY", "SWAP"]),
    all("unbound-local", Kind::UnboundLocal),
    all("null-value", Kind::NullValue),
    of("null-value-calls", Kind::NullValue, &["CALL", "PRECALL"]),
    of("null-value-stores", Kind::NullValue, &["STORE_", "POP_TOP", "RETURN_VALUE"]),
    all("value-kind", Kind::ValueKind),
    of("value-kind-iterators", Kind::ValueKind, &["FOR_ITER", "SEND", "YIELD_FROM", "GET_YIELD"]),
    of("value-kind-functions", Kind::ValueKind, &["MAKE_FUNCTION", "SET_FUNCTION_ATTRIBUTE", "MAKE_CLOSURE"]),
    of("value-kind-collections", Kind::ValueKind, &["LIST_", "SET_ADD", "SET_UPDATE", "MAP_ADD", "DICT_"]),
    of("value-kind-strings", Kind::ValueKind, &["BUILD_STRING", "BUILD_INTERPOLATION", "BUILD_TEMPLATE"]),
    of("value-kind-cells", Kind::ValueKind, &["LOAD_DEREF", "STORE_DEREF", "DELETE_DEREF", "LOAD_CLOSURE"]),
    of("value-kind-exceptions", Kind::ValueKind, &["POP_EXCEPT", "END_FINALLY", "RERAISE", "WITH_", "CHECK_E"]),
    of("value-kind-calls", Kind::ValueKind, &["CALL", "KW_NAMES"]),
    all("borrowed-reference", Kind::BorrowedReference),
    all("generator-only", Kind::GeneratorOnly),
    all("block-stack", Kind::BlockStack),
    all("handler-table", Kind::HandlerTable),
    all("handler-depth", Kind::HandlerDepth),
    all("closure", Kind::Closure),
    all("counts", Kind::Counts),
    all("sequence", Kind::Sequence),
];
