//! A job may stand wherever a function may, as visible as it is.

#![deny(warnings)]

use pgqueuer::{Job, JobDescriptor};

mod mail {
    use pgqueuer::{Context, job};

    pub mod inner {
        #[pgqueuer::job]
        pub(in crate::mail) async fn seen_by_mail(user_id: i64) {
            let _ = user_id;
        }

        #[pgqueuer::job]
        pub(super) async fn seen_by_parent(user_id: i64) {
            let _ = user_id;
        }
    }

    #[job]
    pub(crate) async fn seen_by_crate(
        user_id: i64,
        _unused: pgqueuer::State<String>,
        _: Context,
        own: OwnState<u8>,
    ) {
        let _ = (user_id, own.0);
        let _ = (
            inner::SeenByMail { user_id },
            inner::SeenByParent { user_id },
        );
    }

    // Not one of ours, so it belongs to the payload.
    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    pub(crate) struct OwnState<T>(pub(crate) T);
}

/// Jobs from a macro, whose fragments come in invisible groups.
macro_rules! jobs {
    ($($name:ident($argument:ident: $ty:ty) in $queue:literal),*) => {$(
        #[pgqueuer::job(queue = $queue)]
        async fn $name($argument: $ty, context: pgqueuer::Context) {
            let _ = ($argument, context);
        }
    )*};
}

jobs!(first(number: i32) in "one", second(list: Vec<(u8, String)>) in "two");

fn main() {
    #[pgqueuer::job]
    async fn local(bytes: Vec<u8>) {
        drop(bytes);
    }

    assert_eq!(Local::KIND, "local");
    assert_eq!(Local::SOURCE.line, line!() - 5);
    assert_eq!(Local::ARGUMENTS[0].type_name, "Vec<u8>");
    assert_eq!(First::OPTIONS.queue, "one");
    assert_eq!(Second::ARGUMENTS[0].type_name, "Vec<(u8, String)>");
    assert_eq!(Second::ARGUMENTS.len(), 1);
    assert_eq!(mail::SeenByCrate::ARGUMENTS.len(), 2);

    let kinds: Vec<_> = pgqueuer::linked_jobs().map(|it| it.kind).collect();
    assert_eq!(kinds.len(), 6, "{kinds:?}");
    let _ = JobDescriptor::of::<Local>();
}
