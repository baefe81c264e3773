//! Functions and classes: parameters, type parameters, and the scopes that they open.

use super::{Author, Context, Luck, Scope};

impl Author<'_, '_> {
    /// A parameter list and the names that it binds.
    pub(super) fn parameters(&mut self, annotated: bool) -> (String, Vec<String>) {
        let mut names = Vec::new();
        let mut items = Vec::new();
        let positional = self.u.below(4);
        let only =
            if positional > 0 && self.may("positional-only parameters", 4) { 1 + self.u.below(positional) } else { 0 };
        let mut default = false;
        for n in 0..positional {
            default = default || self.may("defaults", 4);
            items.push(self.parameter(&mut names, annotated, default));
            if n + 1 == only {
                items.push("/".into());
            }
        }
        let starred = self.may("variable arguments", 4);
        let keyword_only = if self.may("keyword-only parameters", 4) { 1 + self.u.below(3) } else { 0 };
        if starred {
            let star = annotated && self.may("starred annotation", 4);
            let name = self.new_parameter(&mut names);
            let annotation = if star { format!(": *{}", self.annotation()) } else { self.colon(annotated) };
            items.push(format!("*{name}{annotation}"));
        } else if keyword_only > 0 {
            items.push("*".into());
        }
        for _ in 0..keyword_only {
            let default = self.u.below(2) == 1;
            items.push(self.parameter(&mut names, annotated, default));
        }
        if self.may("variable arguments", 4) {
            let name = self.new_parameter(&mut names);
            items.push(format!("**{name}{}", self.colon(annotated)));
        }
        (items.join(", "), names)
    }

    fn new_parameter(&mut self, names: &mut Vec<String>) -> String {
        let mut name = self.any_local();
        if names.contains(&name) {
            name = self.fresh_name("p");
        }
        names.push(name.clone());
        name
    }

    fn colon(&mut self, annotated: bool) -> String {
        let annotated = annotated && self.may("annotations", 3);
        if annotated { format!(": {}", self.annotation()) } else { String::new() }
    }

    fn parameter(&mut self, names: &mut Vec<String>, annotated: bool, default: bool) -> String {
        let name = self.new_parameter(names);
        let text = if self.may("tuple parameter", 6) {
            format!("({name}, ({}, ))", self.new_parameter(names))
        } else {
            format!("{name}{}", self.colon(annotated))
        };
        if !default {
            return text;
        }
        let value = self.within(|c| c.level += 3, Self::expression);
        format!("{text}={value}")
    }

    fn type_parameters(&mut self) -> String {
        if !self.may("type parameters", 4) {
            return String::new();
        }
        let n = 1 + self.u.index(4);
        let mut default = false;
        let names: Vec<String> = ["T", "U", "*Ts", "**P"][..n]
            .iter()
            .map(|name| {
                let bound = !name.starts_with('*') && self.u.below(2) == 1;
                let bound = if bound { format!(": {}", self.annotation()) } else { String::new() };
                default = default || self.may("defaults of type parameters", 3);
                let value = if default { format!(" = {}", self.annotation()) } else { String::new() };
                format!("{name}{bound}{value}")
            })
            .collect();
        format!("[{}]", names.join(", "))
    }

    pub(super) fn type_alias(&mut self) {
        let name = self.binding();
        let parameters = self.type_parameters();
        let value = self.within(|c| c.annotation = true, Self::expression);
        self.line(&format!("type {name}{parameters} = {value}"));
    }

    fn decorators(&mut self) {
        while self.may("decorator", 5) {
            let any = self.may("any decorator", 2);
            let text = if any { self.expression() } else { format!("{}({})", self.dotted(), self.arguments()) };
            self.line(&format!("@{text}"));
        }
    }

    fn nonlocals(&mut self) {
        let parameters = self.scope().parameters.clone();
        let own = self.scopes.pop().unwrap_or_default();
        let names = self.free_names(&parameters);
        self.scopes.push(own);
        if names.is_empty() || !self.may("nonlocal", 3) {
            return;
        }
        let name = names[self.u.index(names.len())].clone();
        self.line(&format!("nonlocal {name}"));
        self.scope().declared.insert(name);
    }

    pub(super) fn function(&mut self) {
        self.decorators();
        self.define("def", false);
    }

    pub(super) fn coroutine(&mut self) {
        self.decorators();
        self.define("async def", true);
    }

    fn define(&mut self, keyword: &str, asynchronous: bool) {
        let name = self.binding();
        let generic = self.type_parameters();
        let (parameters, names) = self.parameters(true);
        let returns = if self.may("annotations", 3) { format!(" -> {}", self.annotation()) } else { String::new() };
        let generator = self.u.below(3) == 2;
        let context = Context {
            function: true,
            method: self.context.class || self.context.method,
            asynchronous,
            generator,
            may_return: true,
            may_return_value: !(generator && (asynchronous || self.is_python2())),
            ..Context::default()
        };
        let scope =
            Scope { function: true, bound: names.iter().cloned().collect(), parameters: names, ..Scope::default() };
        self.scoped(scope, context, |author| {
            author.suite(&format!("{keyword} {name}{generic}({parameters}){returns}"), |author| {
                author.docstring();
                author.nonlocals();
                author.body();
            });
        });
    }

    pub(super) fn class(&mut self) {
        self.decorators();
        let name = self.binding();
        let generic = self.type_parameters();
        let bases = self.within(|c| c.annotation |= !generic.is_empty(), Self::bases);
        let context = Context { class: true, ..Context::default() };
        self.scoped(Scope::default(), context, |author| {
            author.suite(&format!("class {name}{generic}{bases}"), |author| {
                author.docstring();
                author.nonlocals();
                author.body();
            });
        });
    }

    fn bases(&mut self) -> String {
        match self.u.below(3) {
            0 => String::new(),
            1 => "(object)".into(),
            // 3.9 corrupts its memory where all bases are constants and keywords are unpacked, so one is none.
            _ if self.may("class keywords", 2) => format!("({}, {})", self.any_local(), self.arguments()),
            _ => format!("({})", self.expressions(0, 2).join(", ")),
        }
    }
}
