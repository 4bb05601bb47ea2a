//! pgqueuer-cli
