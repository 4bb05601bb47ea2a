//! A type as people write it: `HashMap<String, Vec<u8>>`.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Prints the tokens of a type. The compiler's own way has a space around each.
pub(super) fn type_name(tokens: TokenStream) -> String {
    let mut text = String::new();
    write(tokens, &mut text);
    text
}

fn write(tokens: TokenStream, text: &mut String) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{ ", " }"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(group.stream(), text);
                trim(text);
                text.push_str(close);
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                ',' | ';' => {
                    text.push(punct.as_char());
                    text.push(' ');
                }
                '+' | '=' => {
                    trim(text);
                    text.push(' ');
                    text.push(punct.as_char());
                    text.push(' ');
                }
                '-' => text.push_str(" -"),
                '>' if text.ends_with(" -") => text.push_str("> "),
                '>' => {
                    trim(text);
                    text.push('>');
                }
                other => text.push(other),
            },
            TokenTree::Ident(_) | TokenTree::Literal(_) => {
                // Two words in a row: `dyn Error`, `'static str`.
                if text.ends_with(|it: char| it.is_alphanumeric() || it == '_') {
                    text.push(' ');
                }
                text.push_str(&token.to_string());
            }
        }
    }
    trim(text);
}

fn trim(text: &mut String) {
    text.truncate(text.trim_end().len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_printed_as_it_is_written() {
        for text in [
            "i64",
            "Vec<String>",
            "std::collections::HashMap<String, Vec<u8>>",
            "(i32, String)",
            "[u8; 32]",
            "Option<(u8, u8)>",
            "Cow<'static, str>",
            "Box<dyn Error + Send + Sync>",
            "PhantomData<fn(u8) -> u8>",
            "<A as B>::C",
            "Iterator<Item = u8>",
            "()",
        ] {
            assert_eq!(type_name(text.parse().unwrap()), text);
        }
    }
}
