//! Which rules a case reaches.
//!
//! The graph of an accepted stream says nearly all. An error says what is wrong and where, but not of which object; that is
//! looked up in the stream with the mutators' [`skim`](crate::generators::skim), which knows where objects are.

use super::Rule;
use super::parts::{Places, encoding, entries, is_cut};
use super::{Reached, TYPES};
use crate::generators::Target;
use crate::generators::skim::{Item, Skim, long, skim_for};
use pyc_core::code::{Code, Field, flag};
use pyc_core::{Cause, Error, ErrorKind, Graph, NodeId, Profile, Value};

/// What an accepted stream reaches.
pub(crate) fn accepted(case: &[u8], graph: &Graph, profile: &Profile) -> Reached {
    let mut reached = Reached::default();
    let (mut plain, mut flagged) = (0_u128, 0_u128);
    let mut places = Places::of(graph);
    for id in graph.ids() {
        let code = graph.type_byte(id);
        *if graph.is_flagged(id) { &mut flagged } else { &mut plain } |= 1 << code;
        if b"lfxuaAzZtc:{".contains(&code) {
            look_at(&mut reached, code, id, graph, profile);
        }
        if b"()[<>{}:c".contains(&code) {
            places.look_at(id, graph);
        }
        if b"IlstuaAzZ()[<>{}".contains(&code) {
            encoding(&mut reached, code, &graph.value(id));
        }
    }
    reached.insert_types(plain, flagged);
    places.add_to(&mut reached);
    if graph.consumed() < case.len() {
        reached.insert(Rule::Trailing);
    }
    let has = |code: u8| (plain | flagged) >> code & 1 != 0;
    reached.has_code = has(b'c');
    // Skimming does not know that NULL cuts an object short, so then it says nothing.
    let whole = !reached.has(Rule::NullField(b'c')) && !reached.has(Rule::NullField(b':'));
    if whole && (profile.is_python2() || has(b'{') || has(b'}') || has(b'r')) {
        look_around(&mut reached, case, &skim_for(Target::from(profile), case), profile.is_python2());
    }
    reached
}

/// What one object tells.
fn look_at(reached: &mut Reached, code: u8, id: NodeId, graph: &Graph, profile: &Profile) {
    match graph.value(id) {
        Value::Long(long) if long.digits().len() == 0 => reached.insert(Rule::ZeroLong),
        Value::FloatText(text) => float_text(reached, text),
        Value::ComplexText(real, imaginary) => {
            float_text(reached, real);
            float_text(reached, imaginary);
        }
        Value::Str(text) if text.is_ascii() => {}
        Value::Str(text) if text.latin1 => reached.insert(Rule::Latin1(code)),
        Value::Str(text) if text.bytes.windows(2).any(|w| w[0] == 0xED && w[1] >= 0xA0) => {
            reached.insert(Rule::Surrogate(code));
        }
        Value::Code(object) => {
            code_object(reached, &object, graph, profile.is_python2());
            entries(reached, &object, graph, profile);
        }
        Value::Slice(parts) if parts.iter().any(|&part| graph.type_byte(part) == b'0') => {
            reached.insert(Rule::NullField(b':'));
        }
        Value::Dict(pairs) => {
            // Only 2.7 keeps a pair whose value is NULL in the stream's graph.
            for pair in pairs.chunks_exact(2).filter(|pair| graph.type_byte(pair[1]) == b'0') {
                reached.insert(Rule::NullValue);
                if b"[{<".contains(&graph.type_byte(graph.resolve(pair[0]))) {
                    reached.insert(Rule::NullValueOfUnhashable);
                }
            }
        }
        _ => {}
    }
}

