//! What the attributes refuse, with the exact words, and what they accept.
//!
//! The words of `refused` are ours; those of `refused_by_rustc` change with the compiler.

#[test]
fn refusals() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/refused/*.rs");
    cases.compile_fail("ui/refused_by_rustc/*.rs");
    cases.pass("ui/accepted/*.rs");
}
