//! All mutants in one source: each place asks which of them is switched on.
//!
//! Around what was put in for a mutant stand its numbers, `/*[7*/ ... /*7]*/`, so that it is known which mutants an error of the
//! compiler is about.

use crate::constants::{Constants, is_test, last, type_name};
use crate::edit::{Edit, Piece, apply};
use crate::list::{Genre, Mutant, Place};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr};

/// A file of pyc-core.
pub(crate) struct Source {
    /// Its path from the root of the workspace.
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) tree: syn::File,
}

/// A mutant with its number, which is not 0, and the bytes that it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) id: u32,
    pub(crate) genre: Genre,
    pub(crate) range: Range<usize>,
    pub(crate) replacement: String,
}

/// Sources, and their mutants.
pub struct Schemata {
    sources: Vec<Source>,
    mutants: Vec<Vec<Placed>>,
    constants: Constants,
}

/// The name of a constant's copy.
pub(crate) fn name(ident: &str, id: u32) -> String {
    format!("{ident}_MUTANT_{id}")
}

/// The bytes of something.
pub(crate) fn range(of: &(impl Spanned + ?Sized)) -> Range<usize> {
    of.span().byte_range()
}

impl Schemata {
    /// Sources by their names, and the mutants of them, with the numbers from 1 on.
    ///
    /// # Errors
    /// When a source is not understood, or a mutant is in none of them.
    pub fn new(texts: Vec<(String, String)>, mutants: &[Mutant]) -> Result<Schemata> {
        let source = |(file, text): (String, String)| {
            let tree = syn::parse_file(&text).with_context(|| file.clone())?;
            Ok(Source { file, text, tree })
        };
        let sources: Vec<Source> = texts.into_iter().map(source).collect::<Result<_>>()?;
        let mut of_file = vec![Vec::new(); sources.len()];
        for (mutant, id) in mutants.iter().zip(1..) {
            let index = sources.iter().position(|source| source.file == mutant.file);
            let index = index.with_context(|| format!("{}: no such file", mutant.file))?;
            let at = |place| offset(&sources[index].text, place).with_context(|| mutant.name.clone());
            let range = at(mutant.span.start)?..at(mutant.span.end)?;
            of_file[index].push(Placed { id, genre: mutant.genre, range, replacement: mutant.replacement.clone() });
        }
        let constants = Constants::new(&sources, &of_file);
        Ok(Schemata { sources, mutants: of_file, constants })
    }

    /// The sources with all mutants but those that were dropped, and the mutants for which no switch is known. Those that
    /// cannot compile in any way are dropped.
    #[must_use]
    pub fn write(&self, dropped: &mut BTreeSet<u32>) -> (Vec<(&str, String)>, Vec<u32>) {
        let mut homeless = Vec::new();
        let mut unviable = BTreeSet::new();
        let texts = self.sources.iter().enumerate().map(|(file, source)| {
            let is_wanted = |id: u32| !dropped.contains(&id);
            let mutants: Vec<&Placed> = self.mutants[file].iter().filter(|mutant| is_wanted(mutant.id)).collect();
            let mut places = Places {
                text: &source.text,
                file,
                within: None,
                edits: self.constants.copies(file, &source.text, &is_wanted),
                homeless: mutants.iter().map(|mutant| mutant.id).filter(|id| !self.constants.has(*id)).collect(),
                constants: &self.constants,
                mutants,
                unviable: BTreeSet::new(),
                dropped,
            };
            places.visit_file(&source.tree);
            homeless.extend(places.homeless);
            unviable.extend(places.unviable);
            (source.file.as_str(), apply(&source.text, places.edits))
        });
        let texts = texts.collect();
        dropped.extend(unviable);
        (texts, homeless)
    }
}

/// The byte of a place.
fn offset(text: &str, place: Place) -> Option<usize> {
    let line = match place.line.checked_sub(2) {
        None => 0,
        Some(before) => text.match_indices('\n').nth(before)?.0 + 1,
    };
    let (bytes, _) = text[line..].char_indices().chain([(text.len() - line, ' ')]).nth(place.column.checked_sub(1)?)?;
    Some(line + bytes)
}

/// Goes through a file and finds the places of its mutants.
struct Places<'s> {
    text: &'s str,
    file: usize,
    /// The module or type.
    within: Option<String>,
    mutants: Vec<&'s Placed>,
    dropped: &'s BTreeSet<u32>,
    constants: &'s Constants,
    edits: Vec<Edit>,
    homeless: BTreeSet<u32>,
    unviable: BTreeSet<u32>,
}

/// Asks for a mutant.
fn on(id: u32) -> String {
    format!("crate::switch::on({id})")
}

