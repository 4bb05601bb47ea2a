//! `enqueue`: puts one job into the queue, after the checks that a producer gets from its
//! compiler.

use std::{io::Read as _, time::Duration};

use chrono::{DateTime, Datelike as _, Utc};
use pgqueuer::{
    Codec, Headers, MAX_HEADER_BYTES, MAX_NAME_LENGTH, OnConflict, Payload, Unique, UniqueFor,
    payload::MAX_PAYLOAD_BYTES,
    store::{JobToEnqueue, RunAt},
};

use crate::{
    app::App,
    catalog::{Catalog, KnownJob},
    cli::GlobalArgs,
    connection::{Database, IfRefused},
    exit::Failure,
    output::{Output, note},
};

/// Enqueues a job, and prints its id.
///
/// The arguments are checked: by their types in a program that has the job, by their names
/// in `pgq`, which knows what workers have published.
#[derive(Debug, clap::Args)]
pub(crate) struct EnqueueArgs {
    /// What sort of job.
    kind: String,

    /// The arguments by name, as a JSON object; `-` reads them from standard input.
    #[arg(value_name = "JSON", default_value = "{}")]
    arguments: String,

    /// Higher runs first [default: that of the kind].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i16>,

    /// Not before this time has passed: 30s, 5m, "1h 30m".
    #[arg(long, value_name = "DURATION", value_parser = parse_delay)]
    delay: Option<Duration>,

    /// Not before this time: 2030-01-31T08:00:00+01:00.
    #[arg(long, value_name = "TIME", conflicts_with = "delay", value_parser = parse_time)]
    run_at: Option<DateTime<Utc>>,

    /// Text for the handler; may be repeated.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = parse_header)]
    headers: Vec<(String, String)>,

    /// Only if no unfinished job of the kind has this key; else prints that one [default: that of
    /// the kind].
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    unique_key: Option<String>,

    /// Enqueue even if the kind is unknown, or the arguments do not seem to fit.
    #[arg(long)]
    unchecked: bool,
}

pub(super) async fn run(
    global: &GlobalArgs,
    app: Option<App>,
    args: EnqueueArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let payload = payload(&args.arguments)?;
    let headers = headers(&args.headers)?;
    let database = Database::find(global)?;
    let built_in = match app {
        Some(app) => Some(Catalog::built_in(app, database.queue())?),
        None => None,
    };
    if let Some(catalog) = &built_in {
        check(catalog, &args, &payload)?;
    }
    let pgq = database.connect(IfRefused::GiveUp).await?;
    let catalog = match built_in {
        Some(catalog) => catalog,
        None => {
            let catalog = Catalog::published(&pgq).await?;
            check(&catalog, &args, &payload)?;
            catalog
        }
    };

    let known = catalog.find(&args.kind);
    let usual_priority = known.map(|it| it.priority);
    let (limit_key, of_kind) = match known {
        Some(known) => (known.limit_key(&payload)?, known.unique(&payload)?),
        None => (None, None),
    };
    let by_hand = args.unique_key.map(|key| Unique {
        key,
        lasts: UniqueFor::Unfinished,
        on_conflict: OnConflict::Skip,
    });
    let unique = by_hand.or(of_kind);
    let job = JobToEnqueue {
        kind: args.kind.into(),
        priority: args.priority.or(usual_priority).unwrap_or_default(),
        payload,
        headers,
        limit_key,
        run_at: match (args.delay, args.run_at) {
            (Some(delay), _) => RunAt::After(delay),
            (None, Some(time)) => RunAt::At(time),
            (None, None) => RunAt::Now,
        },
    };
    for enqueued in pgq.store().enqueue_unique(&[(job, unique)]).await? {
        if !enqueued.is_new {
            note(format!(
                "job {enqueued} has its key already; nothing was enqueued"
            ));
        }
        output.result(&enqueued)?;
    }
    Ok(())
}

/// The arguments as they were written, which must be an object.
pub(super) fn payload(arguments: &str) -> Result<Payload, Failure> {
    let mut text = arguments.to_owned();
    if text == "-" {
        text.clear();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| {
                Failure::refused("failed to read the arguments from standard input").because(error)
            })?;
    }
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| Failure::refused("the arguments are not JSON").because(error))?;
    if !value.is_object() {
        return Err(Failure::refused(
            "the arguments are not a JSON object; write each by its name: {\"user_id\": 42}",
        ));
    }
    // The text rather than the value: a value has lost the digits of large numbers.
    let bytes = text.trim().as_bytes().to_vec();
    if bytes.len() > MAX_PAYLOAD_BYTES {
        return Err(Failure::refused(format!(
            "the arguments are {} bytes, at most {MAX_PAYLOAD_BYTES}",
            bytes.len()
        )));
    }
    Ok(Payload {
        codec: Codec::Json,
        bytes,
    })
}