fn float_text(reached: &mut Reached, text: &[u8]) {
    let end = text.iter().position(|&b| b == 0);
    if end.is_some() {
        reached.insert(Rule::TextCutAtNul);
    }
    let text = text[..end.unwrap_or(text.len())].to_ascii_lowercase();
    if text.contains(&b'n') {
        if text == b"-nan" {
            reached.insert(Rule::TextMinusNan);
        }
        return;
    }
    let Some(value) = str::from_utf8(&text).ok().and_then(|text| text.parse::<f64>().ok()) else { return };
    let mantissa = text.split(|&b| b == b'e').next().unwrap_or_default();
    if value.is_infinite() {
        reached.insert(Rule::TextOverflow);
    } else if value == 0.0 && mantissa.iter().any(|b| (b'1'..=b'9').contains(b)) {
        reached.insert(Rule::TextUnderflow);
    }
}

/// What old readers accept and newer ones refuse.
fn code_object(reached: &mut Reached, code: &Code, graph: &Graph, python2: bool) {
    if is_cut(code, graph) {
        return reached.insert(Rule::NullField(b'c'));
    }
    let value = |field| code.object(field).map(|object| graph.value(graph.resolve(object)));
    let ints = code.ints();
    if ints.stacksize < 0 {
        reached.insert(Rule::Field("stacksize"));
    }
    if ints.flags < 0 {
        reached.insert(Rule::Field("flags"));
    }
    match value(Field::Code) {
        Some(Value::Bytes(code) | Value::InternedBytes(code)) if code.len() % 2 != 0 => reached.insert(Rule::OddCode),
        Some(Value::Str(_)) => reached.insert(Rule::CodeIsUnicode),
        _ => {}
    }
    let variadic = |bit| i64::from(ints.flags & bit != 0);
    let arguments = i64::from(ints.argcount)
        + i64::from(ints.kwonlyargcount)
        + variadic(flag::VARARGS)
        + variadic(flag::VARKEYWORDS);
    match value(Field::Varnames) {
        Some(Value::Tuple(names)) if python2 && arguments > i64::try_from(names.len()).unwrap_or(i64::MAX) => {
            reached.insert(Rule::TooManyArguments);
        }
        // No code object has that many variables.
        None if arguments > i64::from(i32::MAX) => reached.insert(Rule::ArgumentsOverflow),
        _ => {}
    }
}

/// What is seen only from where objects are: what an accepted stream's last object lacks, and what is still being read when
/// a reference to it comes.
fn look_around(reached: &mut Reached, case: &[u8], skimmed: &Skim, python2: bool) {
    if python2 {
        if let Some(cut) = skimmed.cut {
            reached.insert(Rule::ShortNumber(cut.code));
        }
        return;
    }
    let owners = slots(case, skimmed);
    let mut last_key: Vec<Option<u8>> = vec![None; skimmed.items.len()];
    for item in &skimmed.items {
        if let Some(parent) = item.parent.filter(|&p| b"{}".contains(&skimmed.items[p].code)) {
            last_key[parent] = item.position.is_multiple_of(2).then_some(item.code);
        }
        if item.code == b'r'
            && let Some(owner) = long(case, item.at + 1).and_then(|n| owners.get(usize::try_from(n).ok()?))
        {
            reached.insert(if owner.end <= item.at {
                Rule::Reference(owner.code)
            } else {
                Rule::SelfReference(if owner.code == b')' { b'(' } else { owner.code })
            });
        }
    }
    for key in last_key.into_iter().flatten() {
        reached.insert(Rule::NullValue);
        if b"[{<".contains(&key) {
            reached.insert(Rule::NullValueOfUnhashable);
        }
    }
}

/// The objects that reference slots belong to.
fn slots(case: &[u8], skimmed: &Skim) -> Vec<Item> {
    let takes_slot = |item: &&Item| case[item.at] & 0x80 != 0 && !b"0NTF.Sr".contains(&item.code);
    skimmed.items.iter().filter(takes_slot).copied().collect()
}

