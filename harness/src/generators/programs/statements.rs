//! Statements but functions and classes.

use super::table::{BULK, STATEMENTS};
use super::{Author, Context, Luck};

const FUTURE: &[&str] = &["division", "absolute_import", "with_statement", "unicode_literals", "print_function"];

/// How the escape of one begins.
const SURROGATE: &str = "\\ud";

impl Author<'_, '_> {
    /// Any statement.
    pub(super) fn statement(&mut self) {
        if !self.context.bulk && self.u.one_in(40) {
            let make = self.choose(BULK);
            self.within(|c| c.bulk = true, make);
        } else {
            self.choose(STATEMENTS)(self);
        }
    }

    /// A header and what belongs to it.
    pub(super) fn suite(&mut self, header: &str, write: impl FnOnce(&mut Self)) {
        self.line(&format!("{header}:"));
        self.indent += 1;
        self.within(|c| c.suites += 1, write);
        self.indent -= 1;
    }

    pub(super) fn body(&mut self) {
        let n = 1 + self.u.below(3);
        for _ in 0..n {
            self.statement();
        }
    }

    /// A suite of statements, now and then on the line of its header.
    fn plain_suite(&mut self, header: &str) {
        if self.u.one_in(10) {
            let text = self.expression();
            self.line(&format!("{header}: {text}"));
        } else {
            self.suite(header, Self::body);
        }
    }

    /// A suite that takes blocks of its function.
    fn block(&mut self, header: &str, blocks: u32) {
        self.within(|c| c.blocks += blocks, |author| author.plain_suite(header));
    }

    pub(super) fn docstring(&mut self) {
        if self.may("docstring", 3) {
            let text = self.string();
            if !text.contains(SURROGATE) || self.may("surrogate in a docstring", 1) {
                self.line(&text);
            }
        }
    }

    /// A line with nothing but an expression, which may turn out to be a docstring.
    fn evaluated(&mut self, text: &str) {
        if text.contains(SURROGATE) && !self.may("surrogate in a docstring", 1) {
            self.line(&format!("x = {text}"));
        } else {
            self.line(text);
        }
    }

    pub(super) fn future(&mut self) {
        if !self.may("future import", 6) {
            return;
        }
        let feature = if self.may("future annotations", 2) { "annotations" } else { self.u.pick(FUTURE) };
        self.print_statement &= feature != "print_function";
        self.line(&format!("from __future__ import {feature}"));
    }

    // ---- targets

    /// Something to assign to.
    pub(super) fn target(&mut self) -> String {
        match self.u.below(8) {
            0..=4 => self.binding(),
            5 => self.attribute(),
            6 => self.slice(),
            _ => format!("({})", self.targets()),
        }
    }

    /// Several targets, one of them starred.
    fn targets(&mut self) -> String {
        let n = 1 + self.u.index(3);
        let star = if self.may("starred target", 3) { self.u.index(n) } else { n };
        let one = |author: &mut Self, place: usize| {
            let simple = author.u.pick(&[true, true, false]);
            let target = if simple { author.binding() } else { author.dotted() };
            format!("{}{target}, ", if place == star { "*" } else { "" })
        };
        (0..n).map(|place| one(self, place)).collect()
    }

    // ---- simple statements

    pub(super) fn pass(&mut self) {
        self.line("pass");
    }

    pub(super) fn expression_statement(&mut self) {
        let text = self.expression();
        self.evaluated(&text);
    }

    pub(super) fn assignment(&mut self) {
        let value = self.expression();
        let target = self.target();
        self.line(&format!("{target} = {value}"));
    }

    pub(super) fn chained_assignment(&mut self) {
        let text = format!("{} = {} = {}", self.target(), self.target(), self.expression());
        self.line(&text);
    }

    pub(super) fn augmented_assignment(&mut self) {
        let operator = self.u.pick(&["+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>"]);
        let target = match self.u.below(3) {
            0 => self.binding(),
            1 => self.attribute(),
            _ => self.subscripted(),
        };
        let value = self.expression();
        self.line(&format!("{target} {operator}= {value}"));
    }

    fn subscripted(&mut self) -> String {
        format!("{}[{}]", self.dotted(), self.expression())
    }

    pub(super) fn annotated_assignment(&mut self) {
        let target = match self.u.below(5) {
            0 | 1 => {
                let name = self.annotatable();
                self.bind(&name);
                name
            }
            2 => format!("{}[{}]", self.dotted(), self.any_local()),
            3 => self.dotted(),
            // Without a value this binds nothing.
            _ => format!("({})", self.annotatable()),
        };
        let annotation = self.annotation();
        let value = if self.u.below(2) == 0 { String::new() } else { format!(" = {}", self.expression()) };
        self.line(&format!("{target}: {annotation}{value}"));
    }

