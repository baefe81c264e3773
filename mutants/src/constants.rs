//! Mutants of what the compiler computes. Nothing can be switched there, so each mutant has copies of its constant, and of all
//! constants that are computed from it; functions take the right one.

use crate::edit::{Edit, apply};
use crate::list::Genre;
use crate::schemata::{Placed, Source, name, range};
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A constant, static or constant function that is not inside another one.
#[derive(Debug)]
struct Item {
    file: usize,
    /// The module or type that it is in, if that is not the file.
    within: Option<String>,
    ident: String,
    whole: Range<usize>,
    named: Range<usize>,
    uses: Vec<Use>,
}

/// A name in a constant.
#[derive(Debug)]
struct Use {
    through: Option<String>,
    ident: String,
    range: Range<usize>,
}

/// All of them, and the mutants that make each another one.
#[derive(Debug)]
pub(crate) struct Constants {
    items: Vec<Item>,
    mutants: Vec<Vec<u32>>,
    /// The mutants of each item's own text.
    own: Vec<Vec<Placed>>,
}

impl Constants {
    /// The constants of these files. A mutant inside one is one of it and of those that use it.
    pub(crate) fn new(sources: &[Source], mutants: &[Vec<Placed>]) -> Constants {
        let mut items = Vec::new();
        for (file, source) in sources.iter().enumerate() {
            let mut finder = Finder { file, within: None, items: Vec::new() };
            finder.visit_file(&source.tree);
            items.extend(finder.items);
        }
        let is_in = |item: &Item, mutant: &&Placed| {
            item.whole.start <= mutant.range.start && mutant.range.end <= item.whole.end
        };
        let own: Vec<Vec<Placed>> = items
            .iter()
            .map(|item: &Item| mutants[item.file].iter().filter(|mutant| is_in(item, mutant)).cloned().collect())
            .collect();
        let mut constants = Constants { mutants: vec![Vec::new(); items.len()], items, own };
        for origin in 0..constants.items.len() {
            let ids: Vec<u32> = constants.own[origin].iter().map(|mutant| mutant.id).collect();
            let mut changed = vec![false; constants.items.len()];
            let mut open = if ids.is_empty() { Vec::new() } else { vec![origin] };
            while let Some(item) = open.pop() {
                if !std::mem::replace(&mut changed[item], true) {
                    constants.mutants[item].extend(&ids);
                    open.extend((0..constants.items.len()).filter(|other| constants.uses(*other).any(|it| it == item)));
                }
            }
        }
        constants
    }

    /// The items that this one names.
    fn uses(&self, item: usize) -> impl Iterator<Item = usize> {
        let Item { file, within, uses, .. } = &self.items[item];
        uses.iter().filter_map(|it| self.find(*file, within.as_deref(), it.through.as_deref(), &it.ident))
    }

    /// The item that is meant by a name in a file, inside a module or type, behind another name.
    fn find(&self, file: usize, within: Option<&str>, through: Option<&str>, ident: &str) -> Option<usize> {
        let is_meant = |item: &Item| {
            let own = item.within.as_deref();
            item.ident == ident
                && match through {
                    None => item.file == file && (own.is_none() || own == within),
                    Some("Self") => item.file == file && own == within,
                    through => own == through,
                }
        };
        self.items.iter().position(is_meant)
    }

    /// Whether a mutant is one of a constant.
    pub(crate) fn has(&self, id: u32) -> bool {
        self.mutants.iter().any(|ids| ids.contains(&id))
    }

    /// The mutants that make the constant another one that is meant by a name in a function. There a name in lower case is
    /// that of a variable.
    pub(crate) fn of(&self, file: usize, within: Option<&str>, through: Option<&str>, ident: &str) -> &[u32] {
        let found = self.find(file, within, through, ident).filter(|_| !ident.contains(char::is_lowercase));
        found.map_or(&[], |item| &self.mutants[item])
    }