/// What was put in for these mutants, between their numbers.
fn marked(ids: &[u32], pieces: impl IntoIterator<Item = Piece>) -> Vec<Piece> {
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    let ids = ids.join(",");
    let (begin, end) = (format!("/*[{ids}*/ ").into(), format!(" /*{ids}]*/").into());
    std::iter::once(begin).chain(pieces).chain([end]).collect()
}

/// `if on(1) { ... } else if on(2) { ... } else { ... }`
fn choice(alternatives: Vec<(u32, Vec<Piece>)>, otherwise: Vec<Piece>) -> Vec<Piece> {
    let asked = alternatives.into_iter().map(|(id, alternative)| (id, on(id), alternative));
    choice_of(asked.collect(), otherwise)
}

/// The same, with what is asked.
fn choice_of(alternatives: Vec<(u32, String, Vec<Piece>)>, otherwise: Vec<Piece>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (id, asked, alternative) in alternatives {
        pieces.push(format!("if {asked} {{").into());
        pieces.extend(marked(&[id], alternative));
        pieces.push("} else ".into());
    }
    pieces.push("{ ".into());
    pieces.extend(otherwise);
    pieces.push(" }".into());
    pieces
}

/// `&&` or `||`, which is the other one if its mutant is on.
fn logical(left: Range<usize>, right: Range<usize>, compared: &str, on: &str, not: &str) -> Vec<Piece> {
    let asked = format!(") {compared} {on} {{ ");
    vec!["(if (".into(), left.into(), asked.into(), right.into(), format!(" }} else {{ {not}{on} }})").into()]
}

/// An operator of two values, with others in its place.
fn of_values(mutants: &[&Placed], own: &str, tuple: [Piece; 5]) -> Vec<Piece> {
    let alternative = |mutant: &&Placed| {
        let (id, wrong) = (mutant.id, format!("left {} right", mutant.replacement));
        // What cannot panic is tried before.
        let asked = match matches!(own, "+" | "-" | "*" | "/" | "%" | "<<" | ">>") {
            true => on(id),
            false => format!("crate::switch::on_if({id}, || ({wrong}) != (left {own} right))"),
        };
        (id, asked, vec![wrong.into()])
    };
    let choice = choice_of(mutants.iter().map(alternative).collect(), vec![format!("left {own} right").into()]);
    let begin = std::iter::once("(match ".into()).chain(tuple).chain([" { (left, right) => ".into()]);
    begin.chain(choice).chain([" })".into()]).collect()
}

