//! The examples are programs of their own: see the folders beside this one.
