//! bincode, and nowhere else: the crate is unmaintained, so this module is small
//! enough to be replaced (`docs/decisions/0003-payloads.md`).

use std::cell::Cell;

use bincode::{
    config::{self, Config},
    enc::write::Writer,
    error::EncodeError,
};
use serde::{Serialize, de::DeserializeSeed};

use super::{MAX_PAYLOAD_BYTES, bounds::Bounded};

// The limit bounds what a hostile length prefix can make the decoder allocate.
fn config() -> impl Config {
    config::standard().with_limit::<MAX_PAYLOAD_BYTES>()
}

/// Encodes one value behind what is there.
pub(super) fn append<T: Serialize + ?Sized>(value: &T, bytes: &mut Vec<u8>) -> Result<(), String> {
    bincode::serde::encode_into_writer(value, Appending(bytes), config())
        .map_err(|error| error.to_string())
}

/// How a value is encoded, beside other bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Same,
    SameLength,
    Different,
}

/// Encodes one value, only to see whether it would be these bytes.
pub(super) fn compare<T: Serialize + ?Sized>(
    value: &T,
    bytes: &[u8],
) -> Result<Comparison, String> {
    let mut comparing = Comparing {
        rest: Some(bytes),
        is_same: true,
    };
    bincode::serde::encode_into_writer(value, &mut comparing, config())
        .map_err(|error| error.to_string())?;
    Ok(match comparing.rest {
        Some([]) if comparing.is_same => Comparison::Same,
        Some([]) => Comparison::SameLength,
        _ => Comparison::Different,
    })
}

struct Appending<'a>(&'a mut Vec<u8>);

impl Writer for Appending<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

struct Comparing<'a> {
    /// What is still to come; `None` once there was more than that.
    rest: Option<&'a [u8]>,
    is_same: bool,
}

impl Writer for &mut Comparing<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let split = self.rest.and_then(|it| it.split_at_checked(bytes.len()));
        self.is_same &= split.is_some_and(|(expected, _)| expected == bytes);
        self.rest = split.map(|(_, rest)| rest);
        Ok(())
    }
}

/// Decodes one value, which must fill `bytes` to the end.
pub(super) fn decode<'de, S>(seed: S, bytes: &'de [u8]) -> Result<S::Value, String>
where
    S: DeserializeSeed<'de>,
{
    let entries = Cell::new(0);
    let seed = Bounded::new(seed, &entries);
    let (value, read) = bincode::serde::seed_decode_from_slice(seed, bytes, config())
        .map_err(|error| error.to_string())?;
    if read == bytes.len() {
        Ok(value)
    } else {
        Err(format!("{} bytes are left over", bytes.len() - read))
    }
}