impl<'s> Places<'s> {
    /// The mutants of this genre that change these bytes.
    fn at(&mut self, genre: Genre, range: &Range<usize>) -> Vec<&'s Placed> {
        let is_here = |mutant: &&&Placed| mutant.genre == genre && mutant.range == *range;
        let found: Vec<&Placed> = self.mutants.iter().filter(is_here).copied().collect();
        for mutant in &found {
            self.homeless.remove(&mutant.id);
        }
        found
    }

    fn edit(&mut self, range: Range<usize>, ids: &[u32], pieces: Vec<Piece>) {
        let pieces = if ids.is_empty() { pieces } else { marked(ids, pieces) };
        self.edits.push(Edit { range, pieces });
    }

    fn insert(&mut self, at: usize, text: impl Into<Piece>) {
        self.edit(at..at, &[], vec![text.into()]);
    }

    /// A step at the begin of a block.
    fn step(&mut self, block: &syn::Block) {
        self.insert(range(&block.brace_token.span.open()).end, " crate::switch::step();");
    }

    /// A function that can be another one, and takes a step.
    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let (first, last) = match &block.stmts[..] {
            [] => return,
            [one] => (range(one), range(one)),
            [first, .., last] => (range(first), range(last)),
        };
        let body = first.start..last.end;
        let inside = range(&block.brace_token.span.open()).end..range(&block.brace_token.span.close()).start;
        let mutants = self.at(Genre::FnValue, &body);
        self.step(block);
        if mutants.is_empty() {
            return;
        }
        let ids: Vec<u32> = mutants.iter().map(|mutant| mutant.id).collect();
        let is_opaque =
            matches!(&signature.output, syn::ReturnType::Type(_, of) if matches!(**of, syn::Type::ImplTrait(_)));
        let mut pieces = Vec::new();
        for (depth, mutant) in mutants.iter().enumerate() {
            pieces.push(format!(" if {} {{ return ", on(mutant.id)).into());
            let mut value: Piece = mutant.replacement.clone().into();
            if is_opaque {
                let (right, close) = ("crate::switch::Either::Right(".repeat(depth), ")".repeat(depth));
                value = format!("{right}crate::switch::Either::Left({}){close}", mutant.replacement).into();
            }
            pieces.extend(marked(&[mutant.id], [value]));
            pieces.push("; }".into());
        }
        if is_opaque {
            pieces.push(" crate::switch::Either::Right(".repeat(mutants.len()).into());
            pieces.extend(["{".into(), inside.clone().into(), "}".into(), ")".repeat(mutants.len()).into()]);
            self.edit(inside, &ids, pieces);
        } else {
            self.edit(inside.start..inside.start, &ids, pieces);
        }
    }

    fn binary(&mut self, expression: &syn::ExprBinary) {
        let mutants = self.at(Genre::BinaryOperator, &range(&expression.op));
        let (left, right) = (range(&*expression.left), range(&*expression.right));
        let whole = left.start..right.end;
        let ids: Vec<u32> = mutants.iter().map(|mutant| mutant.id).collect();
        let Some(&id) = ids.first() else { return };
        let own = &self.text[range(&expression.op)];
        let pieces: Vec<Piece> = match expression.op {
            // Only `&&` can bind something for what follows.
            BinOp::And(_) if has_let(&expression.left) || has_let(&expression.right) => {
                self.unviable.extend(ids);
                return;
            }
            BinOp::And(_) => logical(left, right, "!=", &on(id), ""),
            BinOp::Or(_) => logical(left, right, "==", &on(id), "!"),
            BinOp::Eq(_) | BinOp::Ne(_) => {
                vec!["((".into(), whole.clone().into(), format!(") != {})", on(id)).into()]
            }
            BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_) => {
                of_values(&mutants, own, ["(&(".into(), left.into(), "), &(".into(), right.into(), "))".into()])
            }
            _ if own.ends_with('=') => {
                let with = |op: &str| vec![left.clone().into(), format!(" {op} ").into(), right.clone().into()];
                let alternatives = mutants.iter().map(|mutant| (mutant.id, with(&mutant.replacement))).collect();
                std::iter::once("(".into()).chain(choice(alternatives, with(own))).chain([")".into()]).collect()
            }
            _ => of_values(&mutants, own, ["((".into(), left.into(), "), (".into(), right.into(), "))".into()]),
        };
        self.edit(whole, &ids, pieces);
    }

    fn arm(&mut self, arm: &syn::Arm) {
        let from = range(arm).start;
        let is_here = |mutant: &&&Placed| mutant.genre == Genre::MatchArm && mutant.range.start == from;
        let deleted = self.mutants.iter().find(is_here).map(|mutant| mutant.id);
        deleted.inspect(|id| _ = self.homeless.remove(id));
        let Some((_, guard)) = &arm.guard else {
            if let Some(id) = deleted {
                let at = range(&arm.pat).end;
                self.edit(at..at, &[id], vec![format!(" if !{}", on(id)).into()]);
            }
            return;
        };
        let whole = range(&**guard);
        let guards = self.at(Genre::MatchArmGuard, &whole);
        let ids: Vec<u32> = deleted.into_iter().chain(guards.iter().map(|mutant| mutant.id)).collect();
        if ids.is_empty() {
            return;
        }
        let mut pieces: Vec<Piece> = deleted.map(|id| format!("!{} && ", on(id)).into()).into_iter().collect();
        // No mutant has the highest number but one.
        let id = |value: &str| guards.iter().find(|it| it.replacement == value).map_or(u32::MAX - 1, |it| it.id);
        let (always, never) = (id("true"), id("false"));
        pieces.extend(["crate::switch::guard(".into(), whole.clone().into(), format!(", {always}, {never})").into()]);
        self.edit(whole, &ids, pieces);
    }

    fn fields(&mut self, expression: &syn::ExprStruct) {
        let Some(base) = &expression.rest else { return };
        for field in &expression.fields {
            let from = range(field).start;
            let is_here = |mutant: &&&Placed| mutant.genre == Genre::StructField && mutant.range.start == from;
            let Some(id) = self.mutants.iter().find(is_here).map(|mutant| mutant.id) else { continue };
            self.homeless.remove(&id);
            let syn::Member::Named(member) = &field.member else { continue };
            let whole = range(&field.expr);
            let of_base = vec!["(".into(), self.text[range(&**base)].into(), format!(").{member}").into()];
            let mut pieces = vec![];
            if field.colon_token.is_none() {
                pieces.push(format!("{member}: ").into());
            }
            pieces.extend(choice(vec![(id, of_base)], vec![whole.clone().into()]));
            self.edit(whole, &[id], pieces);
        }
    }

    /// Room that is taken for so many elements.
    fn room(&mut self, elements: &Expr) {
        let whole = range(elements);
        self.edit(whole.clone(), &[], vec!["crate::switch::room(".into(), whole.into(), ")".into()]);
    }

    fn inside(&mut self, name: Option<String>, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.within, name);
        visit(self);
        self.within = before;
    }
}

/// Whether an operand binds something for what follows it.
fn has_let(operand: &Expr) -> bool {
    match operand {
        Expr::Let(_) => true,
        Expr::Binary(binary) => matches!(binary.op, BinOp::And(_)) && (has_let(&binary.left) || has_let(&binary.right)),
        _ => false,
    }
}

