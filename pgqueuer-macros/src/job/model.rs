//! All checks of a job, reported together. Knows no tokens but the spans.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{GenericParam, LitStr, ReturnType, Safety, Signature, ext::IdentExt};

use super::{
    Attribute, keys,
    options::{JOB_OPTIONS, Options},
    parameters::{self, Argument, Injected, Parameter},
    parse::{Function, Helpers},
};
use crate::{
    attribute::{self, Item, Setting},
    errors::Errors,
    schedule::{SCHEDULE_OPTIONS, Schedule},
    values,
};

/// A job without mistakes.
pub(super) struct JobModel {
    /// The name of the struct.
    pub(super) name: Ident,
    pub(super) kind: LitStr,
    pub(super) options: Options,
    pub(super) parameters: Vec<Parameter>,
    pub(super) schedule: Option<Schedule>,
}

impl JobModel {
    /// Checks a function and the options in its attribute.
    pub(super) fn new(
        attribute: Attribute,
        list: TokenStream,
        function: &Function,
        helpers: Vec<Helpers>,
    ) -> syn::Result<Self> {
        let mut errors = Errors::default();
        let signature = &function.signature;
        check_attributes(attribute, &function.attributes, &mut errors);
        check_signature(signature, &mut errors);

        let (options, schedule) = read_options(attribute, list, &mut errors);
        let kind = match &options.name {
            Some(name) => name.clone(),
            None => default_kind(&signature.ident, &mut errors),
        };
        options.check_aliases(&kind.value(), &mut errors);

        let parameters: Vec<Parameter> = signature
            .inputs
            .iter()
            .zip(helpers)
            .filter_map(|(input, helpers)| Parameter::new(input, helpers, &mut errors))
            .collect();
        parameters::check_names(&parameters, &mut errors);
        keys::check(&options.limits.by, &arguments(&parameters), &mut errors);
        if let Some(unique) = &options.unique {
            unique.check(&arguments(&parameters), &mut errors);
        }
        if attribute == Attribute::Schedule {
            check_no_arguments(&parameters, &mut errors);
        }
        let name = struct_name(&signature.ident, &mut errors);
        errors.finish()?;

        Ok(Self {
            name,
            kind,
            options,
            parameters,
            schedule,
        })
    }

    pub(super) fn arguments(&self) -> impl Iterator<Item = &Argument> + Clone {
        arguments(&self.parameters)
    }

    pub(super) fn injected(&self) -> impl Iterator<Item = &Injected> {
        self.parameters.iter().filter_map(|it| match it {
            Parameter::Injected(injected) => Some(injected),
            Parameter::Argument(_) => None,
        })
    }
}

fn arguments(parameters: &[Parameter]) -> impl Iterator<Item = &Argument> + Clone {
    parameters.iter().filter_map(|it| match it {
        Parameter::Argument(argument) => Some(argument),
        Parameter::Injected(_) => None,
    })
}

fn read_options(
    attribute: Attribute,
    list: TokenStream,
    errors: &mut Errors,
) -> (Options, Option<Schedule>) {
    let (mut positional, mut named) = (Vec::new(), Vec::new());
    for item in attribute::split(list, errors) {
        match item {
            Item::Positional(value) => positional.push(value),
            Item::Named(key, value) => named.push((key, value)),
        }
    }
    let known = match attribute {
        Attribute::Job => JOB_OPTIONS.to_vec(),
        Attribute::Schedule => [SCHEDULE_OPTIONS, JOB_OPTIONS].concat(),
    };
    let settings = attribute::settings(named, &known, &format!("`{}`", attribute.as_str()), errors);
    let schedule = match attribute {
        Attribute::Schedule => Schedule::new(&positional, &settings, errors),
        Attribute::Job => {
            for value in positional {
                let message = "name the option, as in `#[job(name = \"send_welcome\")]`";
                errors.at(value, message);
            }
            None
        }
    };
    if attribute == Attribute::Schedule {
        for setting in settings.iter().filter(|it| it.key == "unique") {
            errors.at(
                &setting.key,
                "each tick of a schedule is one job by itself; `unique` is for `#[job]`",
            );
        }
    }
    if settings.iter().any(|it| it.key == "backoff") {
        for setting in settings.iter().filter(|it| it.key == "retry") {
            let message =
                "`retry` says how long to wait, and so does `backoff`; choose one of them";
            errors.at(&setting.key, message);
        }
    }
    (read_job_options(&settings, errors), schedule)
}

fn read_job_options(settings: &[Setting], errors: &mut Errors) -> Options {
    let mut options = Options::default();
    for setting in settings {
        options.set(setting, errors);
    }
    options
}

