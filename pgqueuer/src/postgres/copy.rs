//! Many jobs at once, by COPY.
//!
//! The format is that of <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary
//! Format".

use sqlx::PgConnection;

use super::{enqueue::Alike, failure::failed_to, rows, statements::Statements};
use crate::{error::Result, job::JobId};

/// From so many jobs on, what COPY saves outweighs its round trips: three, and two more for a
/// transaction of its own.
pub(super) const FROM: usize = 1000;

/// How much is gathered before it is sent. Large beside a packet, small beside the payloads.
const SEND_AT: usize = 256 * 1024;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const NO_FLAGS: [u8; 4] = [0; 4];
const NO_EXTENSION: [u8; 4] = [0; 4];
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// In the order of `sql/copy_jobs.sql`.
const COLUMNS: i16 = 7;

/// Adds jobs over a connection that is in a transaction.
pub(super) async fn enqueue(
    connection: &mut PgConnection,
    statements: &Statements,
    alike: &Alike<'_>,
) -> Result<Vec<JobId>> {
    let failed = failed_to("enqueue jobs");
    let ids = sqlx::query(statements.begin_copy.text())
        .bind(alike.kind)
        .bind(alike.priority)
        .bind(alike.payloads.len() as i64)
        .try_map(|row| rows::job_ids(&row))
        .fetch_one(&mut *connection)
        .await
        .map_err(&failed)?;

    let copying = connection.copy_in_raw(statements.copy_jobs.as_str()).await;
    let mut copying = copying.map_err(&failed)?;
    let mut buffer = [SIGNATURE, &NO_FLAGS, &NO_EXTENSION].concat();
    for (id, payload) in ids.iter().zip(&alike.payloads) {
        push_row(&mut buffer, alike, *id, payload);
        if buffer.len() >= SEND_AT {
            copying.send(buffer.as_slice()).await.map_err(&failed)?;
            buffer.clear();
        }
    }
    buffer.extend_from_slice(&TRAILER);
    copying.send(buffer.as_slice()).await.map_err(&failed)?;
    copying.finish().await.map_err(&failed)?;
    Ok(ids)
}

fn push_row(buffer: &mut Vec<u8>, alike: &Alike<'_>, id: JobId, payload: &[u8]) {
    let id = id.as_i64().to_be_bytes();
    buffer.extend_from_slice(&COLUMNS.to_be_bytes());
    for column in [
        &id[..],
        &id,
        &alike.priority.to_be_bytes(),
        b"available",
        alike.codec.as_bytes(),
        alike.kind.as_bytes(),
        payload,
    ] {
        // Far below 2 GiB: a payload has a limit.
        let length = i32::try_from(column.len()).unwrap_or(i32::MAX);
        buffer.extend_from_slice(&length.to_be_bytes());
        buffer.extend_from_slice(column);
    }
}