pub(super) fn headers(headers: &[(String, String)]) -> Result<Headers, Failure> {
    let size: usize = headers.iter().map(|(n, v)| n.len() + v.len()).sum();
    if size > MAX_HEADER_BYTES {
        return Err(Failure::refused(format!(
            "the headers are {size} bytes, at most {MAX_HEADER_BYTES}"
        )));
    }
    Ok(headers.iter().cloned().collect())
}

/// Refuses what no worker could run.
fn check(catalog: &Catalog, args: &EnqueueArgs, payload: &Payload) -> Result<(), Failure> {
    let kind = &args.kind;
    let length = kind.chars().count();
    if !(1..=MAX_NAME_LENGTH).contains(&length) {
        return Err(Failure::refused(format!(
            "the kind is {length} characters long, from 1 to {MAX_NAME_LENGTH}"
        )));
    }
    if kind.chars().any(|it| it.is_whitespace() || it.is_control()) {
        return Err(Failure::refused(format!(
            "kind {kind:?} contains white space or control characters"
        )));
    }
    if args.unchecked {
        return Ok(());
    }
    match catalog.find(kind) {
        Some(job) => check_arguments(job, payload, UNCHECKED),
        None => Err(unknown_kind(catalog, kind)),
    }
}

/// For commands that can be told to take anything.
pub(super) const UNCHECKED: &str = "; --unchecked lets it pass";

/// Refuses arguments that do not fit a job; `hint` is what can be done about a guess that is wrong.
pub(super) fn check_arguments(
    job: &KnownJob,
    payload: &Payload,
    hint: &str,
) -> Result<(), Failure> {
    check_names(job, payload, hint)?;
    match job.descriptor.map(|it| it.check(payload)) {
        Some(Err(error)) => Err(Failure::refused(format!(
            "the arguments do not fit `{}`",
            job.signature()
        ))
        .because(error)),
        Some(Ok(())) | None => Ok(()),
    }
}

/// Refuses arguments that the job does not have; and without types also the lack of those
/// that it has, unless they are optional.
fn check_names(job: &KnownJob, payload: &Payload, hint: &str) -> Result<(), Failure> {
    let Some(known) = &job.arguments else {
        return Ok(());
    };
    let given: serde_json::Map<String, serde_json::Value> = payload.decode()?;
    if let Some(name) = given
        .keys()
        .find(|it| !known.iter().any(|k| k.name == **it))
    {
        return Err(Failure::refused(format!(
            "`{}` has no argument `{name}`{hint}",
            job.signature()
        )));
    }
    let is_missing = |name: &str, type_name: &str| {
        job.descriptor.is_none() && !given.contains_key(name) && !type_name.starts_with("Option")
    };
    match known.iter().find(|it| is_missing(&it.name, &it.type_name)) {
        None => Ok(()),
        Some(argument) => Err(Failure::refused(format!(
            "`{}` needs the argument `{}`, unless that has a default{hint}",
            job.signature(),
            argument.name
        ))),
    }
}

fn unknown_kind(catalog: &Catalog, kind: &str) -> Failure {
    let unknown = catalog.unknown_kind(kind);
    Failure::refused(unknown + " (--unchecked lets it pass)")
}

pub(super) fn parse_delay(text: &str) -> Result<Duration, String> {
    const MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    match humantime::parse_duration(text) {
        Err(error) => Err(format!("{error}; write 30s, 5m or \"1h 30m\"")),
        Ok(delay) if delay > MAX => Err("it is over 100 years".to_owned()),
        Ok(delay) => Ok(delay),
    }
}

pub(super) fn parse_time(text: &str) -> Result<DateTime<Utc>, String> {
    match text.parse::<DateTime<Utc>>() {
        Err(error) => Err(format!("{error}; write 2030-01-31T08:00:00Z")),
        Ok(time) if !(1..=9999).contains(&time.year()) => Err("its year is not 1 to 9999".into()),
        Ok(time) => Ok(time),
    }
}

pub(super) fn parse_header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as name=value".to_owned()),
    }
}