/// What a refused stream reaches.
pub(crate) fn refused(case: &[u8], error: &Error, profile: &Profile) -> Reached {
    let mut reached = Reached::default();
    let refusal = Refusal {
        case,
        at: error.offset,
        python2: profile.is_python2(),
        skimmed: &skim_for(Target::from(profile), case),
    };
    let is_code = |item: &Item| item.code == b'c';
    reached.has_code = refusal.skimmed.items.iter().any(is_code) || refusal.skimmed.cut.as_ref().is_some_and(is_code);
    if let Some(rule) = refusal.rule(&error.kind) {
        reached.insert(rule);
    }
    match error.kind {
        ErrorKind::Unhashable { whole, key, .. } => {
            if key && refusal.python2 {
                reached.insert(Rule::DeferredUnhashable);
            }
            // Where the member itself has no hash, no row bears its type.
            let whole = ["tuple", "code", "slice", "frozendict"].iter().position(|name| *name == whole);
            whole.into_iter().for_each(|index| reached.insert(Rule::UnhashableIn(b"(c:}"[index])));
        }
        ErrorKind::Undefined(cause) => reached.insert(Rule::Killer(cause)),
        _ => {}
    }
    if refusal.python2 && refusal.in_dict_value() {
        reached.insert(Rule::ReadsOn);
    }
    reached
}

/// What a stream whose loading, or whose value, is undefined reaches.
pub(crate) fn killing(cause: Cause) -> Reached {
    let mut reached = Reached::default();
    reached.insert(Rule::Killer(cause));
    reached
}

struct Refusal<'a> {
    case: &'a [u8],
    /// The error's offset.
    at: usize,
    python2: bool,
    skimmed: &'a Skim,
}

