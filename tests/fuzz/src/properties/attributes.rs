//! Whatever is written into `#[job(…)]` and `#[schedule(…)]`, and whatever function is below, the
//! macro answers with code or with errors that say something, and does not panic.
//!
//! An input is text: the options in its first line, and the function below. One that begins with a
//! zero is made of [`PIECES`], a byte for each: more of those are nearly right.

use proc_macro2::TokenStream;

use crate::job::{Attribute, transform};

/// For inputs that have none.
const FUNCTION: &str = "async fn send_mail(mailer: State<Mailer>) -> Result<(), Error> {}";

/// What options and functions are made of.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "\n", " ", ", ", " = ", "(", ")", "[", "]", "{", "}", "-", "::", "<", ">", "&", "'a ", ": ", "#", "\n",
    "name", "aliases", "queue", "priority", "max_attempts", "timeout", "backoff", "on_failure", "codec", "retain",
    "every", "tz", "missed", "overlap", "changes", "base", "factor", "max", "jitter", "json", "default", "alias", "rename", "inject", "serde", "doc",
    "\"\"", "\"a\"", "\"hold\"", "\"discard\"", "\"framed\"", "\"json\"", "\"30s\"", "\"1h 30m\"", "\"7d\"",
    "\"1ms\"", "\"999999999999999999999y\"", "\"584542046090y 1y\"", "\"36500d\"", "\"0s\"", "\"0.5s\"",
    "\"0 * * * *\"", "\"0 0 31 2 *\"", "\"@daily\"", "\"Europe/Oslo\"", "\"Mars/Base\"", "\"skip\"", "\"all up to 24\"",
    "0", "1", "5", "32767", "32768", "99999999999999999999", "0.1", "1e999", "0x10", "1u8", "true", "'c'", "b\"b\"",
    "#[inject] ", "#[codec(json)] ", "#[serde(default)] ", "#[serde(rename = \"r\")] ", "#[cfg(x)] ", "#[doc = \"D\"] ",
    "pub(crate) ", "async ", "const ", "unsafe ", "extern \"C\" ", "fn ", "send_mail", "r#type", "__", "_1st", "self",
    "mut ", "_", "..., ", "State<Mailer>", "&Context", "Tx", "Vec<Option<i64>>", "impl Into<u8>", "dyn Any",
    " -> Result<(), E>", "where T: Copy ",
];

/// What the macros make of an input, if it is tokens. Panics if what the module says does not hold.
pub(crate) fn check(input: &[u8]) -> Vec<TokenStream> {
    let text = match input {
        [0, pieces @ ..] => pieces
            .iter()
            .map(|it| PIECES[usize::from(*it) % PIECES.len()])
            .collect(),
        _ => String::from_utf8_lossy(input).into_owned(),
    };
    // The options, and the function if there is one.
    let (options, function) = text.split_once('\n').unwrap_or((&text, FUNCTION));
    let parsed = (
        options.parse::<TokenStream>(),
        function.parse::<TokenStream>(),
    );
    let (Ok(options), Ok(function)) = parsed else {
        return Vec::new();
    };
    // What the compiler would not hand to a macro may come back as it is.
    let is_function = syn::parse2::<syn::ItemFn>(function.clone()).is_ok();
    let answers = [Attribute::Job, Attribute::Schedule]
        .map(|attribute| transform(attribute, options.clone(), function.clone()));
    if is_function {
        answers.iter().for_each(is_a_job_or_errors);
    }
    answers.into()
}

fn is_a_job_or_errors(answer: &TokenStream) {
    let file: syn::File = syn::parse2(answer.clone()).expect("it is code");
    let errors = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(item) if is_error(&item.mac.path) => Some(item.mac.tokens.to_string()),
        _ => None,
    });
    let errors: Vec<String> = errors.collect();
    let is_job = file.items.iter().any(|it| matches!(it, syn::Item::Impl(_)));
    assert!(is_job == errors.is_empty(), "{answer}");
    // Two quotes, and something between them.
    assert!(errors.iter().all(|it| it.len() > 2), "{answer}");
}

fn is_error(path: &syn::Path) -> bool {
    path.segments
        .last()
        .is_some_and(|it| it.ident == "compile_error")
}