/// Refuses a second attribute that makes a job of the same function.
fn check_attributes(attribute: Attribute, others: &[syn::Attribute], errors: &mut Errors) {
    for other in others {
        let Some(segment) = other.path().segments.last() else {
            continue;
        };
        let message = match (attribute, segment.ident.to_string().as_str()) {
            (Attribute::Job, "job") => "a function makes one job; write one `#[job]`",
            (Attribute::Schedule, "schedule") => {
                "a function has one schedule; for another, write a second function that calls it"
            }
            (Attribute::Job, "schedule") | (Attribute::Schedule, "job") => {
                "`#[schedule]` already makes a job; put the options into it"
            }
            _ => continue,
        };
        errors.at(other, message);
    }
}

fn check_signature(signature: &Signature, errors: &mut Errors) {
    if signature.asyncness.is_none() {
        errors.at(
            signature.fn_token,
            "a job is asynchronous; write `async fn`",
        );
    }
    if let Some(token) = &signature.constness {
        errors.at(token, "a job cannot be a `const fn`; remove `const`");
    }
    match &signature.safety {
        Safety::Unsafe(token) => {
            let message = "a job cannot be an `unsafe fn`, for a worker calls it; \
                 put an `unsafe` block into its body";
            errors.at(token, message);
        }
        Safety::Safe(token) => errors.at(token, "a job cannot be a `safe fn`; remove `safe`"),
        Safety::Default => {}
    }
    if let Some(abi) = &signature.abi {
        errors.at(abi, "a job is a plain Rust function; remove `extern`");
    }
    if let Some(variadic) = &signature.variadic {
        errors.at(
            variadic,
            "a job has a fixed number of arguments; write `Vec<T>`",
        );
    }
    check_generics(signature, errors);
    if let ReturnType::Type(_, ty) = &signature.output
        && let Some(token) = hidden_type(ty.to_token_stream())
    {
        let message = "what a job returns is kept for those who wait for it; write the type";
        errors.at(token, message);
    }
}

/// The `impl` in a type, which hides what it is.
fn hidden_type(tokens: TokenStream) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) => (ident == "impl").then_some(ident),
        TokenTree::Group(group) => hidden_type(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    })
}

fn check_generics(signature: &Signature, errors: &mut Errors) {
    let generics = &signature.generics;
    for parameter in &generics.params {
        match parameter {
            GenericParam::Type(parameter) => errors.at(
                &parameter.ident,
                "a job cannot be generic, for a worker must know which type to decode; \
                 write the type",
            ),
            GenericParam::Lifetime(parameter) => errors.at(
                &parameter.lifetime,
                "a job cannot have lifetimes, for it owns its arguments; write owned types",
            ),
            GenericParam::Const(parameter) => errors.at(
                &parameter.ident,
                "a job cannot be generic, for a worker must know which type to decode; \
                 write the number",
            ),
        }
    }
    if let Some(clause) = &generics.where_clause
        && generics.params.is_empty()
    {
        errors.at(clause, "a job cannot be generic; remove the `where`");
    }
}

fn check_no_arguments(parameters: &[Parameter], errors: &mut Errors) {
    for parameter in parameters {
        if let Parameter::Argument(argument) = parameter {
            let name = &argument.field;
            let message = format!(
                "a scheduled job has nobody to give it arguments; \
                 make `{name}` an injected parameter or use `#[job]`"
            );
            let ty = &argument.ty;
            errors.at(quote::quote! { #name #ty }, message);
        }
    }
}

/// The function's name.
fn default_kind(function: &Ident, errors: &mut Errors) -> LitStr {
    let kind = LitStr::new(&function.unraw().to_string(), function.span());
    if values::check_name(&kind).is_err() {
        let message = "the name of a job is at most 128 characters long; \
             give it a shorter one with `name = \"…\"`";
        errors.at(function, message);
    }
    kind
}

/// `send_welcome` makes `SendWelcome`.
fn struct_name(function: &Ident, errors: &mut Errors) -> Ident {
    let mut name = String::new();
    for word in function.unraw().to_string().split('_') {
        let mut characters = word.chars();
        name.extend(characters.next().into_iter().flat_map(char::to_uppercase));
        name.extend(characters);
    }
    // Nothing (`__`), a number (`_1st`), or `Self`.
    let Ok(mut ident) = syn::parse_str::<Ident>(&name) else {
        let message = format!(
            "the struct of this job would be called `{name}`, which is not possible; \
             give the function another name"
        );
        errors.at(function, message);
        return function.clone();
    };
    ident.set_span(function.span());
    ident
}
