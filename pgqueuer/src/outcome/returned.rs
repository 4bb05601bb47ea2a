//! What a handler returned, on its way to whoever waits for it.

use std::any::TypeId;

use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};

/// The largest result of a job, in bytes of JSON: 1 MiB. Larger data belongs into a table or an object
/// store, and its key into the result.
pub const MAX_RESULT_BYTES: usize = 1024 * 1024;

/// What a job may result in: `()`, or anything that serde can write as JSON and read back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a job",
    label = "serde cannot write it and read it back",
    note = "a result is kept for those who wait for it: derive `Serialize` and `Deserialize`, or end the handler with `Ok(())`"
)]
pub trait JobOutput: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> JobOutput for T {}

/// The result of a job, as JSON.
///
/// A result that cannot be written, or is larger than [`MAX_RESULT_BYTES`], is none, and the record of
/// the job says why: the job has been done all the same, and must not be done twice for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// `None` is `null`, as `()` is.
    json: Option<String>,
    problem: Option<String>,
}

impl Returned {
    /// What `()` is.
    pub const NOTHING: Self = Self {
        json: None,
        problem: None,
    };

    /// Writes a value.
    pub fn of<T: JobOutput>(value: &T) -> Self {
        if TypeId::of::<T>() == TypeId::of::<()>() {
            return Self::NOTHING;
        }
        match write(value) {
            Ok(json) => Self {
                json: (json != "null").then_some(json),
                problem: None,
            },
            Err(problem) => Self {
                json: None,
                problem: Some(problem),
            },
        }
    }

    /// The text of the JSON. `None` for `null`, and for a result that could not be written.
    #[must_use]
    pub fn json(&self) -> Option<&str> {
        self.json.as_deref()
    }

    /// Why the result could not be written.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Reads the value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) if it could not be written, or is not a `T`.
    pub fn read<T: JobOutput>(&self) -> Result<T> {
        match &self.problem {
            Some(problem) => Err(Error::payload(problem.clone())),
            None => read(self.json()),
        }
    }

    pub(crate) fn into_parts(self) -> (Option<String>, Option<String>) {
        (self.json, self.problem)
    }
}

/// Reads a result from its JSON; none is `null`.
pub(crate) fn read<T: DeserializeOwned>(json: Option<&str>) -> Result<T> {
    serde_json::from_str(json.unwrap_or("null")).map_err(|error| {
        let name = std::any::type_name::<T>();
        Error::payload(format!("the result of the job is not a `{name}`")).because(error)
    })
}

fn write<T: JobOutput>(value: &T) -> Result<String, String> {
    let name = std::any::type_name::<T>();
    let json = serde_json::to_string(value)
        .map_err(|error| format!("its result, a `{name}`, cannot be written as JSON: {error}"))?;
    if json.len() > MAX_RESULT_BYTES {
        return Err(format!(
            "its result is {} bytes, at most {MAX_RESULT_BYTES}; store the data elsewhere and return \
             a reference to it",
            json.len()
        ));
    }
    // A float that is not a number is written as `null`, which is none when it is read.
    serde_json::from_str::<T>(&json).map_err(|error| {
        format!("its result, a `{name}`, cannot be read back from JSON: {error}")
    })?;
    Ok(json)
}
