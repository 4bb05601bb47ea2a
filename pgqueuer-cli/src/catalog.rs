//! The jobs that are known: by this program's own types, or as workers have published them.

use std::{fmt, time::Duration};

use pgqueuer::{
    JobDescriptor, OnConflict, Payload, PgQueuer, Source, Unique, UniqueFor, store::KindRecord,
};
use serde::{Deserialize, Serialize};

use crate::{app::App, exit::Failure, table};

/// Jobs by kind, and who knows them.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Catalog {
    pub(crate) jobs: Vec<KnownJob>,
    #[serde(skip)]
    pub(crate) origin: Origin,
}

/// Who knows the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This program has their types.
    BuiltIn,
    /// Workers have published them at their start.
    Published,
}

/// One kind of job.
#[derive(Serialize)]
pub(crate) struct KnownJob {
    pub(crate) kind: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) schedule: Option<String>,
    /// `None` if the job was written by hand and does not say.
    pub(crate) arguments: Option<Vec<KnownArgument>>,
    pub(crate) max_attempts: u16,
    pub(crate) timeout: Option<String>,
    pub(crate) source: String,
    /// The kind that this is an alias of, or itself.
    #[serde(skip)]
    pub(crate) job: String,
    /// The arguments by which its limits count.
    #[serde(skip)]
    pub(crate) limit_by: Vec<String>,
    /// The arguments that make its jobs unique, and for how long, if they are.
    #[serde(skip)]
    pub(crate) unique: Option<(Vec<String>, UniqueFor)>,
    /// Checks a payload by its type.
    #[serde(skip)]
    pub(crate) descriptor: Option<JobDescriptor>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct KnownArgument {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) type_name: String,
}

impl Catalog {
    /// The jobs that a worker of this program would run. Connects to nothing.
    pub(crate) fn built_in(app: App, pgq: &PgQueuer) -> Result<Self, Failure> {
        let worker = app.builder(pgq).build()?;
        Ok(Self {
            jobs: worker.jobs().map(KnownJob::from).collect(),
            origin: Origin::BuiltIn,
        })
    }

    /// What workers have published.
    pub(crate) async fn published(pgq: &PgQueuer) -> Result<Self, Failure> {
        let mut jobs: Vec<KnownJob> = pgq
            .list_kinds()
            .await?
            .into_iter()
            .map(KnownJob::from)
            .collect();
        for schedule in pgq.list_schedules().await? {
            if let Some(job) = jobs.iter_mut().find(|it| it.kind == schedule.name) {
                job.schedule = Some(schedule.schedule.to_string());
            }
        }
        Ok(Self {
            jobs,
            origin: Origin::Published,
        })
    }

    /// The job that answers to this kind.
    pub(crate) fn find(&self, kind: &str) -> Option<&KnownJob> {
        self.jobs
            .iter()
            .find(|job| job.kind == kind || job.aliases.iter().any(|it| it == kind))
    }

    /// The same, or a refusal that says what there is.
    pub(crate) fn expect_kind(&self, kind: &str) -> Result<&KnownJob, Failure> {
        self.find(kind)
            .ok_or_else(|| Failure::refused(self.unknown_kind(kind)))
    }

    /// Refuses a queue that no job belongs to.
    pub(crate) fn expect_queue(&self, queue: &str) -> Result<(), Failure> {
        let mut names: Vec<&str> = self.jobs.iter().map(|it| it.queue.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.contains(&queue) {
            return Ok(());
        }
        let message = format!("no job that is known belongs to queue `{queue}`");
        Err(Failure::refused(message + &hint(queue, &names)))
    }

    /// Why a kind is not known, and what is.
    pub(crate) fn unknown_kind(&self, kind: &str) -> String {
        let who = match self.origin {
            Origin::BuiltIn => "this program has no job of kind",
            Origin::Published => "no worker has published the kind",
        };
        let names: Vec<&str> = self.jobs.iter().map(|it| it.kind.as_str()).collect();
        let mut message = format!("{who} `{kind}`") + &hint(kind, &names);
        if let Origin::BuiltIn = self.origin {
            message += "; if it lives in another crate, add `use that_crate as _;` to `main.rs`";
        }
        message
    }
}

/// What may have been meant.
fn hint(name: &str, known: &[&str]) -> String {
    /// More than that do not help.
    const LISTED: usize = 20;
    let nearest = known
        .iter()
        .map(|it| (strsim::normalized_damerau_levenshtein(name, it), it))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        None => ", nor any other yet".to_owned(),
        // A guess at what is still a slip.
        Some((likeness, nearest)) if likeness > 0.6 => format!("; did you mean `{nearest}`?"),
        Some(_) => {
            let listed = known[..known.len().min(LISTED)].join(", ");
            match known.len().saturating_sub(LISTED) {
                0 => format!("; known are {listed}"),
                more => format!("; known are {listed} and {more} more"),
            }
        }
    }
}

