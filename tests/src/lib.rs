//! The guides, whose programs are compiled and run. The tests are in `suite/`.

pub mod program;

#[cfg(doctest)]
#[doc = include_str!("../../docs/guide.md")]
struct Guide;

#[cfg(doctest)]
#[doc = include_str!("../../docs/results.md")]
struct Results;

#[cfg(doctest)]
#[doc = include_str!("../../docs/schedules.md")]
struct Schedules;

#[cfg(doctest)]
#[doc = include_str!("../../docs/executors.md")]
struct Executors;

#[cfg(doctest)]
#[doc = include_str!("../../docs/metrics.md")]
struct Metrics;