/// Methods that take room for as many elements as their first argument says.
const ROOM: [&str; 4] = ["reserve", "reserve_exact", "resize", "repeat"];

impl<'ast> Visit<'ast> for Places<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            self.inside(Some(item.ident.to_string()), |places| visit::visit_item_mod(places, item));
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.inside(type_name(&item.self_ty), |places| visit::visit_item_impl(places, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if item.sig.constness.is_none() {
            self.function(&item.sig, &item.block);
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if item.sig.constness.is_none() {
            self.function(&item.sig, &item.block);
            visit::visit_impl_item_fn(self, item);
        }
    }

    // What the compiler computes: see `constants`.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_generics(&mut self, _: &'ast syn::Generics) {}
    fn visit_angle_bracketed_generic_arguments(&mut self, _: &'ast syn::AngleBracketedGenericArguments) {}
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
    fn visit_item_enum(&mut self, _: &'ast syn::ItemEnum) {}

    fn visit_expr_repeat(&mut self, expression: &'ast syn::ExprRepeat) {
        self.visit_expr(&expression.expr);
    }

    fn visit_expr_binary(&mut self, expression: &'ast syn::ExprBinary) {
        self.binary(expression);
        visit::visit_expr_binary(self, expression);
    }

    fn visit_expr_unary(&mut self, expression: &'ast syn::ExprUnary) {
        let mutants = self.at(Genre::UnaryOperator, &range(&expression.op));
        if let [mutant] = mutants[..] {
            let (operand, op) = (range(&*expression.expr), &self.text[range(&expression.op)]);
            let alternative = vec![(mutant.id, vec!["operand".into()])];
            let choice = choice(alternative, vec![format!("{op}operand").into()]);
            let begin = ["(match ".into(), operand.into(), " { operand => ".into()].into_iter();
            self.edit(range(expression), &[mutant.id], begin.chain(choice).chain([" })".into()]).collect());
        }
        visit::visit_expr_unary(self, expression);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        self.arm(arm);
        visit::visit_arm(self, arm);
    }

    fn visit_expr_struct(&mut self, expression: &'ast syn::ExprStruct) {
        self.fields(expression);
        visit::visit_expr_struct(self, expression);
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        let Some((through, ident)) = last(&path.path) else { return };
        let ids = self.constants.of(self.file, self.within.as_deref(), through.as_deref(), &ident.to_string());
        let ids: Vec<u32> = ids.iter().copied().filter(|id| !self.dropped.contains(id)).collect();
        if ids.is_empty() {
            return;
        }
        let whole = range(path);
        let before = &self.text[whole.start..range(ident).start];
        let arms = ids.iter().map(|&id| format!("{id} => &{before}{}, ", name(&ident.to_string(), id)));
        let numbers: Vec<String> = ids.iter().map(u32::to_string).collect();
        let arms: String = arms.collect();
        let pieces = vec![
            format!("(*match crate::switch::one_of(&[{}]) {{ {arms}_ => &", numbers.join(", ")).into(),
            whole.clone().into(),
            " })".into(),
        ];
        self.edit(whole, &[], pieces);
    }

    fn visit_expr_while(&mut self, expression: &'ast syn::ExprWhile) {
        self.step(&expression.body);
        visit::visit_expr_while(self, expression);
    }

    fn visit_expr_for_loop(&mut self, expression: &'ast syn::ExprForLoop) {
        self.step(&expression.body);
        visit::visit_expr_for_loop(self, expression);
    }

    fn visit_expr_loop(&mut self, expression: &'ast syn::ExprLoop) {
        self.step(&expression.body);
        visit::visit_expr_loop(self, expression);
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        match &*closure.body {
            Expr::Block(block) if block.label.is_none() => self.step(&block.block),
            body => {
                let whole = range(body);
                let pieces = vec!["{ crate::switch::step(); ".into(), whole.clone().into(), " }".into()];
                self.edit(whole, &[], pieces);
            }
        }
        visit::visit_expr_closure(self, closure);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let (Expr::Path(path), Some(argument)) = (&*call.func, call.args.first())
            && last(&path.path).is_some_and(|(_, ident)| ident == "with_capacity")
        {
            self.room(argument);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if let Some(argument) = call.args.first()
            && ROOM.iter().any(|name| call.method == name)
        {
            self.room(argument);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let parser = |input: syn::parse::ParseStream| {
            input.parse::<Expr>()?;
            input.parse::<syn::Token![;]>()?;
            input.parse::<Expr>()
        };
        if call.path.is_ident("vec")
            && let Ok(elements) = call.parse_body_with(parser)
        {
            self.room(&elements);
        }
    }
}
