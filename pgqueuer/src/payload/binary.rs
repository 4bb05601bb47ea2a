//! bincode, and nowhere else: the crate is unmaintained, so this module is small
//! enough to be replaced (`docs/decisions/0003-payloads.md`).

use bincode::config::{self, Config};
use serde::{Serialize, de::DeserializeSeed};

use super::MAX_PAYLOAD_BYTES;

// The limit bounds what a hostile length prefix can make the decoder allocate.
fn config() -> impl Config {
    config::standard().with_limit::<MAX_PAYLOAD_BYTES>()
}

/// Encodes one value.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    bincode::serde::encode_to_vec(value, config()).map_err(|error| error.to_string())
}

/// Decodes one value, which must fill `bytes` to the end.
pub(super) fn decode<'de, S>(seed: S, bytes: &'de [u8]) -> Result<S::Value, String>
where
    S: DeserializeSeed<'de>,
{
    let (value, read) = bincode::serde::seed_decode_from_slice(seed, bytes, config())
        .map_err(|error| error.to_string())?;
    if read == bytes.len() {
        Ok(value)
    } else {
        Err(format!("{} bytes are left over", bytes.len() - read))
    }
}
