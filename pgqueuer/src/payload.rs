//! Payloads: how the arguments of a job travel from producer to worker.
//!
//! Jobs outlive deploys, so a payload must still be readable when the arguments
//! of its job have changed. The default codec therefore frames each argument
//! with its name, and encodes each value by itself:
//!
//! ```text
//! version │ name length │ name │ value codec │ value length │ value │ next argument …
//!   u8    │     u8      │ utf8 │     u8      │    u32 le    │ bytes │
//! ```
//!
//! Adding an argument with a default, removing, reordering or renaming one
//! (`#[serde(default, alias, rename)]`) leaves the queued jobs readable.
//!
//! A value is bincode, which is small and fast, but cannot carry everything
//! that serde can: it encodes untagged enums, `flatten` or
//! `skip_serializing_if`, and then cannot decode them. So the producer decodes
//! what it has encoded, encodes that again and compares. A value that does not
//! come back the same goes as JSON. (Hash maps and sets of several entries go
//! either way, since their order differs each time.)
//!
//! The other codec is one JSON object for the whole job. Every worker reads it
//! for every kind, because that is what SQL, the command line and other
//! languages send.

mod binary;
mod bounds;
mod frame;
#[cfg(test)]
mod tests;

pub use frame::FrameWriter;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{Chain, Error, Result},
    key,
};

/// The largest payload, in bytes: 32 MiB.
///
/// A claim brings many payloads into memory at once. Larger data belongs into a
/// table or an object store, and its key into the job.
pub const MAX_PAYLOAD_BYTES: usize = 32 * 1024 * 1024;

/// How the bytes of a payload are to be read; stored beside each job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Each argument by itself, with its name. See the [module](self).
    #[default]
    Framed,
    /// One JSON object.
    Json,
}

impl Codec {
    /// The name of the codec in SQL: `framed` or `json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Framed => "framed",
            Self::Json => "json",
        }
    }
}

/// The encoded arguments of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// How to read the bytes.
    pub codec: Codec,
    /// The bytes. At most [`MAX_PAYLOAD_BYTES`].
    pub bytes: Vec<u8>,
}

impl Payload {
    /// Encodes a whole job as one JSON object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) if JSON cannot represent
    /// the value (a map whose keys are not strings, for example) or if it is too
    /// large.
    pub fn json<T: Serialize + DeserializeOwned>(kind: &str, job: &T) -> Result<Self> {
        let failed = |what: &str, error| {
            Error::payload(format!("job `{kind}` cannot be {what} JSON")).because(error)
        };
        let bytes = serde_json::to_vec(job).map_err(|it| failed("written as", it))?;
        // A float that is not a number is written as `null`, which is none when it is read.
        // The producer should hear of it, not the operator.
        serde_json::from_slice::<T>(&bytes).map_err(|it| failed("read back from", it))?;
        Self {
            codec: Codec::Json,
            bytes,
        }
        .checked(kind)
    }

    /// Decodes the arguments of a job.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload), naming the argument at
    /// fault where there is one. Never panics, whatever the bytes are.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        match self.codec {
            Codec::Framed => frame::decode(&self.bytes)
                .map_err(|problem| Error::payload(format!("payload does not decode: {problem}"))),
            Codec::Json => serde_json::from_slice(&self.bytes).map_err(|error| {
                Error::payload(format!("payload does not decode: {}", Chain(&error)))
            }),
        }
    }

    /// The key that some arguments make, by their names in the payload, if that is JSON: as
    /// [`Job::limit_key`](crate::Job::limit_key) and [`Job::unique_key`](crate::Job::unique_key)
    /// make it, for those who have no types. Of none, `[]`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) if the payload is no JSON,
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the key is longer than
    /// [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES).
    pub fn key(&self, kind: &str, fields: &[String]) -> Result<String> {
        let args: serde_json::Value = serde_json::from_slice(&self.bytes).map_err(|error| {
            Error::payload(format!("the payload of job `{kind}` is no JSON")).because(error)
        })?;
        let key = key::of_json(&args, fields);
        key::check(kind, &key).map(|()| key)
    }

    /// Refuses a payload over the limit.
    pub(crate) fn checked(self, kind: &str) -> Result<Self> {
        let size = self.bytes.len();
        if size <= MAX_PAYLOAD_BYTES {
            return Ok(self);
        }
        Err(Error::payload(format!(
            "the payload of job `{kind}` is {size} bytes, at most {MAX_PAYLOAD_BYTES}; \
             store the data elsewhere and enqueue a reference to it"
        )))
    }
}