impl KnownJob {
    /// The kind with its arguments, as a Rust function has them.
    pub(crate) fn signature(&self) -> String {
        format!("{}({})", self.kind, self.argument_list())
    }

    fn argument_list(&self) -> String {
        let argument = |it: &KnownArgument| format!("{}: {}", it.name, it.type_name);
        match &self.arguments {
            None => "…".to_owned(),
            Some(list) => list.iter().map(argument).collect::<Vec<_>>().join(", "),
        }
    }
}

impl KnownJob {
    /// The key of a payload in JSON, by which the limits of its kind count.
    pub(crate) fn limit_key(&self, payload: &Payload) -> pgqueuer::Result<Option<String>> {
        match self.descriptor {
            Some(descriptor) => descriptor.limit_key(payload),
            None if self.limit_by.is_empty() => Ok(None),
            None => payload.key(&self.kind, &self.limit_by).map(Some),
        }
    }

    /// How a payload in JSON is unique, if its kind is.
    pub(crate) fn unique(&self, payload: &Payload) -> pgqueuer::Result<Option<Unique>> {
        let Some((by, lasts)) = &self.unique else {
            return Ok(None);
        };
        let key = match self.descriptor {
            Some(descriptor) => descriptor.unique_key(payload)?,
            None => Some(payload.key(&self.kind, by)?),
        };
        Ok(key.map(|key| Unique {
            key,
            lasts: *lasts,
            on_conflict: OnConflict::Skip,
        }))
    }
}

impl From<&JobDescriptor> for KnownJob {
    fn from(job: &JobDescriptor) -> Self {
        let argument = |it: &pgqueuer::Argument| KnownArgument {
            name: it.name.to_owned(),
            type_name: it.type_name.to_owned(),
        };
        let texts = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let is_silent = job.arguments.is_empty() && job.source == Source::UNKNOWN;
        Self {
            kind: job.kind.to_owned(),
            aliases: job.aliases.iter().copied().map(str::to_owned).collect(),
            queue: job.options.queue.to_owned(),
            priority: job.options.priority,
            schedule: job.schedule().map(|it| it.to_string()),
            arguments: (!is_silent).then(|| job.arguments.iter().map(argument).collect()),
            max_attempts: job.options.max_attempts,
            timeout: job
                .options
                .timeout
                .map(|it| humantime::format_duration(it).to_string()),
            source: job.source.to_string(),
            job: job.kind.to_owned(),
            limit_by: texts(job.limit_by),
            unique: job
                .options
                .unique
                .map(|lasts| (texts(job.unique_by), lasts)),
            descriptor: Some(*job),
        }
    }
}

impl From<KindRecord> for KnownJob {
    fn from(record: KindRecord) -> Self {
        // Another version of the library may have published something else here.
        let arguments: Option<Vec<KnownArgument>> = serde_json::from_value(record.arguments).ok();
        let window = record.unique_millis.and_then(|it| u64::try_from(it).ok());
        let lasts = window.map_or(UniqueFor::Unfinished, |it| {
            UniqueFor::Window(Duration::from_millis(it))
        });
        let is_unknown = record.source == Source::UNKNOWN.to_string();
        Self {
            kind: record.kind,
            // An alias has a record of its own.
            aliases: Vec::new(),
            queue: record.queue,
            priority: record.priority,
            schedule: None,
            arguments: arguments.filter(|it| !(it.is_empty() && is_unknown)),
            max_attempts: record.max_attempts,
            timeout: None,
            source: record.source,
            job: record.job,
            limit_by: record.limit_by,
            unique: record.unique_by.map(|by| (by, lasts)),
            descriptor: None,
        }
    }
}

impl fmt::Display for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.jobs.is_empty() {
            return f.write_str("no worker has published a job yet; a worker does so at its start");
        }
        let row = |job: &KnownJob| {
            vec![
                job.kind.clone(),
                job.aliases.join(", "),
                job.queue.clone(),
                job.schedule.clone().unwrap_or_default(),
                job.argument_list(),
                job.max_attempts.to_string(),
                job.timeout.clone().unwrap_or_default(),
                job.source.clone(),
            ]
        };
        let rows: Vec<Vec<String>> = self.jobs.iter().map(row).collect();
        f.write_str(&table::render(
            &[
                "kind",
                "aliases",
                "queue",
                "schedule",
                "arguments",
                "attempts",
                "timeout",
                "source",
            ],
            &rows,
        ))
    }
}
