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

/// Lists cases about a `&dyn Store`. After `not_pooled("why")`, those that cannot hold behind a
/// pooler, where they are left out.
macro_rules! store_cases {
    (@ $needs:expr; $($case:ident),+) => {$(
        mod $case {
            #[tokio::test]
            async fn memory() {
                crate::backend::in_memory(async |pgq| super::$case(&**pgq.store()).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                if crate::backend::has($needs, module_path!()) {
                    crate::backend::on_postgres(async |it| super::$case(it.store()).await).await;
                }
            }
        }
    )+};
    (not_pooled($why:literal): $($case:ident),+ $(,)?) => {
        store_cases! { @ crate::backend::Needs::OwnSession($why); $($case),+ }
    };
    ($($case:ident),+ $(,)?) => {
        store_cases! { @ crate::backend::Needs::Nothing; $($case),+ }
    };
}

/// Lists cases about a `&PgQueuer`, as `store_cases` does.
macro_rules! runtime_cases {
    (@ $needs:expr; $($case:ident),+) => {$(
        mod $case {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn memory() {
                crate::backend::in_memory(async |pgq| super::$case(pgq).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if crate::backend::has($needs, module_path!()) {
                    crate::backend::on_postgres(async |it| super::$case(&it.pgq).await).await;
                }
            }
        }
    )+};
    (not_pooled($why:literal): $($case:ident),+ $(,)?) => {
        runtime_cases! { @ crate::backend::Needs::OwnSession($why); $($case),+ }
    };
    ($($case:ident),+ $(,)?) => {
        runtime_cases! { @ crate::backend::Needs::Nothing; $($case),+ }
    };
}

/// Lists cases about a `&Database`. The backend is `on_postgres` or `in_own_database`; after it may
/// stand `not_pooled("why")`, or `pooled` for what holds behind a pooler alone.
macro_rules! postgres_only {
    (@ $backend:ident, $needs:expr; $($case:ident),+) => {$(
        mod $case {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if crate::backend::has($needs, module_path!()) {
                    crate::backend::$backend(async |it| super::$case(it).await).await;
                }
            }
        }
    )+};
    ($backend:ident, not_pooled($why:literal): $($case:ident),+ $(,)?) => {
        postgres_only! { @ $backend, crate::backend::Needs::OwnSession($why); $($case),+ }
    };
    ($backend:ident, pooled: $($case:ident),+ $(,)?) => {
        postgres_only! { @ $backend, crate::backend::Needs::Pooler; $($case),+ }
    };
    ($backend:ident: $($case:ident),+ $(,)?) => {
        postgres_only! { @ $backend, crate::backend::Needs::Nothing; $($case),+ }
    };
}

use {postgres_only, runtime_cases, store_cases};
