//! Installing, upgrading, checking and removing the schema.
//!
//! `migrations/` holds forward-only SQL. What was applied is written, with a checksum, to a
//! ledger in the schema itself; the application's own migrations are never touched. What is asked
//! once is not kept prepared.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Row as _};

use super::{
    application::ApplicationPool, failure::failed_to, schema_name::SchemaName,
    statements::Statements,
};
use crate::error::{Error, ErrorKind, Result};

/// One file of `migrations/`.
#[derive(Debug)]
struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "init",
    sql: include_str!("../../migrations/0001_init.sql"),
}];

/// The version that this crate needs.
const NEWEST: i32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// What must be there besides the ledger, as (kind in `pg_class`, name).
const OBJECTS: &[(&str, &str)] = &[
    ("r", "jobs"),
    ("r", "sessions"),
    ("r", "lanes"),
    ("p", "history"),
    ("r", "history_default"),
    ("r", "counts"),
    ("r", "counts_mark"),
    ("r", "reports"),
    ("r", "minutes"),
    ("r", "totals"),
    ("r", "kinds"),
    ("r", "schedules"),
    ("S", "positions"),
    ("i", "jobs_pkey"),
    ("i", "jobs_claim_idx"),
    ("i", "jobs_scheduled_idx"),
    ("i", "jobs_held_idx"),
    ("i", "lanes_idx"),
    ("I", "history_job_idx"),
    ("i", "history_default_expires_idx"),
    ("i", "counts_pkey"),
    ("i", "minutes_pkey"),
];

impl Migration {
    /// FNV-1a of the text. It is to notice an edited file, not to resist an attack.
    fn checksum(&self) -> String {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in self.sql.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        format!("{hash:016x}")
    }
}

/// The whole DDL for a schema, valid in psql.
pub(super) fn ddl(schema: &SchemaName) -> String {
    let mut text = String::from("BEGIN;\n");
    for migration in MIGRATIONS {
        let Migration { version, name, .. } = migration;
        text += &format!("\n-- Version {version}: {name}.\n\n");
        text += &schema.render(migration.sql);
        text += &record(schema, migration);
    }
    text + "\nCOMMIT;\n"
}

fn record(schema: &SchemaName, migration: &Migration) -> String {
    let statement = format!(
        "\nINSERT INTO pgqueuer.migrations (version, name, checksum) VALUES ({}, '{}', '{}');\n",
        migration.version,
        migration.name,
        migration.checksum()
    );
    schema.render(&statement)
}

pub(super) async fn install(pool: &PgPool, schema: &SchemaName) -> Result<Vec<i32>> {
    let failed = failed_to("install the schema");
    let mut connection = pool.acquire().await.map_err(&failed)?;
    let mut transaction = connection.begin().await.map_err(&failed)?;
    refuse_encoding(&mut transaction).await?;
    lock(&mut transaction, schema).await.map_err(&failed)?;
    let applied = applied(&mut transaction, schema).await.map_err(&failed)?;
    let have = applied.last().map_or(0, |it| it.version);
    refuse_newer(schema, have)?;
    let mut versions = Vec::new();
    for migration in MIGRATIONS.iter().filter(|it| it.version > have) {
        let text = schema.render(migration.sql) + &record(schema, migration);
        // The text is ours; only the checked and quoted schema name was put into it.
        sqlx::raw_sql(AssertSqlSafe(text))
            .execute(&mut *transaction)
            .await
            .map_err(&failed)?;
        versions.push(migration.version);
    }
    transaction.commit().await.map_err(&failed)?;
    Ok(versions)
}

/// Drops what was installed. Other objects in the schema stay, and so does the schema then.
pub(super) async fn uninstall(pool: &PgPool, schema: &SchemaName) -> Result<()> {
    let failed = failed_to("uninstall the schema");
    let mut connection = pool.acquire().await.map_err(&failed)?;
    let mut transaction = connection.begin().await.map_err(&failed)?;
    lock(&mut transaction, schema).await.map_err(&failed)?;
    if applied(&mut transaction, schema)
        .await
        .map_err(&failed)?
        .is_empty()
    {
        return Err(missing(schema));
    }
    sqlx::raw_sql(AssertSqlSafe(schema.render(include_str!("uninstall.sql"))))
        .execute(&mut *transaction)
        .await
        .map_err(&failed)?;
    transaction.commit().await.map_err(&failed)
}

