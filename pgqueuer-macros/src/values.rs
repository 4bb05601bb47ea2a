//! The values of options: texts, numbers, durations, names. Whatever is wrong is
//! reported on the value, together with what to write.

use std::{fmt::Display, ops::RangeInclusive, time::Duration};

use syn::{Expr, ExprLit, ExprUnary, Lit, LitStr, UnOp};

use crate::attribute::{Setting, Value};

/// The longest name of a kind or of a queue, in characters. As the library has it.
const MAX_NAME_LENGTH: usize = 128;

impl Setting {
    /// The value is at fault.
    pub(crate) fn error(&self, message: impl Display) -> syn::Error {
        match &self.value {
            Value::Missing => syn::Error::new_spanned(&self.key, message),
            value => syn::Error::new_spanned(value, message),
        }
    }

    /// The value is missing, or is not even of the right kind.
    fn expected(&self, what: &str) -> syn::Error {
        let (name, example) = (self.name(), self.example);
        match self.value {
            Value::Missing => self.error(format!(
                "`{name}` needs a value; write {what}, as in `{example}`"
            )),
            _ => self.error(format!("write {what}, as in `{example}`")),
        }
    }

    fn literal(&self) -> Option<&Lit> {
        match &self.value {
            Value::Expression(expression) => literal(expression),
            Value::Missing | Value::List(_) => None,
        }
    }

    pub(crate) fn text(&self) -> syn::Result<LitStr> {
        match self.literal() {
            Some(Lit::Str(text)) => Ok(text.clone()),
            _ => Err(self.expected("a text in quotes")),
        }
    }

    /// Whatever the user has written; what it is, the compiler finds out.
    pub(crate) fn expression(&self, what: &str) -> syn::Result<Expr> {
        match &self.value {
            Value::Expression(expression) => Ok(expression.clone()),
            Value::Missing | Value::List(_) => Err(self.expected(what)),
        }
    }

    pub(crate) fn texts(&self) -> syn::Result<Vec<LitStr>> {
        let what = "a list of texts";
        let Value::Expression(Expr::Array(array)) = &self.value else {
            return Err(self.expected(what));
        };
        let texts = array.elems.iter().map(|element| match literal(element) {
            Some(Lit::Str(text)) => Ok(text.clone()),
            _ => {
                let message = format!("write {what}, as in `{}`", self.example);
                Err(syn::Error::new_spanned(element, message))
            }
        });
        texts.collect()
    }

    /// The name of a kind or of a queue.
    pub(crate) fn name_text(&self) -> syn::Result<LitStr> {
        let text = self.text()?;
        check_name(&text)?;
        Ok(text)
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> syn::Result<T> {
        let text = self.text()?.value();
        let found = choices.iter().find(|(word, _)| *word == text);
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<String> = choices.iter().map(|(it, _)| format!("{it:?}")).collect();
            let name = self.name();
            self.error(format!("`{name}` is {}, not {text:?}", words.join(" or ")))
        })
    }

    pub(crate) fn integer<T: TryFrom<i64>>(&self, range: RangeInclusive<i64>) -> syn::Result<T> {
        let (negative, literal) = self.signed()?;
        let Lit::Int(digits) = literal else {
            return Err(self.expected("a whole number"));
        };
        let out_of_range = || {
            let (name, start, end) = (self.name(), range.start(), range.end());
            self.error(format!("`{name}` goes from {start} to {end}"))
        };
        let magnitude: i64 = digits.base10_parse().map_err(|_| out_of_range())?;
        let number = if negative { -magnitude } else { magnitude };
        if !range.contains(&number) {
            return Err(out_of_range());
        }
        T::try_from(number).map_err(|_| out_of_range())
    }

    pub(crate) fn number(&self, range: RangeInclusive<f64>) -> syn::Result<f64> {
        let (negative, literal) = self.signed()?;
        let magnitude: f64 = match literal {
            Lit::Int(digits) => digits.base10_parse()?,
            Lit::Float(digits) => digits.base10_parse()?,
            _ => return Err(self.expected("a number")),
        };
        let number = if negative { -magnitude } else { magnitude };
        if range.contains(&number) {
            return Ok(number);
        }
        let (name, start, end) = (self.name(), range.start(), range.end());
        Err(self.error(format!("`{name}` goes from {start} to {end}")))
    }

    /// A number, and whether a minus stands before it.
    fn signed(&self) -> syn::Result<(bool, &Lit)> {
        let (negative, literal) = match &self.value {
            Value::Expression(Expr::Unary(ExprUnary {
                op: UnOp::Neg(_),
                expr,
                ..
            })) => (true, literal(expr)),
            _ => (false, self.literal()),
        };
        match literal {
            Some(literal @ (Lit::Int(_) | Lit::Float(_))) if literal.suffix().is_empty() => {
                Ok((negative, literal))
            }
            _ => Err(self.expected("a number")),
        }
    }

    pub(crate) fn duration(&self) -> syn::Result<Duration> {
        let Some(Lit::Str(text)) = self.literal() else {
            return Err(self.expected("a text with its unit"));
        };
        parse_duration(text)
    }
}

pub(crate) fn parse_duration(text: &LitStr) -> syn::Result<Duration> {
    humantime::parse_duration(&text.value()).map_err(|_| {
        let problem = format!(
            "{:?} is not a duration; write `30s`, `5m` or `1h 30m`",
            text.value()
        );
        syn::Error::new_spanned(text, problem)
    })
}

/// The literal, also if it comes from the `$value:literal` of a user's macro.
pub(crate) fn literal(expression: &Expr) -> Option<&Lit> {
    match expression {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

/// Refuses what cannot be the name of a kind or of a queue.
pub(crate) fn check_name(text: &LitStr) -> syn::Result<()> {
    let name = text.value();
    let length = name.chars().count();
    let problem = if length == 0 {
        "a name has at least one character".to_owned()
    } else if length > MAX_NAME_LENGTH {
        format!("this name is {length} characters long, at most {MAX_NAME_LENGTH}")
    } else if name.chars().any(|it| it.is_whitespace() || it.is_control()) {
        "a name has no white space and no control characters".to_owned()
    } else {
        return Ok(());
    };
    Err(syn::Error::new_spanned(text, problem))
}
