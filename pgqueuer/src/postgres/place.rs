//! Where a row is: PostgreSQL's type `tid`, which sqlx does not know.
//!
//! The place of a row is its `ctid` (block and line), which stays the same until the row is
//! updated, or its table rewritten: <https://www.postgresql.org/docs/current/ddl-system-columns.html>.

use sqlx::{
    Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, types::Oid},
};

use crate::store::Place;

/// A place as a parameter. In results it comes as bytes, by `tidsend`: sqlx would ask the
/// database for the name of the type first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tid(pub(super) Place);

impl Type<Postgres> for Tid {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(27))
    }
}

impl PgHasArrayType for Tid {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1010))
    }
}

impl Encode<'_, Postgres> for Tid {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0.0);
        Ok(IsNull::No)
    }
}

/// What `tidsend` returns.
pub(super) fn place(bytes: &[u8]) -> sqlx::Result<Place> {
    let bytes = <[u8; 6]>::try_from(bytes);
    bytes
        .map(Place)
        .map_err(|error| sqlx::Error::Decode(error.into()))
}
