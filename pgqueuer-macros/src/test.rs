//! `#[pgqueuer::test]`: checks, then quotes.

use chrono::DateTime;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{FnArg, ItemFn, LitStr, Safety, Signature, Type};

use crate::{
    attribute::{self, Item, Known, Setting, Value},
    errors::Errors,
    job::options::known,
};

const OWNER: &str = "`#[pgqueuer::test]`";
const SIGNATURE: &str = "`async fn name(queue: TestQueue)`";

const TEST_OPTIONS: &[Known] = &[
    known("postgres", "postgres"),
    known("at", "at = \"2026-03-27T12:00:00Z\""),
];

/// A test without mistakes.
struct TestModel {
    on_postgres: bool,
    at: Option<LitStr>,
}

pub(crate) fn transform(options: TokenStream, item: &TokenStream) -> TokenStream {
    let function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let message = format!("{OWNER} goes on a function: {SIGNATURE}");
            let error = syn::Error::new(error.span(), message).to_compile_error();
            return quote! { #error #item };
        }
    };
    match TestModel::new(options, &function) {
        Ok(model) => expand(&function, &model),
        Err(error) => {
            let errors = error.to_compile_error();
            quote! { #errors #[allow(dead_code)] #function }
        }
    }
}

impl TestModel {
    fn new(options: TokenStream, function: &ItemFn) -> syn::Result<Self> {
        let mut errors = Errors::default();
        check_attributes(&function.attrs, &mut errors);
        check_signature(&function.sig, &mut errors);

        let mut named = Vec::new();
        for item in attribute::split(options, &mut errors) {
            match item {
                Item::Named(key, value) => named.push((key, value)),
                Item::Positional(value) => {
                    errors.at(
                        value,
                        "write `postgres`, or `at = \"2026-03-27T12:00:00Z\"`",
                    );
                }
            }
        }
        let settings = attribute::settings(named, TEST_OPTIONS, OWNER, &mut errors);
        let find = |name: &str| settings.iter().find(|it| it.key == name);
        let on_postgres = find("postgres");
        if let Some(setting) = on_postgres.filter(|it| !matches!(it.value, Value::Missing)) {
            errors.push(setting.error("`postgres` has no value; write it alone"));
        }
        let at = find("at").and_then(|it| errors.handle(time(it)));
        if let (Some(setting), Some(_)) = (find("at"), on_postgres) {
            errors.at(
                &setting.key,
                "`at` sets the clock of a queue in memory, and that of PostgreSQL cannot be set; \
                 leave out one of them",
            );
        }
        let on_postgres = on_postgres.is_some();
        errors.finish()?;
        Ok(Self { on_postgres, at })
    }
}

/// Refuses what would make a second test of the function, or the same one twice.
fn check_attributes(attributes: &[syn::Attribute], errors: &mut Errors) {
    for attribute in attributes {
        let last = attribute.path().segments.last();
        if last.is_some_and(|it| it.ident == "test") {
            let message = format!("{OWNER} makes a test by itself; leave this attribute out");
            errors.at(attribute, message);
        }
    }
}

fn check_signature(signature: &Signature, errors: &mut Errors) {
    let refused = format!("a test is a plain function; write {SIGNATURE}");
    if let Some(word) = &signature.constness {
        errors.at(word, &refused);
    }
    if !matches!(signature.safety, Safety::Default) {
        errors.at(&signature.safety, &refused);
    }
    if let Some(abi) = &signature.abi {
        errors.at(abi, &refused);
    }
    if signature.asyncness.is_none() {
        errors.at(
            signature.fn_token,
            format!("a test of a queue awaits; write {SIGNATURE}"),
        );
    }
    if !signature.generics.params.is_empty() {
        errors.at(
            &signature.generics,
            "nobody calls a test with types; write them out",
        );
    }
    let mut inputs = signature.inputs.iter();
    match inputs.next() {
        None => errors.at(
            &signature.ident,
            format!("a test of a queue takes it; write {SIGNATURE}"),
        ),
        Some(FnArg::Receiver(receiver)) => {
            errors.at(
                receiver,
                format!("a test is a free function; write {SIGNATURE}"),
            );
        }
        Some(FnArg::Typed(queue)) => {
            if matches!(&*queue.ty, Type::Reference(_)) {
                errors.at(&queue.ty, "the queue is taken by value; write `TestQueue`");
            }
        }
    }
    for input in inputs {
        errors.at(
            input,
            "a test takes its queue and nothing else; what handlers need is given with \
             `queue.state(…)`",
        );
    }
}

fn time(setting: &Setting) -> syn::Result<LitStr> {
    let text = setting.text()?;
    match DateTime::parse_from_rfc3339(&text.value()) {
        Ok(_) => Ok(text),
        Err(_) => Err(setting.error(format!(
            "{:?} is not a time; write `at = \"2026-03-27T12:00:00Z\"`",
            text.value()
        ))),
    }
}

fn expand(function: &ItemFn, model: &TestModel) -> TokenStream {
    let ItemFn {
        attrs,
        vis,
        sig,
        block,
        ..
    } = function;
    let name = &sig.ident;
    let output = &sig.output;
    let run = match (&model.at, model.on_postgres) {
        (_, true) => quote! { ::pgqueuer::__private::testing::on_postgres(#name) },
        (Some(at), false) => quote! {
            ::pgqueuer::__private::testing::in_memory(::core::option::Option::Some(#at), #name)
        },
        (None, false) => quote! {
            ::pgqueuer::__private::testing::in_memory(::core::option::Option::None, #name)
        },
    };
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis fn #name() #output {
            #sig #block

            #run
        }
    }
}
