//! Where a row is: PostgreSQL's type `tid`, which sqlx does not know.
//!
//! The place of a row is its `ctid` (block and line), which stays the same until the row is
//! updated, or its table rewritten: <https://www.postgresql.org/docs/current/ddl-system-columns.html>.
//!
//! It goes as text and comes as bytes. For a parameter or a column of a type that it does not know,
//! sqlx would ask the database first, when the first results wait to be written.

use crate::store::Place;

/// What `tidin` reads.
pub(super) fn to_text(Place([b0, b1, b2, b3, l0, l1]): Place) -> String {
    let block = u32::from_be_bytes([b0, b1, b2, b3]);
    let line = u16::from_be_bytes([l0, l1]);
    format!("({block},{line})")
}

/// What `tidsend` returns.
pub(super) fn place(bytes: &[u8]) -> sqlx::Result<Place> {
    let bytes = <[u8; 6]>::try_from(bytes);
    bytes
        .map(Place)
        .map_err(|error| sqlx::Error::Decode(error.into()))
}