    /// The copies of the constants of a file, without the mutants that are not wanted.
    pub(crate) fn copies(&self, file: usize, source: &str, is_wanted: &dyn Fn(u32) -> bool) -> Vec<Edit> {
        let items = self.items.iter().enumerate().filter(|(_, item)| item.file == file);
        let copies = items.map(|(index, item)| {
            let ids = self.mutants[index].iter().filter(|id| is_wanted(**id));
            let pieces = ids.map(|&id| format!("\n/*[{id}*/ {} /*{id}]*/", self.copy(index, source, id)).into());
            Edit { range: item.whole.end..item.whole.end, pieces: pieces.collect() }
        });
        copies.filter(|edit| !edit.pieces.is_empty()).collect()
    }

    fn copy(&self, index: usize, source: &str, id: u32) -> String {
        let item = &self.items[index];
        let renamed = item.uses.iter().filter(|it| {
            let item = self.find(item.file, item.within.as_deref(), it.through.as_deref(), &it.ident);
            item.is_some_and(|item| self.mutants[item].contains(&id))
        });
        let rename =
            |range: &Range<usize>, ident: &str| Edit { range: range.clone(), pieces: vec![name(ident, id).into()] };
        let renamed = renamed.map(|it| rename(&it.range, &it.ident));
        let mutated = self.own[index].iter().filter(|mutant| mutant.id == id).map(|mutant| {
            let is_guard = mutant.genre == Genre::MatchArmGuard;
            let text = if is_guard { format!("/**/{}", mutant.replacement) } else { mutant.replacement.clone() };
            Edit { range: mutant.range.clone(), pieces: vec![text.into()] }
        });
        let mut edits: Vec<Edit> =
            std::iter::once(rename(&item.named, &item.ident)).chain(renamed).chain(mutated).collect();
        for edit in &mut edits {
            edit.range = edit.range.start - item.whole.start..edit.range.end - item.whole.start;
        }
        apply(&source[item.whole.clone()], edits)
    }
}

/// Finds constants.
struct Finder {
    file: usize,
    within: Option<String>,
    items: Vec<Item>,
}

impl Finder {
    fn add<T>(&mut self, item: &T, ident: &syn::Ident, visit: impl FnOnce(&mut Uses, &T))
    where
        T: Spanned,
    {
        let mut uses = Uses(Vec::new());
        visit(&mut uses, item);
        let item = Item {
            file: self.file,
            within: self.within.clone(),
            ident: ident.to_string(),
            whole: range(item),
            named: range(ident),
            uses: uses.0,
        };
        self.items.push(item);
    }

    fn inside(&mut self, name: Option<String>, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.within, name);
        visit(self);
        self.within = before;
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            self.inside(Some(item.ident.to_string()), |finder| visit::visit_item_mod(finder, item));
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.inside(type_name(&item.self_ty), |finder| visit::visit_item_impl(finder, item));
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.add(item, &item.ident, |uses, item| uses.visit_expr(&item.expr));
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.add(item, &item.ident, |uses, item| uses.visit_expr(&item.expr));
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.add(item, &item.ident, |uses, item| uses.visit_expr(&item.expr));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        match item.sig.constness {
            Some(_) => self.add(item, &item.sig.ident, |uses, item| uses.visit_block(&item.block)),
            None => visit::visit_item_fn(self, item),
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        match item.sig.constness {
            Some(_) => self.add(item, &item.sig.ident, |uses, item| uses.visit_block(&item.block)),
            None => visit::visit_impl_item_fn(self, item),
        }
    }
}

/// Finds the names that a constant uses.
struct Uses(Vec<Use>);

impl<'ast> Visit<'ast> for Uses {
    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        if let Some((through, ident)) = last(&path.path) {
            self.0.push(Use { through, ident: ident.to_string(), range: range(ident) });
        }
        visit::visit_expr_path(self, path);
    }
}

/// The last name of a path, and the one before it.
pub(crate) fn last(path: &syn::Path) -> Option<(Option<String>, &syn::Ident)> {
    let mut segments = path.segments.iter().rev();
    let ident = &segments.next()?.ident;
    Some((segments.next().map(|segment| segment.ident.to_string()), ident))
}

/// The name of a type, without what it is of.
pub(crate) fn type_name(of: &syn::Type) -> Option<String> {
    match of {
        syn::Type::Path(path) => last(&path.path).map(|(_, ident)| ident.to_string()),
        _ => None,
    }
}

/// Whether an item is there for tests only.
pub(crate) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}
