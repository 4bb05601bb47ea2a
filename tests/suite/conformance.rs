//! The conformance suite: what every store must do, and the runtime on every store.
//!
//! A case is an async function whose name says what holds, as a sentence about its module:
//! `claim::prefers_higher_priority`. Each file begins with the list of its cases, and the
//! macros here multiply that list into tests: `…::prefers_higher_priority::memory` and
//! `…::prefers_higher_priority::postgres`. A case that is not listed is dead code, so the
//! compiler finds it.
//!
//! What only a database has (connections, SQL functions, plans) is in [`postgres`], and in
//! lists that say `postgres_only` with a comment that says why.

// Cases about `dyn Store`.
mod store;

// Cases about workers and producers, through `PgQueuer`.
mod runtime;

// Cases about what is only there on PostgreSQL.
mod postgres;

/// Lists cases about a `&dyn Store`.
macro_rules! store_cases {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            #[tokio::test]
            async fn memory() {
                crate::backend::in_memory(async |pgq| super::$case(&**pgq.store()).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                crate::backend::on_postgres(async |it| super::$case(it.store()).await).await;
            }
        }
    )+};
}

/// Lists cases about a `&PgQueuer`.
macro_rules! runtime_cases {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn memory() {
                crate::backend::in_memory(async |pgq| super::$case(pgq).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                crate::backend::on_postgres(async |it| super::$case(&it.pgq).await).await;
            }
        }
    )+};
}

/// Lists cases about a `&Database`. The backend is `on_postgres` or `in_own_database`.
macro_rules! postgres_only {
    ($backend:ident: $($case:ident),+ $(,)?) => {$(
        mod $case {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                crate::backend::$backend(async |it| super::$case(it).await).await;
            }
        }
    )+};
}

use {postgres_only, runtime_cases, store_cases};
