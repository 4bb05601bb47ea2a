//! The frame around the arguments of a job: written argument by argument, read
//! as the map that a derived `Deserialize` expects.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserializer, Serialize,
    de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, Visitor},
    forward_to_deserialize_any,
};

use super::{
    Codec, Payload,
    binary::{self, Comparison},
};
use crate::error::{Error, Result};

const VERSION: u8 = 1;
const BINCODE: u8 = 1;
const JSON: u8 = 2;
/// The bytes that hold the length of a value.
const LENGTH: usize = size_of::<u32>();

/// Writes a framed payload, argument by argument. Used by generated code.
#[derive(Debug)]
pub struct FrameWriter {
    kind: &'static str,
    bytes: Vec<u8>,
}

impl FrameWriter {
    /// Starts the payload of a job of this kind.
    #[must_use]
    pub fn new(kind: &'static str) -> Self {
        // Room for most payloads.
        let mut bytes = Vec::with_capacity(64);
        bytes.push(VERSION);
        Self { kind, bytes }
    }

    /// Adds an argument as bincode, or as JSON if bincode does not carry it.
    ///
    /// # Errors
    ///
    /// See [`json_argument`](Self::json_argument).
    pub fn argument<T>(mut self, name: &str, value: &T) -> Result<Self>
    where
        T: Serialize + DeserializeOwned,
    {
        let begin = self.bytes.len();
        let at = self.head(name, BINCODE)?;
        let back = self.append_bincode(value, at);
        let json = match back {
            Some(Comparison::Same) => return self.close(name, at),
            // As a hash map does, whose order differs each time. JSON is the safer way for it,
            // if JSON has one: its keys must be text.
            Some(Comparison::SameLength) => match self.encode_json(name, value) {
                Ok(json) => json,
                Err(_) => return self.close(name, at),
            },
            Some(Comparison::Different) | None => self.encode_json(name, value)?,
        };
        self.bytes.truncate(begin);
        self.push(name, JSON, &json)
    }

    /// Writes a value, and how it comes back if it does.
    fn append_bincode<T>(&mut self, value: &T, at: usize) -> Option<Comparison>
    where
        T: Serialize + DeserializeOwned,
    {
        binary::append(value, &mut self.bytes).ok()?;
        let encoded = &self.bytes[at..];
        let decoded = binary::decode(PhantomData::<T>, encoded).ok()?;
        binary::compare(&decoded, encoded).ok()
    }

    /// Adds an argument as JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) if JSON cannot carry the
    /// value there and back, or if the payload has grown too large.
    pub fn json_argument<T>(self, name: &str, value: &T) -> Result<Self>
    where
        T: Serialize + DeserializeOwned,
    {
        let encoded = self.encode_json(name, value)?;
        self.push(name, JSON, &encoded)
    }

    fn encode_json<T>(&self, name: &str, value: &T) -> Result<Vec<u8>>
    where
        T: Serialize + DeserializeOwned,
    {
        let failed = |what: &str, error: serde_json::Error| {
            let kind = self.kind;
            Error::payload(format!(
                "argument `{name}` of job `{kind}` cannot be {what}"
            ))
            .because(error)
        };
        let encoded = serde_json::to_vec(value).map_err(|it| failed("written as JSON", it))?;
        // Some values (a float that is not a number) are written and then cannot
        // be read. The producer should hear of it, not the operator.
        serde_json::from_slice::<T>(&encoded).map_err(|it| failed("read back from JSON", it))?;
        Ok(encoded)
    }

    /// Ends the payload.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) if it is too large.
    pub fn finish(self) -> Result<Payload> {
        Payload {
            codec: Codec::Framed,
            bytes: self.bytes,
        }
        .checked(self.kind)
    }

    fn push(mut self, name: &str, codec: u8, value: &[u8]) -> Result<Self> {
        let at = self.head(name, codec)?;
        self.bytes.extend_from_slice(value);
        self.close(name, at)
    }

    /// Writes what comes before a value. Returns where the value begins.
    fn head(&mut self, name: &str, codec: u8) -> Result<usize> {
        let name_length = u8::try_from(name.len()).map_err(|_| self.too_large(name))?;
        self.bytes.push(name_length);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(codec);
        self.bytes.extend_from_slice(&[0; LENGTH]);
        Ok(self.bytes.len())
    }

