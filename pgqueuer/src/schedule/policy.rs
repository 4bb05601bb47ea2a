//! What a schedule does about slots that it missed, about jobs that are not finished in time, and
//! about changes by hand.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub(super) const ALL_OVERLAP: &str = "`missed = \"all\"` enqueues several jobs at once, which \
    `overlap = \"skip\"` does not let; choose one of them";

/// What becomes of slots for which no worker was there: in a deploy, an outage. A slot is missed if
/// the next one has come before its job could be enqueued. (By [`Skip`](Self::Skip), also if it is
/// more than a minute late.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Missed {
    /// Nothing: the schedule goes on with the next slot.
    Skip,
    /// One late job, for the last slot that was missed.
    #[default]
    Once,
    /// A late job for each slot, oldest first.
    All {
        /// But for so many only, the last ones. From 1 to 1,000; `all` is 100.
        up_to: u16,
    },
}

impl Missed {
    /// For all that were missed, up to 100.
    pub const ALL: Self = Self::All { up_to: 100 };
    const MOST: u16 = 1000;
}

impl FromStr for Missed {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.strip_prefix("all up to ").map(str::parse)) {
            ("skip", _) => Ok(Self::Skip),
            ("once", _) => Ok(Self::Once),
            ("all", _) => Ok(Self::ALL),
            (_, Some(Ok(up_to))) if (1..=Self::MOST).contains(&up_to) => Ok(Self::All { up_to }),
            _ => Err(Error::config(format!(
                "missed slots are told `{text}`; write `skip`, `once`, `all`, or `all up to 24` (at \
                 most {})",
                Self::MOST
            ))),
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skip => f.write_str("skip"),
            Self::Once => f.write_str("once"),
            &Self::ALL => f.write_str("all"),
            Self::All { up_to } => write!(f, "all up to {up_to}"),
        }
    }
}

/// Whether a schedule ticks while the job of its last tick waits or runs. (One that is held for a
/// person keeps nobody waiting.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Overlap {
    /// The slot has no job.
    Skip,
    /// It does.
    #[default]
    Allow,
}

impl FromStr for Overlap {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "skip" => Ok(Self::Skip),
            "allow" => Ok(Self::Allow),
            _ => Err(Error::config(format!(
                "overlaps are told `{text}`; write `skip` or `allow`"
            ))),
        }
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Skip => "skip",
            Self::Allow => "allow",
        })
    }
}

/// What becomes of changes that were made by hand to a schedule in the code. A pause stays either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Changes {
    /// They hold until they are reset, whatever is deployed.
    #[default]
    Keep,
    /// They yield to the code when a worker starts that has it.
    Yield,
}

impl FromStr for Changes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "keep" => Ok(Self::Keep),
            "yield" => Ok(Self::Yield),
            _ => Err(Error::config(format!(
                "changes are told `{text}`; write `keep` or `yield`"
            ))),
        }
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "keep",
            Self::Yield => "yield",
        })
    }
}

macro_rules! as_texts {
    ($($name:ident),+) => {
        $(
            impl TryFrom<String> for $name {
                type Error = Error;

                fn try_from(text: String) -> Result<Self> {
                    text.parse()
                }
            }

            impl From<$name> for String {
                fn from(value: $name) -> Self {
                    value.to_string()
                }
            }
        )+
    };
}

// As they are written in the attribute, in SQL, and in the database.
as_texts!(Missed, Overlap, Changes);