pub(super) async fn verify(
    pool: &ApplicationPool,
    schema: &SchemaName,
    statements: &Statements,
) -> Result<()> {
    let failed = failed_to("check the schema");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let applied = applied(lent.connection(), schema).await.map_err(&failed)?;
    let Some(newest) = applied.last() else {
        return Err(missing(schema));
    };
    refuse_newer(schema, newest.version)?;
    if newest.version < NEWEST {
        return Err(Error::new(
            ErrorKind::Schema,
            format!(
                "schema \"{schema}\" is at version {}, but {NEWEST} is needed; run `pgq upgrade`",
                newest.version
            ),
        ));
    }
    for (migration, row) in MIGRATIONS.iter().zip(&applied) {
        if row.version != migration.version || row.checksum != migration.checksum() {
            return Err(Error::new(
                ErrorKind::Schema,
                format!(
                    "version {} of schema \"{schema}\" was not installed from the same file as this \
                     program has; install the schema anew or use the program that installed it",
                    row.version
                ),
            ));
        }
    }
    refuse_damaged(lent.connection(), schema).await?;
    let check = sqlx::raw_sql(statements.check());
    if let Err(problem) = lent.connection().execute(check).await {
        drop(lent);
        return Err(changed(pool, schema, statements, problem).await);
    }
    lent.give_back().await.map_err(&failed)
}

struct Applied {
    version: i32,
    checksum: String,
}

/// What the ledger says, oldest first; nothing if there is no ledger.
async fn applied(connection: &mut PgConnection, schema: &SchemaName) -> sqlx::Result<Vec<Applied>> {
    let ledger: Option<String> = sqlx::query_scalar("SELECT to_regclass($1)::text")
        .persistent(false)
        .bind(schema.render("pgqueuer.migrations"))
        .fetch_one(&mut *connection)
        .await?;
    if ledger.is_none() {
        return Ok(Vec::new());
    }
    let text = schema.render("SELECT version, checksum FROM pgqueuer.migrations ORDER BY version");
    sqlx::query(AssertSqlSafe(text))
        .persistent(false)
        .try_map(|row: sqlx::postgres::PgRow| {
            Ok(Applied {
                version: row.try_get("version")?,
                checksum: row.try_get("checksum")?,
            })
        })
        .fetch_all(connection)
        .await
}

/// One installer at a time. The key is made from the name of the schema.
async fn lock(connection: &mut PgConnection, schema: &SchemaName) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('pgqueuer install ' || $1, 0))")
        .persistent(false)
        .bind(schema.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Payloads and messages are UTF-8, and must come back as they went in.
async fn refuse_encoding(connection: &mut PgConnection) -> Result<()> {
    let encoding: String = sqlx::query_scalar("SELECT current_setting('server_encoding')")
        .persistent(false)
        .fetch_one(connection)
        .await
        .map_err(failed_to("read the encoding of the database"))?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Schema,
        format!("the encoding of this database is {encoding}, but UTF8 is needed; create another"),
    ))
}

fn missing(schema: &SchemaName) -> Error {
    Error::new(
        ErrorKind::Schema,
        format!(
            "schema \"{schema}\" is not installed in this database; run `pgq install` \
             (or the `install` command of your worker)"
        ),
    )
}

fn refuse_newer(schema: &SchemaName, have: i32) -> Result<()> {
    if have <= NEWEST {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Schema,
        format!(
            "schema \"{schema}\" is at version {have}, but this program knows only {NEWEST}; \
             use a newer pgqueuer"
        ),
    ))
}

async fn refuse_damaged(connection: &mut PgConnection, schema: &SchemaName) -> Result<()> {
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT class.relkind::text, class.relname::text \
         FROM pg_class AS class \
         JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace \
         LEFT JOIN pg_index AS index ON index.indexrelid = class.oid \
         WHERE namespace.nspname = $1 AND coalesce(index.indisvalid, true)",
    )
    .persistent(false)
    .bind(schema.as_str())
    .fetch_all(connection)
    .await
    .map_err(failed_to("check the schema"))?;
    let is_there = |kind: &str, name: &str| found.iter().any(|it| it.0 == kind && it.1 == name);
    let lost: Vec<&str> = OBJECTS
        .iter()
        .filter(|(kind, name)| !is_there(kind, name))
        .map(|(_, name)| *name)
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Schema,
        format!(
            "schema \"{schema}\" lacks {} (or an index is invalid); compare it with `pgq sql`",
            lost.join(", ")
        ),
    ))
}

/// What else was changed by hand: a statement that it spoils does not prepare. All were checked in
/// one round trip, since each worker does it when it starts; which it was is looked for now.
async fn changed(
    pool: &ApplicationPool,
    schema: &SchemaName,
    statements: &Statements,
    problem: sqlx::Error,
) -> Error {
    for (name, statement) in statements.all() {
        let Ok(mut lent) = pool.lend().await else {
            break;
        };
        let check = sqlx::raw_sql(statement.check());
        if let Err(error) = lent.connection().execute(check).await {
            return Error::new(
                ErrorKind::Schema,
                format!(
                    "schema \"{schema}\" was changed: the statement `{name}` does not fit it any \
                     more; compare it with `pgq sql`"
                ),
            )
            .because(error);
        }
    }
    failed_to("check the schema")(problem)
}

/// The version that is installed, if any.
pub(super) async fn installed_version(
    pool: &ApplicationPool,
    schema: &SchemaName,
) -> Result<Option<i32>> {
    let failed = failed_to("read the version of the schema");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let applied = applied(lent.connection(), schema).await.map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(applied.last().map(|it| it.version))
}