    /// A name that is not declared `nonlocal` here.
    fn annotatable(&mut self) -> String {
        let name = self.any_local();
        if self.scope().declared.contains(&name) { self.fresh_name("n") } else { name }
    }

    pub(super) fn annotation(&mut self) -> String {
        self.within(
            |c| {
                c.annotation = true;
                c.level += 3;
            },
            Self::expression,
        )
    }

    pub(super) fn unpacking(&mut self) {
        let (value, targets) = (self.expression(), self.targets());
        let form = self.u.pick(&["", "[", "("]);
        let close = form.replace('[', "]").replace('(', ")");
        self.line(&format!("{form}{targets}{close} = {value}"));
    }

    pub(super) fn del(&mut self) {
        // 2.7 deletes no name that a nested function sees, so a name that occurs nowhere else.
        let name = self.fresh_name("d");
        let other = match self.u.below(4) {
            0 => String::new(),
            1 => format!(", {}", self.attribute()),
            2 => format!(", {}", self.slice()),
            _ => format!(", ({}, [{}])", self.subscripted(), self.dotted()),
        };
        self.line(&format!("{name} = 0; del {name}{other}"));
    }

    pub(super) fn assert(&mut self) {
        let condition = self.expression();
        let message = if self.u.below(2) == 0 { String::new() } else { format!(", {}", self.expression()) };
        self.line(&format!("assert {condition}{message}"));
    }

    pub(super) fn raise(&mut self) {
        let exception = if self.u.below(3) == 0 { String::new() } else { format!(" {}", self.expression()) };
        self.line(&format!("raise{exception}"));
    }

    pub(super) fn raise_from(&mut self) {
        let text = format!("raise {} from {}", self.expression(), self.expression());
        self.line(&text);
    }

    pub(super) fn raise_old(&mut self) {
        let text = format!("raise {}", self.expressions(2, 3).join(", "));
        self.line(&text);
    }

    pub(super) fn breaks(&mut self) {
        self.line("break");
    }

    pub(super) fn continues(&mut self) {
        self.line("continue");
    }

    pub(super) fn returns(&mut self) {
        self.line("return");
    }

    pub(super) fn returns_value(&mut self) {
        let star = if self.may("starred return", 6) { format!("*{}, ", self.expression()) } else { String::new() };
        let value = self.expression();
        self.line(&format!("return {star}{value}"));
    }

    pub(super) fn global(&mut self) {
        let name = self.fresh_name("g");
        let other = self.fresh_name("g");
        self.line(&format!("global {name}, {other}"));
        let value = self.expression();
        let use_of_it = self.u.pick(&["N = V", "N += V", "import N; V", "N = V; del N"]);
        self.line(&use_of_it.replace('N', &name).replace('V', &value));
    }

    pub(super) fn import(&mut self) {
        let path = self.u.pick(&["os", "os.path", "a.b.c"]);
        let name = if self.u.below(2) == 0 { String::new() } else { format!(" as {}", self.binding()) };
        self.line(&format!("import {path}{name}"));
    }

    pub(super) fn import_from(&mut self) {
        let path = self.u.pick(&["os", "os.path", ".", "..", ".a.b", "...a"]);
        let n = 1 + self.u.below(3);
        let names: String = (0..n)
            .map(|_| {
                let name = self.binding();
                if self.u.below(2) == 0 { format!("{name}, ") } else { format!("x as {name}, ") }
            })
            .collect();
        self.line(&format!("from {path} import ({names})"));
    }

    pub(super) fn import_star(&mut self) {
        self.line("from os.path import *");
    }

    pub(super) fn lazy_import(&mut self) {
        let text = self.u.pick(&["import os", "import os.path as x", "from os import path", "from . import a as b"]);
        self.line(&format!("lazy {text}"));
    }

    pub(super) fn semicolons(&mut self) {
        let text = format!("{} = {}; {}; pass;", self.binding(), self.expression(), self.expression());
        self.line(&text);
    }

    pub(super) fn continuation_line(&mut self) {
        let text = format!("{} = \\\n{} \\\n  if {} else 0", self.binding(), self.expression(), self.expression());
        self.line(&text);
    }

    pub(super) fn blank_lines(&mut self) {
        let n = self.u.pick(&[1, 2, 20, 127, 128, 300]);
        self.out += &"\n".repeat(n);
        self.line("pass  # é");
    }

    pub(super) fn print(&mut self) {
        let items = self.expressions(1, 3).join(", ");
        let text = if self.print_statement {
            self.u.pick(&["print I", "print I,", "print >>x, I", "print"]).replace('I', &items)
        } else {
            format!("print(x, {items}, file=y)")
        };
        self.line(&text);
    }

    pub(super) fn exec(&mut self) {
        let text = format!("exec {} in {}", self.expression(), self.expression());
        self.line(&text);
    }

