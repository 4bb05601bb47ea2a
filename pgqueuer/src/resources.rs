//! Shared resources, and how handlers get them.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    fmt,
    ops::Deref,
    sync::Arc,
};

use crate::{
    context::Context,
    error::{Error, Result},
};

/// A resource that all handlers of a worker share: a pool, a client, a model.
///
/// Give it to the worker once (`.state(value)`), and take it in any job as a
/// parameter. A worker refuses to start when a registered job asks for a
/// resource that it was not given. The worker's own [`PgQueuer`](crate::PgQueuer)
/// and, on PostgreSQL, its `PgPool` are there without being asked for.
///
/// ```
/// use pgqueuer::prelude::*;
///
/// struct Mailer;
///
/// #[job]
/// async fn welcome(user_id: i64, mailer: State<Mailer>) {
///     let _mailer: &Mailer = &mailer;
/// #   let _ = user_id;
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// // A unit test calls the function itself.
/// welcome(42, State::new(Mailer)).await;
/// # });
/// ```
pub struct State<T: ?Sized>(Arc<T>);

impl<T> State<T> {
    /// Wraps a value, for calling a handler directly in a test.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: ?Sized> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&&*self.0).finish()
    }
}

/// A parameter of a handler that comes from the worker, not from the payload.
///
/// [`State`], [`Context`] and [`Tx`](crate::Tx) are such. A type of your own that is made from them
/// can be one, too: implement this and mark the parameter with `#[inject]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be injected into a job",
    label = "neither `State<T>`, `Context` nor `Tx`, and it does not implement `Inject`",
    note = "a parameter without `#[inject]` is part of the payload"
)]
pub trait Inject: Sized + Send {
    /// The resources that must be there, checked when the worker starts.
    fn requirements() -> Vec<Requirement> {
        Vec::new()
    }

    /// Takes the value out of the context of an attempt.
    ///
    /// # Errors
    ///
    /// If a resource is missing. The attempt then fails.
    fn inject(context: &Context) -> Result<Self>;
}

impl<T: Send + Sync + 'static> Inject for State<T> {
    fn requirements() -> Vec<Requirement> {
        vec![Requirement::of::<T>()]
    }

    fn inject(context: &Context) -> Result<Self> {
        context.resources().get::<T>()
    }
}

impl Inject for Context {
    fn inject(context: &Context) -> Result<Self> {
        Ok(context.clone())
    }
}

/// A resource that a job cannot run without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    id: TypeId,
    name: &'static str,
}

impl Requirement {
    /// The requirement of a `State<T>`.
    #[must_use]
    pub fn of<T: 'static>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: type_name::<T>(),
        }
    }

    /// A transaction, which no queue in memory has.
    pub(crate) fn of_transaction() -> Self {
        Self::of::<crate::tx::Tx>()
    }

    /// The name of the type, for people.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.name
    }
}

/// The resources of one worker, by type.
#[derive(Clone, Default)]
pub(crate) struct Resources(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Resources {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    pub(crate) fn contains(&self, requirement: &Requirement) -> bool {
        self.0.contains_key(&requirement.id)
    }

    /// As [`insert`](Self::insert), and returns what handlers get.
    #[cfg(feature = "testing")]
    pub(crate) fn share<T: Send + Sync + 'static>(&mut self, value: T) -> State<T> {
        let value = Arc::new(value);
        let shared: Arc<dyn Any + Send + Sync> = Arc::<T>::clone(&value);
        self.0.insert(TypeId::of::<T>(), shared);
        State(value)
    }

    /// Adds those of another; where both have a type, the other one counts.
    #[cfg(feature = "testing")]
    pub(crate) fn extend(&mut self, others: &Self) {
        let others = others.0.iter().map(|(id, it)| (*id, Arc::clone(it)));
        self.0.extend(others);
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Result<State<T>> {
        let found = self.0.get(&TypeId::of::<T>()).cloned();
        match found.map(Arc::downcast::<T>) {
            Some(Ok(value)) => Ok(State(value)),
            Some(Err(_)) | None => Err(Error::config(format!(
                "no `State<{name}>` was given to this worker; add `.state(…)`",
                name = type_name::<T>()
            ))),
        }
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resources({})", self.0.len())
    }
}