    /// Writes the length of a value that began at `at`.
    fn close(mut self, name: &str, at: usize) -> Result<Self> {
        let length = u32::try_from(self.bytes.len() - at).map_err(|_| self.too_large(name))?;
        self.bytes[at - LENGTH..at].copy_from_slice(&length.to_le_bytes());
        Ok(self)
    }

    fn too_large(&self, name: &str) -> Error {
        Error::payload(format!(
            "argument `{name}` of job `{}` is too large",
            self.kind
        ))
    }
}

/// Reads a framed payload. The message names the argument at fault.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => T::deserialize(Frame { rest }),
        Some((version, _)) => Err(FrameError(format!(
            "frame version {version} is unknown; was it written by a newer pgqueuer?"
        ))),
        None => Err(FrameError("it is empty".to_owned())),
    }
}

#[derive(Debug)]
pub(super) struct FrameError(String);

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FrameError {}

impl de::Error for FrameError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Frame<'de> {
    rest: &'de [u8],
}

/// One argument as it stands in the frame.
struct RawArgument<'de> {
    name: &'de str,
    codec: u8,
    value: &'de [u8],
}

impl<'de> Frame<'de> {
    fn take(&mut self, length: usize) -> Result<&'de [u8], FrameError> {
        let cut = || FrameError("it is cut short".to_owned());
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(cut)?;
        self.rest = rest;
        Ok(taken)
    }

    fn next(&mut self) -> Result<Option<RawArgument<'de>>, FrameError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let name_length = usize::from(self.take(1)?[0]);
        let name = std::str::from_utf8(self.take(name_length)?)
            .map_err(|_| FrameError("the name of an argument is not UTF-8".to_owned()))?;
        let codec = self.take(1)?[0];
        let mut length = [0; 4];
        length.copy_from_slice(self.take(4)?);
        let value = self.take(u32::from_le_bytes(length) as usize)?;
        Ok(Some(RawArgument { name, codec, value }))
    }
}

impl<'de> Deserializer<'de> for Frame<'de> {
    type Error = FrameError;

    // Whatever is asked for, a frame is a map from names to values. The derived
    // code then deals with defaults, aliases and unknown names.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FrameError> {
        visitor.visit_map(Arguments {
            frame: self,
            pending: None,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map struct enum
        identifier ignored_any
    }
}

struct Arguments<'de> {
    frame: Frame<'de>,
    pending: Option<RawArgument<'de>>,
}

impl<'de> MapAccess<'de> for Arguments<'de> {
    type Error = FrameError;

    fn next_key_seed<K>(&mut self, seed: K) -> Result<Option<K::Value>, FrameError>
    where
        K: DeserializeSeed<'de>,
    {
        let Some(argument) = self.frame.next()? else {
            return Ok(None);
        };
        let key = seed.deserialize(argument.name.into_deserializer())?;
        self.pending = Some(argument);
        Ok(Some(key))
    }

    fn next_value_seed<V>(&mut self, seed: V) -> Result<V::Value, FrameError>
    where
        V: DeserializeSeed<'de>,
    {
        let argument = self
            .pending
            .take()
            .ok_or_else(|| FrameError("a value was asked for before its name".to_owned()))?;
        // An argument that the job no longer has is skipped as it stands: bincode
        // could not skip a value of unknown type.
        if std::any::type_name::<V::Value>() == std::any::type_name::<de::IgnoredAny>() {
            return seed.deserialize(().into_deserializer());
        }
        match argument.codec {
            BINCODE => binary::decode(seed, argument.value),
            JSON => decode_json(seed, argument.value).map_err(|error| error.to_string()),
            other => Err(format!("value codec {other} is unknown")),
        }
        .map_err(|problem| FrameError(format!("argument `{}`: {problem}", argument.name)))
    }
}

fn decode_json<'de, S>(seed: S, bytes: &'de [u8]) -> serde_json::Result<S::Value>
where
    S: DeserializeSeed<'de>,
{
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = seed.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}