impl Refusal<'_> {
    fn rule(&self, kind: &ErrorKind) -> Option<Rule> {
        let short = self.python2 && self.at + 4 > self.case.len();
        Some(match kind {
            ErrorKind::EndAtObject => match self.skimmed.cut {
                // Before 3.11.5 the missing length of `)` is only noticed one byte later.
                Some(cut) if cut.code == b')' && !self.python2 => Rule::EndAtLength(b')'),
                _ => Rule::EndAtObject,
            },
            ErrorKind::EndAtLength => Rule::EndAtLength(self.skimmed.cut?.code),
            ErrorKind::EndInside => {
                // What 2.7 does not know it may have read on after; then the skim has lost its way.
                let Item { at, code, .. } =
                    self.skimmed.cut.filter(|cut| !self.python2 || !b"aAzZ):}".contains(&cut.code))?;
                let sized = b"lsutaA([<>".contains(&code) && self.case.len() < at + 5;
                if sized || b"irc".contains(&code) { Rule::EndInNumber(code) } else { Rule::EndInPayload(code) }
            }
            ErrorKind::UnknownType(byte) if TYPES.contains(&(byte & 0x7f)) => Rule::UnknownElsewhere,
            ErrorKind::UnknownType(_) => Rule::UnknownNowhere,
            ErrorKind::Null(what) => match (self.code_at(self.at)?, *what) {
                (code @ (b'c' | b':'), _) => Rule::NullField(code),
                (_, "object") => Rule::NullAtTop,
                (_, container) => {
                    let null = self.skimmed.items.iter().find(|item| item.at == self.at)?;
                    // Behind a code object that NULL has cut short the skim has lost its way.
                    let is_named = |code: &u8| match container {
                        "tuple" => b"()".contains(code),
                        "list" => *code == b'[',
                        "set" => b"<>".contains(code),
                        _ => *code == b'c',
                    };
                    Rule::NullIn(self.parent(null).map(|parent| parent.code).filter(is_named)?)
                }
            },
            ErrorKind::Size(_) if short => Rule::ShortSize,
            ErrorKind::Size(_) => Rule::Size(self.code_at(self.at.checked_sub(1)?)?),
            ErrorKind::Digit if self.python2 && self.at == self.case.len() => Rule::ShortDigits,
            ErrorKind::Digit => Rule::Digit,
            ErrorKind::Unnormalized => Rule::Unnormalized,
            ErrorKind::StringReference if short => Rule::ShortReference,
            ErrorKind::Reference | ErrorKind::StringReference => self.reference()?,
            ErrorKind::Unhashable { part, key, .. } => {
                let part = ["list", "dict", "set"].iter().position(|name| name == part)?;
                Rule::Unhashable { part: b"[{<"[part], key: *key }
            }
            ErrorKind::EndlessHash => Rule::EndlessHash,
            ErrorKind::TooDeep if self.python2 && self.at == self.case.len() => Rule::DepthBeforeType,
            ErrorKind::TooDeep => Rule::TooDeep,
            ErrorKind::FloatText(_) => Rule::FloatText(self.innermost()?.code),
            ErrorKind::Unicode(_) => Rule::Unicode(self.innermost()?.code),
            ErrorKind::CodeField("posonlyargcount") if long(self.case, self.at + 5)? >= 0 => {
                Rule::PositionalBeyondArguments
            }
            // The error is at the field if that is a string, and else at the code object.
            ErrorKind::CodeField("localspluskinds")
                if self.code_at(self.at) == Some(b's') || self.field(4).is_some_and(|field| field.code == b'r') =>
            {
                Rule::KindsLength
            }
            ErrorKind::CodeField(field) => Rule::Field(field),
            ErrorKind::CodeName => Rule::NameIn(self.name_field()?),
            ErrorKind::CodeVarnames => Rule::TooManyArguments,
            ErrorKind::CodeOdd => Rule::OddCode,
            ErrorKind::Undefined(_) | ErrorKind::InputTooLong => return None,
        })
    }

    fn code_at(&self, at: usize) -> Option<u8> {
        self.case.get(at).map(|byte| byte & 0x7f)
    }

    fn parent(&self, item: &Item) -> Option<&Item> {
        item.parent.map(|parent| &self.skimmed.items[parent])
    }

    /// The object whose type byte is the last one before the error.
    fn innermost(&self) -> Option<&Item> {
        let cut = self.skimmed.cut.as_ref().filter(|cut| cut.at <= self.at);
        cut.or_else(|| self.skimmed.items.iter().rfind(|item| item.at <= self.at))
    }

    fn reference(&self) -> Option<Rule> {
        let index = long(self.case, self.at)?;
        let Ok(index) = usize::try_from(index) else { return Some(Rule::NegativeReference) };
        if self.python2 {
            return Some(Rule::ReferencePastEnd);
        }
        let owners = slots(self.case, self.skimmed);
        Some(match owners.get(index).filter(|owner| owner.at < self.at) {
            None => Rule::ReferencePastEnd,
            Some(owner) if owner.end < self.at && owner.code == b'}' => Rule::ReferenceToFrozendict,
            Some(owner) => Rule::ReferenceToUnfinished(owner.code),
        })
    }

    /// A field of the code object at the error.
    fn field(&self, position: usize) -> Option<&Item> {
        let code = self.skimmed.items.iter().position(|item| item.at == self.at)?;
        self.skimmed.items.iter().find(|item| item.parent == Some(code) && item.position == position)
    }

    /// The first field of the code object at the error that holds something else than strings.
    fn name_field(&self) -> Option<&'static str> {
        let code = self.skimmed.items.iter().position(|item| item.at == self.at)?;
        let fields = self.skimmed.items.iter().filter(|item| item.parent == Some(code)).count();
        let names: &[&str] =
            if fields > 9 { &["names", "localsplusnames"] } else { &["names", "varnames", "freevars", "cellvars"] };
        names.iter().zip(2..).find_map(|(name, position)| {
            let tuple = self.field(position)?;
            let is_item = |item: &&Item| self.parent(item).is_some_and(|parent| parent.at == tuple.at);
            self.skimmed.items.iter().filter(is_item).any(|item| !b"utaAzZr".contains(&item.code)).then_some(*name)
        })
    }

    /// Whether the error is inside a dict's value.
    fn in_dict_value(&self) -> bool {
        let mut object = self.innermost();
        while let Some(item) = object {
            let parent = self.parent(item);
            if parent.is_some_and(|parent| parent.code == b'{') && !item.position.is_multiple_of(2) {
                return true;
            }
            object = parent;
        }
        false
    }
}
