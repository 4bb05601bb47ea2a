//! pgqueuer-examples
