//! Jobs as they are shown.

use std::fmt;

use pgqueuer::{Codec, Failure, Headers, JobId, JobRecord, Payload};
use serde::Serialize;
use serde_json::Value;

use crate::{
    catalog::{Catalog, KnownJob},
    table,
};

/// One job, whole.
#[derive(Serialize)]
pub(in crate::commands) struct View {
    id: JobId,
    kind: String,
    state: String,
    priority: i16,
    attempt: u16,
    enqueued_at: String,
    run_at: Option<String>,
    claimed_at: Option<String>,
    finished_at: Option<String>,
    headers: Headers,
    /// As JSON, where that is known.
    arguments: Option<Value>,
    /// The names and types that its arguments have, as far as they are known.
    signature: Option<String>,
    codec: Option<&'static str>,
    payload_bytes: Option<usize>,
    failures: Vec<Failure>,
    progress: Option<Progress>,
    /// What its handler returned, of a job that is done.
    result: Option<Value>,
}

#[derive(Serialize)]
struct Progress {
    fraction: f32,
    note: String,
    updated_at: String,
}

impl View {
    pub(in crate::commands) fn of(job: JobRecord, catalog: Option<&Catalog>) -> Self {
        let known = catalog.and_then(|it| it.find(&job.kind));
        let descriptor = known.and_then(|it| it.descriptor);
        let arguments = |payload: &Payload| match (payload.codec, descriptor) {
            (Codec::Json, _) => serde_json::from_slice(&payload.bytes).ok(),
            (Codec::Framed, Some(descriptor)) => descriptor.to_json(payload).ok(),
            (Codec::Framed, None) => None,
        };
        Self {
            id: job.id,
            kind: job.kind,
            state: job.state.to_string(),
            priority: job.priority,
            attempt: job.attempt,
            enqueued_at: job.enqueued_at.to_rfc3339(),
            run_at: job.run_at.map(|it| it.to_rfc3339()),
            claimed_at: job.claimed_at.map(|it| it.to_rfc3339()),
            finished_at: job.finished_at.map(|it| it.to_rfc3339()),
            headers: job.headers,
            arguments: job.payload.as_ref().and_then(arguments),
            signature: known
                .filter(|it| it.arguments.is_some())
                .map(KnownJob::signature),
            codec: job.payload.as_ref().map(|it| it.codec.as_str()),
            payload_bytes: job.payload.map(|it| it.bytes.len()),
            failures: job.failures,
            progress: job.progress.map(|it| Progress {
                fraction: it.fraction,
                note: it.note,
                updated_at: it.updated_at.to_rfc3339(),
            }),
            result: job.result.and_then(|it| serde_json::from_str(&it).ok()),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} %", self.fraction * 100.0)
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments = match (&self.arguments, self.payload_bytes) {
            (Some(arguments), _) => arguments.to_string(),
            (None, Some(bytes)) => {
                let codec = self.codec.unwrap_or_default();
                let signature = self.signature.as_deref().unwrap_or("of unknown names");
                format!(
                    "{signature}\n{:10}{bytes} bytes, {codec}: the program that has this job can show them",
                    ""
                )
            }
            (None, None) => String::new(),
        };
        let progress = self.progress.as_ref();
        let progress = progress.map_or_else(String::new, |it| format!("{it} {}", it.note));
        let result = self.result.as_ref().map(Value::to_string);
        let result = result.unwrap_or_default();
        let lines = [
            ("job", self.id.to_string()),
            ("kind", self.kind.clone()),
            ("state", self.state.clone()),
            ("priority", self.priority.to_string()),
            ("attempts", self.attempt.to_string()),
            ("enqueued", self.enqueued_at.clone()),
            ("runs at", self.run_at.clone().unwrap_or_default()),
            ("claimed", self.claimed_at.clone().unwrap_or_default()),
            ("finished", self.finished_at.clone().unwrap_or_default()),
            ("arguments", arguments),
            ("progress", progress),
            ("result", result),
        ];
        let mut text = String::new();
        for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
            text += &format!("{name:10}{value}\n");
        }
        for (name, value) in &self.headers {
            text += &format!("{:10}{name}: {value}\n", "header");
        }
        for failure in &self.failures {
            let at = failure
                .failed_at
                .map(|it| it.to_rfc3339())
                .unwrap_or_default();
            let reason = format!("{:?}", failure.reason).to_lowercase();
            text += &format!("\nattempt {} ended at {at}: {reason}\n", failure.attempt);
            for line in failure
                .message
                .lines()
                .chain(failure.backtrace.iter().flat_map(|it| it.lines()))
            {
                text += &format!("  {line}\n");
            }
        }
        f.write_str(text.trim_end())
    }
}

/// Of a message, as much as a table has room for.
pub(in crate::commands) fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.chars().take(60).collect()
}

/// Some jobs, a line each.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Page(Vec<View>);

impl Page {
    pub(super) fn of(jobs: Vec<JobRecord>, catalog: Option<&Catalog>) -> Self {
        Self(jobs.into_iter().map(|it| View::of(it, catalog)).collect())
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("there is no such job");
        }
        let last_words = |it: &View| {
            let message = it.failures.last().map(|it| first_line(&it.message));
            message.unwrap_or_default()
        };
        let row = |it: &View| {
            vec![
                it.id.to_string(),
                it.kind.clone(),
                match &it.progress {
                    Some(progress) => format!("{} {progress}", it.state),
                    None => it.state.clone(),
                },
                it.priority.to_string(),
                it.attempt.to_string(),
                it.run_at.clone().unwrap_or_default(),
                last_words(it),
            ]
        };
        let titles = [
            "id",
            "kind",
            "state",
            "priority",
            "attempts",
            "runs at",
            "last failure",
        ];
        let rows: Vec<Vec<String>> = self.0.iter().map(row).collect();
        f.write_str(&table::render(&titles, &rows))
    }
}
