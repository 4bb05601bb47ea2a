//! The guide, whose programs are compiled and run. The tests are in `suite/`.

#[cfg(doctest)]
#[doc = include_str!("../../docs/guide.md")]
struct Guide;