    // ---- compound statements

    pub(super) fn ifs(&mut self) {
        let condition = self.expression();
        self.plain_suite(&format!("if {condition}"));
        for _ in 0..self.u.pick(&[0, 0, 1, 2]) {
            let condition = self.expression();
            self.plain_suite(&format!("elif {condition}"));
        }
        self.otherwise();
    }

    fn otherwise(&mut self) {
        if self.u.below(3) == 2 {
            self.plain_suite("else");
        }
    }

    /// Code that the compiler leaves out, or whose test it does.
    pub(super) fn constant_condition(&mut self) {
        let condition = self.u.pick(&["if 0", "if __debug__", "if not __debug__", "if ''", "if 1", "if None", "if ()"]);
        self.plain_suite(condition);
        self.otherwise();
    }

    /// The suite of a loop, and its `else`.
    fn loops(&mut self, header: &str) {
        let change = |c: &mut Context| {
            c.looping = true;
            c.may_continue = true;
        };
        self.within(change, |author| author.block(header, 1));
        self.otherwise();
    }

    pub(super) fn whiles(&mut self) {
        let condition = self.u.pick(&["", "", "1", "True", "0"]);
        let condition = if condition.is_empty() { self.expression() } else { condition.into() };
        self.loops(&format!("while {condition}"));
    }

    pub(super) fn fors(&mut self) {
        let header = format!("for {} in {}", self.target(), self.expression());
        self.loops(&header);
    }

    pub(super) fn async_for(&mut self) {
        let header = format!("async for {} in {}", self.target(), self.expression());
        self.loops(&header);
    }

    fn handlers(&mut self) {
        let n = 1 + self.u.below(3);
        for _ in 0..n {
            let class = self.expression();
            let header = if self.may("except A, B", 4) {
                format!("except {class}, {}", self.expression())
            } else if self.may("except A, name", 4) {
                format!("except {class}, {}", self.binding())
            } else if self.u.below(2) == 0 {
                format!("except {class}")
            } else {
                format!("except {class} as {}", self.binding())
            };
            self.block(&header, 3);
        }
        if self.u.below(3) == 2 {
            self.block("except", 3);
        }
    }

    fn finally(&mut self) {
        let may_continue = self.has("continue in finally");
        if may_continue && self.context.may_continue {
            self.used.insert("continue in finally");
        }
        self.within(|c| c.may_continue &= may_continue, |author| author.block("finally", 3));
    }

    pub(super) fn try_except(&mut self) {
        self.block("try", 2);
        self.handlers();
        if self.u.below(3) == 2 {
            self.block("else", 2);
        }
        if self.u.below(3) == 2 {
            self.finally();
        }
    }

    pub(super) fn try_finally(&mut self) {
        self.block("try", 2);
        self.finally();
    }

    /// `except*`: nothing may leave its suite.
    pub(super) fn try_group(&mut self) {
        self.block("try", 2);
        let change = |c: &mut Context| {
            c.looping = false;
            c.may_continue = false;
            c.may_return = false;
        };
        let n = 1 + self.u.below(2);
        for _ in 0..n {
            let name = if self.u.below(2) == 0 { String::new() } else { format!(" as {}", self.binding()) };
            let header = format!("except* {}{name}", self.expression());
            self.within(change, |author| author.block(&header, 3));
        }
        self.otherwise();
        if self.u.below(3) == 2 {
            self.finally();
        }
    }

    fn managers(&mut self) -> String {
        let n = 1 + self.u.below(2);
        let items: Vec<String> = (0..n)
            .map(|_| {
                let name = if self.u.below(2) == 0 { String::new() } else { format!(" as {}", self.target()) };
                format!("{}{name}", self.expression())
            })
            .collect();
        if self.may("with in parentheses", 4) { format!("({},)", items.join(",\n")) } else { items.join(", ") }
    }

    pub(super) fn with(&mut self) {
        let managers = self.managers();
        self.block(&format!("with {managers}"), 2);
    }

    pub(super) fn async_with(&mut self) {
        let managers = self.managers();
        self.block(&format!("async with {managers}"), 2);
    }

    pub(super) fn matches(&mut self) {
        let star = if self.u.one_in(8) { "*x, " } else { "" };
        let header = format!("match {star}{}", self.expression());
        self.suite(&header, |author| {
            let n = 1 + author.u.below(4);
            for _ in 0..n {
                let pattern = author.refutable_pattern();
                let guard = if author.u.one_in(4) { format!(" if {}", author.expression()) } else { String::new() };
                author.plain_suite(&format!("case {pattern}{guard}"));
            }
            if author.u.below(2) == 1 {
                let pattern = author.pattern();
                author.plain_suite(&format!("case {pattern}"));
            }
        });
    }
}
