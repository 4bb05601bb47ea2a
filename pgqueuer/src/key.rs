//! Keys: the values of arguments by which limits count and jobs are unique.

use std::{
    borrow::Cow,
    fmt,
    num::{
        NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroU8, NonZeroU16, NonZeroU32,
        NonZeroU64,
    },
    rc::Rc,
    sync::Arc,
};

use crate::error::{Error, Result};

/// The longest key, in bytes: an index takes no entry of over 2,704.
pub const MAX_KEY_BYTES: usize = 1024;

/// What can be a key: the type of an argument that `by` names.
///
/// Texts, whole numbers, `bool` and `char`, and any of them in an `Option`, a `Box` or a reference;
/// with the feature `uuid`, a `Uuid`. Floats are not: two that print the same may differ.
/// A type of your own gives one of its parts:
///
/// ```
/// use pgqueuer::{Key, KeyValue};
///
/// struct CustomerId(i64);
///
/// impl Key for CustomerId {
///     fn key(&self) -> KeyValue<'_> {
///         self.0.key()
///     }
/// }
/// assert_eq!(CustomerId(42).key().to_string(), "42");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "part of a key, so it must be a text, a whole number, a `bool`, or an `Option` of these",
    note = "for a type of your own, write `impl pgqueuer::Key for …` and give one of its parts"
)]
pub trait Key {
    /// The key. What is equal has equal keys.
    fn key(&self) -> KeyValue<'_>;
}

/// A key, or a part of one.
///
/// Its text is that of the value in JSON, so that SQL can make the same: `args -> 'customer'`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyValue<'a> {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// A text.
    Text(Cow<'a, str>),
}

impl fmt::Display for KeyValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            // PostgreSQL escapes the same characters in the same way.
            Self::Text(value) => serde_json::Value::from(value.as_ref()).fmt(f),
        }
    }
}

/// One key of the values of some arguments: `42`, or `["acme", 42]` if there are several.
///
/// # Errors
///
/// [`ErrorKind::Config`](crate::ErrorKind::Config), if it is longer than [`MAX_KEY_BYTES`].
pub(crate) fn join(kind: &str, parts: &[&dyn Key]) -> Result<String> {
    let key = match parts {
        [part] => part.key().to_string(),
        parts => {
            let texts: Vec<String> = parts.iter().map(|it| it.key().to_string()).collect();
            format!("[{}]", texts.join(", "))
        }
    };
    check(kind, &key)?;
    Ok(key)
}

/// The key that some arguments of a job make, by their names, if it was encoded as JSON. As
/// `pgqueuer.key_of` in the schema.
pub(crate) fn of_json(args: &serde_json::Value, fields: &[String]) -> String {
    let text = |field: &String| match args.get(field) {
        // An argument that was left out.
        None => KeyValue::Null.to_string(),
        Some(value) => value.to_string(),
    };
    match fields {
        [field] => text(field),
        fields => {
            let texts: Vec<String> = fields.iter().map(text).collect();
            format!("[{}]", texts.join(", "))
        }
    }
}

/// Refuses a key that is too long, or that PostgreSQL cannot store.
pub(crate) fn check(kind: &str, key: &str) -> Result<()> {
    if key.len() > MAX_KEY_BYTES {
        return Err(Error::config(format!(
            "a key of job `{kind}` is {} bytes long, at most {MAX_KEY_BYTES}; use an id, or a digest \
             of the value",
            key.len()
        )));
    }
    if key.contains('\0') {
        return Err(Error::config(format!(
            "a key of job `{kind}` contains a NUL character, which PostgreSQL cannot store"
        )));
    }
    Ok(())
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl Key for $number {
            fn key(&self) -> KeyValue<'_> {
                KeyValue::Integer((*self).into())
            }
        }
    )*};
}

whole_numbers!(i8, i16, i32, i64, i128, u8, u16, u32, u64);

macro_rules! whole_numbers_but_zero {
    ($($number:ty),*) => {$(
        impl Key for $number {
            fn key(&self) -> KeyValue<'_> {
                KeyValue::Integer(self.get().into())
            }
        }
    )*};
}

whole_numbers_but_zero!(
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64
);

impl Key for isize {
    fn key(&self) -> KeyValue<'_> {
        // At most 64 bits wide on every platform there is.
        KeyValue::Integer(*self as i128)
    }
}

impl Key for usize {
    fn key(&self) -> KeyValue<'_> {
        // At most 64 bits wide on every platform there is.
        KeyValue::Integer(*self as i128)
    }
}

impl Key for bool {
    fn key(&self) -> KeyValue<'_> {
        KeyValue::Bool(*self)
    }
}

impl Key for char {
    fn key(&self) -> KeyValue<'_> {
        KeyValue::Text(self.to_string().into())
    }
}

impl Key for str {
    fn key(&self) -> KeyValue<'_> {
        KeyValue::Text(self.into())
    }
}

impl Key for String {
    fn key(&self) -> KeyValue<'_> {
        self.as_str().key()
    }
}

#[cfg(feature = "uuid")]
impl Key for uuid::Uuid {
    fn key(&self) -> KeyValue<'_> {
        KeyValue::Text(self.to_string().into())
    }
}

impl<T: Key> Key for Option<T> {
    fn key(&self) -> KeyValue<'_> {
        self.as_ref().map_or(KeyValue::Null, Key::key)
    }
}

macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<T: Key + ?Sized> Key for $pointer {
            fn key(&self) -> KeyValue<'_> {
                (**self).key()
            }
        }
    )*};
}

pointers!(&T, Box<T>, Rc<T>, Arc<T>);

impl<T: Key + ToOwned + ?Sized> Key for Cow<'_, T> {
    fn key(&self) -> KeyValue<'_> {
        self.as_ref().key()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_as_json() {
        let keys: [(&dyn Key, &str); 7] = [
            (&"acme", "\"acme\""),
            (&"a \"b\"\n\u{1}ø", "\"a \\\"b\\\"\\n\\u0001ø\""),
            (&-42_i64, "-42"),
            (&u64::MAX, "18446744073709551615"),
            (&true, "true"),
            (&None::<i32>, "null"),
            (&Some(Box::<str>::from("null")), "\"null\""),
        ];
        for (key, text) in keys {
            assert_eq!(key.key().to_string(), text);
        }
    }

    #[test]
    fn several_values_are_one_key() {
        assert_eq!(join("mail", &[&42]).unwrap(), "42");
        assert_eq!(join("mail", &[&"a, b", &42]).unwrap(), "[\"a, b\", 42]");
    }

    #[test]
    fn a_key_that_no_index_takes_is_refused() {
        let error = join("mail", &[&"x".repeat(MAX_KEY_BYTES)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a key of job `mail` is 1026 bytes long, at most 1024; use an id, or a digest of the value"
        );
    }
}
